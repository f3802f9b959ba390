# SPDX-License-Identifier: MIT
"""The main job on real input: standard tools of Python are recorded, do what
they do without us, and the table comes out."""

import os
import re
import shutil

from harness import Case, once


class Done(Case):
    def tabled(self, args, functions, status=0, normalise=str, **kwargs):
        """Run plainly, then recorded with --report: same output and status,
        then the table, with @functions in the database."""
        plain = self.command([self.py.path, *args], check=status, **kwargs)
        done = self.record(args, ["--report"], check=status, **kwargs)
        self.assertEqual(normalise(done.stderr), normalise(plain.stderr))
        out = normalise(done.stdout)
        self.assertTrue(out.startswith(normalise(plain.stdout)))
        table = out[len(normalise(plain.stdout)):]
        self.assertRegex(table, r"^(.*\n\n)? +\d+ function calls "
                         r"(\(\d+ primitive calls\) )?in \d+\.\d{3} seconds\n\n"
                         r"   Ordered by: internal time\n")
        self.assertRegex(table, r"\n   ncalls  tottime  percall  cumtime  "
                         r"percall filename:lineno\(function\)\n(.+\n){5,20}\n")
        for name, n in functions.items():
            found = self.value("select sum(ncalls) from pstats "
                               "where function = ?", name)
            self.assertEqual(found, n, name)
        self.assertEqual(self.rows(
            "select sum(n_lost), sum(folded) from threads"), [(0, 0)])
        self.assertEqual([n for n in os.listdir(self.tmp) if "plrec" in n], [])

    def test_compileall(self):
        folder = self.tmp / "modules"
        folder.mkdir()
        for module in json_modules(self):
            shutil.copy(module, folder)
        n = len(os.listdir(folder))
        self.tabled(["-m", "compileall", "-q", "-f", "modules"],
                    {"compile_file": n, "compile_dir": 1})

    def test_unittest_of_the_library(self):
        """Of a test of the standard library, where it is installed."""
        found = self.command([self.py.path, "-c", "import test.test_textwrap"],
                             check=None)
        if found.returncode:
            self.skipTest("Python %s has no test package" % self.py.name)
        self.tabled(["-m", "unittest", "test.test_textwrap"], {
            "test_break_on_hyphens": 1}, normalise=lambda s: re.sub(
                r"in \d+\.\d+s", "", s))

    def test_unittest(self):
        self.script("""
            import textwrap, unittest

            class T(unittest.TestCase):
                def test_fill(self):
                    for n in range(1, 30):
                        for line in textwrap.wrap("some words " * 9, n):
                            self.assertLessEqual(len(line), n)

                def test_fails(self):
                    self.assertEqual(1, 2)
            """, "test_it.py")
        self.tabled(["-m", "unittest", "-v", "test_it"],
                    {"test_fill": 1, "test_fails": 1}, status=1,
                    normalise=lambda s: re.sub(r"in \d+\.\d+s", "", s))

    def test_threads(self):
        app = self.script("""
            import threading

            lock = threading.Lock()
            total = 0

            def add_one(n):
                global total
                with lock:
                    total += n

            def work(k):
                for i in range(500):
                    add_one(i * k)

            threads = [threading.Thread(target=work, args=(k,))
                       for k in range(8)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            print(total)
            """)
        self.tabled([app], {"work": 8, "add_one": 4000})

    def test_exception(self):
        app = self.script("""
            import json

            def parse_it(text):
                return json.loads(text)

            def main():
                for text in "[1]", '{"a": 1}', "[1, }":
                    print(parse_it(text))

            main()
            """)
        self.tabled([app], {"parse_it": 3, "loads": 3, "main": 1}, status=1)

    def test_exit_status(self):
        app = self.script("""
            import sys

            def main():
                print("leaving")
                sys.exit(3)

            main()
            """)
        self.tabled([app], {"main": 1, "<built-in method sys.exit>": 1},
                    status=3)


def json_modules(case):
    """Files of the library's package json."""
    folder = case.command([case.py.path, "-c",
                           "import json; print(json.__path__[0])"]
                          ).stdout.strip()
    return [os.path.join(folder, n) for n in sorted(os.listdir(folder))
            if n.endswith(".py")]


class Size(Case):
    APP = """
        import sys

        def a(n):
            if n:
                a(n - 1)
                b(n - 1)

        def b(n):
            if n:
                a(n - 1)
                b(n - 1)

        a(16)
        """

    @once
    def test_report_of_100000_paths(self):
        app = self.script(self.APP)
        self.record([app])
        self.assertGreater(self.value("select count(*) from nodes"), 130000)
        out = self.report()
        # a and b take turns: 2 ** 16 of each, less the first a's sibling.
        self.assertRegex(out, r"\n +65536/\d+ .*app\.py:\d+\(a\)\n")
        self.assertRegex(out, r"\n +65535/\d+ .*app\.py:\d+\(b\)\n")

    def test_recording_of_100000_paths(self):
        """Every path is there, once, and the counts add up."""
        app = self.script(self.APP)
        self.record([app], options="clock=step,builtins=no")
        self.assertEqual(self.rows(
            "select f.name, count(*), sum(calls) from nodes n "
            "join functions f on f.id = n.function_id "
            "where f.name in ('a', 'b') group by 1"),
            [("a", 65536, 65536), ("b", 65535, 65535)])
        self.assertEqual(self.rows(
            "select function, ncalls, cast(round(tottime * 1e9) as integer) "
            "from pstats where function in ('a', 'b') order by 1"),
            [("a", 65536, 131072), ("b", 65535, 131069)])
        self.assertEqual(self.rows("select n_lost, n_unmatched from threads"),
                         [(0, 0)])
