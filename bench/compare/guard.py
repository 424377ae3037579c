"""The guard against losses: ratios of coir to the limit in one run, beside the recorded ones. Never absolute times."""

import json
from dataclasses import dataclass
from pathlib import Path

import stats
import works

RECORD = Path(__file__).resolve().parent / "record.json"
TOLERANCE = 0.15
YARDSTICK = ("switch_deep", 16)  # of `limit`, for works that have no limit of their own


@dataclass(frozen=True)
class Measure:
    """How many times the reference coir takes (or less than the reference coir serves): more is worse."""

    ratio: float
    noise: float  # relative
    reference: str


@dataclass(frozen=True)
class Loss:
    key: str
    recorded: Measure
    now: Measure

    def __str__(self):
        return (f"{self.key}: {self.now.ratio:.3g} ±{self.now.noise:.0%} × {self.now.reference}, "
                f"recorded {self.recorded.ratio:.3g} ±{self.recorded.noise:.0%}: "
                f"{self.now.ratio / self.recorded.ratio - 1:+.0%}")


def key_of(work, size):
    return f"{work.name}/{size}"


def reference_of(results, work, size):
    own = (work.floor or work.name, size)
    return own if work.network or results.values(*own, "limit") else YARDSTICK


def with_references(cases):
    """The cases and what they are compared with, each once."""
    needed = list(cases)
    needed += [(works.BY_NAME[work.floor], size) for work, size in cases if work.floor]
    needed.append((works.BY_NAME[YARDSTICK[0]], YARDSTICK[1]))
    return list(dict.fromkeys(needed))


def measure(results, work, size):
    """None where coir or its reference is missing."""
    reference = reference_of(results, work, size)
    ours, theirs = results.rounds(work.name, size, "coir"), results.rounds(*reference, "limit")
    ratios = stats.paired_ratios(theirs, ours) if work.higher_is_better else stats.paired_ratios(ours, theirs)
    if not ratios:
        return None
    return Measure(stats.median(ratios), stats.noise(ratios), f"limit {reference[0]}/{reference[1]}")


def measure_all(results, cases):
    found = {key_of(work, size): measure(results, work, size) for work, size in cases}
    return {key: value for key, value in found.items() if value}


def is_loss(recorded, now):
    """Worse by more than the tolerance even when both erred by their noise in our favour."""
    return now.ratio * (1 - now.noise) > recorded.ratio * (1 + recorded.noise) * (1 + TOLERANCE)


def is_comparable(recorded, now, key):
    return key in recorded and recorded[key].reference == now[key].reference


def unguarded(recorded, now):
    """What was measured but never recorded."""
    return [key for key in sorted(now) if key not in recorded]


def unmeasured(recorded, now, cases):
    """What was recorded, and should have been measured but was not, or not beside the same limit."""
    return [key for key in (key_of(*case) for case in cases)
            if key in recorded and (key not in now or not is_comparable(recorded, now, key))]


def losses(recorded, now):
    return [Loss(key, recorded[key], now[key]) for key in sorted(now)
            if is_comparable(recorded, now, key) and is_loss(recorded[key], now[key])]


def write(now, machine):
    rounded = {key: {"ratio": float(f"{m.ratio:.4g}"), "noise": round(m.noise, 3), "reference": m.reference}
               for key, m in sorted(now.items())}
    records = json.loads(RECORD.read_text()) if RECORD.is_file() else {}
    before = records.pop(machine["processor"], {})  # the latest is the last
    records[machine["processor"]] = dict(sorted({**before, **rounded}.items()))
    RECORD.write_text(json.dumps(records, indent=4) + "\n")


def read(processor):
    """(processor, {key: Measure}) of this processor; where there is no record of it, the latest of another."""
    records = json.loads(RECORD.read_text()) if RECORD.is_file() else {}
    if not records:
        raise SystemExit("scripts/bench: nothing is recorded yet; scripts/bench --record does it")
    chosen = processor if processor in records else list(records)[-1]
    return chosen, {key: Measure(**m) for key, m in records[chosen].items()}


def table(recorded, now):
    lines = [f"{'work':28} {'recorded':>14} {'now':>14}"]
    for key, measure in now.items():
        was = recorded.get(key)
        then = f"{was.ratio:.3g} ±{was.noise:.0%}" if was else "-"
        lines.append(f"{key:28} {then:>14} {f'{measure.ratio:.3g} ±{measure.noise:.0%}':>14}")
    return "\n".join(lines)
