# SPDX-License-Identifier: MIT
"""The modules of CPython's regression suite that stress what proflite touches:
events, threads, processes, signals, the interpreter's begin and end.  Not every
version has all of them.  Those that take a minute are left to --all."""

MODULES = [
    # events
    "test_sys_settrace", "test_sys_setprofile", "test_monitoring", "test_bdb",
    "test_audit", "test_trace", "test_profile",
    # where control goes
    "test_generators", "test_generator_stop", "test_yield_from",
    "test_coroutines", "test_asyncgen", "test_contextlib", "test_exceptions",
    "test_raise", "test_call", "test_super", "test_scope", "test_descr",
    "test_frame", "test_asyncio.test_tasks", "test_asyncio.test_subprocess",
    # threads
    "test_thread", "test_threading", "test_threading_local",
    "test_threadsignals", "test_thread_local_bytecode", "test_context",
    "test_contextvars",
    # processes and signals
    "test_fork1", "test_wait3", "test_wait4", "test_signal", "test_subprocess",
    "test_multiprocessing_fork.test_misc", "test_posix", "test_atexit",
    "test_pty", "test_popen", "test_eintr",
    # the interpreter
    "test_gc", "test_sys", "test_faulthandler", "test_embed", "test_tracemalloc",
    "test_interpreters", "test__interpreters", "test_code", "test_runpy",
]

# Modules that are no tests of the interpreter, or for which nobody waits.
NEVER = {
    "test_tools",               # of programs in Tools, which are not installed
    "test_peg_generator",       # compiles C for minutes
    "test_zipfile64", "test_largefile",
}
