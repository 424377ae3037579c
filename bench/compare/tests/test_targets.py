import unittest

import peers
import targets
import works
from results import Results
from targets import Part, Row


def row(*parts):
    return Row("key", "work", "limit", (), "target", parts)


class Targets(unittest.TestCase):
    def judge(self, *parts):
        return targets.judge(row(*parts), None, {"key": "physics"})

    def test_a_row_is_met_when_all_its_parts_are(self):
        verdict = self.judge(Part("", lambda _: 1.0, "x", at_most=1), Part("", lambda _: 2.0, "x", at_least=2))
        self.assertEqual((verdict.met, verdict.reason), (True, ""))

    def test_a_missed_row_has_its_reason(self):
        verdict = self.judge(Part("", lambda _: 1.1, "x", at_most=1), Part("", lambda _: None, "x"))
        self.assertEqual((verdict.met, verdict.reason), (False, "physics"))

    def test_what_was_not_measured_is_not_met(self):
        self.assertIsNone(self.judge(Part("", lambda _: None, "x", at_most=1)).met)

    def test_every_row_names_works_that_exist(self):
        results = Results()
        for each in targets.judge_all(results):
            self.assertIsNone(each.met, each.row.key)
        for each in targets.ROWS:
            self.assertLessEqual({work for work, *_ in each.limits}, set(works.BY_NAME))

    def test_the_best_peer_is_neither_coir_nor_a_limit(self):
        results = Results()
        for peer, ns in {"coir": 20, "limit": 1, "limit_jump": 2, "go": 80, "gevent": 900}.items():
            results.peers[peer] = {}
            results.add("yield", 2, peer, 0, {"ns": ns})
        self.assertEqual(targets.to_best("yield", 2, min)(results), 0.25)


class Descriptions(unittest.TestCase):
    def test_all_of_them_can_be_read_and_name_known_works(self):
        known = {work.program_name for work in works.WORKS}
        for program in peers.read_all():
            self.assertLessEqual(set(program.works), known, program.folder)
