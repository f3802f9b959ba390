# SPDX-License-Identifier: MIT
"""Every format holds what the database holds, and its own reader says so."""

import base64
import csv
import io
import json
import os
import re
import sqlite3

import consumers
from browser import Browser
from harness import Case, once

# Threads, a child process, recursion, generators, C functions, and names that
# are hard to quote.
PROGRAM = r'''
    import functools, os, re, subprocess, sys, threading

    class Parser:
        def parse(self, text):
            return [self.token(t) for t in text.split()]
        def token(self, t):
            return re.sub("a", "b", t)

    def fib(n):
        return n if n < 2 else fib(n - 1) + fib(n - 2)

    def even(n):
        return n == 0 or odd(n - 1)
    def odd(n):
        return n != 0 and even(n - 1)

    def numbers(n):
        for i in range(n):
            yield i

    def work(n):
        sum(numbers(n))
        fib(n)
        even(n)
        Parser().parse("a ab abc")

    namespace = {}
    for name in ("semi;colon.py", 'quo"te.py', "new\nline.py", "tab\t.py",
                 "back\\slash.py", "<b>&amp;</b>.py", "</script>.py",
                 "sp ace (1).py", "\udcff.py", "\ud800.py", "comma,.py",
                 "h\u00e9 \u51fd \U0001f600.py", "'.py"):
        exec(compile("def h\u00e9(): return len('x')", name, "exec"), namespace)
        namespace["h\u00e9"]()

    def main():
        threads = [threading.Thread(target=work, args=(8 + i,), name=name)
                   for i, name in enumerate(["w;0 \"x\"", "w\u00e9"])]
        for t in threads:
            t.start()
            t.join()
        work(6)
        if len(sys.argv) < 2:
            subprocess.run([sys.executable, __file__, "child"], check=True)

    main()
    '''

STACKS = ["collapsed", "speedscope", "pprof", "chrome"]
GRAPHS = ["callgrind", "dot", "csv", "json", "pstats"]


