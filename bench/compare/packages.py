"""Packages of the distribution: which are there, and getting those that are not."""

import os
import re
import shutil
import subprocess


GENTLY = ("--no-install-recommends", "--no-remove")


def installed(package):
    status = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status}", package], capture_output=True, text=True)
    return status.stdout == "installed"


def known(package):
    return subprocess.run(["apt-cache", "show", package], capture_output=True).returncode == 0


def as_root():
    """The words before a command that needs root, or None where nobody will let us."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0:
        return ["sudo", "-n"]
    return None


def apt_get(root, *words):
    # RUNLEVEL keeps a server that comes with a package from being started.
    command = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "apt-get", "-qq", "-y",
               "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0", *words]
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def in_use(package):
    """Boost's development packages of different versions exclude each other: stay with the one that is there."""
    parts = re.fullmatch(r"libboost(-[a-z]+)?-dev", package)
    found = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", "libboost1.*-dev"],
                           capture_output=True, text=True).stdout if parts else ""
    version = re.search(r"^libboost(1\.\d+)-dev installed$", found, re.M)
    return f"libboost{parts.group(1) or ''}{version.group(1)}-dev" if version else package


def names_of(wanted):
    return [in_use(name.strip()) for name in wanted.split("|")]


def choose(wanted):
    """'a | b' is the one that is installed, or else the first that the distribution has."""
    names = names_of(wanted)
    return next((n for n in names if installed(n)), None) or next((n for n in names if known(n)), names[0])


def ensure(wanted, say=print):
    """Installs what is missing of `wanted` as far as can be; returns what is missing still, as it was named."""
    if not shutil.which("dpkg-query") or not shutil.which("apt-get"):
        return set()
    is_there = lambda want: any(installed(name) for name in names_of(want))
    missing = [want for want in wanted if not is_there(want)]
    if not missing:
        return set()
    root = as_root()
    if root is None:
        say(f"Not installed, and this is not root: apt-get install {' '.join(choose(w) for w in missing)}")
        return set(missing)
    apt_get(root, "update")
    names = list(dict.fromkeys(choose(want) for want in missing if known(choose(want))))
    if names:
        say(f"Installing: {' '.join(names)}")
        if apt_get(root, "install", *GENTLY, *names).returncode != 0:
            for name in names:
                apt_get(root, "install", *GENTLY, name)
    still = {want for want in missing if not is_there(want)}
    for want in sorted(still):
        say(f"The distribution gives no {want}; going on without it.")
    return still
