"""PUBLISH and SUBSCRIBE: who gets what, what a subscriber may do, and what happens to one that does not read."""
import mini_redis_kit as kit
from mini_redis_kit import Error, encode


class PubsubTest(kit.ServerTest):
    def subscribed(self, *channels):
        client = self.client()
        client.send("SUBSCRIBE", *channels)
        for n, channel in enumerate(channels):
            self.assertEqual(client.read(), [b"subscribe", channel.encode(), n + 1])
        return client

    def test_all_subscribers_of_a_channel_get_a_message(self):
        both, one, publisher = self.subscribed("a", "b"), self.subscribed("a"), self.client()
        self.assertEqual(publisher.call("PUBLISH", "a", "1"), 2)
        self.assertEqual(publisher.call("PUBLISH", "b", b"\r\n"), 1)
        self.assertEqual(publisher.call("PUBLISH", "c", "3"), 0)
        self.assertEqual([both.read(), both.read()], [[b"message", b"a", b"1"], [b"message", b"b", b"\r\n"]])
        self.assertEqual(one.read(), [b"message", b"a", b"1"])
        self.assertTrue(one.is_quiet())

    def test_subscribing_twice_is_once(self):
        client, publisher = self.subscribed("a"), self.client()
        self.assertEqual(client.call("SUBSCRIBE", "a"), [b"subscribe", b"a", 1])
        self.assertEqual(publisher.call("PUBLISH", "a", "x"), 1)

    def test_unsubscribing_some_and_all(self):
        client, publisher = self.subscribed("a", "b", "c"), self.client()
        self.assertEqual(client.call("UNSUBSCRIBE", "b"), [b"unsubscribe", b"b", 2])
        self.assertEqual(client.call("UNSUBSCRIBE", "none"), [b"unsubscribe", b"none", 2])
        self.assertEqual(publisher.call("PUBLISH", "b", "x"), 0)
        client.send("UNSUBSCRIBE")
        self.assertEqual([client.read(), client.read()], [[b"unsubscribe", b"a", 1], [b"unsubscribe", b"c", 0]])
        self.assertEqual(client.call("UNSUBSCRIBE"), [b"unsubscribe", None, 0])
        self.assertEqual(client.call("SET", "k", "v"), "OK")  # an ordinary client again

    def test_a_subscriber_may_only_do_what_concerns_subscriptions(self):
        client = self.subscribed("a")
        self.assertEqual(client.call("GET", "k"), Error(
            "ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in "
            "this context"))
        self.assertEqual(client.call("PING"), [b"pong", b""])
        self.assertEqual(client.call("PING", "x"), [b"pong", b"x"])
        self.assertEqual(client.call("QUIT"), "OK")
        self.assertTrue(client.at_end())

    def test_messages_and_answers_of_a_busy_subscriber_stay_whole_and_in_order(self):
        client, publisher = self.subscribed("a"), self.client()
        publisher.send_raw(b"".join(encode("PUBLISH", "a", n) for n in range(5000)))
        client.send_raw(encode("PING", "x") * 5000)
        answers = [client.read() for _ in range(10_000)]
        self.assertEqual([each for each in answers if each[0] == b"pong"], [[b"pong", b"x"]] * 5000)
        self.assertEqual([each[2] for each in answers if each[0] == b"message"], [b"%d" % n for n in range(5000)])
        self.assertEqual([publisher.read() for _ in range(5000)], [1] * 5000)

    def test_who_leaves_is_no_subscriber_any_more(self):
        client, publisher = self.subscribed("a"), self.client()
        client.close()
        self.until(lambda: publisher.call("PUBLISH", "a", "x") == 0)
        self.assertEqual(self.info(publisher, "pubsub_channels"), 0)

    def test_a_subscriber_that_does_not_read_is_dropped_and_the_others_are_not(self):
        slow, fast, publisher = self.subscribed("a"), self.subscribed("a"), self.client()
        message = b"m" * 100_000
        for _ in range(2000):  # more than any buffers of sockets, and then the bound
            receivers = publisher.call("PUBLISH", "a", message)
            self.assertEqual(fast.read()[2], message)
            if receivers == 1:
                break
        else:
            self.fail("it was not dropped")
        self.assertLess(self.server.resident_bytes(), 400 * 1024 * 1024)
        slow.socket.settimeout(10 * kit.SCALE)
        try:
            while slow.socket.recv(1 << 20):
                pass
        except ConnectionResetError:
            pass


if __name__ == "__main__":
    kit.main()
