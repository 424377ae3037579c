"""Starts a mini_redis for a test, and talks to it. Only the standard library."""
import os
import signal
import socket
import subprocess
import sys
import unittest

SCALE = int(os.environ.get("COIR_TIMEOUT_SCALE", "1"))
PROGRAM = sys.argv[1] if len(sys.argv) > 1 else "mini_redis"


class Server:
    def __init__(self, *options):
        self.process = subprocess.Popen([PROGRAM, "--port", "0", *options], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        ready = self.process.stdout.readline().decode()
        if not ready.startswith("mini_redis ready on "):
            self.process.kill()
            raise RuntimeError(f"not ready: {ready!r} {self.process.communicate()[1].decode()}")
        self.address = ready.split()[-1]
        self.host, port = self.address.rsplit(":", 1)
        self.host = self.host.strip("[]")
        self.port = int(port)

    def stop(self, which=signal.SIGTERM):
        """The exit code, and what it wrote to stderr."""
        self.process.send_signal(which)
        return self.wait()

    def wait(self):
        try:
            _, errors = self.process.communicate(timeout=15 * SCALE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise
        return self.process.returncode, errors.decode()

    def open_files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Error(Exception):
    """An error that was an answer."""

    def __eq__(self, other):
        return isinstance(other, Error) and self.args == other.args


def encode(*arguments):
    parts = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        data = argument if isinstance(argument, bytes) else str(argument).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


class Client:
    """A raw connection: answers are bytes, int, None, list or Error; a simple string is a str."""

    def __init__(self, server, timeout=10):
        self.socket = socket.create_connection((server.host, server.port), timeout=timeout * SCALE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    def send(self, *arguments):
        self.socket.sendall(encode(*arguments))

    def send_raw(self, data):
        self.socket.sendall(data)

    def read(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError(line)
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return Error(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return None if rest == b"-1" else [self.read() for _ in range(int(rest))]
        raise ValueError(f"no RESP: {line!r}")

    def at_end(self):
        """The server has closed the connection, and said nothing more."""
        return self.file.read(1) == b""

    def call(self, *arguments):
        self.send(*arguments)
        return self.read()

    def is_quiet(self, seconds=0.05):
        """Nothing has come; for checks that something does *not* happen."""
        before = self.socket.gettimeout()
        self.socket.settimeout(seconds)
        try:
            self.socket.recv(1, socket.MSG_PEEK)
            return False
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(before)


class ServerTest(unittest.TestCase):
    """A server for each test, which has to end in order, and silently."""

    def setUp(self):
        self.server = Server()
        self.addCleanup(self.finish)

    def finish(self):
        if self.server.process.returncode is None:
            self.assertEqual(self.server.stop(), (0, ""))

    def client(self, **options):
        client = Client(self.server, **options)
        self.addCleanup(client.close)
        return client

    def info(self, client, field):
        for line in client.call("INFO").decode().split("\r\n"):
            if line.startswith(field + ":"):
                return int(line.split(":")[1])
        raise KeyError(field)

    def until(self, condition):
        """Asks again and again, without a pause: each question is a round trip through the server."""
        for _ in range(100_000):
            if condition():
                return
        self.fail("it never came true")


def main():
    unittest.main(argv=sys.argv[:1])
