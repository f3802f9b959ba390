# SPDX-License-Identifier: MIT
"""CPython's tests that proflite does not pass, and why.  Each has to fail."""

# Test (the end of its name): (first version, last version or None, reason)
EXCEPTIONS = {
    "CProfileTest.test_profile_enable_disable": (
        (3, 12), None,
        "asks sys.monitoring for a tool with cProfile's id and name: proflite "
        "takes an id of its own, so that both can run"),
    "CProfileTest.test_profile_as_context_manager": (
        (3, 12), None,
        "asks sys.monitoring for a tool with cProfile's id and name, as above"),
    "CProfileTest.test_second_profiler": (
        (3, 12), None,
        "wants the second of two profiles to be refused: proflite's nest"),
    "CProfileTest.test_crash_with_not_enough_args": (
        (3, 13), None,
        "calls _lsprof.Profiler's callbacks by name: proflite's are objects "
        "of their own"),
}


def reason_for(test, version):
    for name, (first, last, reason) in EXCEPTIONS.items():
        if test.endswith("." + name) and first <= version[:2] and (
                last is None or version[:2] <= last):
            return reason
    return None
