"""Folders are floors: checks every #include of include/coir and src against the floor table.

usage: layers.py SOURCE_DIR

The table is the one in src/README.md (or README.md); its rows are
    | # | `folder` | holds | may include | outside library |
"""

import pathlib
import re
import sys

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(<[^>]+>|"[^"]+")', re.M)
ROW = re.compile(r"^\|\s*(\d+)\s*\|")
NOBODY_INCLUDES = ("hooks", "debug", "testing")
FREE = "testing"  # the test kit may look at everything


class Floor:
    def __init__(self, number, below, outside):
        self.number = number
        self.below = below  # the numbers of the floors that it may include
        self.outside = outside


def read_numbers(text):
    """'0-6, 8' is {0, ..., 6, 8}; words ('std', 'see the issue') and nothing are the empty set."""
    numbers = set()
    for first, last in re.findall(r"(\d+)(?:\s*[-\u2013]\s*(\d+))?", text):
        numbers.update(range(int(first), int(last or first) + 1))
    return numbers


def read_table(text):
    floors = {}
    for line in text.splitlines():
        if not ROW.match(line):
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        names = re.findall(r"`([a-z_0-9]+)`", cells[1]) if len(cells) > 3 else []
        for name in names:
            outside = cells[4] if len(cells) > 4 else ""
            floors[name] = Floor(int(cells[0]), read_numbers(cells[3]), outside)
    return floors


def find_table(root):
    for place in ("src/README.md", "README.md"):
        path = root / place
        if path.is_file():
            floors = read_table(path.read_text(encoding="utf-8"))
            if floors:
                return floors
    return {}


def source_files(root):
    """Yields (path, folder); folder is None for include/coir/coir.hpp."""
    for top, suffixes in ((root / "include/coir", {".hpp", ".h"}), (root / "src", {".hpp", ".h", ".cpp", ".S"})):
        for path in sorted(top.rglob("*")):
            if path.suffix in suffixes and path.is_file():
                parts = path.relative_to(top).parts
                yield path, (parts[0] if len(parts) > 1 else path.stem)


def without_comments(text):
    """Blanks out comments, so that an #include that is only talked about does not count."""
    keep_lines = lambda m: re.sub(r"[^\n]", " ", m.group()) if m.group().startswith("/") else m.group()
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', keep_lines, text, flags=re.S)


def check_file(root, path, folder, floors):
    """Yields the complaints about one file as (line, text)."""
    in_src = (root / "src") in path.parents
    umbrella = not in_src and path.parent == root / "include/coir"
    if not umbrella and folder == path.stem and path.parent == root / "src":
        yield 1, "a source file belongs in a folder of src/"
        return
    if umbrella and folder == "coir":
        return
    if folder != FREE and folder not in floors:
        yield 1, f"'{folder}' is not in the floor table"
        return
    text = without_comments(path.read_text(encoding="utf-8"))
    for match in INCLUDE.finditer(text):
        line = text.count("\n", 0, match.start(1)) + 1
        quoted = match.group(1)[0] == '"'
        name = match.group(1)[1:-1]
        public = name.startswith("coir/")
        if not public and not quoted:
            if name.startswith("boost/") and folder != FREE and "Boost" not in floors[folder].outside:
                yield line, f"<{name}>: floor '{folder}' does not use Boost"
            continue
        if quoted and not public:
            if not in_src:
                yield line, f'"{name}": a public header includes <coir/...>, never a private header'
                continue
            if not (root / "src" / name).is_file():
                yield line, f'"{name}" is not a file in src/; private headers are named from there'
                continue
        parts = name.split("/")[1 if public else 0:]
        target = parts[0] if len(parts) > 1 else pathlib.PurePath(parts[0]).stem
        if folder == FREE or target == folder:
            continue
        if umbrella:
            yield line, f"{name}: the umbrella of '{folder}' includes only its own folder"
        elif target == "coir":
            yield line, f"{name}: the library never includes its own everything-header"
        elif target in NOBODY_INCLUDES:
            yield line, f"{name}: nothing includes '{target}'"
        elif target not in floors:
            yield line, f"{name}: '{target}' is not in the floor table"
        elif floors[target].number == floors[folder].number:
            yield line, f"{name}: '{folder}' and '{target}' are peers and ignore each other"
        elif floors[target].number not in floors[folder].below:
            yield line, (f"{name}: '{folder}' (floor {floors[folder].number}) may not include "
                         f"'{target}' (floor {floors[target].number})")


def check(root):
    floors = find_table(root)
    if not floors:
        return ["src/README.md: there is no floor table (rows: | # | `folder` | holds | may include | ... |)"]
    complaints = []
    for path, folder in source_files(root):
        for line, text in check_file(root, path, folder, floors):
            complaints.append(f"{path.relative_to(root)}:{line}: {text}")
    return complaints


if __name__ == "__main__":
    found = check(pathlib.Path(sys.argv[1]).resolve())
    print("\n".join(found) if found else "every #include keeps to the floors")
    sys.exit(1 if found else 0)