class Export(Case):
    def setUp(self):
        self.app = self.script(PROGRAM)

    def make(self, options="clock=step", flags=()):
        self.record([self.app], options=options, flags=flags)

    def export(self, format, *flags, check=0):
        path = self.tmp / ("out." + format)
        self.tool("export", "-f", format, "-o", path, *flags, self.db,
                  check=check)
        return path

    def total(self, where="counted"):
        """(nanoseconds, calls) of the threads that match."""
        return self.rows(
            "select sum(self_ns), sum(calls + resumes) from function_stats s "
            "join threads t on t.id = s.thread_id "
            "join processes p on p.id = t.process_id where " + where)[0]

    def functions(self):
        """{(filename, line, function): (ncalls, tottime, cumtime)}, in ns;
        some names have functions of different kinds."""
        found = {}
        for row in self.rows(
                "select filename, line, f.name, sum(calls + resumes), "
                "sum(self_ns), sum(cum_ns) from function_stats s "
                "join functions f on f.id = s.function_id "
                "join threads t on t.id = s.thread_id where counted "
                "group by f.id"):
            self.assertNotIn(row[:3], found)
            found[row[:3]] = row[3:]
        return found

    def function(self, name):
        """Line and figures of a function of the program."""
        (line, figures), = [(k[1], v) for k, v in self.functions().items()
                            if k[0] == str(self.app) and k[2] == name]
        return line, figures

    def rows(self, sql, *parameters, db=None):
        """With lone surrogates in text, as Python has them."""
        connection = sqlite3.connect("file:%s?mode=ro" % (db or self.db),
                                     uri=True)
        connection.text_factory = lambda b: b.decode("utf-8", "surrogatepass")
        try:
            return connection.execute(sql, parameters).fetchall()
        finally:
            connection.close()

    # ------------------------------------------------ reading the formats --

    def collapsed(self, path):
        """[(frames, ns)]"""
        lines = path.read_text(encoding="utf-8").splitlines()
        return [(tuple(l.rpartition(" ")[0].split(";")),
                 int(l.rpartition(" ")[2])) for l in lines]

    def speedscope(self, path):
        """[(name, unit, {frame: own}, {frame: with callees})]"""
        data = json.loads(path.read_text(encoding="utf-8"))
        frames = data["shared"]["frames"]
        profiles = []
        for p in data["profiles"]:
            own, total, stack, last = {}, {}, [], p["startValue"]
            for e in p["events"]:
                self.assertGreaterEqual(e["at"], last)
                if stack:
                    top = stack[-1]
                    own[top] = own.get(top, 0) + e["at"] - last
                    for f in set(stack):
                        total[f] = total.get(f, 0) + e["at"] - last
                else:
                    self.assertEqual(e["at"], last)
                if e["type"] == "O":
                    self.assertLess(e["frame"], len(frames))
                    stack.append(e["frame"])
                else:
                    self.assertEqual(stack.pop(), e["frame"])
                last = e["at"]
            self.assertEqual((stack, last), ([], p["endValue"]))
            profiles.append((p["name"], p["unit"], own, total))
        return frames, profiles

    def chrome(self, path):
        """The slices, after checking that they nest."""
        events = json.loads(path.read_text(encoding="utf-8"))["traceEvents"]
        slices = [e for e in events if e["ph"] == "X"]
        open = {}
        for e in slices:
            stack = open.setdefault((e["pid"], e["tid"]), [])
            begin = round(e["ts"] * 1000)
            end = begin + round(e["dur"] * 1000)
            while stack and stack[-1] <= begin and stack[-1] < end:
                stack.pop()
            if stack:
                self.assertLessEqual(end, stack[-1])
            stack.append(end)
        return events, slices

    def pprof(self, *args):
        """What `go tool pprof` prints."""
        go = consumers.need(self, "go")
        # The tool is compiled at its first use, which takes minutes.
        cache = self.command([go, "env", "GOCACHE"],
                             {"HOME": os.environ.get("HOME")}).stdout.strip()
        return self.command([go, "tool", "pprof", *args],
                            {"GOCACHE": cache}).stdout

    def pprof_raw(self, path):
        """[(calls, ns, functions from the innermost, labels)] as go reads
        them."""
        text = self.pprof("-raw", path)
        samples = []
        first, text = text.split("\nSamples:\n")
        text, rest = text.split("\nLocations\n")
        for line in text.splitlines():
            m = re.match(r"\s*(\d+)\s+(\d+): ([\d ]+)$", line)
            if m:
                samples.append((int(m[1]), int(m[2]),
                                [int(i) for i in m[3].split()], {}))
            elif ":[" in line:
                samples[-1][3].update(re.findall(r"(\w+):\[(.*?)\]", line))
        # A file's name may have a newline in it.
        locations = {int(id): name for id, name in re.findall(
            r"(?ms)^ *(\d+): 0x0 M=1 (.*?) s=\d+", rest)}
        return [(c, ns, [locations[i] for i in path], labels)
                for c, ns, path, labels in samples]

    # ------------------------------------------------------------- totals --

    def test_totals_are_those_of_the_database(self):
        self.make()
        ns, calls = self.total()
        self.assertEqual(ns, self.value("select sum(self_ns) from nodes "
                                        "where parent_id is not null"))
        self.assertEqual(sum(n for _, n in self.collapsed(
            self.export("collapsed"))), ns)
        _, profiles = self.speedscope(self.export("speedscope"))
        self.assertEqual(sum(sum(p[2].values()) for p in profiles
                             if p[1] == "nanoseconds"), ns)
        self.assertEqual(sum(sum(p[2].values()) for p in profiles
                             if p[1] == "none"), calls)
        _, slices = self.chrome(self.export("chrome"))
        self.assertEqual(sum(e["args"]["self_ns"] for e in slices), ns)
        self.assertEqual(sum(e["args"]["calls"] for e in slices), calls)
        text = self.export("callgrind").read_text(encoding="utf-8")
        self.assertIn("\nsummary: %d\n" % ns, text)
        rows = list(csv.DictReader(io.StringIO(
            self.export("csv").read_text(encoding="utf-8"), newline="")))
        self.assertEqual(sum(int(r["ncalls"]) for r in rows), calls)
        self.assertEqual(round(sum(float(r["tottime"]) for r in rows) * 1e9),
                         ns)
        data = json.loads(self.export("json").read_text(encoding="utf-8"))
        self.assertEqual(sum(f["self_ns"] for f in data["functions"]), ns)

    @once
    def test_a_thread_or_a_process_alone(self):
        self.make()
        for option, where, id in (
                ("--thread", "t.id = %d", 2), ("--process", "p.id = %d", 2),
                ("--run", "p.run_id = %d", 1)):
            ns, calls = self.total(where % id)
            path = self.export("collapsed", "%s=%d" % (option, id))
            self.assertEqual(sum(n for _, n in self.collapsed(path)), ns)
            _, slices = self.chrome(self.export("chrome",
                                                "%s=%d" % (option, id)))
            self.assertEqual(sum(e["args"]["calls"] for e in slices), calls)

    @once
    def test_functions_are_those_of_the_database(self):
        self.make()
        want = self.functions()
        rows = csv.DictReader(io.StringIO(self.export("csv").read_text(
            encoding="utf-8"), newline=""))
        # "'.py" has an apostrophe more there: doc/proflite-export.1
        got = {(re.sub("^'", "", r["filename"]), int(r["line"]),
                r["function"]): (int(r["ncalls"]), round(float(r["tottime"]) * 1e9),
                                 round(float(r["cumtime"]) * 1e9))
               for r in rows}
        escaped = {(f.encode("utf-8", "backslashreplace").decode(), l, n): v
                   for (f, l, n), v in want.items()}
        self.assertEqual(got, escaped)
        data = json.loads(self.export("json").read_text(encoding="utf-8"))
        self.assertEqual({(f["filename"], f["line"], f["name"]):
                          (f["calls"] + f["resumes"], f["self_ns"],
                           f["cum_ns"]) for f in data["functions"]}, want)
        frames, profiles = self.speedscope(self.export("speedscope"))
        for unit, at in ("nanoseconds", 1), ("none", 0):
            own = {}
            for p in profiles:
                if p[1] == unit:
                    for f, n in p[2].items():
                        own[f] = own.get(f, 0) + n
            got = {}
            for f, n in own.items():
                key = frames[f].get("file", "~"), frames[f].get("line", 0)
                got[key] = got.get(key, 0) + n
            sums = {}
            for (file, line, _), v in want.items():
                sums[file, line] = sums.get((file, line), 0) + v[at]
            self.assertEqual(got, {k: n for k, n in sums.items()
                                   if n or k in got})

    @once
    def test_json_has_all_of_the_tree(self):
        self.make()
        data = json.loads(self.export("json").read_text(encoding="utf-8"))
        self.assertEqual(data["node_columns"], [
            "parent", "function", "flags", "calls", "resumes", "total_ns",
            "self_ns", "min_ns", "max_ns"])
        names = {id: (f, l, n) for id, f, l, n in self.rows(
            "select id, filename, line, name from functions")}
        for thread in data["threads"]:
            nodes = self.rows(
                "select parent_id, function_id, flags, calls, resumes, "
                "total_ns, self_ns, min_ns, max_ns, n.id from nodes n "
                "where thread_id = ? order by n.id", thread["id"])
            self.assertEqual(len(nodes), len(thread["nodes"]))
            for row, node in zip(nodes, thread["nodes"]):
                self.assertEqual(node[2:], list(row[2:9]))
                self.assertEqual(node[0], None if row[0] is None
                                 else row[0] - nodes[0][9])
                f = None if node[1] is None else data["functions"][node[1]]
                self.assertEqual(f and (f["filename"], f["line"], f["name"]),
                                 names.get(row[1]))
        self.assertEqual(
            [(p["pid"], p["command"]) for p in data["processes"]],
            self.rows("select pid, command from processes order by started_ns"))

    @once
    def test_names_are_escaped(self):
        self.make()
        lines = self.export("collapsed").read_bytes().split(b"\n")
        for line in lines[:-1]:
            self.assertRegex(line, rb"^[^\x00-\x1f]+ \d+$")
        text = b"\n".join(lines).decode("utf-8")        # valid in any case
        for part in ("semi:colon.py", 'quo"te.py', "new line.py",
                     r"\udcff.py", r"\ud800.py", "h\u00e9 \u51fd \U0001f600.py",
                     'w:0 "x"'):
            self.assertIn(part, text)
        frames, _ = self.speedscope(self.export("speedscope"))
        files = {f.get("file") for f in frames}
        for name in ("new\nline.py", "\udcff.py", "back\\slash.py",
                     "</script>.py"):
            self.assertIn(name, files)
        for format in "callgrind", "dot":
            self.export(format).read_bytes().decode("utf-8")

    @once
    def test_paths_are_cut_at_the_depth_that_is_asked_for(self):
        self.script("def f(n):\n    if n: f(n - 1)\nf(400)\n")
        self.record([self.tmp / "app.py"], options="clock=step")
        ns, calls = self.total()
        stacks = self.collapsed(self.export("collapsed", "--max-depth=10"))
        self.assertEqual(max(len(s) for s, _ in stacks), 11)
        self.assertEqual(sum(n for _, n in stacks), ns)
        deeper = [(s, n) for s, n in stacks if s[-1] == "(deeper)"]
        self.assertTrue(deeper)
        _, slices = self.chrome(self.export("chrome", "--max-depth=1"))
        self.assertEqual(sum(e["args"]["calls"] for e in slices), calls)
        self.assertEqual(sum(e["args"]["self_ns"] for e in slices), ns)
        whole = self.collapsed(self.export("collapsed", "--max-depth=5000"))
        self.assertGreater(max(len(s) for s, _ in whole), 400)
        for wrong in "0", "-1", "x", "", "3x":
            done = self.tool("export", "-f", "collapsed",
                             "--max-depth=" + wrong, self.db, check=2)
            self.assertIn("want a number of calls", done.stderr)

    @once
    def test_folded_paths_have_no_negative_time(self):
        self.make(flags=["--max-nodes=200"])
        self.assertTrue(self.value("select max(folded) from threads"))
        self.assertTrue(self.value("select count(*) from nodes "
                                   "where self_ns < 0"))
        ns, calls = self.total()
        stacks = self.collapsed(self.export("collapsed"))
        self.assertEqual(sum(n for _, n in stacks), ns)
        self.assertTrue(all(n > 0 for _, n in stacks))
        self.assertTrue(any("(folded)" in s for s, _ in stacks))
        by_name = {}
        for s, n in stacks:
            by_name[s[-1]] = by_name.get(s[-1], 0) + n
        fib, = [n for s, n in by_name.items() if s.startswith("fib (")]
        self.assertEqual(fib, self.value(
            "select sum(self_ns) from function_stats s join functions f "
            "on f.id = s.function_id where name = 'fib'"))
        _, slices = self.chrome(self.export("chrome"))
        self.assertEqual(sum(e["args"]["calls"] for e in slices), calls)
        self.assertTrue(all(e["dur"] >= 0 for e in slices))
        _, profiles = self.speedscope(self.export("speedscope"))
        self.assertEqual(sum(sum(p[2].values()) for p in profiles
                             if p[1] == "nanoseconds"), ns)

    @once
    def test_the_end_of_a_name_chooses_the_format(self):
        self.make()
        for name, begin in (
                ("x.prof", b"{"), ("x.pb.gz", b"\x1f\x8b"),
                ("x.speedscope.json", b'{"$schema"'), ("x.folded", b"Main"),
                ("x.callgrind", b"# callgrind"),
                ("x.trace.json", b'{"displayTimeUnit"'), ("x.dot", b"digraph"),
                ("x.csv", b"ncalls,"), ("x.json", b'{"proflite":1')):
            path = self.tmp / name
            self.tool("export", "-o", path, self.db)
            # marshal marks what is referred to later
            self.assertIn(path.read_bytes()[:1].replace(b"\xfb", b"{"),
                          [begin[:1]], name)
            self.assertIn(begin[1:], path.read_bytes()[:40])

    # --------------------------------------------------------- consumers --

    @once
    def test_flamegraph_pl(self):
        perl = consumers.need(self, "flamegraph.pl")
        self.make()
        svg = self.command(["perl", perl, self.export("collapsed")]).stdout
        self.assertIn("all ({:,} samples, 100%)".format(self.total()[0]), svg)

    @once
    def test_speedscope_schema(self):
        python = consumers.need(self, "python with jsonschema")
        folder = consumers.need(self, "speedscope")
        self.make()
        check = self.script("""
            import json, jsonschema, sys
            schema, file = (json.load(open(p)) for p in sys.argv[1:])
            jsonschema.Draft7Validator.check_schema(schema)
            jsonschema.Draft7Validator(schema).validate(file)
            """, "check.py")
        self.command([python, check,
                      folder / "dist/release/file-format-schema.json",
                      self.export("speedscope")])

    @once
    def test_speedscope(self):
        """It says what it takes a file for, and shows it."""
        folder = consumers.need(self, "speedscope")
        chromium = consumers.need(self, "chromium")
        self.make()
        for format, name, importer in (
                ("speedscope", "x.speedscope.json", "speedscope json file"),
                ("pprof", "x.pb.gz", "protobuf encoded pprof file"),
                ("collapsed", "x.folded", "collapsed stack format"),
                ("chrome", "x.trace.json", "Chrome Timeline|Trace Event"),
                ("callgrind", "callgrind.x", "Callgrind profile")):
            data = base64.b64encode(self.export(format).read_bytes()).decode()
            script = self.tmp / "load.js"
            script.write_text("speedscope.loadFileFromBase64(%r, %r)"
                              % (name, data))
            # Of its own: the one before may have been killed in the middle.
            folder_of_browser = self.tmp / ("browser." + format)
            folder_of_browser.mkdir()
            with Browser(chromium, folder_of_browser) as page:
                page.open(folder / "dist/release/index.html",
                          "#localProfilePath=%s" % script)
                # The profile's name is in the title when it is shown.
                page.wait("document.title.includes(' - speedscope')")
                self.assertRegex("\n".join(page.console),
                                 "(?i)Importing as (%s)" % importer)
                self.assertEqual(page.errors, [])

    @once
    def test_callgrind_annotate(self):
        program = consumers.need(self, "callgrind_annotate")
        self.make()
        path = self.export("callgrind")
        text = self.command([program, "--threshold=100", "--auto=no",
                             path]).stdout
        ns, _ = self.total()
        self.assertRegex(text, r"(?m)^%s \(100\.0%%\)  PROGRAM TOTALS$"
                         % "{:,}".format(ns))
        line, (_, own, _) = self.function("fib")
        self.assertRegex(text, r"(?m)^ *%s \([ \d.]+%%\)  .*:fib:%d$"
                         % ("{:,}".format(own), line))
        lines = re.findall(r"(?m)^ *([\d,]+) \([ \d.]+%\)  .*:", text)
        self.assertEqual(sum(int(n.replace(",", "")) for n in lines), ns)
        # Calls: of a function that is not recursive, callees included
        text = self.command([program, "--inclusive=yes", "--threshold=100",
                             "--auto=no", path]).stdout
        line, (_, _, cum) = self.function("work")
        self.assertRegex(text, r"(?m)^ *%s \([ \d.]+%%\)  .*:work:%d$"
                         % ("{:,}".format(cum), line))

    # It prints nothing, but says over D-Bus what it shows: the command in its
    # title, and which functions it knows.
    KCACHEGRIND = r"""
        import json, subprocess, sys, time
        viewer = subprocess.Popen([sys.argv[1], sys.argv[2]],
                                  stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)

        def ask(method, *words):
            done = subprocess.run(
                ["dbus-send", "--session", "--print-reply=literal",
                 "--dest=org.kde.kcachegrind-%d" % viewer.pid,
                 "/kcachegrind/MainWindow_1", method, *words],
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            return done.stdout.decode("utf-8", "replace").strip()

        def title():
            return ask("org.freedesktop.DBus.Properties.Get",
                       "string:org.qtproject.Qt.QWidget",
                       "string:windowTitle")

        deadline = time.monotonic() + 500
        while sys.argv[2] not in title() and time.monotonic() < deadline:
            time.sleep(0.1)
        said = [title()] + [ask("org.kde.kcachegrind.setFunction",
                                "string:" + name) for name in sys.argv[3:]]
        viewer.kill()
        viewer.wait()
        json.dump(said, sys.stdout)
        """

    @once
    def test_kcachegrind(self):
        viewer = consumers.need(self, "kcachegrind")
        bus = consumers.need(self, "dbus-run-session")
        consumers.need(self, "dbus-send")
        self.make()
        path = self.export("callgrind")
        self.tmp.chmod(0o700)
        names = ["%s:%d" % (name, self.function(name)[0])
                 for name in ("fib", "even", "odd", "work", "numbers")]
        title, *known = json.loads(self.command(
            [bus, "--", self.py.path, self.script(self.KCACHEGRIND, "ask.py"),
             viewer, path, *names, "nobody:1"],
            {"QT_QPA_PLATFORM": "offscreen", "XDG_RUNTIME_DIR": self.tmp})
            .stdout)
        self.assertIn(self.value(
            "select command from processes order by started_ns limit 1")
            .split()[-1], title)
        self.assertEqual(known, ["boolean true"] * len(names) +
                         ["boolean false"])

    @once
    def test_gprof2dot(self):
        gprof2dot = consumers.need(self, "gprof2dot")
        dot = consumers.need(self, "dot")
        self.make()
        for format in "callgrind", "pstats", "collapsed":
            if format == "pstats":      # and it can't print lone surrogates
                self.script("def fib(): pass\nfib()")
                self.make()
            reader = {"collapsed": "collapse"}.get(format, format)
            path = self.export(format)
            graph = self.command([gprof2dot, "-n0", "-e0", "-f", reader,
                                  path]).stdout
            self.assertIn("fib", graph)
            self.command([dot, "-Tsvg"], input=graph)

    @once
    def test_dot(self):
        dot = consumers.need(self, "dot")
        self.make()
        ns, _ = self.total()
        path = self.export("dot")
        svg = self.command([dot, "-Tsvg", path]).stdout
        self.assertIn("run 1, %.9f seconds" % (ns * 1e-9), svg)
        line, (calls, own, cum) = self.function("fib")
        self.assertIn('label="fib\\n%s:%d\\n%.2f%% (%.2f%%)\\n%d\u00d7"' % (
            self.app, line, 100 * cum / ns, 100 * own / ns, calls),
            path.read_text(encoding="utf-8"))

    @once
    def test_go_tool_pprof(self):
        self.make()
        samples = self.pprof_raw(self.export("pprof"))
        ns, calls = self.total()
        self.assertEqual(sum(s[1] for s in samples), ns)
        self.assertEqual(sum(s[0] for s in samples), calls)
        fib = [s for s in samples if s[2][0].startswith("fib ")]
        self.assertEqual((sum(s[0] for s in fib), sum(s[1] for s in fib)),
                         self.function("fib")[1][:2])
        for pid, n in self.rows(
                "select pid, sum(s.calls + s.resumes) from function_stats s "
                "join threads t on t.id = s.thread_id join processes p "
                "on p.id = t.process_id group by pid"):
            self.assertEqual(sum(s[0] for s in samples
                                 if s[3]["process_id"] == str(pid)), n)
        deepest = max(len(s[2]) for s in samples)
        self.assertEqual(deepest, max(len(s) for s, _ in self.collapsed(
            self.export("collapsed"))) - 1)             # the thread

    @once
    def test_go_tool_pprof_top(self):
        self.make()
        text = self.pprof("-top", "-unit=ns", "-nodefraction=0",
                          "-nodecount=0", self.export("pprof"))
        ns, _ = self.total()
        self.assertIn("of %dns total" % ns, text)
        _, (_, own, cum) = self.function("fib")
        self.assertRegex(text, r"(?m)^ *%dns +\S+ +\S+ +%dns +\S+  fib$"
                         % (own, cum))

    @once
    def test_pprof_format(self):
        package = consumers.need(self, "pprof-format")
        node = consumers.need(self, "node")
        self.make()
        script = self.script("""
            const {Profile} = require(process.argv[2]);
            const data = require("fs").readFileSync(process.argv[3]);
            const p = Profile.decode(require("zlib").gunzipSync(data));
            const text = n => p.stringTable.strings[Number(n)];
            const sums = p.sampleType.map((_, i) => p.sample.reduce(
                (sum, s) => sum + BigInt(s.value[i]), 0n));
            console.log(JSON.stringify({
                types: p.sampleType.map(t => [text(t.type), text(t.unit)]),
                main: text(p.defaultSampleType), sums: sums.map(String),
                files: p.function.map(f => text(f.filename)),
                start: String(p.timeNanos)}));
            """, "read.js")
        read = json.loads(self.command([node, script, package,
                                        self.export("pprof")]).stdout)
        ns, calls = self.total()
        self.assertEqual(read["types"], [["calls", "count"],
                                         ["time", "nanoseconds"]])
        self.assertEqual((read["main"], read["sums"]),
                         ("time", [str(calls), str(ns)]))
        self.assertEqual(int(read["start"]),
                         self.value("select started_ns from runs"))
        self.assertIn("\\udcff.py", read["files"])

    @once
    def test_sqlite_reads_csv(self):
        sqlite3 = consumers.need(self, "sqlite3")
        self.make()
        path = self.export("csv")
        count = self.command([sqlite3, ":memory:", "-csv", "-cmd",
                              ".import %s t" % path,
                              "select count(*), sum(ncalls) from t"]).stdout
        self.assertEqual(count.strip(), "%d,%d" % (
            len(self.functions()), self.total()[1]))

    # ------------------------------------------------------------ failures --

    @once
    def test_what_has_no_paths_says_so(self):
        self.python(["-m", "cProfile", "-o", self.tmp / "c.prof",
                     self.script("len('x')", "one.py")])
        self.tool("import", "-o", self.db, self.tmp / "c.prof")
        for format in STACKS:
            done = self.tool("export", "-f", format, "-o",
                             self.tmp / "none", self.db, check=1)
            self.assertRegex(done.stderr, r"^proflite export: run 1 has no "
                             r"call paths: another profiler .*\n$")
            self.assertFalse((self.tmp / "none").exists())
        for format in GRAPHS:
            self.export(format)

    @once
    def test_an_empty_run(self):
        self.make()
        # A run whose process recorded nothing
        connection = sqlite3.connect(self.db)
        for table in ("nodes", "function_stats", "call_stats", "threads"):
            connection.execute("delete from " + table)
        connection.commit()
        connection.close()
        for format in STACKS + GRAPHS:
            self.export(format)
