"""The comparison of coir with its limits and its peers; scripts/bench runs it."""

import argparse
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace

import guard
import machine
import packages
import peers
import plots
import process
import report
import runner
import works
from progress import Progress
from results import Results

TOOLS = ("g++", "linux-perf | linux-tools-generic")  # perf counts system calls
DOCS = peers.ROOT / "docs"
LAST = peers.BUILD / "results.json"  # of the last full run


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description="Measures coir beside its limits and its peers, all in one run.",
        epilog="A full run writes docs/benchmarks.md; with --quick, --only or --peers the page stays as it is, and "
               "tables are printed and left in build/compare.")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--quick", action="store_true", help="the essential works, within two minutes")
    mode.add_argument("--check", action="store_true", help="fail when coir has lost more than 15 %% against its limits")
    mode.add_argument("--record", action="store_true", help="record the ratios that --check compares with")
    mode.add_argument("--report", action="store_true", help="write the page anew from the last full run")
    split = lambda text: [word for word in re.split(r"[,\s]+", text) if word]
    parser.add_argument("--only", type=split, metavar="WORK[,WORK]", help=f"of {', '.join(works.BY_NAME)}")
    parser.add_argument("--peers", type=split, metavar="PEER[,PEER]", help="these beside coir and the limit")
    parser.add_argument("--rounds", type=int, metavar="N", help="how often everything is run")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md in any case")
    arguments = parser.parse_args()
    if arguments.rounds is not None and arguments.rounds < 1:
        parser.error("--rounds wants 1 or more")
    return arguments


def prepare(chosen, say):
    """Installs and builds. Returns (programs, load, {what is missing: why})."""
    programs = peers.read_all(only=chosen)
    load = peers.read(peers.HERE / "load" / "load.json")
    wanted = list(dict.fromkeys([*TOOLS, *(name for p in [load, *programs] for name in p.packages)]))
    lacking = packages.ensure(wanted, say)
    peers.build_coir(say)
    skipped, ready = {}, []
    for program in [load, *programs]:
        say(f"Building {program.peer} ({program.kind}) ...")
        reason = why_not(program, lacking)
        if reason:
            say(f"{program.peer} ({program.kind}) is left out: {reason}")
            skipped[f"{program.title} ({program.kind})"] = reason
        else:
            ready.append(program)
    return [p for p in ready if p is not load], load if load in ready else None, skipped


def why_not(program, lacking):
    """None, or why the program cannot be had. It may be there without the distribution's package."""
    reason = peers.build(program)
    absent = [name for name in program.packages if name in lacking]
    if absent and (reason or not program.build and not peers.version(program)):
        return f"{' '.join(absent)} is not installed"
    return reason


def describe_coir():
    done = subprocess.run(["git", "describe", "--always", "--dirty", "--exclude=*"], cwd=peers.ROOT,
                          capture_output=True, text=True)
    text = (peers.PREFIX / "lib/pkgconfig/coir.pc").read_text()
    version = re.search(r"^Version:\s*(\S+)", text, re.M).group(1)
    return f"{version}, revision {done.stdout.strip()}" if done.returncode == 0 else version


def empty_results(programs, skipped):
    results = Results({**machine.describe(), "coir": describe_coir()})
    results.skipped = skipped
    for program in programs:
        info = results.peers.setdefault(program.peer, {"titles": {}, "versions": []})
        info["titles"][program.kind] = program.title
        if (version := peers.version(program)) and version not in info["versions"]:
            info["versions"].append(version)
    return results


def measure(programs, load, skipped, cases, pace):
    results = empty_results(programs, skipped)
    progress = Progress()
    if (busy := machine.busy_cores()) > 0.1:
        progress.say(f"Other programs keep {busy:.1f} cores busy: the figures will be poor.")
    before = machine.Ticks.now()
    runner.Runner(results, programs, load, pace, progress).run(cases)
    progress.end()
    stolen = machine.Ticks.now().since(before).stolen_part
    results.machine["stolen"] = f"{stolen:.1%} of the time of this run"
    if stolen > 0.02:
        print(f"The host gave {stolen:.0%} of the time to others: the figures are poor.")
    return results


