# SPDX-License-Identifier: MIT
"""Deep trees: no format and no table takes the square of the depth, and what a
format leaves out is said and adds up."""

import gzip
import json

from harness import Case, once
from test_push import Server, fields

# Two functions in turn, DEPTH calls, each with a call of its own on top.
DEEP = """
    import sys
    sys.setrecursionlimit(10 ** 6)
    def leaf(): pass
    def even(n):
        leaf()
        if n: odd(n - 1)
    def odd(n):
        leaf()
        if n: even(n - 1)
    even(%d)
    """

# Larger files than these would be the square of the depth.
DEPTH = 5000
MOST_BYTES = 4_000_000


class Deep(Case):
    def make(self, depth=DEPTH):
        # In a thread of a large stack: up to 3.10 Python's calls use C's.
        self.record(["-c", "import threading; threading.stack_size(1 << 29); "
                     "t = threading.Thread(target=exec, args=(open(%r).read(), "
                     "{})); t.start(); t.join()" % str(self.script(
                         DEEP % depth))], options="clock=step")

    def export(self, format, *flags):
        path = self.tmp / ("out." + format)
        done = self.tool("export", "-f", format, "-o", path, *flags, self.db)
        return path.read_bytes(), done.stderr

    def functions(self):
        return dict(self.rows("select function, sum(tottime) * 1e9 from pstats "
                              "where function in ('leaf', 'even', 'odd') "
                              "group by function"))

    def own(self, collapsed):
        """{function: ns} of the last function of each line."""
        found = {}
        for line in collapsed.decode().splitlines():
            path, ns = line.rsplit(" ", 1)
            name = path.split(";")[-1].split(" ")[0]
            found[name] = found.get(name, 0) + int(ns)
        return found

    @once
    def test_long_paths_are_folded(self):
        self.make()
        want = self.functions()
        for format in "collapsed", "pprof":
            data, note = self.export(format)
            self.assertEqual(note, "proflite export: note: recursion is folded "
                             "in 1 thread with call paths of more than 1000 "
                             "calls: --unfold keeps them\n")
            self.assertLess(len(data), MOST_BYTES)
            if format == "collapsed":
                own = self.own(data)
                self.assertEqual({f: own[f] for f in want}, want)
            else:
                self.assertIn(b"recursion is folded", gzip.decompress(data))
        for format in "speedscope", "chrome", "html", "json", "pstats", \
                "callgrind", "dot", "csv":
            data, note = self.export(format)
            self.assertEqual(note, "")
            self.assertLess(len(data), MOST_BYTES)
        with Server() as server:
            done = self.tool("push", server.url, self.db)
        self.assertIn("recursion is folded", done.stderr)
        self.assertLess(len(server.requests[0][2]), MOST_BYTES)

    @once
    def test_paths_of_the_usual_length_are_whole(self):
        self.make(990)
        data, note = self.export("collapsed")
        self.assertEqual((note, max(l.count(b";") for l in data.splitlines())
                          > 990), ("", True))

    @once
    def test_unfold(self):
        self.make(1500)
        data, note = self.export("collapsed", "--unfold")
        self.assertEqual(note, "")
        self.assertGreater(max(l.count(b";") for l in data.splitlines()), 1500)
        self.assertEqual(self.own(data)["leaf"], self.functions()["leaf"])

    @once
    def test_the_tree_does_not_run_off_to_the_right(self):
        self.make()
        text = self.tool("tree", "--unfold", "-n", "0", "--min-percent", "0",
                         self.db).stdout
        self.assertGreater(text.count("\n"), 2 * DEPTH)
        self.assertLess(max(map(len, text.splitlines())), 700)
        self.assertRegex(text, r"\(\+\d+\) ")

    @once
    def test_the_mapping_is_the_program(self):
        self.record(["-c", "pass", "/tmp/some/argument"])
        exe, = self.rows("select exe from processes")[0]
        message = fields(gzip.decompress(self.export("pprof")[0]))
        strings = [value for number, value in message if number == 6]
        mapping, = [dict(fields(value)) for number, value in message
                    if number == 3]
        self.assertEqual(strings[mapping[5]].decode(), exe)
        self.assertTrue(exe.startswith("/"))


class Light(Case):
    """What is too light to be seen becomes "(lighter)"."""

    def make(self, depth):
        self.record([self.program("wide.py"), depth], options="clock=step")
        return self.rows("select sum(self_ns), sum(calls + resumes) from "
                         "function_stats")[0]

    def export(self, format, *flags):
        path = self.tmp / "out"
        done = self.tool("export", "-f", format, "-o", path, *flags, self.db)
        return path.read_text(), done.stderr

    def sums(self, collapsed):
        return sum(int(line.rsplit(" ", 1)[1])
                   for line in collapsed.splitlines())

    @once
    def test_a_large_run(self):
        ns, calls = self.make("16")
        n = self.value("select count(*) from nodes")
        self.assertGreater(n, 100_000)
        text, note = self.export("collapsed")
        self.assertEqual(self.sums(text), ns)
        self.assertIn(";(lighter) ", text)
        self.assertLess(text.count("\n"), n / 4)
        self.assertRegex(note, r'^proflite export: note: \d+ light call paths, '
                         r'\d+\.\d% of the time, are in "\(lighter\)": '
                         r'--min-percent=0 keeps them\n$')
        whole, none = self.export("collapsed", "--min-percent=0")
        self.assertEqual((self.sums(whole), none), (ns, ""))
        self.assertNotIn("(lighter)", whole)
        self.assertGreater(whole.count("\n"), n / 2)
        data = json.loads(self.export("speedscope")[0])
        self.assertEqual([p["endValue"] for p in data["profiles"]], [ns, calls])
        slices = [e for e in json.loads(self.export("chrome")[0])["traceEvents"]
                  if e["ph"] == "X"]
        self.assertEqual((sum(e["args"]["self_ns"] for e in slices),
                          sum(e["args"]["calls"] for e in slices)), (ns, calls))
        self.assertLess(len(slices), n / 4)

    @once
    def test_a_small_run_is_whole_unless_told(self):
        ns, _ = self.make("8")
        text, note = self.export("collapsed")
        self.assertEqual((self.sums(text), note), (ns, ""))
        self.assertNotIn("(lighter)", text)
        text, note = self.export("collapsed", "--min-percent", "5")
        self.assertEqual(self.sums(text), ns)
        self.assertIn("(lighter)", text)
        for wrong in "-1", "x", "", "101", "nan":
            done = self.tool("export", "-f", "collapsed",
                             "--min-percent=" + wrong, self.db, check=2)
            self.assertIn("from 0 to 100", done.stderr)
