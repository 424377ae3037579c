"""One measurement of a server: start it, wait until it listens, put load on it, end it."""

import itertools
import os
import select
import shutil
import signal
import socket
import tempfile
import time
from contextlib import contextmanager

import contract
import process
from process import Failed

READY_SECONDS = 15
CALLS_MILLISECONDS = (300, 1000)
ATTACH_SECONDS = 0.3
# strace would do, but not for a runtime that polls by the clock: it makes each call 50 times as long.
ALL_CALLS = "raw_syscalls:sys_enter"
SENDS = tuple(f"syscalls:sys_enter_{name}" for name in ("write", "writev", "sendto", "sendmsg", "sendmmsg"))

# Below the range from which the kernel takes the ports of outgoing connections.
_ports = itertools.cycle(range(20_000 + os.getpid() % 5_000, 31_000))


def free_port():
    while True:
        port = next(_ports)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def await_ready(server, complaints):
    """Until the server says so on its stdout."""
    deadline = time.monotonic() + READY_SECONDS
    heard = b""
    while b"ready" not in heard:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([server.stdout], [], [], left)[0]:
            raise Failed(f"is not ready after {READY_SECONDS} s")
        piece = os.read(server.stdout.fileno(), 4096)
        if not piece:
            server.wait()
            complaints.seek(0)
            raise Failed("before it was ready it " + process.describe_end(server.returncode, complaints.read()))
        heard += piece


@contextmanager
def serving(program, work, core):
    """Yields (process, port)."""
    port = free_port()
    command = [*program.command(work.program_name), str(port)]
    with tempfile.TemporaryFile("w+") as complaints:  # a pipe that nobody reads would block it
        server = process.start(command, {core}, program.folder, program.environment(), stderr=complaints)
        try:
            await_ready(server, complaints)
            yield server, port
        finally:
            process.end(server)
            server.stdout.close()


def put_load(load, words, core, milliseconds, tick):
    command = [*load.command("load"), *map(str, words)]
    timeout = 40 + milliseconds / 1000
    return contract.parse(process.run(command, {core}, load.folder, load.environment(), timeout, tick))


def load_words(work, port, size, milliseconds):
    if work.program_name == "accept":
        return ("accept", port, milliseconds)
    return (work.program_name, port, size, milliseconds)


def load_core(work):
    return process.FIRST if work.cores == "shared" else process.SECOND


def measure_rate(program, load, work, size, milliseconds, tick):
    with serving(program, work, process.FIRST) as (_, port):
        return put_load(load, load_words(work, port, size, milliseconds), load_core(work), milliseconds, tick)


def measure_memory(program, load, work, size, milliseconds, tick):
    """The most that is seen while the load runs."""
    seen = [0.0]
    with serving(program, work, process.FIRST) as (server, port):
        def look():
            seen[0] = max(seen[0], process.resident_mib(server.pid))
            tick()
        sample = put_load(load, load_words(work, port, size, milliseconds), process.SECOND, milliseconds, look)
    return {**sample, "rss_mib": seen[0]}


def count_calls(program, load, work, size, milliseconds, tick):
    """(all system calls of the server, those that send, wrong answers) while it has connections"""
    with serving(program, work, process.FIRST) as (server, port):
        command = ["perf", "stat", "-x", " ", "-e", ",".join((ALL_CALLS, *SENDS)), "-p", str(server.pid)]
        perf = process.start(command, {process.SECOND}, program.folder, None)
        try:
            time.sleep(ATTACH_SECONDS)
            sample = put_load(load, load_words(work, port, size, milliseconds), load_core(work), milliseconds, tick)
            perf.send_signal(signal.SIGINT)
            lines = [line.split() for line in perf.communicate(timeout=10)[1].splitlines()]
        finally:
            process.end(perf)
    found = {words[1]: int(words[0]) for words in lines if len(words) > 1 and words[0].isdigit()}
    if not found.get(ALL_CALLS):
        raise Failed("perf may not count system calls here")
    return found[ALL_CALLS], sum(found.get(name, 0) for name in SENDS), sample["check"]


def measure_calls(program, load, work, size, milliseconds, tick):
    """What a longer run needs more than a shorter one: accept and end are in both. An answer is one send."""
    if not shutil.which("perf"):
        raise Failed("perf is not installed")
    short, long = (count_calls(program, load, work, size, ms, tick) for ms in CALLS_MILLISECONDS)
    calls, answers = long[0] - short[0], long[1] - short[1]
    if answers <= 0:
        raise Failed("no more answers in a longer run")
    return {"ops": answers, "check": short[2] + long[2], "calls": calls / answers}


MEASURES = {"echo_memory": measure_memory, "echo_calls": measure_calls}


def measure(program, load, work, size, milliseconds, tick):
    how = MEASURES.get(work.name, measure_rate)
    return contract.validate(how(program, load, work, size, milliseconds, tick), work, size)
