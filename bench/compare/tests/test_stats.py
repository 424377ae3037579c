import unittest

import stats


class Stats(unittest.TestCase):
    def test_spread_is_half_the_range_over_the_median(self):
        self.assertAlmostEqual(stats.spread([90, 100, 120]), 0.15)
        self.assertEqual(stats.spread([7]), 0)

    def test_noise_is_not_moved_by_one_bad_round(self):
        self.assertLess(stats.noise([100, 101, 99, 100, 100, 101, 900]), 0.02)

    def test_ratios_are_taken_round_by_round(self):
        self.assertEqual(stats.paired_ratios({0: 2, 1: 30}, {0: 1, 1: 10, 2: 5}), [2, 3])

    def test_without_a_common_round_the_medians_are_compared(self):
        self.assertEqual(stats.paired_ratios({0: 6}, {1: 1, 2: 2, 3: 3}), [3])
        self.assertEqual(stats.paired_ratios({}, {1: 1}), [])
