"""The targets, as data: what each row takes from the results, and what it must reach.

A row is met when every part of it is. `reasons.json` holds, by the key of a row, the reason why it is missed.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

from peers import ALWAYS, LIMITS

REASONS = Path(__file__).resolve().parent / "reasons.json"
COROUTINES = ("boost_fiber", "asio_coroutine", "pth", "go", "greenlet", "gevent", "asyncio", "uvloop")


@dataclass(frozen=True)
class Part:
    """One figure with its bound; without a bound it is only told."""

    label: str
    value: Callable  # of the results; None where it was not measured
    unit: str
    at_most: Optional[float] = None
    at_least: Optional[float] = None

    def is_met(self, value):
        return ((self.at_most is None or value <= self.at_most) and
                (self.at_least is None or value >= self.at_least))


@dataclass(frozen=True)
class Row:
    key: str
    work: str
    limit: str  # in words; the figures of this run are put behind it
    limits: tuple  # (work, size, peer, metric, unit)
    target: str
    parts: tuple


def figure(work, size, metric=None):
    return lambda results: results.median(work, size, "coir", metric)


def to_limit(work, size, metric=None):
    return lambda results: results.to_limit(work, size, metric=metric)


def between(top, bottom, metric=None):
    """coir in one case over coir in another."""
    return lambda results: results.ratio((*top, "coir"), (*bottom, "coir"), metric)


def to_peer(work, size, peer):
    return lambda results: results.ratio((work, size, "coir"), (work, size, peer))


def to_best(work, size, best, among=None, without=()):
    """coir over the best of the peers; `best` is min where little is good and max where much is."""
    def value(results):
        rivals = [p for p in results.peers_of(work, size)
                  if p not in ALWAYS + LIMITS + without and (among is None or p in among)]
        if not rivals or not results.values(work, size, "coir"):
            return None
        rival = best(rivals, key=lambda p: results.median(work, size, p))
        return results.ratio((work, size, "coir"), (work, size, rival))
    return value


def limit_ns(work, *sizes, peer="limit"):
    return tuple((work, size, peer, "ns", "ns") for size in sizes)


def ns_parts(work, bounds):
    return tuple(Part(f"{size:,}", figure(work, size), "ns", at_most=bound) for size, bound in bounds.items())


def limit_parts(work, bounds, **how):
    return tuple(Part(f"{size:,}", to_limit(work, size, **how), "x", at_most=bound) for size, bound in bounds.items())


def rate_parts(work, bounds):
    return tuple(Part(f"{size:,}", to_limit(work, size), "x", at_least=bound) for size, bound in bounds.items())


def rates(work, *sizes):
    return tuple((work, size, "limit", "per_second", "/s") for size in sizes)


ROWS = (
    Row("switch_ring", "switch by `fiber::switch_to` in a ring of 16 / 1,000, depth 3", "ontop",
        limit_ns("switch_deep", 16, 1_000), "≤ 2.0 × ontop, all features in place",
        limit_parts("switch_deep", {16: 2.0, 1_000: 2.0})),
    Row("switch_two", "the same, between two fibers at different places", "ontop", limit_ns("switch_pair", 2),
        "≤ 1.4 × ontop", limit_parts("switch_pair", {2: 1.4})),
    Row("switch_flags", "the same, floating-point flags differ, ring of 16 / 1,000", "ontop with other flags",
        limit_ns("switch_flags", 16, 1_000), "≤ 1.3 × the cost with equal flags",
        tuple(Part(f"{n:,}", between(("switch_flags", n), ("switch_deep", n)), "x", at_most=1.3) for n in (16, 1_000))),
    Row("yield", "yield, 2 / 1,000 / 100,000 fibers", "bare contexts on a queue",
        limit_ns("yield", 2, 1_000, 100_000, peer="limit_queue"),
        "≤ 15 / 12 / 45 ns, ahead of every peer",
        ns_parts("yield", {2: 15, 1_000: 12, 100_000: 45}) +
        tuple(Part(f"{n:,}, to the best peer", to_best("yield", n, min), "x", at_most=1.0)
              for n in (2, 1_000, 100_000))),
    Row("spawn_join", "spawn and join, 1 / 1,000 at a time", "by hand, with all that a task promises",
        limit_ns("spawn_join", 1, 1_000, peer="limit_queue"), "≤ 60 / 60 ns",
        ns_parts("spawn_join", {1: 60, 1_000: 60})),
    Row("channel", "channel ping-pong / stream through 128, usable across threads", "",
        limit_ns("channel", 0, 128), "≤ 60 / 20 ns",
        (Part("ping-pong", figure("channel", 0), "ns", at_most=60),
         Part("stream", figure("channel", 128), "ns", at_most=20))),
    Row("mutex", "mutex free / contended, usable across threads", "", limit_ns("mutex", 1, 2), "≤ 14 / 45 ns",
        (Part("free", figure("mutex", 1), "ns", at_most=14), Part("contended", figure("mutex", 2), "ns", at_most=45))),
    Row("timer", "timer with 1,000,000 pending: arm and cancel a fresh one / cancel and re-arm a random one",
        "bare wheel", limit_ns("timer_cancel", 1_000_000) + limit_ns("timer_rearm", 1_000_000),
        "≤ 12 / 30 ns, flat from 10 on, never early",
        (Part("fresh", figure("timer_core_cancel", 1_000_000), "ns", at_most=12),
         Part("random", figure("timer_core_rearm", 1_000_000), "ns", at_most=30),
         Part("fresh, 1,000,000 to 10 pending", between(("timer_core_cancel", 1_000_000), ("timer_core_cancel", 10)),
              "x", at_most=2.0))),
    Row("parked_bytes", "memory per parked fiber, guarded, 1,000,000 of them", "one page and its tables",
        (("park_floor", 1_000_000, "limit", "bytes", "bytes"),), "≤ 4,600 bytes, page tables included",
        (Part("", figure("parked", 1_000_000, "bytes"), "bytes", at_most=4600),)),
    Row("echo", "echo, two cores, 100 / 1,000 / 10,000 connections", "epoll by hand",
        rates("echo", 100, 1_000, 10_000), "≥ 0.98 / 0.97 / 0.97 ×, ahead of every fiber and coroutine peer",
        rate_parts("echo", {100: 0.98, 1_000: 0.97, 10_000: 0.97}) +
        tuple(Part(f"{n:,}, to the best of them", to_best("echo", n, max, COROUTINES), "x", at_least=1.0)
              for n in (100, 1_000, 10_000))),
    Row("echo_one_core", "echo, one core, 1 / 100 connections", "epoll by hand", rates("echo_one_core", 1, 100),
        "≥ 0.98 / 0.97 ×", rate_parts("echo_one_core", {1: 0.98, 100: 0.97})),
    Row("echo_calls", "system calls per echo request at 100 connections", "epoll by hand",
        (("echo_calls", 100, "limit", "calls", "calls"),), "≤ 2.05",
        (Part("", figure("echo_calls", 100), "calls", at_most=2.05),)),
    Row("echo_memory", "echo memory at 10,000 connections", "epoll by hand",
        (("echo_memory", 10_000, "limit", "rss_mib", "MiB"),), "≤ 60 MiB with 2 KiB buffers",
        (Part("", figure("echo_memory", 10_000), "MiB", at_most=60),)),
    Row("echo_latency", "p99.9 latency of echo at 100 connections", "epoll by hand",
        (("echo", 100, "limit", "p999_us", "µs"),), "≤ 1.2 ×",
        (Part("", to_limit("echo", 100, "p999_us"), "x", at_most=1.2),)),
    Row("skynet", "skynet, 1,000,000 leaves, one hub", "by hand in the same order; Go",
        tuple(("skynet", 1_000_000, peer, metric, unit)
              for peer in ("limit_queue", "go") for metric, unit in (("ns", "ms"), ("peak_mib", "MiB"))),
        "≤ 500 ms, memory beside Go's",
        (Part("", figure("skynet", 1_000_000), "ms", at_most=500),  # ns for each of a million leaves
         Part("peak", figure("skynet", 1_000_000, "peak_mib"), "MiB"))),
    Row("parked_time", "create and park 100,000 fresh fibers", "touch a fresh page and guard it",
        limit_ns("park_floor", 100_000), "≤ 1.15 ×", limit_parts("parked", {100_000: 1.15})),
    Row("wake", "post to a sleeping hub, there and back / to a busy hub", "eventfd by hand",
        limit_ns("wake", 0, 1), "one eventfd write at most / ≤ 60 ns",
        (Part("asleep", to_limit("wake", 0), "x"), Part("busy", figure("wake", 1), "ns", at_most=60))),
    Row("http", "HTTP keep-alive hello, 100 connections, one core for the server; coir's sockets under llhttp", "nginx",
        (("http", 100, "nginx", "per_second", "/s"),), "≥ 0.9 × nginx, ahead of every other",
        (Part("to nginx", to_peer("http", 100, "nginx"), "x", at_least=0.9),
         Part("to the best of the others", to_best("http", 100, max, without=("nginx",)), "x", at_least=1.0))),
)


@dataclass(frozen=True)
class Verdict:
    row: Row
    values: tuple  # one for each part, None where it was not measured
    met: Optional[bool]  # None: some of it was not measured, and the rest is met
    reason: str


def judge(row, results, reasons):
    values = tuple(part.value(results) for part in row.parts)
    known = [part.is_met(value) for part, value in zip(row.parts, values) if value is not None]
    complete = bool(values) and len(known) == len(values)
    met = False if not all(known) else True if complete else None
    return Verdict(row, values, met, "" if met else reasons.get(row.key, ""))


def judge_all(results):
    reasons = json.loads(REASONS.read_text()) if REASONS.is_file() else {}
    if unknown := set(reasons) - {row.key for row in ROWS}:
        raise SystemExit(f"scripts/bench: {REASONS.name} names no row of the table: {', '.join(sorted(unknown))}")
    return [judge(row, results, reasons) for row in ROWS]
