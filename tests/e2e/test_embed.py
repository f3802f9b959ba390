# SPDX-License-Identifier: MIT
"""The C API: the example of include/proflite.h, built and run against every
Python that can be embedded."""

import json
import os

from harness import LIBRARY, STAGE, Case

HOW = """
import json, os, sysconfig
v = sysconfig.get_config_vars()
lib = os.path.join(v["LIBDIR"], "libpython%s.so" % v["LDVERSION"])
print(json.dumps([sysconfig.get_path("include"), v["LIBDIR"], v["LDVERSION"],
                  os.path.exists(lib)]))
"""


class Embedded(Case):
    def build(self, name):
        """Make the program; returns what it wants in its environment."""
        compiler = self.compiler()
        include, folder, version, shared = json.loads(
            self.command([self.py.path, "-c", HOW]).stdout)
        if not os.path.exists(os.path.join(include, "Python.h")) or not shared:
            self.skipTest("Python %s cannot be embedded: no headers or no "
                          "shared library" % self.py.name)
        self.command([
            compiler, "-Wall", "-Werror", "-isystem", include,
            "-I", STAGE / "include", self.program(name + ".c"), "-o", name,
            "-L" + folder, "-lpython" + version, "-Wl,-rpath," + folder,
            "-L%s" % LIBRARY.parent, "-lproflite",
            "-Wl,-rpath,%s" % LIBRARY.parent])
        # The interpreter that is embedded finds its library by its own path.
        return {"PYTHONHOME": self.command(
            [self.py.path, "-c", "import sys; print(sys.base_prefix)"]
            ).stdout.strip()}

    def test_initialised_and_finalised_twice(self):
        env = self.build("embed")
        done = self.command(["./embed", self.db], env)
        self.assertRegex(done.stdout, r"^proflite \d+\.\d+")
        self.assertEqual(done.stderr, "")
        self.assertEqual(self.rows(
            "select label, end_reason, clock from runs "
            "join processes on run_id = runs.id order by processes.id"),
            [("embedded", "exit", "step"), ("embedded", "stopped", "step")])
        self.assertEqual(self.value("select count(*) from runs"), 1)
        # work(1000) was called before the start and after the stop.
        self.assertEqual(self.rows(
            "select function, ncalls from pstats "
            "where function in ('work', 'square') order by 1"),
            [("square", 60), ("work", 3)])
        self.assertEqual(self.rows(
            "select function, ncalls from pstats "
            "where function in ('work', 'square') order by 1",
            db=str(self.db) + ".copy"), [("square", 20), ("work", 1)])
        self.assertEqual(self.rows(
            "select cast(round(cumtime * 1e9) as integer) from pstats "
            "where function = 'square'"), [(60,)])
        self.assertEqual([n for n in os.listdir(self.tmp) if "plrec" in n], [])

    def test_errors(self):
        env = self.build("embed")
        env["XDG_RUNTIME_DIR"] = self.tmp       # where the recording goes then
        done = self.command(["./embed", "/no/such/folder/x.db"], env,
                            check=None)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"/no/such/folder")

    def test_misuse(self):
        """Each call returns what the header says."""
        env = self.build("misuse")
        done = self.command(["./misuse"], env)
        self.assertEqual(done.stderr, "")
        got = dict(line.split(": ", 1) for line in done.stdout.splitlines()[:-1])
        reasons = {call: rc[3:] for call, rc in got.items() if rc[:2] == "-1"}
        self.assertEqual(done.stdout.splitlines()[-1], "the exception is there")
        self.assertEqual(got["error"], '""')
        for call, reason in (
                ("proflite_start(NULL)", "no Python is initialised"),
                ('proflite_flush("x.db")', "nothing is being recorded"),
                ('proflite_start("nonsense")', 'no option "nonsense"'),
                ('proflite_start("start=no")', "start=no"),
                ('proflite_flush("no/folder/x.db")',
                 "cannot create no/folder/x.db: No such file")):
            self.assertIn(reason, reasons.pop(call))
        self.assertEqual(reasons, {})
        # While it is being recorded options are not even looked at.
        self.assertEqual(done.stdout.count("sundial"), 3)
        self.assertEqual(got['proflite_start("clock=sundial")'], "0")
        self.assertEqual(sorted(p.name for p in self.tmp.glob("*.db*")),
                         ["a.db", "b.db"])

    def test_other_interpreters(self):
        """Those there are join as those that come."""
        env = self.build("interpreters")
        for more in {}, {"PYTHONDEVMODE": "1"}:
            done = self.command(["./interpreters", self.db], {**env, **more})
            self.assertEqual(done.stderr, "")
            self.assertEqual(self.rows(
                "select function, ncalls from pstats where function in "
                "('first', 'early', 'late') order by 2"),
                [("first", 1), ("late", 2), ("early", 3)])
            self.db.unlink()

    def test_preloaded(self):
        """Its own calls come first."""
        env = self.build("embed")
        env["LD_PRELOAD"] = LIBRARY
        env["PROFLITE_OPTIONS"] = "out=%s" % (self.tmp / "preload.db")
        self.assertEqual(self.command(["./embed", self.db], env).stderr, "")
        self.assertEqual(self.value("select count(*) from runs"), 1)
        self.assertEqual(self.value("select ncalls from pstats where "
                                    "function = 'square'"), 60)
        self.assertFalse((self.tmp / "preload.db").exists())

    def test_host_that_knows_nothing_of_it(self):
        """Under the preload each life of its interpreter is recorded, from its
        first code to its end."""
        env = self.build("host")
        env["LD_PRELOAD"] = LIBRARY
        env["PROFLITE_OPTIONS"] = "clock=step"
        self.assertEqual(self.command(["./host"], env).stderr, "")
        self.assertEqual(self.value("select count(*) from runs"), 1)
        self.assertEqual(self.rows("select end_reason from processes"),
                         [("exit",)] * 2)
        self.assertEqual(self.rows(
            "select function, ncalls from pstats "
            "where function in ('work', 'square') order by 1"),
            [("square", 20), ("work", 2)])

    def test_host_that_forks_before_python_is_there(self):
        """Each worker is a process of its own, with a uuid of its own."""
        env = self.build("prefork")
        env.update(self.preloading())
        self.assertEqual(self.command(["./prefork", "4"], env).stderr, "")
        self.assertEqual(self.tool("runs", self.db).stderr, "")
        self.assertEqual(self.value("select ncalls from pstats "
                                    "where function = 'leaf'"), 4000)
        self.assertEqual(self.rows(
            "select count(*), count(distinct uuid), "
            "count(distinct parent_uuid), count(distinct run_id) "
            "from processes"), [(4, 4, 1, 1)])
