# SPDX-License-Identifier: MIT
"""Free-threaded CPython: an engine of its own, and threads that really run at
once. test_threads.py and the others run there as well, when configure was given
such a Python."""

import glob
import shutil

from harness import LIBRARY, STAGE, Case



class FreeThreaded(Case):
    def setUp(self):
        if not self.py.free_threaded:
            self.skipTest("Python %s has a GIL" % self.py.name)

    def test_threads_at_once_are_exact(self):
        app = self.script("""
            import sys, threading
            def leaf(): pass
            def work(barrier, n):
                barrier.wait()
                for i in range(n): leaf(); "".zfill(1)
            n = 4
            barrier = threading.Barrier(n)
            threads = [threading.Thread(target=work, args=(barrier, 20000))
                       for _ in range(n)]
            for t in threads: t.start()
            for t in threads: t.join()
            print(sys._is_gil_enabled())
            """)
        self.assertEqual(self.record([app]).stdout, "False\n")
        self.assertEqual(self.rows(
            "select function, ncalls from pstats where function in "
            "('leaf', 'work', '<method ''zfill'' of ''str'' objects>') "
            "order by 1"),
            [("<method 'zfill' of 'str' objects>", 80000), ("leaf", 80000),
             ("work", 4)])

    def test_profiles_begin_and_end_while_others_run(self):
        """Each thread's own profiles, of itself and of all threads, over and
        over: no event is under way in one that ends."""
        app = self.script("""
            import sys, threading, proflite
            def leaf(): pass
            def named(i):
                space = {}
                exec("def f%d(): leaf()" % i, {"leaf": leaf}, space)
                return space["f%d" % i]
            counts = []
            def work(barrier, k):
                barrier.wait()
                for i in range(60):
                    p = proflite.Profile(threads=k % 2 == 0)
                    p.enable()
                    for j in range(20):
                        named(j)()
                    p.disable()
                    n = sum(e.callcount for e in p.getstats()
                            if getattr(e.code, "co_name", "") == "leaf")
                    counts.append(n >= 20 if k % 2 == 0 else n == 20)
                    del p
            n = 4
            barrier = threading.Barrier(n)
            threads = [threading.Thread(target=work, args=(barrier, k))
                       for k in range(n)]
            for t in threads: t.start()
            for t in threads: t.join()
            print(sys._is_gil_enabled(), len(counts), all(counts))
            """)
        self.assertEqual(self.python([app]).stdout, "False 240 True\n")

    def test_without_its_engine_the_program_runs(self):
        stage = self.tmp / "stage"
        shutil.copytree(STAGE, stage)
        for name in glob.glob(str(stage / "lib/proflite/python/proflite/"
                                          "_proflite.cpython-*t-*.so")):
            (self.tmp / name).unlink()
        app = self.script("print('out')\nraise SystemExit(3)\n")
        done = self.command([self.py.path, app], {
            "LD_PRELOAD": stage / "lib" / LIBRARY.name,
            "PROFLITE_OPTIONS": "out=" + str(self.db)}, check=3)
        self.assertEqual(done.stdout, "out\n")
        self.assertRegex(done.stderr, r"\Aproflite: this Python is free-threaded "
                                      r".*--with-python.*\n\Z")
        self.assertFalse(self.db.exists())
        # `import proflite` alone needs no engine; what uses one says why not.
        done = self.command([self.py.path, "-c", "import proflite\n"
                             "print(proflite.Profile)"], {
            "PYTHONPATH": stage / "lib/proflite/python"}, check=1)
        self.assertRegex(done.stderr, "ImportError: this Python is free-threaded")
