# SPDX-License-Identifier: MIT
"""One session of pytest, in a process of its own.

	session.py SPEC		SPEC: JSON; the answer goes to spec.answer

Answers the CPU seconds of the session, from pytest.main() to its end and with
the programs that it ran, and how many tests there were.
"""

import json
import os
import resource
import sys

spec = json.loads(sys.argv[1])
sys.path[:0] = [spec["site"], *spec["path"]]

# What pytest is told, by tool; other plugins than the one measured are off.
OFF = ["-p", "no:profiling", "-p", "no:xdist"]
WORDS = {
    "bare": OFF,
    "plugin": [*OFF, "-p", "proflite.pytest_plugin"],
    "proflite": [*OFF, "-p", "proflite.pytest_plugin", "--proflite"],
    "pytest-profiling": ["-p", "no:xdist", "--profile"],
    "cProfile": OFF,
}


class Count:
    tests = 0

    def pytest_runtest_logreport(self, report):
        self.tests += report.when == "call"


def seconds():
    return sum(usage.ru_utime + usage.ru_stime for usage in map(
        resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


def session(tool, count):
    import pytest

    args = ["-q", "-p", "no:cacheprovider", "--rootdir", spec["folder"],
            *WORDS[tool], "--pyargs", *spec["tests"]]
    if tool != "cProfile":
        return pytest.main(args, [count])
    import cProfile
    profile = cProfile.Profile()
    try:
        return profile.runcall(pytest.main, args, [count])
    finally:
        profile.dump_stats("all.prof")


os.chdir(spec["folder"])
count = Count()
began = seconds()
status = session(spec["tool"], count)
took = seconds() - began
if status:
    sys.exit("pytest ended with status %d" % status)
with open(spec["answer"], "w") as f:
    json.dump({"seconds": took, "units": count.tests}, f)
