"""greenlet: switches by hand. It has no scheduler."""

import sys
from pathlib import Path

from greenlet import getcurrent, greenlet

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "common"))
import measure  # noqa: E402


class Ring:
    """Greenlets of which each switches to the next; the last of a round goes home."""

    def __init__(self, n, body):
        self.home = getcurrent()
        self.left = self.hops = 0
        self.members = [greenlet(body) for _ in range(n)]
        for i, member in enumerate(self.members):
            member.ring, member.follower = self, self.members[(i + 1) % n]
            member.switch()  # one that another starts counts its recursion on top of that one's
        self.resume = self.members[0]

    def run(self, n):
        before = self.hops
        self.left = n
        self.resume.switch()
        return self.hops - before


def hop(ring, follower):
    ring.hops += 1
    ring.left -= 1
    if ring.left == 0:
        ring.resume = follower
        ring.home.switch()
    else:
        follower.switch()


def shallow():
    me = getcurrent()
    ring, follower = me.ring, me.follower
    ring.home.switch()
    while True:
        ring.hops += 1
        ring.left -= 1
        if ring.left == 0:
            ring.resume = follower
            ring.home.switch()
        else:
            follower.switch()


def one_deep(ring, follower):
    hop(ring, follower)


def two_deep(ring, follower):
    one_deep(ring, follower)


def deep():
    me = getcurrent()
    ring, follower = me.ring, me.follower
    ring.home.switch()
    while True:
        two_deep(ring, follower)


def switch(plan):
    return plan.repeat(plan.size, Ring(plan.size, shallow).run)


def switch_deep(plan):
    return plan.repeat(plan.size, Ring(plan.size, deep).run)


def parked(plan):
    """A parked one is one that has switched home; waking is switching to it again."""
    home = getcurrent()
    woken = 0

    def wait():
        nonlocal woken
        home.switch()
        woken += 1

    with measure.Parked(plan) as memory:
        all_of_them = [greenlet(wait) for _ in range(plan.size)]
        for member in all_of_them:
            member.switch()
    for member in all_of_them:
        member.switch()
    return memory.outcome(woken)


measure.main({"switch": switch, "switch_deep": switch_deep, "parked": parked})
