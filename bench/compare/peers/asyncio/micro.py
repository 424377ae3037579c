"""asyncio; with COIR_LOOP=uvloop, the same on the event loop of uvloop."""

import asyncio
import os
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "common"))
import measure  # noqa: E402

IS_UVLOOP = os.environ.get("COIR_LOOP") == "uvloop"
MORE = 0.002 if IS_UVLOOP else 0  # uvloop rounds to milliseconds of a cached time: without, its timers are early

async def yield_(plan):
    counted = 0
    stop = False

    async def turn():
        nonlocal counted
        while not stop:
            await asyncio.sleep(0)
            counted += 1

    async def rounds(n):
        nonlocal counted
        before = counted
        for _ in range(n // plan.size):
            await asyncio.sleep(0)
            counted += 1
        return counted - before

    others = [asyncio.create_task(turn()) for _ in range(plan.size - 1)]
    await asyncio.sleep(0)
    outcome = await plan.repeat_async(plan.size, rounds)
    stop = True
    await asyncio.gather(*others)
    return outcome


async def spawn_join(plan):
    async def one():
        return 1

    async def rounds(n):
        total = 0
        for _ in range(n // plan.size):
            tasks = [asyncio.create_task(one()) for _ in range(plan.size)]
            for task in tasks:
                total += await task
        return total

    return await plan.repeat_async(plan.size, rounds)


async def ping_pong(messages):
    ping, pong = asyncio.Queue(1), asyncio.Queue(1)

    async def echo():
        received = 0
        while (i := await ping.get()) is not None:
            received += 1
            await pong.put(i)
        return received

    other = asyncio.create_task(echo())
    received = 0
    for i in range(messages // 2):
        await ping.put(i)
        received += await pong.get() == i
    await ping.put(None)
    return received + await other


async def stream(capacity, items):
    numbers = asyncio.Queue(capacity)

    async def receive():
        received = 0
        while (i := await numbers.get()) is not None:
            received += i == received
        return received

    receiver = asyncio.create_task(receive())
    for i in range(items):
        await numbers.put(i)
    await numbers.put(None)
    return await receiver


async def channel(plan):
    """It has no rendezvous: 0 is capacity 1 as well."""
    return await plan.repeat_async(100, lambda n: stream(plan.size, n) if plan.size > 1 else ping_pong(n))


async def mutex(plan):
    lock = asyncio.Lock()
    counter = 0

    async def turns(n, contended):
        nonlocal counter
        for _ in range(n):
            async with lock:
                if contended:
                    await asyncio.sleep(0)
                counter += 1

    async def rounds(n):
        before = counter
        if plan.size == 1:
            await turns(n, False)
        else:
            await asyncio.gather(turns(n // 2, True), turns(n // 2, True))
        return counter - before

    return await plan.repeat_async(100, rounds)


async def skynet_node(first, size):
    if size == 1:
        return first
    part = size // 10
    children = [asyncio.create_task(skynet_node(first + i * part, part)) for i in range(10)]
    total = 0
    for child in children:
        total += await child
    return total


async def skynet(plan):
    with measure.Skynet(plan) as tree:
        tree.sum = await skynet_node(0, plan.size)
    return tree.outcome()


def nothing():
    pass


async def timer_cancel(plan):
    loop = asyncio.get_running_loop()
    others = [loop.call_later(measure.later(), nothing) for _ in range(plan.size)]

    async def rounds(n):
        cancelled = 0
        due = loop.time() + 30
        for _ in range(n):
            timer = loop.call_at(due, nothing)
            timer.cancel()
            cancelled += timer.cancelled()
        await asyncio.sleep(0)  # cancelled ones are swept here
        return cancelled

    outcome = await plan.repeat_async(100, rounds)
    for timer in others:
        timer.cancel()
    return outcome


async def timer_rearm(plan):
    loop = asyncio.get_running_loop()
    timers = [loop.call_later(measure.later(), nothing) for _ in range(plan.size)]
    chosen = measure.random_indices(plan.size)

    async def rounds(n):
        cancelled = 0
        due = loop.time() + 30
        for k in range(n):
            i = chosen[k & 0xFFFF]
            timers[i].cancel()
            cancelled += timers[i].cancelled()
            timers[i] = loop.call_at(due + i % 60, nothing)
        await asyncio.sleep(0)
        return cancelled

    outcome = await plan.repeat_async(100, rounds)
    for timer in timers:
        timer.cancel()
    return outcome


async def timer_expire(plan):
    loop = asyncio.get_running_loop()
    all_expired = loop.create_future()
    left = plan.size
    in_time = 0

    def expire(due):
        nonlocal left, in_time
        left -= 1
        in_time += time.monotonic() >= due
        if left == 0:
            all_expired.set_result(None)

    first = time.monotonic() + 0.02 + plan.size * 10e-6
    offset = loop.time() - time.monotonic()
    for i in range(plan.size):
        due = first + measure.spread(i, plan.size)
        loop.call_at(due + offset + MORE, expire, due)
    await asyncio.sleep(first - time.monotonic())
    begin = time.process_time_ns()
    await all_expired
    return plan.all_in_time(begin, in_time)


async def parked(plan):
    gate = asyncio.Event()
    woken = 0

    async def wait():
        nonlocal woken
        await gate.wait()
        woken += 1

    with measure.Parked(plan) as memory:
        tasks = [asyncio.create_task(wait()) for _ in range(plan.size)]
        await asyncio.sleep(0)
    gate.set()
    for task in tasks:
        await task
    return memory.outcome(woken)


async def wake(plan):
    home = asyncio.get_running_loop()
    other = asyncio.new_event_loop()
    back = asyncio.Event()
    received = 0
    stop = False

    def answer(last):
        nonlocal received
        received += 1
        if last:
            home.call_soon_threadsafe(back.set)

    def keep_busy():
        if not stop:
            other.call_soon(keep_busy)

    async def rounds(n):
        before = received
        for i in range(n):
            is_last = plan.size == 0 or i == n - 1
            other.call_soon_threadsafe(answer, is_last)
            if is_last:
                await back.wait()
                back.clear()
        return received - before

    thread = threading.Thread(target=other.run_forever)
    thread.start()
    if plan.size == 1:
        other.call_soon_threadsafe(keep_busy)
    outcome = await plan.repeat_async(100, rounds)
    stop = True
    other.call_soon_threadsafe(other.stop)
    thread.join()
    return outcome


if IS_UVLOOP:
    import uvloop
    uvloop.install()

measure.main({name: lambda plan, work=work: asyncio.run(work(plan)) for name, work in {
    "yield": yield_, "spawn_join": spawn_join, "channel": channel, "mutex": mutex, "skynet": skynet,
    "timer_cancel": timer_cancel, "timer_rearm": timer_rearm, "timer_expire": timer_expire, "parked": parked,
    "wake": wake}.items()})
