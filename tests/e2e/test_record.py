# SPDX-License-Identifier: MIT
"""A program is recorded whatever way it is started, and runs as if it were
not: same output, same exit status."""

import json
import os
import zipfile

import trees
from harness import TOOL, Case, once

# pstats' columns of a program's own functions, times in steps.
FUNCTIONS = """
    select function, line, ncalls, primcalls,
        cast(round(tottime * 1e9) as integer),
        cast(round(cumtime * 1e9) as integer)
    from pstats where filename = ? and function != '<module>'
    order by tottime desc, line
    """


class Basics(Case):
    def test_tree(self):
        program = self.program("basics.py")
        self.record([program], options="clock=step")
        self.assertEqual(self.trees(program),
                         trees.expected("basics.txt", self.py))

    def trees(self, program):
        """All but the import of sys, which differs from version to version."""
        found = trees.below_module(self, program)
        found.pop("_find_and_load", None)
        return found

    def test_pstats_view(self):
        program = self.program("basics.py")
        self.record([program], options="clock=step")
        self.assertEqual(self.rows(FUNCTIONS, str(program)), [
            ("square", 7, 13, 13, 13, 13),
            ("squares", 11, 1, 1, 11, 21),
            ("numbers", 18, 6, 6, 11, 16),
            ("factorial", 23, 6, 1, 11, 11),
            ("main", 46, 1, 1, 11, 89),
            ("spend", 37, 1, 1, 6, 11),
            ("pay", 31, 3, 3, 3, 3),
            ("Account", 27, 1, 1, 1, 1),
            ("__init__", 28, 1, 1, 1, 1),
        ])

    def test_preloaded_by_hand(self):
        program = self.program("basics.py")
        self.preload([program], options="clock=step")
        self.assertEqual(self.trees(program),
                         trees.expected("basics.txt", self.py))
        self.assertEqual(self.rows(
            "select clock, builtins, end_reason, pid > 1, ppid > 0, "
            "length(uuid), parent_id, parent_uuid, forked, damage "
            "from processes"),
            [("step", 1, "exit", 1, 1, 32, None, None, 0, None)])
        self.assertEqual(os.listdir(self.tmp), ["proflite.db"])

    def test_callers_and_callees(self):
        program = self.program("basics.py")
        self.record([program], options="clock=step")
        callers = self.rows(
            "select caller_function, ncalls, primcalls, "
            "cast(round(tottime * 1e9) as integer), "
            "cast(round(cumtime * 1e9) as integer) from callers "
            "where function = 'square' and filename = ? order by 1",
            str(program))
        self.assertEqual(callers, [
            ("<built-in method builtins.sorted>", 3, 3, 3, 3),
            ("numbers", 5, 5, 5, 5), ("squares", 5, 5, 5, 5)])
        self.assertEqual(self.rows(
            "select ncalls, primcalls from callers where function = "
            "caller_function and function = 'factorial'"), [(5, 1)])
        self.assertEqual(self.rows(
            "select callee_function, ncalls from callees "
            "where function = 'squares' order by 1"),
            [("<method 'append' of 'list' objects>", 5), ("square", 5)])

    def test_call_paths(self):
        program = self.program("basics.py")
        self.record([program], options="clock=step")
        paths = self.rows(
            "select path, ncalls, cast(round(tottime * 1e9) as integer) "
            "from call_paths where path like '%> square' order by node_id")
        self.assertEqual(paths, [
            ("<module> > main > squares > square", 5, 5),
            ("<module> > main > <built-in method builtins.sum> > numbers > "
             "square", 5, 5),
            ("<module> > main > <built-in method builtins.sorted> > square",
             3, 3)])

    def test_views_are_sums_over_the_tree(self):
        """ncalls, primcalls, tottime and cumtime once more, by the book."""
        self.record(["-c", "import json.tool, unittest"], options="clock=step")
        nodes = trees.load(self)
        below = trees.children(nodes)
        found, pairs = {}, {}

        def add(table, key, node, self_time, primitive):
            row = table.setdefault(key, [0, 0, 0, 0])
            entries = node.calls + node.resumes
            row[0] += entries
            row[1] += entries * primitive
            row[2] += self_time
            row[3] += node.total * primitive

        def walk(node, caller, open_functions, open_pairs):
            key = node.file, node.line, node.name
            mine = node.total - sum(n.total for n in below.get(node.id, ()))
            add(found, key, node, mine, key not in open_functions)
            if caller:
                pair = caller + key
                add(pairs, pair, node, mine, pair not in open_pairs)
                open_pairs = open_pairs | {pair}
            for child in below.get(node.id, ()):
                walk(child, key, open_functions | {key}, open_pairs)

        for root in below[0]:
            for node in below[root.id]:
                walk(node, None, frozenset(), frozenset())
        figures = ("ncalls, primcalls, cast(round(tottime * 1e9) as integer), "
                   "cast(round(cumtime * 1e9) as integer)")
        name = ("case when {0}filename = '~' then '{{' || substr({0}function, "
                "2, length({0}function) - 2) || '}}' else {0}function end")
        self.assertGreater(len(found), 100)
        self.assertEqual(
            {row[:3]: list(row[3:]) for row in self.rows(
                "select filename, line, %s, %s from pstats" % (
                    name.format(""), figures))}, found)
        self.assertEqual(
            {row[:6]: list(row[6:]) for row in self.rows(
                "select caller_filename, caller_line, %s, filename, line, %s, "
                "%s from callers" % (name.format("caller_"), name.format(""),
                                     figures))}, pairs)

    def test_without_builtins(self):
        program = self.program("basics.py")
        self.record([program], ["--no-builtins"], options="clock=step")
        self.assertEqual(self.rows(
            "select count(*) from functions where kind != 'python'"), [(0,)])
        self.assertEqual(self.rows(FUNCTIONS, str(program)), [
            ("square", 7, 13, 13, 13, 13),
            ("main", 46, 1, 1, 13, 63),
            ("numbers", 18, 6, 6, 11, 16),
            ("factorial", 23, 6, 1, 11, 11),
            ("squares", 11, 1, 1, 6, 11),
            ("spend", 37, 1, 1, 5, 9),
            ("pay", 31, 3, 3, 3, 3),
            ("Account", 27, 1, 1, 1, 1),
            ("__init__", 28, 1, 1, 1, 1),
        ])

    def test_all_calls(self):
        self.record(["-c", "import functools\n"
                     "class K:\n"
                     "  def __init__(self): pass\n"
                     "def f():\n"
                     "  K(); int('1'); functools.partial(len, '')()\n"
                     "f()\n"], ["--all-calls"], options="clock=step")
        self.assertEqual(self.rows(
            "select callee_function, ncalls from callees "
            "where function = 'f' order by 1"),
            [("<class '__main__.K'>", 1), ("<class 'functools.partial'>", 1),
             ("<class 'int'>", 1), ("<functools.partial object>", 1)]
            if self.py.version >= (3, 12) else [("__init__", 1)])

    def test_modules_of_functions(self):
        self.script("def helper():\n    return len(())\n", "package/part.py")
        app = self.script("""
            import collections
            from package.part import helper

            def main():
                helper()
                collections.deque().append([].append(1))
                exec("def made(): pass\\nmade()", {"__name__": "other"})
                exec("def nameless(): pass\\nnameless()", {"__name__": 7})

            main()
            """)
        self.record([app])
        self.assertEqual(self.rows(
            "select name, module from functions where name in ('main', "
            "'helper', 'made', 'nameless') or name glob '*.len>' or "
            "name glob '<method ?append*' order by name"), [
                ("<built-in method builtins.len>", "builtins"),
                ("<method 'append' of 'collections.deque' objects>",
                 "collections"),
                ("<method 'append' of 'list' objects>", "builtins"),
                ("helper", "package.part"), ("made", "other"),
                ("main", "__main__"), ("nameless", None)])

    def test_runs_are_added_to_a_database(self):
        program = self.program("basics.py")
        for i in range(3):
            self.record([program], ["--label", "run %d" % i])
        self.assertEqual(self.rows(
            "select label, count(distinct p.id), sum(ncalls) "
            "from runs join processes p on p.run_id = runs.id "
            "join pstats on pstats.run_id = runs.id "
            "where function = 'main' group by runs.id"),
            [("run 0", 1, 1), ("run 1", 1, 1), ("run 2", 1, 1)])

    def test_report_follows_the_output(self):
        program = self.program("basics.py")
        plain = self.command([self.py.path, program])
        done = self.record([program], ["--report"])
        self.assertEqual(done.stderr, plain.stderr)
        self.assertTrue(done.stdout.startswith(plain.stdout))
        self.assertRegex(done.stdout[len(plain.stdout):],
                         r" function calls .*\n(.*\n)*"
                         r" +ncalls +tottime +percall +cumtime +percall "
                         r"filename:lineno\(function\)\n(.*\n)*"
                         r" +13 .* .*basics.py:7\(square\)\n")


