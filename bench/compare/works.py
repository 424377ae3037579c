"""The works: what one operation is, which sizes are run, what the check must be, and where the figures are shown."""

from dataclasses import dataclass, field
from typing import Callable, Optional


def counted(sample, size):
    """What the program saw happen must be what it says it did."""
    return sample["check"] == sample["ops"] and sample["ops"] > 0


def leaves_summed(sample, size):
    return sample["check"] == size * (size - 1) // 2


def no_wrong_answer(sample, size):
    return sample["check"] == 0 and sample["ops"] > 0


@dataclass(frozen=True)
class Work:
    name: str
    group: str
    title: str  # what one operation is
    sizes: tuple
    quick: tuple = ()
    guard: tuple = ()
    plot: tuple = ()  # the sizes that get bars
    growth: bool = False  # drawn as a line over its sizes
    metric: str = "ns"
    unit: str = "ns"
    more: tuple = ()  # further figures of the same run: (metric, unit, title)
    labels: dict = field(default_factory=dict, hash=False)
    size_name: str = "fibers"
    check: Callable = counted
    program: str = ""  # what the programs know it by, where that is not the name
    floor: Optional[str] = None  # the work of `limit` that is the limit, where that is another one
    cores: str = "one"  # one: pinned to one; any: left alone; two: server and load apart; shared: both on one
    kind: str = "micro"  # of the descriptions whose programs do it: micro, network, http
    rounds: int = 1_000  # at most: figures that do not vary need few
    heavy: bool = False  # the quick mode has no time for most peers
    noisy: bool = False  # differs so much from run to run that the full mode has several takes in a round

    @property
    def higher_is_better(self):
        return self.metric == "per_second"

    @property
    def network(self):
        """A server is under load."""
        return self.kind != "micro"

    @property
    def program_name(self):
        return self.program or self.name

    def label(self, size):
        return self.labels.get(size, f"{size:,}")

    def describe(self, size):
        """'100 connections', '1 connection'."""
        if size in self.labels:
            return self.labels[size]
        first, *rest = self.size_name.split(" ")
        return " ".join([f"{size:,}", first.removesuffix("s") if size == 1 else first, *rest])


GROWTH = (10, 100, 1_000, 10_000, 100_000, 1_000_000)
PARKED = (1_000, 10_000, 100_000, 1_000_000)
CAPACITIES = {0: "rendezvous, ping-pong", 1: "capacity 1, ping-pong", 128: "capacity 128, stream"}
LATENCY = tuple((f"p{p}_us", "µs", f"p{q} latency") for p, q in ((50, 50), (99, 99), (999, 99.9)))

