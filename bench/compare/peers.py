"""The peers' programs: read from their descriptions, built once, rebuilt when something of theirs has changed."""

import hashlib
import json
import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = ROOT / "build" / "compare"
PREFIX = BUILD / "prefix"
LIMITS = ("limit", "limit_jump", "limit_queue")
KINDS = ("micro", "network", "http")  # a description each, so that what one lacks does not take the others
FIRST = LIMITS + ("coir",)  # their place in every table
ALWAYS = ("limit", "coir")
BUILD_SECONDS = 600


@dataclass(frozen=True)
class Program:
    """One description: `micro.json`, `network.json` or `http.json` of a peer, or `load.json`."""

    peer: str
    kind: str
    title: str
    folder: Path
    packages: tuple
    version_command: tuple
    build: tuple
    run: object  # a command, or commands by work
    works: tuple
    env: dict

    @property
    def out(self):
        return BUILD / self.peer

    def does(self, work):
        return work.kind == self.kind and work.program_name in self.works

    def command(self, work_name):
        run = self.run.get(work_name) if isinstance(self.run, dict) else self.run
        return expand(run, self.out)

    def environment(self):
        return {**os.environ, **{name: expand([value], self.out)[0] for name, value in self.env.items()}}


class Invalid(Exception):
    pass


def words_of(command):
    return shlex.split(command) if isinstance(command, str) else list(command)


def expand(command, out):
    """Puts in the places and flags that only the driver knows."""
    flags = {"{cxxflags}": "-std=c++20 -O2 -g -DNDEBUG", "{cflags}": "-O2 -g -DNDEBUG"}
    places = {"{out}": str(out), "{coir}": str(PREFIX), "{cxx}": os.environ.get("CXX", "c++"),
              "{cc}": os.environ.get("CC", "cc")}
    words = []
    for word in words_of(command):
        if word in flags:
            words += flags[word].split()
            continue
        for name, value in places.items():
            word = word.replace(name, value)
        words.append(word)
    return words


def read(path):
    try:
        data = json.loads(path.read_text())
    except ValueError as error:
        raise Invalid(f"{path.name} of {path.parent.name}: {error}") from None
    missing = [key for key in ("peer", "title", "run") if not data.get(key)]
    if missing:
        raise Invalid(f"{path.name} of {path.parent.name} does not say: {', '.join(missing)}")
    works = tuple(data.get("works", ()))
    run = data["run"]
    if isinstance(run, dict) and set(works) - set(run):
        raise Invalid(f"{path.name} of {path.parent.name}: no command runs {', '.join(set(works) - set(run))}")
    return Program(data["peer"], path.stem, data["title"], path.parent, tuple(data.get("packages", ())),
                   tuple(words_of(data.get("version", ()))), tuple(data.get("build", ())), run, works,
                   data.get("env", {}))


def read_all(folder=HERE / "peers", only=None):
    programs = [read(path) for kind in KINDS for path in sorted(folder.glob(f"*/{kind}.json"))]
    names = {program.peer for program in programs}
    if unknown := set(only or ()) - names:
        raise SystemExit(f"scripts/bench: no peer {', '.join(sorted(unknown))}; there are {', '.join(sorted(names))}")
    chosen = [p for p in programs if not only or p.peer in only or p.peer in ALWAYS]
    return sorted(chosen, key=lambda p: (FIRST.index(p.peer) if p.peer in FIRST else len(FIRST), p.peer))


def fingerprint(program):
    """Of what the build reads here: the peer's folder, what peers share, coir and the commands."""
    digest = hashlib.sha256(json.dumps([expand(c, program.out) for c in program.build]).encode())
    files = [f for f in program.folder.rglob("*") if f.is_file() and "__pycache__" not in f.parts]
    files += [f for f in program.folder.parent.rglob("*.h*") if f.is_file()]
    files += [f for f in program.folder.parent.glob("common/*") if f.is_file()]
    if any("{coir}" in word for command in program.build for word in words_of(command)):
        files += [PREFIX / "lib" / "libcoir.a", *(PREFIX / "include").rglob("*.hpp"), *(ROOT / "src").rglob("*.hpp")]
    for file in sorted(set(files)):
        digest.update(str(file.relative_to(ROOT)).encode() if file.is_relative_to(ROOT) else file.name.encode())
        digest.update(file.read_bytes() if file.is_file() else b"")
    return digest.hexdigest()


def build(program):
    """Returns None, or why there is no program."""
    if not program.build:
        return None
    program.out.mkdir(parents=True, exist_ok=True)
    stamp = program.out / f".{program.kind}.stamp"
    print_of_now = fingerprint(program)
    if stamp.is_file() and stamp.read_text() == print_of_now:
        return None
    stamp.unlink(missing_ok=True)
    for command in program.build:
        reason = run_step(expand(command, program.out), program)
        if reason:
            return reason
    stamp.write_text(print_of_now)
    return None


def run_step(command, program):
    try:
        done = subprocess.run(["nice", *command], cwd=program.folder, env=program.environment(), capture_output=True,
                              text=True, errors="replace", timeout=BUILD_SECONDS, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return f"does not build within {BUILD_SECONDS} s"
    if done.returncode == 0:
        return None
    (program.out / f"{program.kind}.log").write_text(done.stdout + done.stderr)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    telling = next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "no word")
    return f"does not build: {telling.strip()[:160]}"


def version(program):
    """The first line that names a number."""
    if not program.version_command:
        return ""
    try:
        done = subprocess.run(expand(program.version_command, program.out), cwd=program.folder, capture_output=True,
                              env=program.environment(), text=True, timeout=20, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = (done.stdout + done.stderr).strip().splitlines()
    return next((line.strip().strip('"') for line in lines if any(c.isdigit() for c in line)), "")[:80]


def build_coir(say):
    """The library as a user installs it."""
    say("Building coir, release ...")
    tree = BUILD / "coir-build"
    configure = ["cmake", "-S", str(ROOT), "-B", str(tree), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                 "-DCMAKE_CXX_FLAGS_RELEASE=-O2 -g -DNDEBUG", f"-DCMAKE_INSTALL_PREFIX={PREFIX}",
                 "-DCMAKE_INSTALL_LIBDIR=lib", "-DCOIR_BUILD_TESTS=OFF", "-DCOIR_BUILD_DEMOS=OFF",
                 "-DCOIR_BUILD_BENCH=OFF"]
    for command in (configure, ["nice", "cmake", "--build", str(tree)], ["cmake", "--install", str(tree)]):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"scripts/bench: coir does not build:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
