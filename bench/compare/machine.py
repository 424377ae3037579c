"""What this machine is, in the words that a reader of the figures needs."""

import os
import platform
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path


def first_match(pattern, path, default=""):
    try:
        found = re.search(pattern, Path(path).read_text(), re.M)
    except OSError:
        return default
    return found.group(1).strip() if found else default


def caches():
    found = {}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = (first_match(r"(.*)", index / name) for name in ("level", "type", "size"))
        if kind != "Instruction":
            found[f"L{level}"] = f"L{level} {size.replace('K', ' KiB').replace('M', ' MiB')}"
    return ", ".join(found.values())


def first_line(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.strip().splitlines()[0]
    except (OSError, IndexError, subprocess.TimeoutExpired):
        return ""


@dataclass(frozen=True)
class Ticks:
    """What the cores have done since the machine started."""

    idle: int
    stolen: int  # wanted here, and given to others by the host
    total: int

    @classmethod
    def now(cls):
        ticks = [int(word) for word in first_match(r"^cpu +(.*)", "/proc/stat").split()[:8]]
        return cls(ticks[3] + ticks[4], ticks[7], sum(ticks))

    def since(self, earlier):
        return Ticks(self.idle - earlier.idle, self.stolen - earlier.stolen, self.total - earlier.total)

    @property
    def busy_part(self):
        return 1 - self.idle / self.total if self.total else 0.0

    @property
    def stolen_part(self):
        """Of the time in which there was something to do."""
        wanted = self.total - self.idle
        return self.stolen / wanted if wanted else 0.0


def busy_cores(seconds=0.5):
    """How many cores others keep busy now."""
    before = Ticks.now()
    time.sleep(seconds)
    return os.cpu_count() * Ticks.now().since(before).busy_part


def processor():
    """Its name, and the numbers that tell apart what has one name in a virtual machine."""
    name = first_match(r"^model name\s*:\s*(.*)", "/proc/cpuinfo") or platform.machine()
    numbers = [f"{what} {number}" for what, line in (("family", "cpu family"), ("model", "model"))
               if (number := first_match(rf"^{line}\s*:\s*(\d+)", "/proc/cpuinfo"))]
    return ", ".join([name, *numbers])


def describe():
    memory = int(first_match(r"^MemTotal:\s*(\d+)", "/proc/meminfo", "0")) / 2**20
    virtual = " (virtual)" if first_match(r"^flags.*\b(hypervisor)\b", "/proc/cpuinfo") else ""
    return {
        "processor": processor() + virtual,
        "cores": len(os.sched_getaffinity(0)),
        "caches": caches(),
        "memory": f"{memory:.0f} GiB",
        "kernel": f"Linux {platform.release()}",
        "system": first_match(r'^PRETTY_NAME="?([^"\n]*)', "/etc/os-release"),
        "compiler": first_line(os.environ.get("CXX", "c++"), "--version"),
        "libc": " ".join(platform.libc_ver()),
        "date": time.strftime("%Y-%m-%d"),
    }