class Started(Case):
    """Each way of starting Python, with and without us."""

    def same(self, args, status=0, count=1, **kwargs):
        """Run plainly and recorded; the program calls f() @count times."""
        plain = self.command([self.py.path, *args], check=status, **kwargs)
        done = self.record(args, check=status, **kwargs)
        self.assertEqual(done.stdout, plain.stdout)
        self.assertEqual(done.stderr, plain.stderr)
        self.assertEqual(self.value("select sum(ncalls) from pstats "
                                    "where function = 'f'"), count)
        self.assertEqual(self.rows("select path from call_paths where path "
                                   "like '%> f' and path not like "
                                   "'%<module> > f'"), [])
        return done

    APP = """
        import sys
        def f():
            return __name__, sys.argv[1:]
        print(*f())
        """

    def test_script(self):
        self.same([self.script(self.APP), "-x", "--", "y"])

    def test_command(self):
        self.same(["-c", "def f(): print('x')\nf()", "-x"])

    def test_module(self):
        self.script(self.APP, "package/__init__.py")
        self.script(self.APP, "package/part.py")
        self.same(["-m", "package.part", "x"], count=2)

    def test_standard_input(self):
        self.same([], input="def f(): print('x')\nf()\n")
        self.same(["-", "x"], input="def f(): print('x')\nf()\n", count=2)

    def test_folder(self):
        self.script(self.APP, "folder/__main__.py")
        self.same(["folder", "x"])

    def test_zip_file(self):
        app = self.script(self.APP, "__main__.py")
        with zipfile.ZipFile(self.tmp / "app.zip", "w") as z:
            z.write(app, "__main__.py")
        app.unlink()
        self.same(["app.zip", "x"])

    def test_startup_file_and_interactive(self):
        self.same(["-i", "-c", "def f(): print('x')\nf()"],
                  input="print('y')\n")

    def test_flags_of_python(self):
        app = self.script(self.APP)
        for flags in (["-S"], ["-E"], ["-I"], ["-s", "-B"], ["-O"], ["-OO"],
                      ["-u"], ["-W", "error"], ["-X", "utf8"], ["-b"],
                      ["-X", "faulthandler"], ["-v"][:0]):
            with self.subTest(flags):
                self.db = self.tmp / ("db%s" % "".join(flags))
                self.same([*flags, app, "x"])

    def test_as_a_child_of_a_shell(self):
        app = self.script(self.APP)
        done = self.tool("record", "-o", self.db, "--", "sh", "-c",
                         "echo begin; %s %s; %s %s; ls /nowhere; exit 5" % (
                             (self.py.path, app) * 2), check=5)
        self.assertEqual(done.stdout, "begin\n" + "__main__ []\n" * 2)
        self.assertNotIn("proflite", done.stderr)
        self.assertEqual(self.value("select count(*) from runs"), 1)
        self.assertEqual(self.value("select count(*) from processes"), 2)
        self.assertEqual(self.value("select ncalls from pstats "
                                    "where function = 'f'"), 2)

    def test_options_of_the_command_are_not_ours(self):
        app = self.script(self.APP)
        done = self.tool("record", "-o", self.db, self.py.path, app, "-o", "x",
                         "--label", "--help")
        self.assertEqual(done.stdout,
                         "__main__ ['-o', 'x', '--label', '--help']\n")

    def test_default_database(self):
        app = self.script(self.APP)
        self.tool("record", self.py.path, app)
        self.assertEqual(self.value("select sum(ncalls) from pstats "
                                    "where function = 'f'"), 1)
        self.command([self.py.path, app], env={
            "LD_PRELOAD": TOOL.parent.parent / "lib/libproflite.so",
            "PROFLITE_OPTIONS": ""})
        self.assertEqual(self.value("select sum(ncalls) from pstats "
                                    "where function = 'f'"), 2)

    def test_database_is_relative_to_the_start(self):
        os.mkdir(self.tmp / "other")
        app = self.script("import os\nos.chdir('other')\ndef f(): pass\nf()\n")
        self.record([app], db="some.db")
        self.preload([app], db="some.db")
        self.assertEqual(self.value("select sum(ncalls) from pstats where "
                                    "function = 'f'", db=self.tmp / "some.db"),
                         2)
        self.assertEqual(os.listdir(self.tmp / "other"), [])

    def test_arguments_of_any_bytes(self):
        app = self.script("""
            import json, os, sys
            print(json.dumps([list(os.fsencode(a)) for a in sys.argv[1:]]))
            """)
        odd = ["", " ", "a b", "é", "\udcff\udc80", "new\nline", "'", '"',
               "-", "--", "\\", "\x01\x7f", "x" * 5000, "🐍"]
        done = self.record([app, *odd])
        self.assertEqual([bytes(a).decode("utf-8", "surrogateescape")
                          for a in json.loads(done.stdout)], odd)
        argv, command = self.rows("select argv, command from processes")[0]
        self.assertEqual(argv, b"\0".join(os.fsencode(str(a)) for a in
                                          [self.py.path, app, *odd]))
        self.assertTrue(command)
        # The command can be given to a shell again.
        again = self.command(["bash", "-c", command])
        self.assertEqual(again.stdout, done.stdout)

    def test_file_names_of_any_bytes(self):
        name = os.fsdecode(b"caf\xe9 \xf0\x9f\x90\x8d,=\\.py")
        app = self.script("def f(): pass\nf()\n", name)
        odd = self.tmp / os.fsdecode(b"\xff,out=\\.db")
        self.record([app], db=odd)
        self.preload([app], options="label=x",
                     db=str(odd).replace("\\", "\\\\").replace(",", "\\,"))
        files = self.rows("select cast(filename as blob), sum(ncalls) from "
                          "pstats where function = 'f' group by 1", db=odd)
        self.assertEqual(files, [(str(app).encode("utf-8", "surrogatepass"),
                                  2)])

    def test_names_of_any_characters(self):
        app = self.script('''
            namespace = {}
            exec(compile("def f(): pass", "<\\udcff \\n name>", "exec"),
                 namespace)
            namespace["f"]()
            exec("def éß名(): pass", namespace)
            namespace["éß名"]()
            ''')
        self.record([app])
        self.assertEqual(self.rows("select cast(filename as blob) from pstats "
                                   "where function = 'f'"),
                         [(b"<\xed\xb3\xbf \n name>",)])
        self.assertEqual(self.rows("select ncalls from pstats "
                                   "where function = 'éß名'"), [(1,)])