WORKS = (
    Work("switch", "switch", "an explicit switch in a ring of fibers", (2, 16, 1_000), plot=(16, 1_000)),
    Work("switch_deep", "switch", "the same at call depth 3: three frames return after each switch", (2, 16, 1_000),
         quick=(16, 1_000), guard=(2, 16, 1_000), plot=(16, 1_000)),
    Work("switch_pair", "switch", "the same between two that are at different places", (2,), quick=(2,), guard=(2,),
         plot=(2,)),
    Work("switch_flags", "switch", "at depth 3 in a ring while every other fiber has other floating-point flags",
         (16, 1_000), quick=(16,), guard=(16,), plot=(16, 1_000)),
    # With two C++ fibers at different places each return would be mispredicted, which is what switch_pair is about. So
    # with them all are alike, and the main one waits. Elsewhere it may be one of those that take turns: it makes no
    # difference there.
    Work("yield", "yield", "a yield through the scheduler", (2,) + GROWTH, quick=(2, 1_000, 100_000),
         guard=(2, 1_000, 100_000), plot=(2, 1_000, 100_000), growth=True),
    Work("spawn_join", "spawn", "spawn a task, join it, use its result", (1,) + GROWTH[:-1], quick=(1, 1_000),
         guard=(1, 1_000), plot=(1, 1_000), growth=True, size_name="tasks at a time"),
    Work("channel", "sync", "a message through a channel", (0, 1, 128), quick=(0, 128), guard=(0, 128), plot=(0, 128),
         labels=CAPACITIES, size_name="channel"),
    Work("mutex", "sync", "lock and unlock a mutex", (1, 2), quick=(1, 2), guard=(1, 2), plot=(1, 2),
         labels={1: "free", 2: "two fibers, yield inside"}, size_name="mutex"),
    Work("skynet", "skynet", "a leaf of the ten-way tree, one thread", (1_000_000,), quick=(1_000_000,),
         guard=(1_000_000,), plot=(1_000_000,), check=leaves_summed, size_name="leaves",
         more=(("peak_mib", "MiB", "peak memory"),), heavy=True),
    Work("skynet_2", "skynet", "a leaf of the ten-way tree, two threads", (1_000_000,), plot=(1_000_000,),
         check=leaves_summed, size_name="leaves", more=(("peak_mib", "MiB", "peak memory"),), cores="any"),
    Work("timer_cancel", "timer", "arm a fresh timer and cancel it", GROWTH, quick=(1_000_000,), guard=(1_000_000,),
         plot=(1_000_000,), growth=True, size_name="pending", heavy=True),
    Work("timer_rearm", "timer", "cancel a random pending timer and arm it anew", GROWTH, quick=(1_000_000,),
         guard=(1_000_000,), plot=(1_000_000,), growth=True, size_name="pending", heavy=True),
    Work("timer_core_cancel", "timer", "the bare timer queue: arm and cancel", GROWTH, quick=(1_000_000,),
         guard=(1_000_000,), growth=True, size_name="pending"),
    Work("timer_core_rearm", "timer", "the bare timer queue: cancel a random one and arm it anew", GROWTH,
         quick=(1_000_000,), guard=(1_000_000,), growth=True, size_name="pending"),
    Work("timer_expire", "timer", "a timer that fires, among so many over 100 ms; early ones do not count",
         (1_000, 100_000, 1_000_000), quick=(100_000,), guard=(100_000,), plot=(1_000_000,), size_name="timers",
         heavy=True),
    Work("park_floor", "parked", "the machine alone: touch a fresh page and guard it", PARKED,
         quick=(100_000,), size_name="pages", more=(("bytes", "bytes", "memory per page, page tables included"),)),
    Work("parked", "parked", "create a fiber and park it; the limit is the floor above", PARKED, quick=(100_000,),
         guard=(100_000,), plot=(100_000, 1_000_000), growth=True, floor="park_floor",
         more=(("bytes", "bytes", "memory per parked fiber, page tables included"),), heavy=True),
    Work("wake", "wake", "post to another thread", (0, 1), quick=(0, 1), plot=(0, 1), cores="any",
         labels={0: "asleep, there and back", 1: "busy, per post"}, size_name="the other thread is"),
    Work("echo", "echo", "echo of 64 bytes, server and load on a core each", (1, 100, 1_000, 10_000), quick=(100,),
         guard=(100, 1_000), plot=(100, 1_000, 10_000), metric="per_second", unit="/s", size_name="connections",
         check=no_wrong_answer, more=LATENCY, cores="two", kind="network", noisy=True),
    Work("echo_one_core", "echo", "the same, server and load on one core", (1, 100), quick=(100,), guard=(100,),
         plot=(1, 100), program="echo", metric="per_second", unit="/s", size_name="connections",
         check=no_wrong_answer, more=LATENCY[-1:], cores="shared", kind="network"),
    Work("echo_memory", "cost", "resident memory of the server at so many echo connections", (10_000,),
         quick=(10_000,), plot=(10_000,), program="echo", metric="rss_mib", unit="MiB", size_name="connections",
         check=no_wrong_answer, cores="two", kind="network", rounds=2, heavy=True),
    # On one core every connection is ready when its turn comes. On two the count says how far the load falls behind
    # the server, which waits for it then.
    Work("echo_calls", "cost", "system calls per echo request, all connections always ready", (100,), plot=(100,),
         program="echo", metric="calls", unit="calls", size_name="connections", check=no_wrong_answer, cores="shared",
         kind="network", rounds=2),
    Work("accept", "accept", "accept a connection, greet it, close it", (64,), plot=(64,), metric="per_second",
         unit="/s", size_name="connections at a time", check=no_wrong_answer, cores="two", kind="network"),
    Work("http", "http", "a GET with HTTP/1.1 on a connection that stays, server and load on a core each", (100,),
         quick=(100,), guard=(100,), plot=(100,), metric="per_second", unit="/s", size_name="connections",
         check=no_wrong_answer, more=LATENCY, cores="two", kind="http"),
)

GROUPS = {
    "switch": "Switch",
    "yield": "Yield",
    "spawn": "Spawn and join",
    "sync": "Channel and mutex",
    "skynet": "Skynet",
    "timer": "Timers",
    "parked": "Parked fibers",
    "wake": "Wake from another thread",
    "echo": "TCP echo",
    "cost": "What an echo server takes",
    "accept": "Accept",
    "http": "HTTP",
}

BY_NAME = {work.name: work for work in WORKS}


def cases(mode, only=None):
    """The (work, size) pairs of a mode: full, quick or guard."""
    unknown = set(only or ()) - set(BY_NAME)
    if unknown:
        raise SystemExit(f"scripts/bench: no work {', '.join(sorted(unknown))}; there are {', '.join(BY_NAME)}")
    for work in WORKS:
        if only and work.name not in only:
            continue
        sizes = {"full": work.sizes, "quick": work.quick, "guard": work.guard}[mode]
        for size in sizes or (work.sizes if only else ()):
            yield work, size
