# SPDX-License-Identifier: MIT
"""Viewers of cProfile's files open ours, and say what is in them: functions,
calls, times, the total.

A file is written by `proflite export -f pstats` and by Profile.dump_stats,
with clocks that count their readings; what a viewer ought to say is worked out
here from the dictionary in the file.
"""

import functools
import html
import marshal
import os
import re
import socket
import subprocess
import tempfile
from pathlib import Path

import consumers
from browser import Browser
from harness import Case, once

# Long enough for tuna, which leaves out what takes less than 10 microseconds.
PROGRAM = """
    import sys

    def fib(n):
        return n if n < 2 else fib(n - 1) + fib(n - 2)

    def even(n):
        return n == 0 or odd(n - 1)

    def odd(n):
        return n != 0 and even(n - 1)

    def größe(text):
        return len(text)

    def main():
        fib(18)
        even(9)
        for i in range(30):
            größe("x" * i)
        sorted([3, 1, 2], key=lambda v: -v)

    if len(sys.argv) > 1:
        import itertools, proflite
        profile = proflite.Profile(itertools.count().__next__, 1e-6)
        profile.runcall(main)
        profile.dump_stats(sys.argv[1])
    else:
        main()
    """

OURS = {"fib", "even", "odd", "größe", "main", "<lambda>",
        "<built-in method builtins.len>"}


class File:
    """What a .prof file says."""

    def __init__(self, path):
        self.path = path
        # (file, line, name): (primitive calls, calls, own time, time, callers)
        self.stats = marshal.loads(path.read_bytes())
        self.own = sum(row[2] for row in self.stats.values())
        self.roots = {key: row[3] for key, row in self.stats.items()
                      if not row[4]}
        self.top = max(self.roots, key=self.roots.get)
        self.total = sum(self.roots.values())
        self.ours = [key for key in self.stats if key[2] in OURS and
                     (key[0] == "~" or key[0].endswith("app.py"))]

    def short_name(self, key):
        return "%s:%d(%s)" % (os.path.basename(key[0]), *key[1:])


def both_files(method):
    """The test runs for a file of each origin."""
    @functools.wraps(method)
    def test(self):
        app = self.script(PROGRAM, "größer app.py")
        self.record([app], options="clock=step")
        for origin in "export", "dump_stats":
            path = self.tmp / (origin + ".prof")
            if origin == "export":
                self.tool("export", "-f", "pstats", "-o", path, self.db)
            else:
                self.python([app, path])
            with self.subTest(origin):
                file = File(path)
                self.assertEqual(OURS, {key[2] for key in file.ours})
                method(self, file)
    return test