def write_page(results):
    names = plots.draw(results, DOCS / "benchmarks")
    (DOCS / "benchmarks.md").write_text(report.page(results, names))
    print("Written: docs/benchmarks.md" + (f" and {len(names)} plots beside it" if names else ""))


def compare(arguments):
    """The full and the quick mode."""
    mode = "quick" if arguments.quick else "full"
    cases = list(works.cases(mode, arguments.only))
    programs, load, skipped = prepare(arguments.peers, print)
    pace = runner.QUICK if arguments.quick else runner.FULL
    pace = replace(pace, rounds=arguments.rounds) if arguments.rounds else pace
    results = measure(programs, load, skipped, cases, pace)
    full = not (arguments.quick or arguments.only or arguments.peers)
    results.save(LAST if full else peers.BUILD / "part.json")
    if full or arguments.write:
        write_page(results)
    else:
        plots.draw(results, peers.BUILD / "benchmarks")
        text = report.page(results, [])
        (peers.BUILD / "benchmarks.md").write_text(text)
        print("\n" + report.plain(results))
        print("Written: build/compare/benchmarks.md")
    return 0


def check(arguments):
    recorded = ("", {}) if arguments.record else guard.read(machine.describe()["processor"])
    cases = list(works.cases("guard", arguments.only))
    programs, load, skipped = prepare(list(peers.ALWAYS), print)
    pace = replace(runner.GUARD, rounds=arguments.rounds or runner.GUARD.rounds)
    results = measure(programs, load, skipped, guard.with_references(cases), pace)
    now = guard.measure_all(results, cases)
    if not now:
        raise SystemExit("scripts/bench: nothing could be measured")
    if arguments.record:
        if results.failures:
            raise SystemExit(f"scripts/bench: not recorded, since these fail: {failures_text(results)}")
        guard.write(now, results.machine)
        print(guard.table({}, now) + f"\nWritten: {guard.RECORD.relative_to(peers.ROOT)}")
        return 0
    return verdict(recorded, now, results, cases, lambda again: measure(programs, load, skipped, again, pace))


def failures_text(results):
    return "; ".join(f"{peer} at {work}/{size}: {reason}" for (work, size, peer), reason in results.failures.items())


def verdict(recorded, now, results, cases, measure_again):
    """A suspect is measured once more before it is called a loss."""
    processor, ratios = recorded
    suspects = {loss.key for loss in guard.losses(ratios, now)}
    if suspects:
        print(f"Measured again: {', '.join(sorted(suspects))}")
        again = [case for case in cases if guard.key_of(*case) in suspects]
        now.update(guard.measure_all(measure_again(guard.with_references(again)), again))
    lost = [loss for loss in guard.losses(ratios, now) if loss.key in suspects]
    print(guard.table(ratios, now))
    if results.failures:
        print(f"Fails: {failures_text(results)}")
    for loss in lost:
        print(f"LOST  {loss}")
    if lost and processor != results.machine["processor"]:
        print(f"The record is of another processor ({processor}); scripts/bench --record makes one of this.")
    if unguarded := guard.unguarded(ratios, now):
        print(f"Not recorded, so not compared: {', '.join(unguarded)}; scripts/bench --record records them.")
    if missing := guard.unmeasured(ratios, now, cases):
        print(f"Recorded, but not measured now: {', '.join(missing)}")
    broken = missing or any(peer == "coir" for _, _, peer in results.failures)
    print("" if lost or broken else "No loss against the recorded ratios.")
    return 1 if lost or broken else 0


def main():
    arguments = parse_arguments()
    os.chdir(peers.ROOT)
    peers.BUILD.mkdir(parents=True, exist_ok=True)
    process.raise_limits()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if arguments.report:
        if not LAST.is_file():
            raise SystemExit("scripts/bench: there is no full run yet; scripts/bench makes one")
        write_page(Results.load(LAST))
        return 0
    return check(arguments) if arguments.check or arguments.record else compare(arguments)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("\nscripts/bench: interrupted")
