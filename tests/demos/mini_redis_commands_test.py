"""redis-cli drives every command, and its output is checked."""
import subprocess
import tempfile
import unittest

import mini_redis_kit as kit

WRONG = "(error) WRONGTYPE Operation against a key holding the wrong kind of value"
NOT_INT = "(error) ERR value is not an integer or out of range"
OVERFLOW = "(error) ERR increment or decrement would overflow"

# Lines as redis-cli takes them, with what it prints (in its way for terminals). "!" ends a list whose order is free.
SCRIPT = [
    ("PING", "PONG"), ("PING hello", '"hello"'), ("ping a b", "(error) ERR wrong number of arguments for 'ping' command"),
    ("ECHO 'a b'", '"a b"'), ("ECHO", "(error) ERR wrong number of arguments for 'echo' command"),
    ("NOSUCH a b", "(error) ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' "),
    # strings
    ("SET s one", "OK"), ("GET s", '"one"'), ("GET none", "(nil)"), ("SET s two NX", "(nil)"), ("SET s two XX", "OK"),
    ("SET none two XX", "(nil)"), ("SET s three GET", '"two"'), ("SET fresh 1 NX GET", "(nil)"),
    ("SET s x NX XX", "(error) ERR syntax error"), ("SET s x EX", "(error) ERR syntax error"),
    ("SET s x EX 0", "(error) ERR invalid expire time in 'set' command"), ("SET s x PX abc", NOT_INT),
    ("SET s x EX 9223372036854775807", "(error) ERR invalid expire time in 'set' command"),
    ("SET s x EX 10 PX 10", "(error) ERR syntax error"), ("SET s four EX 100", "OK"), ("TTL s", "(integer) 100"),
    ("SET s five KEEPTTL", "OK"), ("TTL s", "(integer) 100"), ("SET s six", "OK"), ("TTL s", "(integer) -1"),
    ("SET s seven PX 100000", "OK"), ("TTL s", "(integer) 100"), ("PERSIST s", "(integer) 1"),
    ("PERSIST s", "(integer) 0"), ("TTL s", "(integer) -1"), ("TTL none", "(integer) -2"), ("PTTL none", "(integer) -2"),
    ("APPEND s -more", "(integer) 10"), ("GET s", '"seven-more"'), ("APPEND t new", "(integer) 3"),
    ("MSET a 1 b 2", "OK"), ("MSET a", "(error) ERR wrong number of arguments for 'mset' command"),
    ("MSET a 1 b", "(error) ERR wrong number of arguments for 'mset' command"),
    ("MGET a b none", '1) "1"\n2) "2"\n3) (nil)'),
    ("DEL a b none", "(integer) 2"), ("EXISTS s t s none", "(integer) 3"), ("DEL s t fresh", "(integer) 3"),
    # numbers
    ("INCR n", "(integer) 1"), ("INCRBY n 41", "(integer) 42"), ("DECR n", "(integer) 41"), ("DECRBY n 42", "(integer) -1"),
    ("GET n", '"-1"'), ("INCRBY n x", NOT_INT), ("SET n 9223372036854775807", "OK"), ("INCR n", OVERFLOW),
    ("SET n -9223372036854775808", "OK"), ("DECR n", OVERFLOW),
    ("DECRBY n -9223372036854775808", "(error) ERR decrement would overflow"),
    ("SET n 9223372036854775808", "OK"), ("INCR n", NOT_INT), ("SET n 01", "OK"), ("INCR n", NOT_INT),
    ("SET n ' 1'", "OK"), ("INCR n", NOT_INT), ("DEL n", "(integer) 1"),
    # expiry
    ("SET e 1", "OK"), ("EXPIRE e 100", "(integer) 1"), ("EXPIRE e 200 NX", "(integer) 0"), ("EXPIRE e 200 GT", "(integer) 1"),
    ("EXPIRE e 300 LT", "(integer) 0"), ("EXPIRE e 300 XX", "(integer) 1"), ("TTL e", "(integer) 300"),
    ("EXPIRE e 1 YY", "(error) ERR Unsupported option YY"),
    ("EXPIRE e 1 NX XX", "(error) ERR NX and XX, GT or LT options at the same time are not compatible"),
    ("EXPIRE e 1 GT LT", "(error) ERR GT and LT options at the same time are not compatible"),
    ("EXPIRE e abc", NOT_INT), ("EXPIRE e 9223372036854775807", "(error) ERR invalid expire time in 'expire' command"),
    ("PEXPIRE e 100000", "(integer) 1"), ("TTL e", "(integer) 100"), ("EXPIRE none 1", "(integer) 0"),
    ("EXPIRE e -1", "(integer) 1"), ("EXISTS e", "(integer) 0"),
    # hashes
    ("HSET h f 1 g 2", "(integer) 2"), ("HSET h f 3 i 4", "(integer) 1"), ("HGET h f", '"3"'), ("HGET h none", "(nil)"),
    ("HGET none f", "(nil)"), ("HSET h f", "(error) ERR wrong number of arguments for 'hset' command"),
    ("HSET h f 1 g", "(error) ERR wrong number of arguments for 'hset' command"), ("HDEL h f g none", "(integer) 2"),
    ("HGETALL h", '1) "i"\n2) "4"'), ("HGETALL none", "(empty array)"), ("HDEL none f", "(integer) 0"),
    ("TYPE h", "hash"), ("HDEL h i", "(integer) 1"), ("TYPE h", "none"),
    # lists
    ("RPUSH l b c", "(integer) 2"), ("LPUSH l a z", "(integer) 4"), ("LRANGE l 0 -1", '1) "z"\n2) "a"\n3) "b"\n4) "c"'),
    ("LRANGE l 1 -2", '1) "a"\n2) "b"'), ("LRANGE l -100 0", '1) "z"'), ("LRANGE l 3 1", "(empty array)"),
    ("LRANGE l 9 20", "(empty array)"), ("LRANGE none 0 -1", "(empty array)"), ("LRANGE l a b", NOT_INT),
    ("LRANGE l -9223372036854775808 9223372036854775807", '1) "z"\n2) "a"\n3) "b"\n4) "c"'),
    ("LLEN l", "(integer) 4"), ("LLEN none", "(integer) 0"), ("LPOP l", '"z"'), ("RPOP l", '"c"'), ("LPOP none", "(nil)"),
    ("LPOP l 0", "(empty array)"), ("LPOP l -1", "(error) ERR value is out of range, must be positive"),
    ("LPOP l 1 2", "(error) ERR wrong number of arguments for 'lpop' command"), ("TYPE l", "list"),
    ("RPOP l 10", '1) "b"\n2) "a"'), ("LPOP l 1", "(nil)"), ("EXISTS l", "(integer) 0"),
    ("RPUSH q 1 2", "(integer) 2"), ("BLPOP none q 0", '1) "q"\n2) "1"'), ("BRPOP q 0", '1) "q"\n2) "2"'),
    ("BLPOP none 0.01", "(nil)"), ("BLPOP none x", "(error) ERR timeout is not a float or out of range"),
    ("BLPOP none -1", "(error) ERR timeout is negative"),
    # sets
    ("SADD st a b a", "(integer) 2"), ("SADD st a", "(integer) 0"), ("SREM st a none", "(integer) 1"),
    ("SMEMBERS st", '1) "b"'), ("SMEMBERS none", "(empty array)"), ("SREM none a", "(integer) 0"), ("TYPE st", "set"),
    # one type is not another
    ("SET s x", "OK"), ("TYPE s", "string"), ("LPUSH s a", WRONG), ("LPOP s", WRONG), ("LPOP s 2", WRONG), ("LLEN s", WRONG),
    ("LRANGE s 0 1", WRONG), ("BLPOP s 0", WRONG), ("HSET s f 1", WRONG), ("HGET s f", WRONG), ("HGETALL s", WRONG),
    ("HDEL s f", WRONG), ("SADD s a", WRONG), ("SREM s a", WRONG), ("SMEMBERS s", WRONG), ("GET st", WRONG),
    ("APPEND st x", WRONG), ("INCR st", WRONG), ("SET st x GET", WRONG), ("MGET st s", '1) (nil)\n2) "x"'),
    ("SET st now-a-string", "OK"), ("GET st", '"now-a-string"'),
    # the server
    ("PUBLISH nobody hello", "(integer) 0"), ("DBSIZE", "(integer) 2"), ("FLUSHALL", "OK"), ("FLUSHALL ASYNC", "OK"),
    ("FLUSHALL now", "(error) ERR syntax error"), ("DBSIZE", "(integer) 0"),
    ("CONFIG GET save", '1) "save"\n2) ""'), ("CONFIG GET append*", '1) "appendonly"\n2) "no"'),
    ("CONFIG GET none", "(empty array)"), ("CONFIG GET", "(error) ERR wrong number of arguments for 'config|get' command"),
    ("CONFIG NONE x", "(error) ERR unknown subcommand 'NONE'. Try CONFIG HELP."),
    ("COMMAND INFO nosuch", "1) (nil)"),
    ("COMMAND NOSUCH", "(error) ERR unknown subcommand 'NOSUCH'. Try COMMAND HELP."),
    ("COMMAND DOCS echo", '1) "echo"\n2) 1) "summary"\n   2) "Answers what it is given"'),
    ("SELECT 0", "OK"), ("SELECT 1", "(error) ERR DB index is out of range"), ("SELECT x", NOT_INT),
    ("CLIENT SETNAME me", "OK"), ("CLIENT GETNAME", '"me"'), ("CLIENT SETINFO lib-name x", "OK"),
    ("CLIENT SETNAME", "(error) ERR wrong number of arguments for 'client|setname' command"),
    ("SET s x EX 0 y", "(error) ERR syntax error"),
    ("CLIENT NOSUCH", "(error) ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP."),
    ("CLIENT SETNAME 'a b'", "(error) ERR Client names cannot contain spaces, newlines or special characters."),
    ("HELLO 3", "(error) NOPROTO unsupported protocol version"), ("HELLO 9", "(error) NOPROTO unsupported protocol version"),
    ("HELLO x", "(error) ERR Protocol version is not an integer or out of range"),
    ("HELLO 2 NOSUCH", "(error) ERR Syntax error in HELLO option 'NOSUCH'"),
    ("UNSUBSCRIBE", '1) "unsubscribe"\n2) (nil)\n3) (integer) 0'),
]


