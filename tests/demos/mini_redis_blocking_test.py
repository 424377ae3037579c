"""BLPOP: who waits, who is served, and what becomes of an element whose taker has gone."""
import socket

import mini_redis_kit as kit
from mini_redis_kit import encode


class BlockingTest(kit.ServerTest):
    def setUp(self):
        super().setUp()
        self.other = self.client()

    def block(self, *arguments):
        """A client that waits."""
        waiting = self.info(self.other, "blocked_clients")
        client = self.client()
        client.send(*arguments)
        self.until(lambda: self.info(self.other, "blocked_clients") == waiting + 1)
        return client

    def until_blocked_are(self, count):
        self.until(lambda: self.info(self.other, "blocked_clients") == count)

    def test_a_push_of_another_client_serves(self):
        for push in ("LPUSH", "RPUSH"):
            client = self.block("BLPOP", "q", 0)
            self.assertEqual(self.other.call(push, "q", "x"), 1)
            self.assertEqual(client.read(), [b"q", b"x"])
            self.assertEqual(self.other.call("EXISTS", "q"), 0)

    def test_what_is_there_is_taken_at_once_from_the_first_key_that_has_some(self):
        self.other.call("RPUSH", "b", "1", "2")
        self.other.call("RPUSH", "c", "3")
        self.assertEqual(self.other.call("BLPOP", "a", "b", "c", 0), [b"b", b"1"])
        self.assertEqual(self.other.call("BRPOP", "c", "b", 0), [b"c", b"3"])

    def test_first_come_first_served(self):
        clients = [self.block("BLPOP", "q", 0) for _ in range(5)]
        for n, client in enumerate(clients):
            self.other.call("RPUSH", "q", n)
            self.assertEqual(client.read(), [b"q", b"%d" % n])

    def test_one_push_of_several_serves_several_and_keeps_the_rest(self):
        clients = [self.block("BLPOP", "q", 0) for _ in range(2)]
        self.assertEqual(self.other.call("LPUSH", "q", "a", "b", "c"), 3)
        self.assertEqual([client.read() for client in clients], [[b"q", b"c"], [b"q", b"b"]])
        self.assertEqual(self.other.call("LRANGE", "q", 0, -1), [b"a"])

    def test_several_keys_are_served_once(self):
        client = self.block("BLPOP", "a", "b", "a", 0)
        self.other.call("RPUSH", "b", "1")
        self.other.call("RPUSH", "a", "2")
        self.assertEqual(client.read(), [b"b", b"1"])
        self.assertEqual(self.other.call("LLEN", "a"), 1)
        self.assertTrue(client.is_quiet())

    def test_front_and_back(self):
        front, back = self.block("BLPOP", "q", 0), self.block("BRPOP", "q", 0)
        self.other.call("RPUSH", "q", "1", "2", "3")
        self.assertEqual([front.read(), back.read()], [[b"q", b"1"], [b"q", b"3"]])

    def test_the_limit_ends_the_wait_and_nothing_is_taken_later(self):
        client = self.client()
        self.assertIsNone(client.call("BLPOP", "q", "0.05"))
        self.other.call("RPUSH", "q", "x")
        self.assertEqual(self.other.call("LLEN", "q"), 1)
        self.assertEqual(client.call("PING"), "PONG")

    def test_another_type_at_the_key_does_not_wake(self):
        client = self.block("BLPOP", "q", 0)
        self.other.call("SET", "q", "text")
        self.assertTrue(client.is_quiet())
        self.other.call("DEL", "q")
        self.other.call("RPUSH", "q", "x")
        self.assertEqual(client.read(), [b"q", b"x"])

    def test_answers_from_before_are_sent_before_waiting(self):
        client = self.client()
        client.send_raw(encode("PING") + encode("BLPOP", "q", 0) + encode("ECHO", "after"))
        self.assertEqual(client.read(), "PONG")
        self.until_blocked_are(1)
        client.send("ECHO", "later")
        self.assertTrue(client.is_quiet())
        self.other.call("RPUSH", "q", "x")
        self.assertEqual([client.read() for _ in range(3)], [[b"q", b"x"], b"after", b"later"])

    def test_much_input_while_waiting(self):
        client = self.block("BLPOP", "q", 0)
        client.send_raw(encode("ECHO", b"x" * 1000) * 500)
        self.other.call("RPUSH", "q", "x")
        self.assertEqual(client.read(), [b"q", b"x"])
        self.assertEqual([client.read() for _ in range(500)], [b"x" * 1000] * 500)

    def test_who_has_gone_takes_nothing(self):
        for linger in (False, True):
            gone, stays = self.block("BLPOP", "q", 0), self.block("BLPOP", "q", 0)
            if linger:
                gone.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            gone.close()
            self.other.call("RPUSH", "q", "x")  # the server may not have noticed yet
            self.assertEqual(stays.read(), [b"q", b"x"])
            self.until_blocked_are(0)

    def test_who_has_gone_leaves_the_queue(self):
        clients = [self.block("BLPOP", "q", "r", 0) for _ in range(3)]
        for client in clients:
            client.send("PING")  # unread input does not hide the end
            client.close()
        self.until_blocked_are(0)
        self.assertEqual(self.other.call("RPUSH", "q", "x"), 1)
        self.assertEqual(self.other.call("LLEN", "q"), 1)

    def test_a_thousand_elements_for_many_takers_are_each_taken_once(self):
        takers = [self.block("BLPOP", "q", 0) for _ in range(20)]
        for client in takers:
            client.send_raw(encode("BLPOP", "q", 0) * 49)
        self.other.send_raw(b"".join(encode("RPUSH", "q", n) for n in range(1000)))
        self.assertEqual(len([self.other.read() for _ in range(1000)]), 1000)
        taken = [int(client.read()[1]) for client in takers for _ in range(50)]
        self.assertEqual(sorted(taken), list(range(1000)))


if __name__ == "__main__":
    kit.main()
