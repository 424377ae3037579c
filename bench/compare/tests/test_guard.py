import tempfile
import unittest
from pathlib import Path
from unittest import mock

import guard
import works
from guard import Measure
from results import Results

YIELD, CHANNEL, ECHO = (works.BY_NAME[name] for name in ("yield", "channel", "echo"))


def results_of(samples):
    results = Results()
    for (work, size, peer), values in samples.items():
        metric = works.BY_NAME[work].metric
        for round_, value in enumerate(values):
            results.add(work, size, peer, round_, {metric: value})
    return results


class Guard(unittest.TestCase):
    def test_the_limit_of_the_same_work_is_the_reference(self):
        results = results_of({("yield", 2, "coir"): [20, 30], ("yield", 2, "limit"): [10, 10]})
        self.assertEqual(guard.measure(results, YIELD, 2).ratio, 2.5)

    def test_a_work_without_a_limit_has_the_yardstick(self):
        results = results_of({("channel", 0, "coir"): [50], ("switch_deep", 16, "limit"): [10]})
        measure = guard.measure(results, CHANNEL, 0)
        self.assertEqual((measure.ratio, measure.reference), (5, "limit switch_deep/16"))
        self.assertIn((works.BY_NAME["switch_deep"], 16), guard.with_references([(CHANNEL, 0)]))

    def test_more_is_worse_for_rates_too(self):
        results = results_of({("echo", 100, "coir"): [50], ("echo", 100, "limit"): [100]})
        self.assertEqual(guard.measure(results, ECHO, 100).ratio, 2)

    def test_what_was_not_measured_is_no_measure(self):
        self.assertEqual(guard.measure_all(results_of({("yield", 2, "coir"): [1]}), [(YIELD, 2)]), {})

    def test_a_loss_is_more_than_15_percent_beyond_the_noise(self):
        recorded = Measure(2.0, 0.05, "r")
        self.assertFalse(guard.is_loss(recorded, Measure(2.3, 0.0, "r")))
        self.assertTrue(guard.is_loss(recorded, Measure(2.5, 0.0, "r")))
        self.assertFalse(guard.is_loss(recorded, Measure(2.5, 0.05, "r")))
        self.assertFalse(guard.is_loss(recorded, Measure(1.0, 0.0, "r")))

    def test_what_is_recorded_and_was_not_measured_is_named(self):
        recorded = {"yield/2": Measure(1, 0, "r"), "channel/0": Measure(1, 0, "r")}
        now = {"channel/0": Measure(1, 0, "r")}
        self.assertEqual(guard.unmeasured(recorded, now, [(CHANNEL, 0)]), [])
        self.assertEqual(guard.unmeasured(recorded, now, [(YIELD, 2), (YIELD, 1_000), (CHANNEL, 0)]), ["yield/2"])
        now["yield/2"] = Measure(1, 0, "another limit")
        self.assertEqual(guard.unmeasured(recorded, now, [(YIELD, 2)]), ["yield/2"])

    def test_each_processor_has_a_record_and_others_take_the_latest(self):
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(guard, "RECORD", Path(folder) / "record.json"):
            for processor, ratio in (("a", 1.0), ("b", 2.0), ("a", 3.0)):
                guard.write({"yield/2": Measure(ratio, 0.1, "r")}, {"processor": processor})
            self.assertEqual(guard.read("b"), ("b", {"yield/2": Measure(2.0, 0.1, "r")}))
            self.assertEqual(guard.read("c"), ("a", {"yield/2": Measure(3.0, 0.1, "r")}))

    def test_only_like_is_compared_with_like(self):
        recorded = {"a": Measure(1, 0, "r"), "b": Measure(1, 0, "r"), "c": Measure(1, 0, "r")}
        now = {"a": Measure(2, 0, "r"), "b": Measure(2, 0, "other"), "d": Measure(2, 0, "r")}
        self.assertEqual([loss.key for loss in guard.losses(recorded, now)], ["a"])
        self.assertEqual(guard.unguarded(recorded, now), ["d"])
