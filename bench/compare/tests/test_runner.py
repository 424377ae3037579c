import os
import unittest
from dataclasses import replace

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


class Disturbed(runner.Runner):
    """By a host that takes these parts of the runs, one after the other. A sample is the number of its run."""

    def __init__(self, *parts):
        super().__init__(Results(), [Program()], None, runner.Pace(1, 1, 1, 1, 100, 100, repeats=2), Silent())
        self.parts = parts
        self.runs = 0

    def measure_timed(self, *_):
        self.runs += 1
        return self.parts[self.runs - 1], self.runs


class DisturbanceTest(unittest.TestCase):
    def sample_of(self, *parts):
        run = Disturbed(*parts)
        return run.measure_calmly(None, 1, None), run.runs

    def test_an_undisturbed_run_counts_at_once(self):
        self.assertEqual(self.sample_of(0.0), (1, 1))
        self.assertEqual(self.sample_of(0.5, 0.01), (2, 2))

    def test_where_all_are_disturbed_the_least_disturbed_counts(self):
        self.assertEqual(self.sample_of(0.2, 0.1, 0.3), (2, 3))


class Takes(runner.Runner):
    def __init__(self, takes):
        super().__init__(Results(), [Program()], None, runner.Pace(2, 1, 1, 1, 100, 100, takes=takes), Silent())

    def measure(self, *_):
        return {}


class TakesTest(unittest.TestCase):
    def takes_of(self, work, takes):
        run = Takes(takes)
        run.run([(work, 2)])
        return run.results.rounds

    def test_noisy_works_have_several_in_each_round(self):
        noisy = replace(works.BY_NAME["yield"], noisy=True)
        self.assertEqual(self.takes_of(noisy, 3), [0, 1, 2, 3, 4, 5])

    def test_others_have_one(self):
        self.assertEqual(self.takes_of(works.BY_NAME["yield"], 3), [0, 1])


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
