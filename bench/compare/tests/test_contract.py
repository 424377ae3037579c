import json
import unittest

import contract
import works
from process import Failed

YIELD, SKYNET, ECHO = (works.BY_NAME[name] for name in ("yield", "skynet", "echo"))


class Contract(unittest.TestCase):
    def judge(self, sample, work=YIELD, size=10):
        return contract.validate(contract.parse(json.dumps(sample) + "\n"), work, size)

    def refuses(self, reason, *arguments):
        with self.assertRaisesRegex(Failed, reason):
            self.judge(*arguments)

    def test_a_right_answer_is_taken(self):
        self.assertEqual(self.judge({"ns": 3.5, "ops": 100, "check": 100})["ns"], 3.5)

    def test_work_that_was_not_done_is_refused(self):
        self.refuses("wrong answer", {"ns": 3.5, "ops": 100, "check": 99})
        self.refuses("wrong answer", {"ns": 3.5, "ops": 0, "check": 0})

    def test_a_tree_has_its_own_sum(self):
        self.judge({"ns": 1, "ops": 1000, "check": 499500}, SKYNET, 1000)
        self.refuses("wrong answer", {"ns": 1, "ops": 1000, "check": 1000}, SKYNET, 1000)

    def test_a_load_counts_wrong_answers(self):
        self.judge({"per_second": 9.0, "ops": 9, "check": 0}, ECHO, 1)
        self.refuses("wrong answer", {"per_second": 9.0, "ops": 9, "check": 1}, ECHO, 1)

    def test_what_is_no_number_is_refused(self):
        self.refuses("'ns'", {"ops": 1, "check": 1})
        self.refuses("'ns' is 0", {"ns": 0, "ops": 1, "check": 1})
        self.refuses("'ops'", {"ns": 1, "ops": "1", "check": 1})

    def test_more_or_less_than_a_line_is_refused(self):
        for text in ("", "{}\n{}\n", "ready\n", "[1]\n"):
            with self.assertRaises(Failed):
                contract.parse(text)
