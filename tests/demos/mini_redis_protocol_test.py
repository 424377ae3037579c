"""What is sent is not always what was meant: frames cut anywhere, far too many, far too long, or no frames at all."""
import socket
import threading

import mini_redis_kit as kit
from mini_redis_kit import Error, encode

MIB = 1024 * 1024


class ProtocolTest(kit.ServerTest):
    def finish(self):
        """Whatever a test did to it, the server still serves."""
        with kit.Client(self.server) as client:
            self.assertEqual(client.call("ECHO", "alive"), b"alive")
        super().finish()

    def assert_refused(self, data, *, wanted, before=()):
        with kit.Client(self.server) as client:
            client.send_raw(data)
            for answer in before:
                self.assertEqual(client.read(), answer)
            self.assertEqual(client.read(), Error("ERR Protocol error: " + wanted))
            self.assertTrue(client.at_end())

    def test_frames_that_make_no_sense_are_refused_and_quoted(self):
        for data, wanted in [
                (b"*abc\r\n", "invalid multibulk length 'abc'"),
                (b"*\r\n", "invalid multibulk length ''"),
                (b"* 1\r\n", "invalid multibulk length ' 1'"),
                (b"*1048577\r\n", "invalid multibulk length '1048577'"),
                (b"*99999999999999999999\r\n", "invalid multibulk length '99999999999999999999'"),
                (b"*" + b"1" * 100, "too big multibulk count string"),
                (b"*1\rx", "invalid multibulk length '1'"),
                (b"*1\r\n:5\r\n", "expected '$', got ':'"),
                (b"*1\r\n\x00", "expected '$', got '?'"),
                (b"*1\r\n$-1\r\n", "invalid bulk length '-1'"),
                (b"*1\r\n$x\r\n", "invalid bulk length 'x'"),
                (b"*1\r\n$536870913\r\n", "invalid bulk length '536870913'"),
                (b"*1\r\n$" + b"1" * 100, "too big bulk count string"),
                (b"*1\r\n$4\r\nPINGxx", "expected the end of a bulk, got 'xx'"),
                (b"*2\r\n$4\r\nECHO\r\n$1\r\nab\r\n", "expected the end of a bulk, got 'b?'"),
                (b"ECHO 'never closed\r\n", "unbalanced quotes in request"),
                (b'ECHO "a"b\r\n', "unbalanced quotes in request"),
                (b"x" * (64 * 1024 + 1), "too big inline request"),
                (b"x" * MIB, "too big inline request")]:
            with self.subTest(data[:40]):
                self.assert_refused(data, wanted=wanted)

    def test_what_came_before_an_error_is_answered(self):
        self.assert_refused(encode("PING") + b"PING\r\n*1\r\n!", before=["PONG", "PONG"], wanted="expected '$', got '!'")

    def test_an_error_is_read_even_by_who_still_sends(self):
        with kit.Client(self.server) as client:
            client.send_raw(b"*1\r\n!" + b"y" * (4 * MIB))
            self.assertEqual(client.read(), Error("ERR Protocol error: expected '$', got '!'"))

    def test_frames_may_be_cut_anywhere(self):
        data = (encode("SET", "key", b"a\r\nb$*") + encode("GET", "key") + b"*0\r\n*-1\r\n\r\n" +
                b"ECHO 'in line'\r\n" + encode("ECHO", "") + encode("MGET", "key", "none"))
        wanted = ["OK", b"a\r\nb$*", b"in line", b"", [b"a\r\nb$*", None]]
        for cut in range(len(data) + 1):
            with kit.Client(self.server) as client:
                client.send_raw(data[:cut])
                if cut in (0, len(data)) or cut % 7 == 0:
                    kit.Client(self.server).close()  # something else for the server to do
                client.send_raw(data[cut:])
                self.assertEqual([client.read() for _ in wanted], wanted, cut)

    def test_frames_may_come_byte_by_byte(self):
        data = encode("SET", "key", b"a\r\nb") + b"GET key\r\n" + encode("GET", "key")
        with kit.Client(self.server) as client:
            for byte in data:
                client.send_raw(bytes([byte]))
            self.assertEqual([client.read() for _ in range(3)], ["OK", b"a\r\nb", b"a\r\nb"])

    def test_ten_thousand_commands_in_one_write(self):
        count = 10_000
        with kit.Client(self.server) as client:
            client.send_raw(encode("INCR", "counter") * count)
            self.assertEqual([client.read() for _ in range(count)], list(range(1, count + 1)))

    def test_ten_thousand_large_answers_to_who_reads_late(self):
        count, value = 10_000, b"v" * 1000
        with kit.Client(self.server) as client:
            client.call("SET", "key", value)
            sender = threading.Thread(target=client.send_raw, args=(encode("GET", "key") * count,))
            sender.start()
            self.assertEqual({client.read() for _ in range(count)}, {value})
            sender.join()

    def test_errors_do_not_end_a_pipeline(self):
        with kit.Client(self.server) as client:
            client.send_raw(encode("SET", "s", "x") + encode("INCR", "s") + encode("NOSUCH") + encode("GET", "s"))
            self.assertEqual([client.read() for _ in range(4)], [
                "OK", Error("ERR value is not an integer or out of range"),
                Error("ERR unknown command 'NOSUCH', with args beginning with: "), b"x"])

    def test_an_error_stays_on_one_line_whatever_it_quotes(self):
        with kit.Client(self.server) as client:
            self.assertEqual(client.call("a\r\n+b"), Error("ERR unknown command 'a  +b', with args beginning with: "))
            client.send("x", *["y" * 50] * 100)
            self.assertLess(len(client.read().args[0]), 300)

    def test_inline_commands_are_split_as_a_shell_does(self):
        for line, wanted in [
                (b"PING\r\n", "PONG"), (b"ping\n", "PONG"), (b"  ECHO   a  \r\n", b"a"), (b"ECHO 'a \\' b'\r\n", b"a ' b"),
                (b'ECHO "\\x41\\n\\r\\t\\b\\a\\q\\"\\\\"\r\n', b'A\n\r\t\b\aq"\\'), (b'ECHO "\\xZZ"\r\n', b"xZZ"),
                (b"ECHO \"\"\r\n", b""), (b"\t ECHO\tx\r\n", b"x"), (b"ECHO " + b"x" * 60_000 + b"\r\n", b"x" * 60_000),
                (b"\xff\xfe\r\n", Error("ERR unknown command '\udcff\udcfe', with args beginning with: "))]:
            with self.subTest(line[:40]), kit.Client(self.server) as client:
                client.send_raw(line)
                if isinstance(wanted, Error):
                    self.assertTrue(client.file.readline().startswith(b"-ERR unknown command"))
                else:
                    self.assertEqual(client.read(), wanted)

    def test_announced_sizes_take_no_memory(self):
        before = self.server.resident_bytes()
        clients = [self.client() for _ in range(20)]
        for n, client in enumerate(clients):
            client.send_raw(b"*1048576\r\n$536870912\r\n" if n % 2 else b"*2\r\n$4\r\nECHO\r\n$536870912\r\nbeginning")
        self.assertEqual(self.client().call("PING"), "PONG")
        self.assertLess(self.server.resident_bytes() - before, 64 * MIB)

    def test_a_large_value_goes_there_and_back(self):
        value = bytes(range(256)) * (128 * 1024 // kit.SCALE)
        with kit.Client(self.server) as client:
            self.assertEqual(client.call("SET", "large", value), "OK")
            self.assertTrue(client.call("GET", "large") == value)

    def test_many_arguments(self):
        count = 200_000 // kit.SCALE
        with kit.Client(self.server) as client:
            self.assertEqual(client.call("RPUSH", "many", *range(count)), count)
            self.assertEqual(client.call("LRANGE", "many", 0, -1), [b"%d" % n for n in range(count)])

    def test_garbage_ends_its_own_connection_only(self):
        garbage = bytes((n * n * 31 + n * 7 + 11) % 256 for n in range(50_000))
        for start in range(0, 50_000, 2_500):
            with kit.Client(self.server) as client:
                client.send_raw(garbage[start:start + 20_000])
                client.socket.shutdown(socket.SHUT_WR)
                while client.file.read(65536):
                    pass

    def test_clients_that_go_in_the_middle_of_anything_leave_nothing(self):
        witness = self.client()
        self.until(lambda: self.info(witness, "connected_clients") == 1)
        files = self.server.open_files()
        for data in [b"", b"*", b"*2\r\n$3\r\nGET", encode("GET", "x") * 1000, b"PING"]:
            for linger in (False, True):
                client = kit.Client(self.server)
                client.send_raw(data)
                if linger:  # a reset instead of an end
                    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                client.close()
        self.until(lambda: self.info(witness, "connected_clients") == 1)
        self.until(lambda: self.server.open_files() == files)


if __name__ == "__main__":
    kit.main()
