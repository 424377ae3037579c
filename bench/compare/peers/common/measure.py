"""What the Python programs of in-process works share: calibration, clocks, memory, and the line that reports them."""

import json
import random
import sys
import time


class Plan:
    """What the command line asks for."""

    def __init__(self, size, milliseconds):
        self.size = size
        self.budget = milliseconds * 1_000_000

    def rounds(self, unit):
        """Yields n, a multiple of `unit`, again and again: do n operations, and say to the round how many went through.

        The rounds that find out how large n must be are the warm-up. `for r in plan.rounds(unit): r.done = work(r.n)`
        """
        n = unit
        while True:
            trial = Round(n)
            yield trial
            if trial.spent() > self.budget / 20:
                break
            n *= 2
        self.ops = self.check = self.spent = 0
        while self.spent < self.budget:
            measured = Round(n)
            yield measured
            self.spent += measured.spent()
            self.ops += n
            self.check += measured.done

    def outcome(self):
        return {"ns": self.spent / self.ops, "ops": self.ops, "check": self.check}

    def repeat(self, unit, work):
        for r in self.rounds(unit):
            r.done = work(r.n)
        return self.outcome()

    async def repeat_async(self, unit, work):
        for r in self.rounds(unit):
            r.done = await work(r.n)
        return self.outcome()

    def all_in_time(self, begin, in_time):
        """Of timers that have all expired: the processor time since `begin`."""
        return {"ns": (time.process_time_ns() - begin) / self.size, "ops": self.size, "check": in_time}


class Round:
    def __init__(self, n):
        self.n = n
        self.done = 0
        self.begin = time.perf_counter_ns()

    def spent(self):
        return time.perf_counter_ns() - self.begin


def memory_of(field):
    """A field of /proc/self/status in bytes."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(field + ":"))


def memory_in_use():
    return memory_of("VmRSS") + memory_of("VmPTE")


class Skynet:
    """One tree. `with Skynet(plan) as s: s.sum = ...`, then s.outcome()."""

    def __init__(self, plan):
        self.plan = plan

    def __enter__(self):
        self.begin = time.perf_counter_ns()
        return self

    def __exit__(self, *_):
        self.ns = (time.perf_counter_ns() - self.begin) / self.plan.size

    def outcome(self):
        return {"ns": self.ns, "ops": self.plan.size, "check": self.sum, "peak_mib": memory_of("VmHWM") / 2**20}


class Parked:
    """What creating and parking takes: `with Parked(plan) as p: create()`, then p.outcome(how_many_were_woken)."""

    def __init__(self, plan):
        self.plan = plan

    def __enter__(self):
        self.before = memory_in_use()
        self.begin = time.perf_counter_ns()
        return self

    def __exit__(self, *_):
        self.ns = (time.perf_counter_ns() - self.begin) / self.plan.size
        self.bytes = (memory_in_use() - self.before) / self.plan.size

    def outcome(self, woken):
        return {"ns": self.ns, "ops": self.plan.size, "check": woken, "bytes": self.bytes}


def spread(i, n):
    """When timer i of n is due, in seconds after the first: over 100 ms, in no order."""
    return i * 48271 % n / n * 0.1


def later():
    """Seconds until a timer that is not going to expire."""
    return 30 + random.random() * 60


def random_indices(size, count=1 << 16):
    return [random.randrange(size) for _ in range(count)]


def main(works):
    """`<program> <work> <size> <milliseconds>`"""
    if len(sys.argv) != 4 or sys.argv[1] not in works:
        sys.exit(f"usage: {sys.argv[0]} WORK SIZE MILLISECONDS, where WORK is one of: {' '.join(works)}")
    print(json.dumps(works[sys.argv[1]](Plan(int(sys.argv[2]), float(sys.argv[3])))))
