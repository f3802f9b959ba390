# SPDX-License-Identifier: MIT
"""In the Python under test: put proflite in the place of cProfile and _lsprof,
run the tests, print a line of JSON for each.  Exit status 77: no tests here."""

import gc
import importlib
import json
import sys
import unittest

import proflite
from proflite import _proflite

MODULES = ["test.test_profile", "test.test_cprofile", "test.test_pstats",
           "test.test_profiling.test_tracing_profiler"]
STAND_INS = {"cProfile": proflite, "profiling.tracing": proflite,
             "_lsprof": _proflite}


def stand_in():
    for name, module in STAND_INS.items():
        package, _, attribute = name.rpartition(".")
        if package:
            try:
                setattr(importlib.import_module(package), attribute, module)
            except ImportError:
                continue
        sys.modules[name] = module


def let_children_find_us():
    """The tests' subprocesses are isolated from PYTHONPATH unless told."""
    from test.support import script_helper
    plain = script_helper.run_python_until_end

    def run_python_until_end(*args, **env):
        words = ["proflite" if word in STAND_INS else word for word in args]
        env.setdefault("__isolated", False)
        env.setdefault("PYTHONDONTWRITEBYTECODE", "1")
        return plain(*words, **env)

    script_helper.run_python_until_end = run_python_until_end


class Result(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.outcome = None

    def startTest(self, test):
        super().startTest(test)
        self.outcome = "passed", ""

    def addFailure(self, test, err):
        self.outcome = "failed", self._exc_info_to_string(err, test)

    addError = addFailure

    def addSkip(self, test, reason):
        self.outcome = "skipped", reason

    def addSubTest(self, test, subtest, err):
        if err:
            self.addFailure(subtest, err)

    def stopTest(self, test):
        super().stopTest(test)
        gc.collect()    # a test that failed may have left a profile on
        print(json.dumps([test.id(), *self.outcome]), flush=True)


def main():
    try:
        import test.test_pstats
    except ImportError:
        sys.exit(77)
    for name in MODULES:        # with the real thing inside, for who asks
        sys.modules.pop(name, None)
    stand_in()
    let_children_find_us()
    for name in MODULES:
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as e:
            if not name.startswith(e.name or "?"):
                raise
            continue            # each version has them in one of two places
        unittest.defaultTestLoader.loadTestsFromModule(module).run(Result())
    print(json.dumps(["done"]))


if __name__ == "__main__":
    main()
