# SPDX-License-Identifier: MIT
"""The system fails, call by call: a preload beside ours lets the n-th write,
open, mmap and so on of our own files fail. The program never notices, stderr
has one line, and what is not in the database afterwards, that line is
about."""

import errno
import os

from harness import LIBRARY, TOOL, Case, once

APP = """
    import os, sys
    def made(i):
        name = "function_%d_of_many" % i
        space = {}
        exec("def %s(): pass" % name, space)
        return space[name]
    def work(functions):
        for f in functions:
            f()
    print("begin")
    functions = [made(i) for i in range(2500)]
    for i in range(3):
        work(functions)
    print("end", file=sys.stderr)
    sys.exit(3)
    """

CALLS = 3 * 2500        # of function_..., which is how they are counted

# The calls, what they fail with, and how often each is let fail at most: in
# turn at first, and then here and there.
FAULTS = [
    ("open", errno.EMFILE), ("open", errno.EACCES), ("mmap", errno.ENOMEM),
    ("fallocate", errno.ENOSPC), ("fallocate", errno.EOPNOTSUPP),
    ("pwrite", errno.ENOSPC), ("pwrite", errno.EIO),
    ("pwrite", errno.EDQUOT), ("ftruncate", errno.EIO), ("fsync", errno.EIO),
    ("unlink", errno.EACCES), ("write", errno.ENOSPC),
]


class Faults(Case):
    def setUp(self):
        self.preload_of_ours = self.library(self.program("fault.c"),
                                            "fault.so")
        self.app = self.script(APP)

    def once_with(self, call, n, error, and_all_after):
        """The program with one fault; false when it did not come to that."""
        folder = self.tmp / ("%s-%d-%d-%d" % (call, n, error, and_all_after))
        folder.mkdir()
        done = self.command([self.py.path, self.app], {
            "LD_PRELOAD": "%s %s" % (self.preload_of_ours, LIBRARY),
            "PROFLITE_OPTIONS": "out=proflite.db,clock=step,builtins=no",
            "XDG_RUNTIME_DIR": folder,
            "FAULT": "%s,%d,%d,%d" % (call, n, error, and_all_after),
        }, cwd=folder, check=3)
        self.assertEqual(done.stdout, "begin\n")
        ours = [l for l in done.stderr.splitlines() if l != "end"]
        # At start, that it will be lost if the process is killed; at the end,
        # that it is.
        most = 1 + ("in memory instead" in done.stderr)
        self.assertLessEqual(len(ours), most, done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1 + len(ours))
        for line in ours:
            self.assertTrue(line.startswith("proflite: "), line)
        self.check_result(folder, ours)
        return (folder / "fault.fired").exists()

    def check_result(self, folder, ours):
        # Whatever stayed is taken in now, with a system that works.
        env = {"XDG_RUNTIME_DIR": folder}
        found = self.tool("runs", "proflite.db", env=env, cwd=folder,
                          check=None)
        left = [name for root, _, names in os.walk(folder) for name in names
                if name.endswith(".plrec")]
        self.assertEqual(left, [], found.stderr)
        db = folder / "proflite.db"
        calls = 0
        if db.exists() and db.stat().st_size:
            self.assertEqual(self.value("pragma integrity_check", db=db), "ok")
            self.assertEqual(self.rows("pragma foreign_key_check", db=db), [])
            calls = self.value(
                "select total(ncalls) from pstats where function "
                "glob 'function_*'", db=db)
        if calls != CALLS:
            self.assertTrue(ours,
                             "%d of %d calls are there, and nobody said so"
                             % (calls, CALLS))

    @once
    def test_whatever_fails_the_program_does_not_notice(self):
        tries = 0
        for call, error in FAULTS:
            for and_all_after in (0, 1):
                n = 1
                with self.subTest(call=call, error=os.strerror(error),
                                  and_all_after=and_all_after):
                    while self.once_with(call, n, error, and_all_after):
                        tries += 1
                        n += 1 + n // 3
        self.assertGreater(tries, 60)
