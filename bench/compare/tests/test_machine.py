import unittest

from machine import Ticks


class Busy(unittest.TestCase):
    def test_what_the_host_took_is_a_part_of_what_was_wanted(self):
        spent = Ticks(idle=150, stolen=15, total=400).since(Ticks(idle=100, stolen=5, total=300))
        self.assertEqual(spent.busy_part, 0.5)
        self.assertEqual(spent.stolen_part, 0.2)

    def test_nothing_spent_is_nothing_taken(self):
        spent = Ticks.now().since(Ticks.now())
        self.assertLessEqual(spent.stolen_part, 1.0)
        self.assertEqual(Ticks(1, 1, 1).since(Ticks(1, 1, 1)).stolen_part, 0.0)


if __name__ == "__main__":
    unittest.main()
