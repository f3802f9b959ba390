#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run the end-to-end tests against an installed proflite, under every Python
that is found (pythons.py says where).  run.py --help explains the options."""

import sys
from pathlib import Path

sys.dont_write_bytecode = True

import pythons
import runner


def announce(run):
    if not pythons.found():
        sys.exit("e2e: no CPython of version 3.9 or later found: install "
                 "python3, or name some in PL_TEST_PYTHONS")
    for python in pythons.found():
        run.say("e2e: with Python %d.%d.%d" % python.version + "  " + python.path)
    for name in pythons.absent():
        run.skip("Python " + name, "not found on this machine")


if __name__ == "__main__":
    sys.exit(runner.main("e2e", Path(__file__).resolve().parent, announce))
