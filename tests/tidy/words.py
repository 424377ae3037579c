"""Words and files: no leftovers in the text, no file too long to read, no source file outside the build.

usage: words.py SOURCE_DIR
"""

import pathlib
import re
import subprocess
import sys

MAX_LINES = 500
CODE = {".cpp", ".hpp", ".h", ".c", ".S", ".py", ".cmake"}
# Built from pieces, so that this file passes its own test.
LEFTOVERS = re.compile(r"\b(?:%s)\b" % "|".join(("TO" "DO", "FIX" "ME", "X" "XX")))
MACHINE_PATHS = re.compile(r"(?<![\w.~-])/(?:home|work|root|Users)/[\w.]")


def repository_files(root):
    """What git knows or would add; without git (a source archive), everything but build trees."""
    try:
        listing = subprocess.run(
            ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout.decode()
        names = [name for name in listing.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        names = []
    if not names:
        names = [str(path.relative_to(root)) for path in sorted(root.rglob("*"))]
        names = [name for name in names if not name.startswith(("build/", ".git/"))]
    return [name for name in sorted(set(names)) if (root / name).is_file()]


def read_text(path):
    data = path.read_bytes()
    return None if b"\0" in data else data.decode("utf-8", errors="replace")


def check_text(name, text):
    for number, line in enumerate(text.splitlines(), 1):
        for match in LEFTOVERS.finditer(line):
            yield f"{name}:{number}: '{match.group()}': finish it or put it in an issue"
        for match in MACHINE_PATHS.finditer(line):
            yield f"{name}:{number}: '{match.group()}...': a path on somebody's machine"
    length = text.count("\n")
    if length > MAX_LINES and pathlib.PurePath(name).suffix in CODE:
        yield f"{name}: {length} lines; {MAX_LINES} is what a reader can hold"


def named_in_build(root, name):
    """Is this file named in the CMakeLists.txt of its folder, or of one above it?"""
    path = pathlib.PurePath(name)
    stem = re.escape(path.stem)
    for folder in path.parents:
        lists = root / folder / "CMakeLists.txt"
        if not lists.is_file():
            continue
        text = re.sub(r"#[^\n]*", "", lists.read_text(encoding="utf-8"))
        relative = re.escape(str(path.relative_to(folder)))
        if re.search(r"(?:^|[\s\"/(])%s(?=[\s\")]|$)" % relative, text):
            return True
        # coir_add_test(stem) without SOURCES means stem.cpp
        if folder == path.parent and re.search(r"coir_add_test\(\s*%s[\s)]" % stem, text):
            return True
    return False


def must_be_named(name):
    if name.startswith("tests/consumer/"):
        return False  # projects of their own
    if name.startswith("bench/compare/"):
        return False  # each of these names what builds it
    if name.startswith(("src/", "tests/", "demos/", "bench/")) and name.endswith(".cpp"):
        return True
    return name.startswith("demos/") and name.endswith(".out")


def check(root):
    complaints = []
    for name in repository_files(root):
        text = read_text(root / name)
        if text is not None:
            complaints.extend(check_text(name, text))
        if must_be_named(name) and not named_in_build(root, name):
            complaints.append(f"{name}: no CMakeLists.txt names it")
    return complaints


if __name__ == "__main__":
    found = check(pathlib.Path(sys.argv[1]).resolve())
    print("\n".join(found) if found else "nothing left over")
    sys.exit(1 if found else 0)
