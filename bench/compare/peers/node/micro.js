// Node: promises and its event loop. It has no locks, and what parks is an async function.
'use strict';
const fs = require('fs');
const { once } = require('events');
const { setImmediate: immediate } = require('timers/promises');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

const now = () => Number(process.hrtime.bigint());

function memoryOf(field) {
  return Number(fs.readFileSync('/proc/self/status', 'utf8').match(new RegExp(`^${field}:\\s*(\\d+)`, 'm'))[1]) * 1024;
}
const memoryInUse = () => memoryOf('VmRSS') + memoryOf('VmPTE');

// Calls round(n), which does n operations and gives how many went through, for the time that is given. n is a multiple
// of unit. The rounds that find out how large n must be are the warm-up.
async function repeat(plan, unit, round) {
  let n = unit;
  for (;; n *= 2) {
    const begin = now();
    await round(n);
    if (now() - begin > plan.milliseconds * 1e6 / 20) break;
  }
  const begin = now();
  let ops = 0, check = 0, spent;
  do {
    check += await round(n);
    ops += n;
    spent = now() - begin;
  } while (spent < plan.milliseconds * 1e6);
  return { ns: spent / ops, ops, check };
}

async function yield_(plan) {
  let counted = 0, stop = false;
  const turn = async () => {
    for (; !stop; ++counted) await immediate();
  };
  const others = Array.from({ length: plan.size - 1 }, turn);
  const outcome = await repeat(plan, plan.size, async (n) => {
    const before = counted;
    for (let round = n / plan.size; round > 0; --round, ++counted) await immediate();
    return counted - before;
  });
  stop = true;
  await Promise.all(others);
  return outcome;
}

async function one() {
  await null;
  return 1;
}

async function spawnJoin(plan) {
  return repeat(plan, plan.size, async (n) => {
    let sum = 0;
    for (let round = n / plan.size; round > 0; --round) {
      const tasks = Array.from({ length: plan.size }, one);
      for (const task of tasks) sum += await task;
    }
    return sum;
  });
}

async function skynetNode(first, size) {
  await null;
  if (size === 1) return first;
  const part = size / 10;
  const children = Array.from({ length: 10 }, (_, i) => skynetNode(first + i * part, part));
  let sum = 0;
  for (const child of children) sum += await child;
  return sum;
}

async function skynet(plan) {
  await skynetNode(0, 1000);
  const begin = now();
  const check = await skynetNode(0, plan.size);
  const ns = (now() - begin) / plan.size;
  return { ns, ops: plan.size, check, peak_mib: memoryOf('VmHWM') / 2 ** 20 };
}

const later = () => 30_000 + Math.floor(Math.random() * 60_000);
const nothing = () => {};

async function timerCancel(plan) {
  const others = Array.from({ length: plan.size }, () => setTimeout(nothing, later()));
  const outcome = await repeat(plan, 1000, async (n) => {
    let cancelled = 0;
    for (let i = 0; i < n; ++i) {
      const timer = setTimeout(nothing, 30_000);
      clearTimeout(timer);
      cancelled += timer._destroyed;
    }
    return cancelled;
  });
  others.forEach(clearTimeout);
  return outcome;
}

async function timerRearm(plan) {
  const timers = Array.from({ length: plan.size }, () => setTimeout(nothing, later()));
  const outcome = await repeat(plan, 1000, async (n) => {
    let cancelled = 0;
    for (let i = 0; i < n; ++i) {
      const chosen = Math.floor(Math.random() * plan.size);
      clearTimeout(timers[chosen]);
      cancelled += timers[chosen]._destroyed;
      timers[chosen] = setTimeout(nothing, later());
    }
    return cancelled;
  });
  timers.forEach(clearTimeout);
  return outcome;
}

// In milliseconds of a cached time, so that one more than is left keeps them from being early.
async function timerExpire(plan) {
  const first = now() + 20e6 + plan.size * 2000;
  let inTime = 0, left = plan.size, allExpired;
  const ended = new Promise((resolve) => { allExpired = resolve; });
  for (let i = 0; i < plan.size; ++i) {
    const due = first + i * 48271 % plan.size / plan.size * 100e6;
    setTimeout(() => {
      inTime += now() >= due;
      if (--left === 0) allExpired();
    }, Math.ceil((due - now()) / 1e6) + 1);
  }
  await new Promise((resolve) => setTimeout(resolve, (first - now()) / 1e6));
  const begin = process.cpuUsage();
  await ended;
  const { user, system } = process.cpuUsage(begin);
  return { ns: (user + system) * 1000 / plan.size, ops: plan.size, check: inTime };
}

async function parked(plan) {
  let open, woken = 0;
  const gate = new Promise((resolve) => { open = resolve; });
  const wait = async () => {
    await gate;
    ++woken;
  };
  const before = memoryInUse(), begin = now();
  const all = Array.from({ length: plan.size }, wait);
  const ns = (now() - begin) / plan.size;
  const bytes = (memoryInUse() - before) / plan.size;
  open();
  await Promise.all(all);
  return { ns, ops: plan.size, check: woken, bytes };
}

// A worker counts messages, and answers the last of a window; 1: while it has something else to do.
function work(busy) {
  let received = 0;
  parentPort.on('message', (isLast) => {
    ++received;
    if (isLast === null) process.exit();
    if (!isLast) return;
    parentPort.postMessage(received);
    received = 0;
  });
  const keepBusy = () => setImmediate(keepBusy);
  if (busy) keepBusy();
}

async function wake(plan) {
  const worker = new Worker(__filename, { workerData: plan.size === 1 });
  const window = plan.size === 0 ? 1 : 1000;
  const outcome = await repeat(plan, window, async (n) => {
    let received = 0;
    for (let left = n; left > 0; left -= window) {
      const answer = once(worker, 'message');
      for (let i = 1; i < window; ++i) worker.postMessage(false);
      worker.postMessage(true);
      received += (await answer)[0];
    }
    return received;
  });
  worker.postMessage(null);
  return outcome;
}

const works = {
  yield: yield_, spawn_join: spawnJoin, skynet, timer_cancel: timerCancel, timer_rearm: timerRearm,
  timer_expire: timerExpire, parked, wake,
};

async function main() {
  const [name, size, milliseconds] = process.argv.slice(2);
  if (process.argv.length !== 5 || !(name in works)) {
    console.error(`usage: micro.js WORK SIZE MILLISECONDS, where WORK is one of: ${Object.keys(works).join(' ')}`);
    process.exit(2);
  }
  console.log(JSON.stringify(await works[name]({ size: Number(size), milliseconds: Number(milliseconds) })));
}

if (isMainThread) {
  main();
} else {
  work(workerData);
}
