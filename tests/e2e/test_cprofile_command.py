# SPDX-License-Identifier: MIT
"""python -m proflite, where python -m cProfile was."""

import os
import pstats
import re

from harness import PACKAGE, Case, since

APP = """
    import os, sys
    print(__name__, __file__, __package__, __spec__)
    print(sys.argv)
    print(os.path.samefile(sys.path[0] or ".",
                           os.path.dirname(__file__) or "."))
    import __main__
    print(__main__.__dict__ is globals())

    def work(n):
        return work(n - 1) if n else len([])

    work(5)
    """


def shape(text):
    """A printed profile without its times, rows sorted."""
    return sorted(re.sub(r"\d+\.\d{3}", "0.000", text).splitlines())


class Command(Case):
    def run_both(self, *args, **kwargs):
        for module in "cProfile", "proflite":
            yield self.python(["-m", module, *args], **kwargs)

    def check_same(self, *args, **kwargs):
        """Same output but for the times, same exit status."""
        a, b = self.run_both(*args, **{"check": None, **kwargs})
        self.assertEqual(shape(a.stdout), shape(b.stdout))
        self.assertEqual(a.returncode, b.returncode)
        self.assertEqual(a.stderr[-60:], b.stderr[-60:])
        return b

    def test_script(self):
        self.script(APP, "sub dir/app.py")
        for args in ([], ["-s", "tottime"], ["-s", "name"], ["--sort=ncalls"]):
            with self.subTest(args):
                done = self.python(["-m", "proflite", *args, "sub dir/app.py",
                                    "-s", "x", "--flag"])
                lines = done.stdout.splitlines()
                self.assertEqual(lines[0],
                                 "__main__ sub dir/app.py None None")
                self.assertEqual(lines[1],
                                 "['sub dir/app.py', '-s', 'x', '--flag']")
                self.assertEqual(lines[2:4], ["True", "True"])
                self.assertIn("function calls", done.stdout)
                self.assertRegex(done.stdout, r"\n +6/1 .* app.py:10\(work\)\n")
        self.assertIn("Ordered by: cumulative time", self.python(
            ["-m", "proflite", "sub dir/app.py"]).stdout)

    def test_namespace(self):
        """A script finds the names that it finds without a profiler, but for
        what only the interpreter's own loader makes."""
        app = self.script("print(*sorted(k for k in dict(globals())))")
        plain = self.python([app]).stdout.split()
        done = self.python(["-m", "proflite", app])
        self.assertEqual(done.stdout.splitlines()[0].split(),
                         [n for n in plain if n != "__annotations__"])

    def test_same_as_cprofile(self):
        """The printed profile, where the rows do not differ by design: the
        script does not look at itself."""
        app = self.script("""
            def work(n):
                return work(n - 1) if n else len([])
            class C:
                def m(self):
                    return [work(i) for i in range(3)]
            C().m()
            print(sorted([2, 1], key=lambda v: work(v)))
            """)
        self.check_same("-s", "name", app)
        self.check_same("-s", "stdname", app.name)

    def test_output_file(self):
        app = self.script("""
            import os
            def work():
                os.chdir("/")
            work()
            """)
        a, b = (self.python(["-m", module, "-o", module + ".prof", app])
                for module in ("cProfile", "proflite"))
        self.assertEqual(a.stdout, b.stdout)
        a, b = (pstats.Stats(str(self.tmp / (module + ".prof"))).stats
                for module in ("cProfile", "proflite"))
        self.assertEqual({k: v[:2] for k, v in a.items()},
                         {k: v[:2] for k, v in b.items()})
        self.python(["-m", "proflite", "-o", "out.db", app])
        self.assertEqual(self.rows(
            "select ncalls, primcalls from pstats where function = 'work'",
            db=self.tmp / "out.db"), [(1, 1)])
        self.assertEqual(self.value("select count(*) from call_paths "
                                    "where path like '%> work > <built-in%'",
                                    db=self.tmp / "out.db"), 1)
        done = self.python(["-m", "proflite", "-o", "no/such/x.prof", app],
                           check=1)
        self.assertIn("FileNotFoundError", done.stderr)
        self.python(["-m", "proflite", "-o", "no/such/x.db", app], check=1)

    def test_module(self):
        self.script("""
            import sys
            from . import other
            print(__name__, __package__, __spec__.name, sys.argv[1:])
            print(sys.modules["__main__"].__dict__ is globals())
            other.work()
            """, "pack/__main__.py")
        self.script("", "pack/__init__.py")
        self.script("def work(): return len([])\n", "pack/other.py")
        done = self.python(["-m", "proflite", "-m", "pack", "-x", "1"])
        self.assertEqual(done.stdout.splitlines()[:2],
                         ["__main__ pack pack.__main__ ['-x', '1']", "True"])
        self.assertIn("other.py:1(work)", done.stdout)
        done = self.python(["-m", "proflite", "-m", "no_such_module"], check=1)
        self.assertIn("No module named", done.stderr)
        self.assertIn("function calls", done.stdout)
        done = self.python(["-m", "proflite", "-m", "timeit", "-n", "1"])
        self.assertIn("best of", done.stdout)

    def test_code(self):
        done = self.python([
            "-m", "proflite", "-c",
            "import sys\ndef f(): pass\nf()\nprint(sys.argv, __name__, "
            "'__file__' in globals(), __spec__)\n"
            "import __main__; print(__main__.f is f)", "-o", "x", "-c"])
        self.assertEqual(
            done.stdout.splitlines()[:2],
            ["['-c', '-o', 'x', '-c'] __main__ False None", "True"])
        self.assertIn("<string>:2(f)", done.stdout)
        self.assertEqual(os.listdir(self.tmp), [])
        self.python(["-m", "proflite", "-o", "x.db", "-c", "len([])"])
        self.assertEqual(self.value("select ncalls from pstats where function "
                                    "like '%len>'", db=self.tmp / "x.db"), 1)
        done = self.python(["-m", "proflite", "-c", "1 +"], check=1)
        self.assertIn("SyntaxError", done.stderr)

    def test_usage(self):
        for args in ([], ["-m"], ["-c"], ["-o"], ["-s", "nonsense", "x.py"],
                     ["--nonsense", "x.py"], ["-m", "-c", "x"],
                     ["-s", "calls"]):
            with self.subTest(args):
                done = self.python(["-m", "proflite", *args], check=2)
                self.assertEqual(done.stdout, "")
                self.assertRegex(done.stderr, r"(?s)^Usage: python -m proflite "
                                              r"\[-o output_file_path\]")
        done = self.python(["-m", "proflite", "-s", "demo"], check=2)
        self.assertIn("option -s: invalid choice: 'demo'", done.stderr)
        done = self.python(["-m", "proflite", "--help"])
        self.assertIn("-m module | -c code | scriptfile", done.stdout)

    def test_ends(self):
        """By exceptions, exit codes, and without an end."""
        for text in ("import sys\nsys.exit(3)", "raise SystemExit('said')",
                     "exit()", "raise KeyError(3)", "1 +", "x = 1"):
            with self.subTest(text):
                app = self.script(text)
                a, b = self.run_both("-s", "name", app, check=None)
                self.assertEqual(a.returncode, b.returncode)
                self.assertEqual(shape(a.stdout), shape(b.stdout))
                self.assertEqual(a.stderr.splitlines()[-1:],
                                 b.stderr.splitlines()[-1:])
        done = self.python(["-m", "proflite", "no such file.py"], check=1)
        self.assertIn("No such file", done.stderr)

    def test_broken_pipe(self):
        app = self.script("for i in range(100000): print(i)\n")
        done = self.command(
            ["/bin/sh", "-c", "(%s -m proflite %s; echo $? >status) | head -1"
             % (self.py.path, app)],
            {"PYTHONPATH": PACKAGE})
        self.assertEqual(done.stdout, "0\n")
        # cProfile of 3.9 writes a traceback here.
        self.assertEqual(done.stderr, "")
        self.assertEqual((self.tmp / "status").read_text(), "32\n")

    def test_main_stays_importable(self):
        """What the program defines can be pickled, at exit as well, and by
        processes of multiprocessing, however they start."""
        for method in "fork", "spawn", "forkserver":
            with self.subTest(method):
                app = self.script("""
                    import atexit, multiprocessing, pickle

                    class Thing:
                        def __init__(self, n):
                            self.n = n

                    def worker(thing, queue):
                        queue.put(Thing(thing.n * 2))

                    def at_exit():
                        import __main__
                        print(pickle.loads(pickle.dumps(Thing(5))).n,
                              __main__.Thing is Thing)

                    if __name__ == "__main__":
                        multiprocessing.set_start_method(%r)
                        queue = multiprocessing.SimpleQueue()
                        p = multiprocessing.Process(target=worker,
                                                    args=(Thing(4), queue))
                        p.start()
                        print(queue.get().n)
                        p.join()
                        print(p.exitcode)
                        atexit.register(at_exit)
                    """ % method)
                done = self.python(["-m", "proflite", "-o", "x.prof", app])
                self.assertEqual(done.stdout, "8\n0\n5 True\n")
                self.assertEqual(done.stderr, "")
                if method == "spawn":
                    self.script("", "pack/__init__.py")
                    app.rename(self.tmp / "pack/app.py")
                    done = self.python(["-m", "proflite", "-o", "x.prof", "-m",
                                        "pack.app"])
                    self.assertEqual(done.stdout.splitlines()[:2], ["8", "0"])

    def test_sees_what_cprofile_shows(self):
        """`import proflite as cProfile` in a program that has its own profile
        while it is profiled by us."""
        app = self.script("""
            import proflite as cProfile, pstats

            def inner():
                pass

            p = cProfile.Profile()
            p.runcall(inner)
            print(pstats.Stats(p).total_calls)
            """)
        done = self.python(["-m", "proflite", app])
        self.assertEqual(done.stdout.splitlines()[0], "2")
        self.assertRegex(done.stdout, r"app.py:4\(inner\)")

    @since(3, 15)
    def test_warnings_know_the_module(self):
        app = self.script("""
            import warnings
            x = "\\d"
            """)
        done = self.python(["-W", "error::SyntaxWarning:__main__",
                            "-m", "proflite", app], check=1)
        self.assertIn("SyntaxError", done.stderr)