class CommandsTest(kit.ServerTest):
    def cli(self, *arguments, text=None):
        with tempfile.TemporaryDirectory() as home:  # it has no history, and leaves none
            done = subprocess.run(["redis-cli", "-h", self.server.host, "-p", str(self.server.port), *arguments],
                                  input=text, capture_output=True, text=True, timeout=30 * kit.SCALE,
                                  env={"HOME": home, "PATH": "/usr/local/bin:/usr/bin:/bin"}, cwd=home)
        self.assertEqual(done.stderr, "")
        return done.stdout

    def test_every_command_answers_as_redis_does(self):
        script = "".join(f"{line}\nECHO -----\n" for line, _ in SCRIPT)
        answers = self.cli("--no-raw", text=script).split('"-----"\n')
        self.assertEqual(len(answers), len(SCRIPT) + 1)
        for (line, wanted), answer in zip(SCRIPT, answers):
            with self.subTest(line):
                self.assertEqual(answer.rstrip("\n"), wanted)

    def test_every_command_of_the_table_was_tried(self):
        tried = {line.split()[0].lower() for line, _ in SCRIPT} | {"info", "quit", "subscribe"}
        with self.client() as client:
            names = [each[0].decode() for each in client.call("COMMAND")]
            self.assertEqual(set(names) - tried, set())
            self.assertEqual(client.call("COMMAND", "COUNT"), len(names))
            docs = client.call("COMMAND", "DOCS")
            self.assertEqual([name.decode() for name in docs[::2]], names)

    def test_command_describes_arity_flags_and_keys(self):
        with self.client() as client:
            self.assertEqual(client.call("COMMAND", "INFO", "mset", "Get"), [
                [b"mset", -3, ["write"], 1, -1, 2, [], [], [], []], [b"get", 2, ["readonly"], 1, 1, 1, [], [], [], []]])

    def test_hello_describes_the_server(self):
        with self.client() as client:
            answer = client.call("HELLO", "2", "SETNAME", "me")
            fields = dict(zip(answer[::2], answer[1::2]))
            self.assertEqual(fields[b"proto"], 2)
            self.assertEqual(fields[b"id"], client.call("CLIENT", "ID"))
            self.assertEqual(client.call("CLIENT", "GETNAME"), b"me")

    def test_info_has_the_section_that_is_asked_for(self):
        self.assertEqual(self.cli("SET", "k", "v", "EX", "100"), "OK\n")
        self.assertEqual(self.cli("INFO", "keyspace"), "# Keyspace\ndb0:keys=1,expires=1\n")
        everything = self.cli("INFO")
        for wanted in ("# Server", "redis_version:", f"tcp_port:{self.server.port}", "connected_clients:1"):
            self.assertIn(wanted, everything)

    def test_quit_answers_and_closes(self):
        with self.client() as client:
            client.send_raw(kit.encode("QUIT") + kit.encode("SET", "after", "quit"))
            self.assertEqual(client.read(), "OK")
            self.assertTrue(client.at_end())
        with self.client() as client:
            self.assertEqual(client.call("EXISTS", "after"), 0)

    def test_values_may_be_any_bytes(self):
        every_byte = bytes(range(256))
        with self.client() as client:
            self.assertEqual(client.call("SET", every_byte, every_byte), "OK")
            self.assertEqual(client.call("GET", every_byte), every_byte)
            self.assertEqual(client.call("SET", "", ""), "OK")
            self.assertEqual(client.call("GET", ""), b"")

    def test_keys_expire_when_asked_for_and_when_not(self):
        with self.client() as client:
            self.assertEqual(client.call("SET", "short", "1", "PX", "20"), "OK")
            left = client.call("PTTL", "short")
            self.assertTrue(0 <= left <= 20, left)
            self.until(lambda: client.call("GET", "short") is None)
            for n in range(2500):
                client.send("SET", n, n, "PX", "20")
            self.assertEqual([client.read() for _ in range(2500)], ["OK"] * 2500)
            self.until(lambda: client.call("DBSIZE") == 0)  # which looks for none of them

    def test_redis_cli_subscribes(self):
        with tempfile.TemporaryDirectory() as home:
            cli = subprocess.Popen(["redis-cli", "-h", self.server.host, "-p", str(self.server.port), "SUBSCRIBE", "c"],
                                   stdout=subprocess.PIPE, text=True, env={"HOME": home, "PATH": "/usr/bin:/bin"})
            try:
                self.assertEqual([cli.stdout.readline() for _ in range(3)], ["subscribe\n", "c\n", "1\n"])
                self.assertEqual(self.cli("PUBLISH", "c", "news"), "1\n")
                self.assertEqual([cli.stdout.readline() for _ in range(3)], ["message\n", "c\n", "news\n"])
            finally:
                cli.kill()
                cli.communicate()


if __name__ == "__main__":
    kit.main()
