# SPDX-License-Identifier: MIT
"""What an end-to-end test is made of.

    from harness import Case, once, since

    class Threads(Case):
        def test_counts_calls_of_every_thread(self):
            app = self.script('''
                import threading
                ...
                ''')
            self.record([app], options="clock=step")
            self.assertEqual(self.rows("select ..."), [(4, "work")])

        @once
        def test_says_which_database_is_missing(self): ...

A method becomes one test for every Python found, with its name behind it
(test_x_py312), and finds it in self.py.  @once makes one test of it, under the
newest; @since(3, 12) and @until(3, 11) bound the versions.

Every test has a folder of its own, self.tmp, which is also the current folder
of what it starts; the database is self.db in it.  Commands see a fixed small
environment, and are killed with all their children when they take too long.
"""

import functools
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
import textwrap
import unittest
from pathlib import Path

import pythons
import runner
import terminal

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
PROGRAMS = HERE.parent / "programs"
EXPECT = HERE.parent / "expect"
STAGE = Path(os.environ.get("PL_STAGE", "stage")).resolve()
TOOL = STAGE / "bin/proflite"
LIBRARY = STAGE / "lib/libproflite.so"
PACKAGE = STAGE / "lib/proflite/python"         # for PYTHONPATH

COMMAND_SECONDS = 600           # this ends what hangs, and measures nothing


def once(method):
    """The method needs no particular Python: one test, self.py the newest."""
    method.pl_once = True
    return method


def since(*version):
    """Not before Python @version."""
    def mark(method):
        method.pl_since = version
        return method
    return mark


def until(*version):
    """Not after Python @version."""
    def mark(method):
        method.pl_until = version
        return method
    return mark


def wanted(method):
    """The Pythons @method is to run under."""
    low = getattr(method, "pl_since", (0,))
    high = getattr(method, "pl_until", (99,))
    all = [p for p in pythons.found()
           if low <= p.version[:2] and p.version[:2] <= high]
    return all[-1:] if hasattr(method, "pl_once") else all


def bind(method, python):
    @functools.wraps(method)
    def test(self):
        return method(self)
    test.pl_python = python
    return test


