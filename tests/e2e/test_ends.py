# SPDX-License-Identifier: MIT
"""Calls that end by an exception, or that end without having begun: each leave
event closes the call that it belongs to, and no other one."""

import os

import consumers
from harness import Case, since


class Ends(Case):
    def counts(self, *names):
        """{function: (calls, primitive calls)}"""
        return {name: tuple(row) for name, *row in self.rows(
            "select function, ncalls, primcalls from pstats "
            "where function in (%s)" % ", ".join("?" * len(names)), *names)}

    def callers(self, *names):
        """[(caller, function, calls)]"""
        return self.rows(
            "select caller_function, function, sum(ncalls) from callers "
            "where function in (%s) group by 1, 2 order by 2, 1"
            % ", ".join("?" * len(names)), *names)

    def test_a_handler_that_raises_at_any_moment(self):
        times = 50
        done = self.record([self.program("interrupted.py"), times],
                           options="builtins=no")
        counted = {name: int(n) for name, n in
                   (pair.split("=") for pair in done.stdout.split())}
        found = self.counts(*counted)
        # A call may have begun, and have been ended before it could count.
        for name, n in counted.items():
            self.assertLessEqual(n, found[name][0], name)
            self.assertLessEqual(found[name][0], n + times, name)
        self.assertEqual(found["a"][0], found["a"][1])
        self.assertEqual(found["after"], (3, 3))
        self.assertEqual(
            [row[:2] for row in self.callers(*counted)],
            [("drive_a", "a"), ("drive_a", "after"), ("drive_outer", "after"),
             ("drive_self_calling", "after"), ("outer", "inner"),
             ("drive_outer", "outer"), ("inner", "outer"),
             ("drive_self_calling", "self_calling"),
             ("self_calling", "self_calling")])
        # No recursion is deeper than the program's.
        self.assertEqual(self.rows(
            "select max(length(path) - length(replace(path, '> self_calling', "
            "'> self_callin'))) from call_paths"), [(9,)])

    def test_generators_of_one_line(self):
        """What is known of a code object is not that of another one with its
        label: here one begins behind the making of its cell."""
        app = self.script("""
            def make(n):
                return (lambda: (yield 1)), (lambda: (yield n))

            for n in range(5):
                for f in make(n):
                    for x in f():
                        pass
            """)
        self.record([app], options="builtins=no")
        self.assertEqual(self.rows(
            "select sum(calls), sum(resumes) from nodes join functions f "
            "on f.id = function_id where f.name = '<lambda>'"), [(10, 10)])
        self.assertEqual(self.value("select sum(n_unmatched) from threads"), 0)

    # ------------------------------------------ events that code of C sends --

    def fires(self):
        """The environment in which `fires` can be imported."""
        ready = self.program("fires.c").with_suffix(".so")
        if ready.exists():
            return {"PYTHONPATH": ready.parent}
        self.library_of_python(self.program("fires.c"), "fires.so")
        return {"PYTHONPATH": self.tmp}

    def library_of_python(self, source, name):
        include = self.command([
            self.py.path, "-c",
            "import sysconfig; print(sysconfig.get_path('include'))"
            ]).stdout.strip()
        if not os.path.exists(os.path.join(include, "Python.h")):
            self.skipTest("Python %s has no headers here" % self.py.name)
        self.command([self.compiler(), "-shared", "-fPIC", "-O1", "-w",
                      "-isystem", include, "-o", self.tmp / name, source,
                      "-ldl"])

    @since(3, 13)
    def test_events_of_code_of_c(self):
        app = self.script("""
            import fires

            def code(name):
                namespace = {}
                exec("def %s(): pass" % name, namespace)
                return namespace[name].__code__

            raises, leaf, gen = map(code, ("raises", "leaf", "gen"))

            def fail(n):
                raise KeyError

            def down(n):
                return fires.call(raises, down if n else fail, n - 1)

            def drive():
                for i in range(100):
                    try:
                        fires.call(raises, fail, i)
                    except KeyError:
                        pass
                    try:
                        fires.step(gen, fail, i)
                    except KeyError:
                        pass
                    fires.step(gen, abs, i)
                fires.call(leaf, abs, 1)

            def recursion():
                for i in range(3):
                    try:
                        down(4)
                    except KeyError:
                        pass
                    fires.call(leaf, abs, 1)

            drive()
            recursion()
            """)
        self.record([app], env=self.fires(), options="builtins=no")
        self.assertEqual(self.counts("raises", "gen", "leaf", "fail"), {
            "raises": (115, 103), "gen": (200, 200), "leaf": (4, 4),
            "fail": (203, 203)})
        self.assertEqual(self.callers("raises", "gen", "leaf", "fail"), [
            ("gen", "fail", 100), ("raises", "fail", 103),
            ("drive", "gen", 200), ("drive", "leaf", 1),
            ("recursion", "leaf", 3), ("down", "raises", 15),
            ("drive", "raises", 100)])
        self.assertEqual(self.value("select sum(n_unmatched) from threads"), 0)

    @since(3, 13)
    def test_cython(self):
        """A module compiled with profile=True."""
        cython = consumers.need(self, "cython")
        source = self.script("""
            # cython: language_level=3, profile=True
            def raises():
                raise KeyError

            def leaf(x):
                return x

            def after():
                return leaf(2)

            def numbers(n):
                for i in range(n):
                    yield leaf(i)

            def drive(n):
                for i in range(n):
                    try:
                        raises()
                    except KeyError:
                        pass
                after()
                return list(numbers(3))
            """, "compiled.pyx")
        app = self.script("import compiled\nprint(compiled.drive(100))\n")
        self.command([cython, "-3", source])
        for macro in "CYTHON_PROFILE", "CYTHON_TRACE":
            (self.tmp / "with.c").write_text(
                '#define %s 1\n#include "compiled.c"\n' % macro)
            self.library_of_python(self.tmp / "with.c", "compiled.so")
            db = self.tmp / (macro + ".db")
            done = self.record([app], options="builtins=no", db=db)
            self.assertEqual(done.stdout, "[0, 1, 2]\n")
            self.assertEqual(self.rows(
                "select caller_function, function, ncalls, primcalls "
                "from callers where function in ('raises', 'leaf', 'after', "
                "'numbers') order by 2, 1", db=db),
                [("drive", "after", 1, 1), ("after", "leaf", 1, 1),
                 ("numbers", "leaf", 3, 3), ("drive", "numbers", 4, 4),
                 ("drive", "raises", 100, 100)])

    # ------------------------------------------------- tools beside us --

    @since(3, 12)
    def test_tools_that_raise(self):
        """A callback of another tool, which may have its turn before ours or
        after it, ends a call at its first instruction."""
        app = self.script("""
            import sys
            monitoring = sys.monitoring
            START = monitoring.events.PY_START

            class Stop(Exception):
                pass

            left = 0

            def callback(code, offset):
                global left
                if code.co_name in ("f", "g"):
                    left -= 1
                    if not left:
                        raise Stop

            def f(n):
                if n:
                    f(n - 1)

            def g(n):
                h(n)

            def h(n):
                if n:
                    g(n - 1)

            def after():
                pass

            def try_all(how):
                global left
                for function in f, g:
                    for left_now in range(1, 6):
                        left = left_now
                        try:
                            function(9)
                        except Stop:
                            pass
                        how(False)
                        after()
                        how(True)

            def tracing(on):
                sys.settrace(trace if on else None)

            def trace(frame, event, arg):
                callback(frame.f_code, 0)

            for tool in 2, 5:
                def monitor(on):
                    monitoring.set_events(tool, START if on else 0)
                monitoring.use_tool_id(tool, "raises")
                monitoring.register_callback(tool, START, callback)
                monitor(True)
                try_all(monitor)
                monitor(False)
                monitoring.free_tool_id(tool)
            tracing(True)
            try_all(tracing)
            tracing(False)
            """)
        self.record([app], options="builtins=no")
        found = self.callers("f", "g", "h", "after")
        # The call that was ended counts where we heard of it: with tool 2.
        self.assertEqual(found, [
            ("try_all", "after", 30), ("f", "f", 10 + 6 + 6),
            ("try_all", "f", 5 + 4 + 4), ("h", "g", 10 + 6 + 6),
            ("try_all", "g", 5 + 4 + 4), ("g", "h", 10 + 10 + 10)])
        self.assertEqual(self.value(
            "select sum(n_unmatched) from threads"), 20)
