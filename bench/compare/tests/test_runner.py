import os
import unittest

import runner
import works


class Silent:
    def __init__(self):
        self.said = []

    def say(self, text):
        self.said.append(text)

    def show(self, *_):
        pass


class Program:
    peer = "coir"

    def does(self, _):
        return True


class Results:
    def __init__(self):
        self.failures = {}
        self.rounds = []

    def add(self, _work, _size, _peer, round_, _sample):
        self.rounds.append(round_)


class Interrupted(runner.Runner):
    """In the run with that number, from 0."""

    def __init__(self, at):
        super().__init__(Results(), [Program()], None, runner.Pace(3, 1, 1, 1, 100, 100), Silent())
        self.at = at

    def measure(self, *_):
        if len(self.results.rounds) == self.at:
            raise KeyboardInterrupt
        return {}


class InterruptionTest(unittest.TestCase):
    CASES = [(works.BY_NAME["yield"], size) for size in (2, 1000)]

    def test_after_the_first_round_what_was_measured_counts(self):
        run = Interrupted(at=3)
        cores = os.sched_getaffinity(0)
        run.run(self.CASES)
        self.assertEqual(run.results.rounds, [0, 0, 1])
        self.assertEqual(len(run.progress.said), 1)
        self.assertEqual(os.sched_getaffinity(0), cores)

    def test_in_the_first_round_there_is_nothing_to_keep(self):
        with self.assertRaises(KeyboardInterrupt):
            Interrupted(at=1).run(self.CASES)
