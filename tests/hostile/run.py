#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What other users can plant, and what proflite does with it.

    tests/hostile/run.py --stage build/stage [-k NAME]

Runs as root, becomes other users by itself, and needs no accounts.
doc/internals/security.md names the test that guards each of its sentences."""

import os
import sys
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
sys.path.insert(0, str(HERE))

import pythons
import runner


def announce(run):
    if os.getuid():
        sys.exit("hostile: only root can become the users that these tests "
                 "are about: run it as root")
    for python in pythons.found():
        run.say("hostile: with Python %d.%d.%d" % python.version + "  " +
                python.path)


if __name__ == "__main__":
    sys.exit(runner.main("hostile", HERE, announce))
