#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run CPython's own tests of its profilers with proflite in cProfile's place.

    run_profile_tests.py [--stage DIR] [-v]

Under every Python found (see ../e2e/pythons.py) that has a test package; Debian
has it in libpython3.x-testsuite.  Each test is run; one that is named in
exceptions.py has to fail there, so that the list says no more than is true.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import pythons
import runner
from exceptions import reason_for

CHILD_SECONDS = 600


def results(python, package):
    """(test, outcome, text) of every test under @python; None: it has no test
    package."""
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8",
           "HOME": os.environ.get("HOME", "/"), "PYTHONPATH": str(package),
           "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([python.path, str(HERE / "child.py")], env=env,
                          capture_output=True, text=True, errors="replace",
                          timeout=CHILD_SECONDS)
    if done.returncode == 77:
        return None
    lines = [json.loads(line) for line in done.stdout.splitlines()
             if line.startswith("[")]
    if done.returncode or not lines or lines.pop() != ["done"]:
        lines.append(("all of them", "failed", "exit status %d\n%s" % (
            done.returncode, done.stderr)))
    return lines


def judge(python, test, outcome, text):
    """(outcome, text) with the exceptions applied."""
    reason = reason_for(test, python.version)
    if not reason:
        return outcome, text
    if outcome == "failed":
        return "skipped", reason
    return "failed", ("is %s, and exceptions.py says: %s\n" % (outcome, reason))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--stage", help="installed tree to test")
    parser.add_argument("-v", action="store_true", dest="verbose",
                        help="a line for every test")
    args = parser.parse_args()
    package = runner.stage_folder(args.stage) / "lib/proflite/python"
    run = runner.Run("cpython", args.verbose)
    for python in pythons.found():
        found = results(python, package)
        if found is None:
            run.skip("Python " + python.name, "it has no test package")
            continue
        run.say("cpython: Python %d.%d.%d, %d tests" % (*python.version,
                                                        len(found)))
        judged = {test: judge(python, test, outcome, text)
                  for test, outcome, text in found}
        failed = {test for test, (outcome, _) in judged.items()
                  if outcome == "failed"}
        again = {test: judge(python, test, outcome, text)
                 for test, outcome, text in (
                     results(python, package) if failed else ())}
        for test, how in judged.items():
            name = "%s %s" % (python.tag, test)
            if test in failed:
                run.judge_again(name, how, again.get(test, ("failed", "not run\n")))
            else:
                run.note(name, *how, 0.0)
    return run.close()


if __name__ == "__main__":
    sys.exit(main())
