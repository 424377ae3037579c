"""SIGTERM and SIGINT: an orderly end, whatever the clients are doing, and no longer than that takes."""
import signal
import threading
import time

import mini_redis_kit as kit
from mini_redis_kit import encode


class ShutdownTest(kit.ServerTest):
    def assert_ends_promptly(self, which=signal.SIGTERM):
        start = time.monotonic()
        self.assertEqual(self.server.stop(which), (0, ""))
        self.assertLess(time.monotonic() - start, 3 * kit.SCALE)  # clients that hang on get 5 seconds

    def test_without_clients(self):
        self.assert_ends_promptly()

    def test_ctrl_c(self):
        self.assert_ends_promptly(signal.SIGINT)

    def test_idle_clients_are_closed(self):
        clients = [self.client() for _ in range(50)]
        for client in clients:
            self.assertEqual(client.call("PING"), "PONG")
        clients[0].send_raw(b"*2\r\n$3\r\nGET")  # idle in the middle of a request
        self.assert_ends_promptly()
        self.assertTrue(all(client.at_end() for client in clients))

    def test_blocked_clients_and_subscribers_are_closed(self):
        witness, blocked, subscriber = self.client(), self.client(), self.client()
        blocked.send("BLPOP", "q", 0)
        subscriber.call("SUBSCRIBE", "c")
        self.until(lambda: self.info(witness, "blocked_clients") == 1)
        self.assert_ends_promptly()
        self.assertTrue(blocked.at_end() and subscriber.at_end())

    def test_what_has_come_is_answered(self):
        client = self.client()
        client.call("PING")
        client.send_raw(encode("INCR", "n") * 1000)
        first = client.read()
        self.assert_ends_promptly()
        answers = [first]
        while not self.ended(client, answers):
            pass
        self.assertEqual(answers, list(range(1, len(answers) + 1)))  # whole answers, and no gap

    def ended(self, client, answers):
        try:
            answers.append(client.read())
            return False
        except EOFError as end:
            self.assertEqual(end.args[0], b"")
            return True

    def test_busy_clients_get_whole_answers(self):
        counts, errors = [], []

        def work():
            client, count = kit.Client(self.server), 0
            with client:
                try:
                    while True:
                        client.send_raw(encode("INCR", "n") * 16)
                        for _ in range(16):
                            client.read()
                            count += 1
                except (EOFError, ConnectionError) as end:
                    if isinstance(end, EOFError) and end.args[0] != b"":
                        errors.append(end)
            counts.append(count)

        workers = [threading.Thread(target=work) for _ in range(8)]
        for worker in workers:
            worker.start()
        witness = self.client()
        self.until(lambda: int(witness.call("GET", "n") or 0) > 1000)
        self.assert_ends_promptly()
        for worker in workers:
            worker.join()
        self.assertEqual(errors, [])
        self.assertGreater(sum(counts), 900)

    def test_a_client_that_does_not_read_cannot_hold_it_up_for_ever(self):
        client, witness = self.client(), self.client()
        client.call("SET", "k", b"x" * 10_000_000)
        client.send_raw(encode("GET", "k") * 10)
        self.assertEqual(witness.call("PING"), "PONG")
        self.assertEqual(self.server.stop(), (0, ""))


if __name__ == "__main__":
    kit.main()