class Case(unittest.TestCase):
    maxDiff = None
    py = None

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        for name, method in list(vars(cls).items()):
            if not name.startswith("test") or not callable(method):
                continue
            delattr(cls, name)
            for python in wanted(method):
                setattr(cls, "%s_%s" % (name, python.tag), bind(method, python))

    def run(self, result=None):
        # Here and not in the test, so that setUp has it too.
        self.py = getattr(self, self._testMethodName).pl_python
        with tempfile.TemporaryDirectory(prefix="proflite-") as tmp:
            self.tmp = Path(tmp).resolve()
            self.db = self.tmp / "proflite.db"
            try:
                return super().run(result)
            finally:
                # What still runs would make files in a folder that is being
                # removed.
                runner.end_children()

    def eventually(self, take, is_so=bool, seconds=COMMAND_SECONDS):
        """What @take() gives when that is as it will be, sooner or later."""
        deadline = time.monotonic() + seconds
        while True:
            found = take()
            if is_so(found):
                return found
            if time.monotonic() > deadline:
                self.fail("never so: %s" % (found,))
            time.sleep(0.01)

    # ------------------------------------------------------------ programs --

    def script(self, text, name="app.py"):
        """Write a program into the test's folder; returns its path."""
        path = self.tmp / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def compiler(self):
        found = shutil.which("cc") or shutil.which("gcc")
        if not found:
            self.skipTest("no C compiler")
        return found

    def library(self, source, name):
        """Make a shared library of a C file, in the test's folder."""
        path = self.tmp / name
        self.command([self.compiler(), "-shared", "-fPIC", "-O1", "-w",
                      "-pthread", "-o", path, source, "-ldl"])
        return path

    def program(self, name):
        """The path of tests/programs/@name."""
        path = PROGRAMS / name
        self.assertTrue(path.exists(), "%s is missing" % path)
        return path

    # ------------------------------------------------------------ commands --

    def environment(self, env=None):
        """The environment of what a test starts: @env on top of very little,
        where None takes a variable away."""
        base = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.tmp),
            "TMPDIR": str(self.tmp),
            "LC_ALL": "C.UTF-8",
            "PYTHONHASHSEED": "0",
            # A second run would import from caches that the first one wrote,
            # and make other calls.
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        base.update(env or {})
        # Of a stage built with AddressSanitizer: its runtime has to be there
        # before all else.  See tests/sanitized/run.
        runtime = os.environ.get("PL_TEST_SANITIZER")
        if runtime:
            base["LD_PRELOAD"] = " ".join(
                [runtime, str(base.get("LD_PRELOAD") or "")]).strip()
            base["ASAN_OPTIONS"] = (
                "detect_leaks=0:verify_asan_link_order=0:handle_segv=0")
            base["UBSAN_OPTIONS"] = "halt_on_error=1:print_stacktrace=1"
        return {k: str(v) for k, v in base.items() if v is not None}

    def command(self, argv, env=None, cwd=None, check=0, input=None,
                timeout=COMMAND_SECONDS, **popen):
        """Run @argv to its end.  @check: the exit status it must have, or None
        for any.  Returns a CompletedProcess with text."""
        argv = [str(word) for word in argv]
        popen.setdefault("stdin", subprocess.PIPE if input is not None
                         else subprocess.DEVNULL)
        popen.setdefault("stdout", subprocess.PIPE)
        popen.setdefault("stderr", subprocess.PIPE)
        process = subprocess.Popen(
            argv, env=self.environment(env), cwd=cwd or self.tmp, text=True,
            encoding="utf-8", errors="surrogateescape", start_new_session=True,
            **popen)
        late = False
        try:
            out, err = process.communicate(input, timeout)
        except subprocess.TimeoutExpired:
            late = True
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
        if late:
            process.wait()
            runner.end_children()       # daemons hold the pipes open
            out, err = process.communicate()
            self.fail("%s: still running after %d s\nstdout: %s\nstderr: %s"
                      % (" ".join(argv), timeout, out, err))
        done = subprocess.CompletedProcess(argv, process.returncode, out, err)
        if check is not None and done.returncode != check:
            self.fail("%s: exit status %d, not %d\nstdout: %s\nstderr: %s" % (
                " ".join(argv), done.returncode, check, out, err))
        return done

    def python(self, args, env=None, **kwargs):
        """Run self.py with nothing of ours but `import proflite` possible."""
        return self.command([self.py.path, *args],
                            {"PYTHONPATH": PACKAGE, **(env or {})}, **kwargs)

    def record(self, args, flags=(), options="", env=None, db=None, **kwargs):
        """proflite record @flags -o DB -- PYTHON @args.  @options is text for
        PROFLITE_OPTIONS, translated into flags: "clock=step,builtins=no"."""
        return self.command([TOOL, "record", *option_flags(options), *flags,
                             "-o", db or self.db, "--", self.py.path, *args],
                            env, **kwargs)

    def preloading(self, options="", db=None):
        """The variables that preload the library."""
        text = "out=%s" % (db or self.db) + ("," + options if options else "")
        return {"LD_PRELOAD": LIBRARY, "PROFLITE_OPTIONS": text}

    def preload(self, args, options="", env=None, db=None, **kwargs):
        """PYTHON @args with the library in LD_PRELOAD."""
        return self.command([self.py.path, *args],
                            {**self.preloading(options, db), **(env or {})},
                            **kwargs)

    def tool(self, *args, **kwargs):
        """proflite @args"""
        return self.command([TOOL, *args], **kwargs)

    def on_terminal(self, *args, env=None, **kwargs):
        """What `proflite @args` prints on a terminal, without a pager."""
        env = self.environment({"TERM": "xterm", "PAGER": "", **(env or {})})
        text, status = terminal.run([TOOL, *args], env=env, cwd=self.tmp,
                                    **kwargs)
        self.assertEqual(status, 0, text)
        return text

    def report(self, *args, db=None, **kwargs):
        """What `proflite report @args DB` prints."""
        return self.tool("report", *args, db or self.db, **kwargs).stdout

    # -------------------------------------------------------------- results --

    def rows(self, sql, *parameters, db=None):
        """All rows of a query, by the Python that runs the tests."""
        path = Path(db or self.db)
        self.assertTrue(path.exists(), "no database %s; there is: %s" % (
            path, sorted(p.name for p in path.parent.iterdir())))
        connection = sqlite3.connect("file:%s?mode=ro" % path, uri=True,
                                     timeout=COMMAND_SECONDS)
        try:
            return connection.execute(sql, parameters).fetchall()
        finally:
            connection.close()

    def value(self, sql, *parameters, db=None):
        """The one value of the one row of a query."""
        rows = self.rows(sql, *parameters, db=db)
        self.assertEqual([len(r) for r in rows], [1], "want one value: %s" % rows)
        return rows[0][0]

    def assertGolden(self, text, name):
        """@text must equal the file tests/expect/@name; PL_UPDATE=1 writes it."""
        path = EXPECT / name
        if os.environ.get("PL_UPDATE"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self.assertTrue(path.exists(), "%s is missing: PL_UPDATE=1 writes it"
                        % path)
        self.assertEqual(text, path.read_text(encoding="utf-8"))


class Recorded:
    """Before a Case among the bases of a class: its tests once more, within a
    recording of the whole process.

        class ApiRecorded(Recorded, Api):
            without = ["test_that_wants_to_be_alone"]
    """
    without = ()

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        for name in dir(cls):
            if name.startswith(tuple(n + "_py" for n in cls.without)):
                setattr(cls, name, None)

    def python(self, args, env=None, **kwargs):
        db = self.tmp / "outer.db"
        done = super().python(args, {
            "LD_PRELOAD": LIBRARY, "PROFLITE_OPTIONS": "out=%s" % db,
            **(env or {})}, **kwargs)
        self.assertGreater(self.value("select count(*) from pstats", db=db), 10)
        return done


def option_flags(options):
    """PROFLITE_OPTIONS text as flags of record: clock=cpu,builtins=no."""
    flags = []
    for pair in filter(None, options.split(",")):
        key, _, value = pair.partition("=")
        name = key.replace("_", "-")
        if value == "no":
            flags.append("--no-" + name)
        elif value in ("", "yes"):
            flags.append("--" + name)
        else:
            flags.append("--%s=%s" % (name, value))
    return flags
