# SPDX-License-Identifier: MIT
"""What the shared objects take from others, and give to them."""

import re
import shutil
import subprocess
import unittest

from tree import SOURCE, STAGE

LIBRARY = STAGE / "lib/libproflite.so"
ENGINE = STAGE / "lib/proflite/python/proflite/_proflite.so"
STORE = STAGE / "lib/proflite/python/proflite/_store.so"


def run(*argv):
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE,
                          text=True).stdout


def symbols(path, kind):
    """Names of dynamic symbols; @kind is --defined-only or --undefined-only."""
    lines = run("nm", "-D", "--format=posix", kind, str(path)).splitlines()
    return {line.split()[0].split("@")[0] for line in lines}


@unittest.skipUnless(shutil.which("nm") and shutil.which("readelf"),
                     "no nm or readelf: install binutils")
class Symbols(unittest.TestCase):
    def check_exports(self, path, pattern):
        wrong = sorted(name for name in symbols(path, "--defined-only")
                       if not re.fullmatch(pattern, name))
        self.assertEqual(wrong, [], "%s exports more than it should" % path.name)

    def test_the_engine_exports_its_entries_only(self):
        self.check_exports(ENGINE, r"PyInit__proflite|proflite_engine_\w+")

    def test_the_store_exports_its_entries_only(self):
        self.check_exports(STORE, r"proflite_store_\w+")

    def test_the_library_exports_its_header(self):
        header = (SOURCE / "include/proflite.h").read_text()
        api = set(re.findall(r"^PROFLITE_API .*?(proflite_\w+)\(", header, re.M))
        # The rest stands in for functions of the C library.
        hooks = {"pthread_setspecific", "sigaction", "signal", "_exit", "_Exit", "quick_exit",
                 "execv", "execve", "execvp",
                 "execvpe", "execl", "execle", "execlp", "fexecve", "execveat",
                 "posix_spawn", "posix_spawnp", "pthread_setspecific"}
        exports = symbols(LIBRARY, "--defined-only")
        self.assertEqual(api - exports, set(), "declared and not there")
        self.assertEqual(exports - api - hooks, set(), "there and not declared")

    def test_the_library_wants_no_python(self):
        # One undefined Python symbol, and every /bin/sh in the tree of
        # processes dies of the preload.
        wrong = sorted(name for name in symbols(LIBRARY, "--undefined-only")
                       if name.startswith(("Py", "_Py")))
        self.assertEqual(wrong, [])

    def test_nothing_of_ours_is_missing(self):
        for path in LIBRARY, ENGINE, STORE:
            wrong = sorted(name for name in symbols(path, "--undefined-only")
                           if name.startswith(("pl_", "proflite_")))
            self.assertEqual(wrong, [], path.name)

    def test_needed_libraries(self):
        base = {"libc", "libdl", "libpthread", "ld-linux-x86-64",
                "ld-linux-aarch64"}
        for path, allowed in ((LIBRARY, base), (ENGINE, base),
                              (STORE, base | {"libsqlite3", "libm"})):
            dynamic = run("readelf", "-d", str(path))
            needed = set(re.findall(r"\(NEEDED\).*\[([^.\]]+)", dynamic))
            self.assertEqual(needed - allowed, set(), path.name)

    def test_the_library_binds_lazily(self):
        self.assertNotRegex(run("readelf", "-d", str(LIBRARY)),
                            r"BIND_NOW|FLAGS_1.*NOW")

    def test_no_search_path_of_the_build(self):
        for path in LIBRARY, ENGINE, STORE, STAGE / "bin/proflite":
            self.assertNotRegex(run("readelf", "-d", str(path)),
                                r"RPATH|RUNPATH", path.name)
