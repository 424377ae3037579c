"""gevent on its default loop."""

import sys
import threading
import time
from pathlib import Path

import gevent
from gevent.event import Event
from gevent.lock import RLock
from gevent.queue import Channel, Queue

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "common"))
import measure  # noqa: E402


def yield_(plan):
    counted = 0
    stop = False

    def turn():
        nonlocal counted
        while not stop:
            gevent.sleep(0)
            counted += 1

    def rounds(n):
        nonlocal counted
        before = counted
        for _ in range(n // plan.size):
            gevent.sleep(0)
            counted += 1
        return counted - before

    others = [gevent.spawn(turn) for _ in range(plan.size - 1)]
    gevent.sleep(0)
    outcome = plan.repeat(plan.size, rounds)
    stop = True
    gevent.joinall(others)
    return outcome


def spawn_join(plan):
    def one():
        return 1

    def rounds(n):
        total = 0
        for _ in range(n // plan.size):
            tasks = [gevent.spawn(one) for _ in range(plan.size)]
            for task in tasks:
                total += task.get()
        return total

    return plan.repeat(plan.size, rounds)


def ping_pong(make, messages):
    ping, pong = make(), make()

    def echo():
        received = 0
        while (i := ping.get()) is not None:
            received += 1
            pong.put(i)
        return received

    other = gevent.spawn(echo)
    received = 0
    for i in range(messages // 2):
        ping.put(i)
        received += pong.get() == i
    ping.put(None)
    return received + other.get()


def stream(capacity, items):
    numbers = Queue(capacity)

    def receive():
        received = 0
        while (i := numbers.get()) is not None:
            received += i == received
        return received

    receiver = gevent.spawn(receive)
    for i in range(items):
        numbers.put(i)
    numbers.put(None)
    return receiver.get()


def channel(plan):
    make = Channel if plan.size == 0 else lambda: Queue(plan.size)
    return plan.repeat(100, lambda n: stream(plan.size, n) if plan.size > 1 else ping_pong(make, n))


def mutex(plan):
    lock = RLock()
    counter = 0

    def turns(n, contended):
        nonlocal counter
        for _ in range(n):
            with lock:
                if contended:
                    gevent.sleep(0)
                counter += 1

    def rounds(n):
        before = counter
        if plan.size == 1:
            turns(n, False)
        else:
            gevent.joinall([gevent.spawn(turns, n // 2, True) for _ in range(2)])
        return counter - before

    return plan.repeat(100, rounds)


def skynet_node(first, size):
    if size == 1:
        return first
    part = size // 10
    children = [gevent.spawn(skynet_node, first + i * part, part) for i in range(10)]
    return sum(child.get() for child in children)


def skynet(plan):
    with measure.Skynet(plan) as tree:
        tree.sum = skynet_node(0, plan.size)
    return tree.outcome()


def nothing():
    pass


def armed(seconds):
    timer = gevent.get_hub().loop.timer(seconds)
    timer.start(nothing)
    return timer


def timer_cancel(plan):
    others = [armed(measure.later()) for _ in range(plan.size)]

    def rounds(n):
        cancelled = 0
        for _ in range(n):
            timer = armed(30)
            timer.close()
            cancelled += not timer.active
        return cancelled

    outcome = plan.repeat(100, rounds)
    for timer in others:
        timer.close()
    return outcome


def timer_rearm(plan):
    timers = [armed(measure.later()) for _ in range(plan.size)]
    chosen = measure.random_indices(plan.size)

    def rounds(n):
        cancelled = 0
        for k in range(n):
            i = chosen[k & 0xFFFF]
            timers[i].close()
            cancelled += not timers[i].active
            timers[i] = armed(30 + i % 60)
        return cancelled

    outcome = plan.repeat(100, rounds)
    for timer in timers:
        timer.close()
    return outcome


def timer_expire(plan):
    """A timer is a greenlet that is spawned later."""
    in_time = 0

    def expire(due):
        nonlocal in_time
        in_time += time.monotonic() >= due

    first = time.monotonic() + 0.02 + plan.size * 30e-6
    sleepers = []
    for i in range(plan.size):
        due = first + measure.spread(i, plan.size)
        gevent.get_hub().loop.update_now()  # else it counts from when the loop last ran, and is early
        sleepers.append(gevent.spawn_later(due - time.monotonic(), expire, due))
    gevent.sleep(first - time.monotonic())
    begin = time.process_time_ns()
    gevent.joinall(sleepers)
    return plan.all_in_time(begin, in_time)


def parked(plan):
    gate = Event()
    woken = 0

    def wait():
        nonlocal woken
        gate.wait()
        woken += 1

    with measure.Parked(plan) as memory:
        tasks = [gevent.spawn(wait) for _ in range(plan.size)]
        gevent.sleep(0)
    gate.set()
    gevent.joinall(tasks)
    return memory.outcome(woken)


def wake(plan):
    """Through run_callback_threadsafe of the other hub's loop."""
    home = gevent.get_hub().loop
    back, ready = Event(), threading.Event()
    other = finish = None
    received = 0
    stop = False

    def serve():
        nonlocal other, finish
        finish = Event()
        other = gevent.get_hub().loop
        if plan.size == 1:
            gevent.spawn(keep_busy)
        gevent.spawn(ready.set)
        while not stop:
            finish.wait(1)

    def keep_busy():
        while not stop:
            gevent.sleep(0)

    def answer(last):
        nonlocal received
        received += 1
        if last:
            home.run_callback_threadsafe(back.set)

    def rounds(n):
        before = received
        for i in range(n):
            is_last = plan.size == 0 or i == n - 1
            other.run_callback_threadsafe(answer, is_last)
            if is_last:
                while not back.wait(1):  # a pending timer: without one the loop would be taken for finished
                    pass
                back.clear()
        return received - before

    thread = threading.Thread(target=serve)
    thread.start()
    ready.wait()
    outcome = plan.repeat(100, rounds)
    stop = True
    other.run_callback_threadsafe(finish.set)
    thread.join()
    return outcome


measure.main({"yield": yield_, "spawn_join": spawn_join, "channel": channel, "mutex": mutex, "skynet": skynet,
              "timer_cancel": timer_cancel, "timer_rearm": timer_rearm, "timer_expire": timer_expire,
              "parked": parked, "wake": wake})
