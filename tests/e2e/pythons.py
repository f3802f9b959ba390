# SPDX-License-Identifier: MIT
"""Find the CPython interpreters that the end-to-end tests run under.

Looked at, in this order:

    PL_TEST_PYTHONS             paths separated by colons; when set, only these
    every folder of PATH        python3.9 ... python3.15, python3
    ~/.pyenv/versions/*/bin     python3
    /opt/*/bin                  python3, python3.N

What is found is asked who it is: a shim answers with the program behind it, or
not at all.  One is kept for each version, the first.
"""

import functools
import glob
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

MINORS = range(9, 16)           # what one build of the engine is to serve

ASK = """
import json, sys, sysconfig
print(json.dumps([sys.implementation.name, sys.version_info[:3], sys.executable,
                  bool(sysconfig.get_config_var("Py_GIL_DISABLED"))]))
"""


class Python(NamedTuple):
    path: str
    version: tuple              # (3, 12, 1)
    free_threaded: bool

    @property
    def name(self):
        return "%d.%d%s" % (*self.version[:2], "t" if self.free_threaded else "")

    @property
    def tag(self):
        """What it adds to the name of a test: py312"""
        return "py" + self.name.replace(".", "")


def ask(path):
    """The Python behind @path, or None."""
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(("PYTHON", "PROFLITE")) and k != "LD_PRELOAD"}
    try:
        answer = subprocess.run([path, "-I", "-c", ASK], env=env, timeout=300,
                                stdin=subprocess.DEVNULL, capture_output=True)
        kind, version, executable, free = json.loads(answer.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    if kind != "cpython" or answer.returncode:
        return None
    return Python(executable, tuple(version), free)


def candidates():
    names = ["python3.%d" % minor for minor in MINORS] + ["python3"]
    folders = [f for f in os.environ.get("PATH", "").split(":") if f]
    paths = [os.path.join(f, name) for name in names for f in folders]
    paths += sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/*/bin/python3")))
    paths += sorted(p for p in glob.glob("/opt/*/bin/python3*")
                    if re.search(r"/python3(\.\d+t?)?$", p))
    seen = set()
    for path in paths:
        # A shim is one script under many names: its own path is what counts.
        if os.access(path, os.X_OK) and path not in seen:
            seen.add(path)
            yield path


def supported(python):
    # A free-threaded build lays its objects out in another way and needs an
    # engine of its own, which is there when configure was told of it.
    if python.free_threaded:
        return bool(glob.glob(os.path.join(
            os.environ.get("PL_STAGE", "stage"), "lib/proflite/python/proflite",
            "_proflite.cpython-%d%dt-*.so" % python.version[:2])))
    return python.version >= (3, 9)


@functools.lru_cache(None)
def found():
    """All to test under, oldest first.  Ends the program when PL_TEST_PYTHONS
    names something that is none."""
    given = os.environ.get("PL_TEST_PYTHONS", "")
    paths = [p for p in given.split(":") if p] or list(candidates())
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, paths))
    kept = {}
    for path, python in zip(paths, answers):
        if python and supported(python):
            kept.setdefault((python.version[:2], python.free_threaded), python)
        elif given:
            sys.exit("PL_TEST_PYTHONS: %s is no CPython of version 3.9 or later "
                     "that the stage has an engine for" % path)
    return tuple(sorted(kept.values(), key=lambda p: p.version))


def absent():
    """Names of the versions that no interpreter was found for."""
    if os.environ.get("PL_TEST_PYTHONS"):
        return []
    have = {p.version[1] for p in found()}
    return ["3.%d" % minor for minor in MINORS if minor not in have]
