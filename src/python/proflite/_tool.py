# SPDX-License-Identifier: MIT
"""The program `proflite` that belongs to this package."""

import os
import subprocess

# Seen from here: in a wheel, and as make installs it.
PLACES = "proflite", "../../../../bin/proflite"


def path():
    here = os.path.dirname(os.path.abspath(__file__))
    for place in PLACES:
        program = os.path.normpath(os.path.join(here, place))
        if os.path.isfile(program) and os.access(program, os.X_OK):
            return program
    raise FileNotFoundError("no program proflite belongs to %s: install "
                            "proflite as a whole" % here)


def run(*args):
    """(its status, all that it printed)"""
    done = subprocess.run(
        [path(), *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, encoding="utf-8", errors="replace")
    return done.returncode, done.stdout
