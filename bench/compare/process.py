"""Runs a program on chosen cores, with an end to patience, and leaves nothing of it behind."""

import os
import resource
import signal
import subprocess
import time
from pathlib import Path


class Failed(Exception):
    """A program that did not do its work; the text is the reason, for people."""


CORES = sorted(os.sched_getaffinity(0))
FIRST, SECOND = CORES[0], CORES[1 % len(CORES)]
TICK_SECONDS = 0.25


def raise_limits():
    """As many descriptors as we may have: 10,000 connections are as many on either side."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wish in (1 << 17, hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(wish, hard), max(wish, hard)))
            return
        except (OSError, ValueError):
            continue


def settle(cores):
    """What a child does before it becomes the program."""
    def prepare():
        os.sched_setaffinity(0, cores)
        try:
            Path("/proc/self/oom_score_adj").write_text("1000")  # out of memory takes it, and not us
        except OSError:
            pass
    return prepare


def start(command, cores, folder, env, stderr=subprocess.PIPE):
    try:
        return subprocess.Popen(command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=stderr, text=True, errors="replace", start_new_session=True,
                                preexec_fn=settle(cores))
    except OSError as error:
        raise Failed(f"cannot start: {error.strerror}") from None


def end(process, grace=2.0):
    """Ends it and what it started: gently, then not."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
        except ProcessLookupError:
            break
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def last_words(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:160] if lines else ""


def describe_end(code, stderr):
    how = f"ended with {code}" if code >= 0 else f"was killed by {signal.Signals(-code).name}"
    words = last_words(stderr)
    return f"{how}: {words}" if words else how


def run(command, cores, folder, env, timeout, tick=lambda: None):
    """Its stdout; raises Failed when it fails or takes too long."""
    process = start(command, cores, folder, env)
    deadline = time.monotonic() + timeout
    try:
        while True:
            try:
                out, err = process.communicate(timeout=min(TICK_SECONDS, max(0.01, deadline - time.monotonic())))
                break
            except subprocess.TimeoutExpired:
                tick()
                if time.monotonic() >= deadline:
                    raise Failed(f"took longer than {timeout:g} s") from None
    finally:
        if process.returncode is None:
            end(process)
    if process.returncode != 0:
        raise Failed(describe_end(process.returncode, err))
    return out


def resident_mib(session):
    """Of all processes of a session, as the kernel counts it."""
    total = 0
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                total += int(fields[21])
        except (OSError, IndexError):
            continue
    return total * os.sysconf("SC_PAGE_SIZE") / 2**20
