# SPDX-License-Identifier: MIT
"""`proflite tree`: the tree of calls, pruned as asked."""

import csv
import io
import json
import re

import terminal
from harness import TOOL, Case, once

PROGRAM = """
    import threading

    def leaf():
        pass

    def a(n):
        leaf()
        if n:
            b(n - 1)

    def b(n):
        leaf()
        leaf()
        if n:
            a(n - 1)

    class Box:
        def open(self):
            leaf()
            [len("x") for _ in range(3)]

    def main():
        a(5)
        Box().open()
        thread = threading.Thread(target=b, args=(2,), name="worker")
        thread.start()
        thread.join()

    main()
    """


def columns_of(lines):
    """[(percent, total, self, calls, tree)] of the lines of a tree."""
    rows = []
    for line in lines:
        m = re.match(r" *([\d.]+)% +([\d.]+) +([\d.]+) +([\d/]*)  (.*)$", line)
        if m:
            rows.append((float(m[1]), float(m[2]), float(m[3]), m[4], m[5]))
    return rows


class Tree(Case):
    def setUp(self):
        self.app = self.script(PROGRAM)

    def make(self):
        self.record([self.app], options="clock=step")

    def tree(self, *args, **kwargs):
        return self.tool("tree", *args, self.db, **kwargs).stdout

    def records(self, *args):
        return json.loads(self.tree("-o", "json", *args))

    def below(self, records, name):
        """{path of names from @name: (calls, primitive, self, total)}"""
        by_id = {r["path"]: r for r in records}
        found = {}
        for r in records:
            path, at = [], r
            while at:
                path.insert(0, at["function"])
                if at["function"] == name:
                    found[" > ".join(path)] = (r["ncalls"], r["primcalls"],
                                               r["self_ns"], r["total_ns"])
                    break
                at = by_id.get(at["caller"])
        return found

    # Every version, for each names and orders things its own way.
    def test_shows_the_heaviest_first(self):
        self.make()
        lines = self.tree("-n", "0", "--min-percent", "0").splitlines()
        ns = self.value("select sum(self_ns) from function_stats s "
                        "join threads t on t.id = s.thread_id where counted")
        self.assertRegex(lines[0], r"^run 1, [\d.]+ [mun]?s in \d+ calls: ")
        rows = columns_of(lines)
        self.assertEqual(len(rows) + 3, len(lines))
        self.assertRegex(rows[0][4], r"^MainThread \(pid \d+, tid \d+\)$")
        unit = {"ns": 1, "us": 1000, "ms": 10**6}[lines[2].split()[2]]
        self.assertAlmostEqual(sum(r[1] for r in rows if " (pid " in r[4]),
                               ns / unit, places=2)
        shown = "\n".join(r[4] for r in rows)
        # a and b call each other: one path
        self.assertRegex(shown, r"(?m)[├└]─ a  app\.py:7$")
        calls = [r[3] for r in rows if re.search(r"\ba  app\.py:7$", r[4])]
        self.assertEqual(calls, ["3/1", "1"])           # and the worker's

    def test_folds_recursion(self):
        self.make()
        below = self.below(self.records(), "main")
        self.assertEqual({k: v[:2] for k, v in below.items()
                          if k.startswith("main > a")}, {
            "main > a": (3, 1), "main > a > leaf": (3, 3),
            "main > a > b": (3, 3), "main > a > b > leaf": (6, 6)})
        # Totals: self and what is below
        for path, (_, _, own, total) in below.items():
            if not path.startswith(("main > a", "main > Box")):
                continue
            parts = [v[3] for k, v in below.items()
                     if k.startswith(path + " > ")
                     and k.count(" > ") == path.count(" > ") + 1]
            self.assertEqual(total, own + sum(parts), path)
        below = self.below(self.records("--unfold"), "main")
        self.assertEqual(
            max(k.count(">") for k in below if " > a > b > a" in k), 7)
        self.assertEqual(below["main > a > b > a"][:2], (1, 1))

    @once
    def test_records_have_all_of_the_database(self):
        self.make()
        total, calls = self.rows(
            "select sum(self_ns), sum(calls + resumes) from function_stats s "
            "join threads t on t.id = s.thread_id where counted")[0]
        for flags in [], ["--unfold"], ["--together"], \
                ["--together", "--unfold"]:
            rows = self.records(*flags)
            self.assertEqual(sum(r["self_ns"] for r in rows), total)
            self.assertEqual(sum(r["ncalls"] for r in rows), calls)
            tops = [r for r in rows if r["caller"] == 0]
            self.assertEqual(sum(r["total_ns"] for r in tops), total)
            self.assertAlmostEqual(sum(r["percent"] for r in tops), 100,
                                   places=2)
        text = self.tree("-o", "csv")
        table = list(csv.DictReader(io.StringIO(text)))
        self.assertEqual([{k: str(v) for k, v in r.items() if v is not None
                           and k != "percent"} for r in self.records()],
                         [{k: v for k, v in r.items()
                           if k != "percent" and not (k == "filename" and
                                                      v == "")}
                          for r in table])

    @once
    def test_unfolded_paths_are_those_of_the_database(self):
        self.make()
        want = {}
        for path, n, own in self.rows(
                "select path, sum(ncalls), sum(tottime) from call_paths "
                "join threads t on t.id = thread_id where counted "
                "group by path"):
            want[path] = n, round(own * 1e9)
        want.pop("(thread)")
        rows = self.records("--unfold", "--together")
        by_id = {r["path"]: r for r in rows}
        names = dict(self.rows(
            "select name || filename || line, name from functions"))
        got = {}
        for r in rows:
            path, at = [], r
            while at:
                path.insert(0, at)
                at = by_id.get(at["caller"])
            # The view has names without classes.
            key = " > ".join(
                n["function"].rpartition(".")[2] if n["filename"] != "~"
                else "<%s>" % n["function"][1:-1] for n in path)
            old = got.get(key, (0, 0))
            got[key] = old[0] + r["ncalls"], old[1] + r["self_ns"]
        self.assertTrue(names)
        same = {k for k in want if k in got}
        self.assertGreater(len(same), 0.9 * len(want))
        self.assertEqual({k: got[k] for k in same}, {k: want[k] for k in same})

    @once
    def test_focus_and_ignore(self):
        self.make()
        whole = self.records("--unfold")
        by_id = {r["path"]: r for r in whole}

        def on_path(r, name):
            while r:
                if r["function"] == name:
                    return True
                r = by_id.get(r["caller"])
            return False

        def time_of(*flags):
            return sum(r["self_ns"] for r in self.records("--unfold", *flags))

        def want(rule):
            return sum(r["self_ns"] for r in whole if rule(r))

        self.assertEqual(time_of("--focus", r"\(b\)"),
                         want(lambda r: on_path(r, "b")))
        self.assertEqual(time_of("--ignore", r"\(b\)"),
                         want(lambda r: not on_path(r, "b")))
        self.assertEqual(
            time_of("--focus", r"\(b\)", "--ignore", r"\(leaf\)"),
            want(lambda r: on_path(r, "b") and not on_path(r, "leaf")))
        # what leads there is shown, without its own time
        rows = self.records("--focus", r"\(Box\.open\)")
        self.assertEqual([r["self_ns"] for r in rows
                          if r["function"] in ("main", "<module>")], [0, 0])
        self.assertIn("Box.open", [r["function"] for r in rows])
        # by pstats' name as well
        for same in r"app.py:\d+\(open\)", "^open$", r"^Box\.open$":
            self.assertEqual(rows, self.records("--focus", same))
        text = self.tree("--focus", "no such function")
        self.assertTrue(text.endswith("\nno call path is like that\n"), text)
        self.assertIn("% of the time is on the paths chosen",
                      self.tree("--focus", "leaf"))

    @once
    def test_limits(self):
        self.make()
        rows = columns_of(self.tree("-n", "3").splitlines())
        self.assertEqual(len(rows), 3)
        self.assertGreaterEqual(rows[0][0], rows[1][0])
        rows = columns_of(self.tree("--min-percent", "20").splitlines())
        self.assertTrue(rows and min(r[0] for r in rows) >= 20)
        depths = {r["depth"] for r in self.records("--depth", "2")}
        self.assertEqual(depths, {1, 2, 3})     # 1 is the thread
        depths = {r["depth"] for r in self.records("--depth", "2",
                                                   "--together")}
        self.assertEqual(depths, {1, 2})
        text = self.tree("-n", "3")
        self.assertRegex(text, r"\n\d+ lighter call paths are left out: "
                         r"-n 0 --min-percent 0 shows all\n$")

    @once
    def test_one_thread(self):
        self.make()
        id = self.value("select id from threads where name = 'worker'")
        rows = self.records("--thread=%d" % id)
        self.assertEqual(sum(r["self_ns"] for r in rows), self.value(
            "select sum(self_ns) from function_stats where thread_id = ?", id))
        self.assertIn("worker", rows[0]["function"])
        self.tool("tree", "--thread=77", self.db, check=1)

    # -------------------------------------------------------- the terminal --

    def on_terminal(self, *args, **kwargs):
        return super().on_terminal("tree", *args, self.db, **kwargs)

    @once
    def test_lines_are_as_wide_as_the_terminal(self):
        self.make()
        for columns in 60, 80, 132:
            text = self.on_terminal(env={"NO_COLOR": "1"}, columns=columns)
            for line in text.splitlines()[:-1]:
                self.assertLessEqual(len(line), columns)
        self.assertIn("…", self.on_terminal(columns=60))
        self.assertIn("~", self.on_terminal(columns=60, env={"LC_ALL": "C"}))
        self.assertNotIn("…", self.tree())

    @once
    def test_colours(self):
        self.make()
        self.assertIn("\x1b[", self.on_terminal())
        for env in {"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": None}:
            self.assertNotIn("\x1b[", self.on_terminal(env=env))
        self.assertIn("\x1b[", self.on_terminal(env={"NO_COLOR": ""}))
        self.assertNotIn("\x1b[", self.tree())

    @once
    def test_pager(self):
        self.make()
        text = self.on_terminal(env={"PAGER": "sed s/^/paged:/"})
        self.assertTrue(all(l.startswith("paged:")
                            for l in text.splitlines()), text)
        text = self.on_terminal(env={"PAGER": "false",
                                     "PROFLITE_PAGER": "sed s/^/ours:/"})
        self.assertTrue(text.startswith("ours:"), text)
        for none in "", "cat", "/no/such/pager", "'; echo oops; '":
            text = self.on_terminal(env={"PAGER": none})
            self.assertTrue(text.startswith("run 1"), text)
        # It has seen enough.
        env = self.environment({"TERM": "xterm", "PAGER": "head -1"})
        text, _ = terminal.run([TOOL, "tree", self.db], env=env)
        self.assertRegex(text, r"^run 1[^\n]*\n$")

    @once
    def test_control_characters_do_not_reach_a_terminal(self):
        self.script("exec(compile('def f(): pass\\nf()', "
                    "'x\\x1b]0;oops\\x07\\r\\n.py', 'exec'))")
        self.record([self.tmp / "app.py"], options="clock=step")
        text = self.on_terminal("-n", "0", env={"NO_COLOR": "1"}, columns=300)
        self.assertIn("x?]0;oops???.py:1", text)
        self.assertNotIn("\x1b", text)
        text = super().on_terminal("report", "--columns=pstats", self.db)
        self.assertIn("x?]0;oops???.py:1(f)", text)

    @once
    def test_neither_do_those_of_eight_bits(self):
        """CSI is one character, too: U+009B, or that byte alone."""
        self.script("for name in 'a\\x9b31m', 'b\\udc9b31m':\n"
                    "    exec(compile('def f(): pass\\nf()', name, 'exec'))")
        self.record([self.tmp / "app.py"], options="clock=step")
        for words in ["tree", "-n0"], ["report"], ["report",
                                                   "--columns=pstats"]:
            text = super().on_terminal(*words, self.db,
                                       env={"NO_COLOR": "1"})
            for name in "a?31m", "b?31m":
                self.assertIn(name, text)
            for csi in "\x9b", "\udc9b":
                self.assertNotIn(csi, text)
        self.assertIn("a\x9b31m:1(f)", self.report("-n0"))