class Ended(Case):
    """Each way of ending Python, with and without us."""

    def same(self, text, status, args=(), **kwargs):
        app = self.script(text)
        plain = self.command([self.py.path, app, *args], check=status, **kwargs)
        for done in (self.record([app, *args], check=status, **kwargs),
                     self.preload([app, *args], check=status, **kwargs)):
            self.assertEqual(done.stdout, plain.stdout)
            self.assertEqual(done.stderr, plain.stderr)
        self.assertEqual(self.value("select sum(ncalls) from pstats "
                                    "where function = 'f'"), 2)
        return [r for r, in self.rows("select end_reason from processes")]

    def test_last_line(self):
        self.assertEqual(self.same("def f(): pass\nf()\n", 0),
                         ["exit", "exit"])

    def test_sys_exit(self):
        self.assertEqual(self.same("import sys\ndef f(): sys.exit(3)\nf()\n",
                                   3), ["exit", "exit"])

    def test_sys_exit_with_text(self):
        self.same("import sys\ndef f(): sys.exit('why')\nf()\n", 1)

    def test_exception(self):
        self.assertEqual(self.same("""
            def f():
                raise ValueError("no")
            try:
                {}["x"]
            except KeyError:
                f()
            """, 1), ["exit", "exit"])

    def test_syntax_error_in_an_import(self):
        self.script("def f(:\n", "broken.py")
        self.same("def f(): import broken\nf()\n", 1)

    def test_keyboard_interrupt(self):
        self.same("""
            import signal
            signal.signal(signal.SIGINT, signal.default_int_handler)
            def f():
                signal.raise_signal(signal.SIGINT)
                signal.sigtimedwait([], 60)
            f()
            """, -2)

    def test_exit_from_atexit(self):
        self.same("""
            import atexit
            def f():
                print("bye")
            atexit.register(f)
            """, 0)

    def test_exception_in_a_thread(self):
        self.same("""
            import threading
            def f():
                raise ValueError("no")
            t = threading.Thread(target=f, name="worker")
            t.start()
            t.join()
            """, 0)

    def test_exception_in_a_destructor(self):
        self.same("""
            import sys
            class C:
                def __del__(self):
                    f()
            def f():
                raise ValueError("no")
            sys.unraisablehook = lambda args: print(args.exc_value)
            c = C()
            del c
            """, 0)

    def test_recursion_error(self):
        self.same("""
            import sys
            sys.setrecursionlimit(200)
            def g():
                g()
            def f():
                g()
            f()
            """, 1)

    def test_stdout_that_is_closed(self):
        plain = self.script("import os\nos.close(1)\ndef f(): pass\nf()\n")
        self.record([plain])
        self.assertEqual(self.value("select ncalls from pstats "
                                    "where function = 'f'"), 1)
