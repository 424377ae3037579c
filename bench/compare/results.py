"""What was measured: samples by work, size, peer and round, and why peers are missing."""

import json

import stats
import works


class Results:
    def __init__(self, machine=None):
        self.machine = machine or {}
        self.peers = {}  # name -> {"titles": {kind: title}, "versions"}
        self.samples = {}  # (work, size, peer) -> {round: sample}
        self.failures = {}  # (work, size, peer) -> reason
        self.skipped = {}  # peer or program -> reason

    def add(self, work, size, peer, round_, sample):
        self.samples.setdefault((work, size, peer), {})[round_] = sample

    def fail(self, work, size, peer, reason):
        """A peer that was wrong once is out of that case, with all it did before."""
        self.failures[work, size, peer] = reason
        self.samples.pop((work, size, peer), None)

    def title(self, peer, work):
        titles = self.peers[peer]["titles"]
        return titles.get(work.kind) or next(iter(titles.values()))

    def peers_of(self, work, size=None):
        found = {p for w, s, p in self.samples if w == work and size in (None, s)}
        return [name for name in self.peers if name in found]

    def sizes_of(self, work):
        return sorted({s for w, s, _ in self.samples if w == work})

    def rounds(self, work, size, peer, metric=None):
        metric = metric or works.BY_NAME[work].metric
        samples = self.samples.get((work, size, peer), {})
        return {r: s[metric] for r, s in samples.items() if s.get(metric) is not None}

    def values(self, work, size, peer, metric=None):
        return list(self.rounds(work, size, peer, metric).values())

    def median(self, work, size, peer, metric=None):
        values = self.values(work, size, peer, metric)
        return stats.median(values) if values else None

    def ratios(self, top, bottom, metric=None):
        """Round by round, of two (work, size, peer)."""
        return stats.paired_ratios(self.rounds(*top, metric), self.rounds(*bottom, metric))

    def ratio(self, top, bottom, metric=None):
        found = self.ratios(top, bottom, metric)
        return stats.median(found) if found else None

    def to_limit(self, work, size, peer="coir", metric=None):
        floor = works.BY_NAME[work].floor or work
        return self.ratio((work, size, peer), (floor, size, "limit"), metric)

    def save(self, path):
        flat = lambda table: [[*key, value] for key, value in table.items()]
        path.write_text(json.dumps({"machine": self.machine, "peers": self.peers, "skipped": self.skipped,
                                    "samples": flat(self.samples), "failures": flat(self.failures)}, indent=1))

    @classmethod
    def load(cls, path):
        data = json.loads(path.read_text())
        results = cls(data["machine"])
        results.peers, results.skipped = data["peers"], data["skipped"]
        for work, size, peer, samples in data["samples"]:
            results.samples[work, size, peer] = {int(r): s for r, s in samples.items()}
        results.failures = {(w, s, p): reason for w, s, p, reason in data["failures"]}
        return results