class Viewers(Case):
    def run_viewer(self, name, *args, **kwargs):
        program = consumers.need(self, name)
        # flameprof looks for "python" on the PATH.
        path = "%s:/usr/bin:/bin" % program.parent
        return self.command([program, *args], {"PATH": path}, **kwargs).stdout

    def browse(self):
        chromium = consumers.need(self, "chromium")
        return Browser(chromium, Path(tempfile.mkdtemp(dir=self.tmp)))

    @both_files
    def test_gprof2dot(self, file):
        text = self.run_viewer("gprof2dot", "-n0", "-e0", "-f", "pstats",
                               file.path)
        labels = re.findall(r'(?m)^\t\d+ \[.* label="(.*?)", tooltip', text)
        self.assertEqual(len(labels), len(file.stats))
        for key in file.ours:
            _, calls, own, time, _ = file.stats[key]
            self.assertIn("%s:%d:%s\\n%.2f%%\\n(%.2f%%)\\n%d×" % (
                os.path.basename(key[0]).replace(".py", ""), *key[1:],
                100 * time / file.total, 100 * own / file.total, calls), labels)
        self.command([consumers.need(self, "dot"), "-Tsvg"], input=text)

    @both_files
    def test_flameprof(self, file):
        text = self.run_viewer("flameprof", "--threshold", "0", file.path)
        titles = set(map(html.unescape,
                         re.findall(r"(?s)<title>(.*?)</title>", text)))
        for key, (primitive, calls, own, time, _) in file.stats.items():
            if own:
                self.assertIn("%s:%d:%s %.2f%% (%d %d %r %r)" % (
                    *key, 100 * own / file.total, primitive, calls, own, time),
                    titles)

    @both_files
    def test_pyprof2calltree(self, file):
        """What it writes is read by Callgrind's own reader."""
        out = self.tmp / "callgrind.out"
        self.run_viewer("pyprof2calltree", "-i", file.path, "-o", out)
        own = {(key[0], key[2]): int(row[2] * 1e9)
               for key, row in file.stats.items()}
        found = {}
        for name, function, line, cost in re.findall(
                r"(?m)^fl=(.*)\nfn=(.*?)(?::\d+)?\n(\d+) (\d+)$",
                out.read_text(encoding="utf-8")):
            key = name, function
            found[key] = found.get(key, 0) + int(cost)
        for file_name, _, function in file.ours:
            self.assertEqual(found[file_name, function],
                             own[file_name, function])
        self.assertEqual(len(set(own)), len(found))
        text = self.command([consumers.need(self, "callgrind_annotate"),
                             "--threshold=100", "--auto=no", out]).stdout
        # The total it writes is the longest function's.
        self.assertRegex(text, r"(?m)^%s \(100\.0%%\)  PROGRAM TOTALS$"
                         % "{:,}".format(int(file.roots[file.top] * 1e9)))
        self.assertRegex(text, r"(?m)^ *%s \([ \d.]+%%\)  .*app\.py:fib\b"
                         % "{:,}".format(found[str(self.tmp / "größer app.py"),
                                               "fib"]))

    @once
    @both_files
    def test_tuna(self, file):
        folder = self.tmp / (file.path.stem + ".tuna")
        self.run_viewer("tuna", "--no-browser", "-o", folder, file.path)
        texts = "Array.from(document.querySelectorAll(" \
            "'x-icicle g > title')).map(t => t.textContent)"
        with self.browse() as page:
            page.open(folder / "index.html")
            page.wait(texts + ".length")
            titles = page.value(texts)
            tree = page.value("tunaData")
            self.assertEqual(page.errors, [])
        self.assertRegex(titles[0], r"^%s::%d::%s [\d.]+ s  \(100\.0%%\)$"
                         % file.top)
        self.assertRegex("\n".join(titles), r"(?m)app\.py::\d+::fib [\d.]+ s ")
        names, nodes, total = [], [tree], 0
        while nodes:
            node = nodes.pop()
            total += node.get("value", 0)
            names.append(node["text"][0])
            nodes += node.get("children", ())
        self.assertAlmostEqual(total, file.roots[file.top], 12)
        for key in file.ours:
            if key[2] != "odd":         # that is "possible calls of"
                self.assertIn("%s::%d::%s" % key, names)

    @once
    @both_files
    def test_snakeviz(self, file):
        address = self.serve(file.path)
        with self.browse() as page:
            page.open(address)
            rows = page.wait(
                "document.querySelector('#chart rect') && "
                "Array.from(document.querySelectorAll("
                "'#pstats-table tbody tr')).map(r => Array.from("
                "r.cells).map(c => c.textContent))")
            drawn = page.value("Array.from(document.querySelectorAll("
                               "'#chart text')).map(t => t.textContent)")
            total = page.value("sv_total_time")
            self.assertEqual(page.errors, [])
        # What is widest, with its time.
        name, time = re.fullmatch(r"(.*\))([\d.]+) s", drawn[0]).groups()
        self.assertEqual(name, file.short_name(file.top))
        self.assertEqual("%.3g" % float(time), "%.3g" % total)
        self.assertEqual(total, file.roots[file.top])
        self.assertRegex("\n".join(drawn), r"(?m)^größer app\.py:\d+\(fib\)")
        found = {row[5]: (row[0], row[1], row[3]) for row in rows}
        for key, (primitive, calls, own, time, _) in file.stats.items():
            self.assertEqual(found[file.short_name(key)], (
                "%d" % calls if calls == primitive
                else "%d/%d" % (calls, primitive),
                "%.4g" % own, "%.4g" % time))
        self.assertEqual(len(rows), len(file.stats))

    def serve(self, path):
        """The address of a page of snakeviz's server."""
        program = consumers.need(self, "snakeviz")
        with socket.create_server(("127.0.0.1", 0)) as s:
            port = s.getsockname()[1]   # if it is taken now, it looks on
        server = subprocess.Popen(
            [program, "--server", "--hostname", "127.0.0.1", "--port",
             str(port), path], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=self.environment({"PYTHONUNBUFFERED": "1"}), cwd=self.tmp)
        self.addCleanup(server.communicate)
        self.addCleanup(server.kill)
        said = ""
        for line in server.stdout:
            said += line
            if line.startswith("http://"):
                return line.strip()
        return self.fail("snakeviz said: " + said)
