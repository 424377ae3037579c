"""Runs the plan: round after round, in each all cases, in each case all peers, one after the other."""

import os
import time
from dataclasses import dataclass

import contract
import machine
import network
import process
from process import Failed


@dataclass(frozen=True)
class Pace:
    """How long things may be; times in seconds but for the runs themselves."""

    rounds: int
    milliseconds: int
    network_milliseconds: int
    timeout: float  # of one run
    cell: float  # of all rounds of one peer in one case: who is slow gets fewer rounds
    budget: float  # of everything; what is left after it is not begun
    repeats: int = 0  # of a run that the host has disturbed
    takes: int = 1  # of noisy works in each round
    in_heavy: tuple = ()  # the peers that run heavy works; none named: all


FULL = Pace(rounds=5, milliseconds=150, network_milliseconds=700, timeout=60, cell=8, budget=3000, repeats=2,
            takes=3)
QUICK = Pace(rounds=3, milliseconds=40, network_milliseconds=250, timeout=4, cell=1.5, budget=95,
             in_heavy=("limit", "coir", "go"))
GUARD = Pace(rounds=7, milliseconds=100, network_milliseconds=400, timeout=60, cell=12, budget=240, repeats=1)


# The host counts as having disturbed a run when it took more than this part of its time.
DISTURBED = 0.03


class Runner:
    def __init__(self, results, programs, load, pace, progress):
        self.results = results
        self.programs = programs
        self.load = load
        self.pace = pace
        self.progress = progress
        self.cost = {}  # (work, size, peer) -> seconds of its first run
        self.spent = 0.0
        self.round = 0

    def lines(self, cases):
        """(work, size, [programs that do it]), those that nobody does left out."""
        for work, size in cases:
            able = [p for p in self.programs if p.does(work) and self.has_time_for(p, work)]
            if able and not (work.network and self.load is None):
                yield work, size, able

    def has_time_for(self, program, work):
        return not work.heavy or not self.pace.in_heavy or program.peer in self.pace.in_heavy

    def run(self, cases):
        os.sched_setaffinity(0, {process.FIRST})  # out of the way of in-process works
        try:
            self.run_rounds(cases)
        except KeyboardInterrupt:
            if self.round == 0:
                raise
            self.progress.say(f"Interrupted in round {self.round + 1}: what has been measured counts.")
        finally:
            os.sched_setaffinity(0, process.CORES)

    def run_rounds(self, cases):
        lines = list(self.lines(cases))
        plan = [(take, work, size, program) for r in range(self.pace.rounds) for work, size, able in lines
                for take in self.takes(r, work) for program in turned(able, take)]
        begun = time.monotonic()
        for at, (take, work, size, program) in enumerate(plan):
            self.round = take // self.takes_per_round(work)
            if time.monotonic() - begun > self.pace.budget and is_new_case(plan, at):
                if self.round == 0:
                    self.progress.say(f"Out of time: {work.name} and what follows it are left out.")
                return
            if self.wants(take, work, size, program):
                self.progress.show(self.spent, self.expected(plan[at:]),
                                   f"round {self.round + 1} of {self.pace.rounds}: {work.name} {size:,}, {program.peer}")
                self.run_one(take, work, size, program)

    def takes_per_round(self, work):
        return self.pace.takes if work.noisy else 1

    def takes(self, round_, work):
        """The numbers of those in a round. A ratio is one of two programs in the same take."""
        count = self.takes_per_round(work)
        return range(round_ * count, (round_ + 1) * count)

    def wants(self, take, work, size, program):
        key = (work.name, size, program.peer)
        if key in self.results.failures or take >= work.rounds:
            return False
        cell = self.pace.cell * self.takes_per_round(work)
        return take == 0 or take < max(1, int(cell / self.cost.get(key, self.guess(work))))

    def run_one(self, take, work, size, program):
        key = (work.name, size, program.peer)
        try:
            self.results.add(*key, take, self.measure_calmly(work, size, program))
        except Failed as failed:
            self.results.fail(*key, str(failed))
            self.progress.say(f"{program.peer}: {work.name} {size:,} is left out: {failed}")

    def measure_calmly(self, work, size, program):
        """What the host disturbs is run again; then the run counts that it has disturbed least."""
        runs = []
        for _ in range(1 + self.pace.repeats):
            stolen, sample = self.measure_timed(work, size, program)
            runs.append((stolen, sample))
            if stolen <= DISTURBED:
                break
        return min(runs, key=lambda run: run[0])[1]

    def measure_timed(self, work, size, program):
        """The part of the time that the host took, and the sample."""
        before, begun = machine.Ticks.now(), time.monotonic()
        try:
            sample = self.measure(work, size, program)
        finally:
            seconds = time.monotonic() - begun
            self.cost.setdefault((work.name, size, program.peer), seconds)
            self.spent += seconds
        return machine.Ticks.now().since(before).stolen_part, sample

    def measure(self, work, size, program):
        if work.network:
            return network.measure(program, self.load, work, size, self.pace.network_milliseconds, self.progress.tick)
        cores = set(process.CORES) if work.cores == "any" else {process.SECOND}
        command = [*program.command(work.name), work.program_name, str(size), str(self.pace.milliseconds)]
        out = process.run(command, cores, program.folder, program.environment(), self.pace.timeout, self.progress.tick)
        return contract.validate(contract.parse(out), work, size)

    def guess(self, work):
        return 0.6 + self.pace.network_milliseconds / 1000 if work.network else 0.15 + self.pace.milliseconds / 1000

    def expected(self, plan):
        """Seconds that the rest of the plan will take."""
        return sum(self.cost.get((work.name, size, program.peer), self.guess(work))
                   for take, work, size, program in plan if self.wants(take, work, size, program))


def turned(programs, by):
    """Each round begins with another one, so that nobody always follows the same neighbour's heat."""
    by %= len(programs)
    return programs[by:] + programs[:by]


def is_new_case(plan, at):
    return at == 0 or plan[at - 1][1:3] != plan[at][1:3]
