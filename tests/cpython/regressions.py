# SPDX-License-Identifier: MIT
"""Tests of CPython's regression suite that fail only under the preload, and
why.  Each has to fail; where a * stands for many, some of them."""

import fnmatch

KEEPS_CODE = ("wants a code object to go: those that were called are kept, the "
              "first of a function for as long as the recording, so that none "
              "takes another's address")
SPECIALIZED = ("wants specialised instructions: code whose calls are watched has "
               "instrumented ones, or (3.11) is not specialised")
SET_TRACE = ("pdb.set_trace() stops at the next line instead of its own from "
             "3.13 on whenever any tool of sys.monitoring has PY_START or "
             "PY_RETURN, be it cProfile or one of five lines")
DESCRIPTOR = ("lists the descriptors of a child (later releases: those below "
              "256): the recording's is 700; through it the file grows")

# Test (the end of its name): (first version, last version or None, reason)
EXCEPTIONS = {
    "test_code.CoExtra.test_free_called": ((3, 9), None, KEEPS_CODE),
    "test_code.CoExtra.test_free_different_thread":
        ((3, 9), None, KEEPS_CODE),
    "test_code.CodeWeakRefTest.test_basic": ((3, 9), None, KEEPS_CODE),
    "test_code": ((3, 15), (3, 15), "runs code with an opcode that is none, in "
                  "test_invalid_bytecode: any tool of sys.monitoring with "
                  "PY_START and CALL makes the interpreter crash there"),
    "test_dis.Dis*Tests.test_binary_specialize": ((3, 11), None, SPECIALIZED),
    "test_dis.Dis*Tests.test_call_specialize": ((3, 11), None, SPECIALIZED),
    "test_dis.Dis*Tests.test_load_attr_specialize":
        ((3, 11), None, SPECIALIZED),
    "test_dis.Dis*Tests.test_loop_quicken": ((3, 11), None, SPECIALIZED),
    "test_dis.Dis*Tests.test_super_instructions":
        ((3, 11), None, SPECIALIZED),
    "test_opcache.*": ((3, 13), None, SPECIALIZED),
    "test_type_cache.TypeCacheWithSpecializationTests."
    "test_class_call_specialization_user_type":
        ((3, 13), None, "wants CALL by this name where a call is not "
         "specialised: a watched one is INSTRUMENTED_CALL, whatever tool of "
         "sys.monitoring watches it"),
    "test_sys.TestSysJIT.test_jit_is_active":
        ((3, 14), None, "wants compiled code: what is watched is interpreted"),
    "test_capi":
        ((3, 11), (3, 11), "may hang in test_pendingcalls_threaded, as under "
         "cProfile: with a profile function in C, a call within a pending call "
         "never begins when another one was added"),
    "test_frame.TestIncompleteFrameAreInvisible.test_sneaky_frame_object":
        ((3, 11), (3, 11), "wants a frame without a frame object: a profile "
         "hook has one made, be it in C"),
    "test_support.TestSupport.test_recursion":
        ((3, 11), (3, 11), "counts on a depth of the C stack: a call under a "
         "profile hook goes through one frame of C more"),
    "test_subprocess.POSIXProcessTestCase.test_pass_fds_redirected*":
        ((3, 9), (3, 13), DESCRIPTOR),
    "test_tracemalloc.TestTracemallocEnabled.test_get_traced_memory":
        ((3, 12), (3, 13), "wants nothing to be allocated between two calls: "
         "an event of sys.monitoring allocates the place of a call past 256"),
    "test_capi.test_mem.PyMem*Tests.test_set_nomemory":
        ((3, 12), None, "has every allocation fail in turn: an event of "
         "sys.monitoring allocates its arguments"),
    "test_external_inspection.TestGetStackTrace.test_remote_stack_trace":
        ((3, 14), (3, 14), "reads a stack from outside, and not past f(*args), "
         "which under sys.monitoring is a call from C"),
    "test_doctest.test_doctest.test_pdb_set_trace*":
        ((3, 13), None, SET_TRACE),
    "test_pdb.*": ((3, 13), None, SET_TRACE),
    "test_remote_pdb.PdbConnectTestCase.test_connect_and_basic_commands":
        ((3, 14), None, SET_TRACE),
    "test_monitoring.*": ((3, 12), None, "asserts that no tool of "
                          "sys.monitoring has any event"),
}


def reason_for(test, version):
    """(pattern, reason), or None."""
    for name, (first, last, reason) in EXCEPTIONS.items():
        if fnmatch.fnmatchcase("." + test, "*." + name) and \
                first <= version[:2] and (last is None or version[:2] <= last):
            return name, reason
    return None
