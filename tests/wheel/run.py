#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Install a wheel into venvs of every Python that is found, and use it there.
PL_WHEEL names it, PL_PIP a folder to import pip from: `tests/wheel/run` makes
both and calls this."""

import os
import sys
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import pythons
import runner


def announce(run):
    for name in ("PL_WHEEL", "PL_PIP"):
        if not Path(os.environ.get(name, "-")).exists():
            sys.exit("wheel: %s is to name what tests/wheel/run makes: run that"
                     % name)
    for python in pythons.found():
        run.say("wheel: with Python %d.%d.%d" % python.version + "  " + python.path)
    for name in pythons.absent():
        run.skip("Python " + name, "not found on this machine")


if __name__ == "__main__":
    sys.exit(runner.main("wheel", HERE, announce))
