# SPDX-License-Identifier: MIT
"""The command `proflite` as pip installs it."""

import os
import signal
import sys


def _environment():
    """As it was given to this process: Python changes LC_CTYPE in the C locale,
    and what is in site-packages may change more."""
    try:
        with open("/proc/self/environ", "rb") as f:
            words = f.read().split(b"\0")
    except OSError:
        return os.environb
    environment = {}
    for word in words:
        name, equals, value = word.partition(b"=")
        if equals:
            environment.setdefault(name, value)
    return environment


def main():
    """Become it: a program that it records is to find what it would find
    without this Python in between."""
    # Not what _tool.path() looks for besides, which is this very command.
    here = os.path.dirname(os.path.abspath(__file__))
    program = os.path.join(here, "proflite")
    # Python ignores these, and what is ignored stays so.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execve(program, ["proflite", *sys.argv[1:]], _environment())
    except OSError as e:
        sys.exit("proflite: %s: %s: install proflite as a whole"
                 % (program, e.strerror))
