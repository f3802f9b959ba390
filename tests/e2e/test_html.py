# SPDX-License-Identifier: MIT
"""The page of `proflite export -f html`, in a headless Chromium."""

import json
import os
import re
import shutil
from pathlib import Path

import consumers
from browser import Browser
from harness import Case, once

PROGRAM = r'''
    import json, subprocess, sys, threading

    def fib(n):
        return n if n < 2 else fib(n - 1) + fib(n - 2)

    class Parser:
        def parse(self):
            return json.dumps({"a": [1, 2, 3]})

    def work(n):
        fib(n)
        Parser().parse()

    exec(compile("def evil(): pass\nevil()",
                 "<img src=x onerror=alert(1)></script>.py", "exec"))
    thread = threading.Thread(target=work, args=(7,), name="<b>worker</b>")
    thread.start()
    thread.join()
    work(9)
    if len(sys.argv) > 1:
        subprocess.run([sys.executable, __file__], check=True)
    '''


class Html(Case):
    def setUp(self):
        self.app = self.script(PROGRAM)

    def make(self, *args):
        self.record([self.app, *args], options="clock=step")

    def export(self, *flags):
        path = self.tmp / "page.html"
        self.tool("export", "-o", path, *flags, self.db)
        return path

    def browse(self, path, **kwargs):
        chromium = consumers.need(self, "chromium")
        (self.tmp / "browser").mkdir(exist_ok=True)
        browser = Browser(chromium, self.tmp / "browser", **kwargs)
        self.addCleanup(browser.__exit__)
        browser.open(path)
        browser.wait("document.body && document.body.dataset.drawn")
        return browser

    def picture(self, page, name):
        """Keep a picture if PL_PICTURES names a folder."""
        folder = os.environ.get("PL_PICTURES")
        if folder:
            page.picture(Path(folder) / (name + ".png"))

    def quiet(self, page, path):
        """Nothing went wrong, and nothing was fetched."""
        self.assertEqual(page.errors, [])
        self.assertEqual(page.requests, [path.as_uri()])

    def figures(self):
        """{(function, file:line): (calls, self, total)} as the database has
        them."""
        return {(q or n, "" if f == "~" else "%s:%d" % (f, l)): tuple(row)
                for q, n, f, l, *row in self.rows(
            "select case when kind = 'python' then qualname end, "
            "case kind when 'c' then '{' || substr(f.name, 2, length(f.name) - "
            "2) || '}' else f.name end, filename, line, sum(calls + resumes), "
            "sum(self_ns), sum(cum_ns) from function_stats s "
            "join functions f on f.id = s.function_id "
            "join threads t on t.id = s.thread_id where counted group by f.id")}

    def page_figures(self, page):
        rows = json.loads(page.value(
            "JSON.stringify(data.functions.map((f, i) => [f.name, placeOf(i), "
            "view.functions.calls[i], view.functions.self[i], "
            "view.functions.cum[i]]))"))
        return {(r[0], r[1]): tuple(r[2:]) for r in rows
                if any(r[2:])}

    @once
    def test_figures_are_those_of_the_database(self):
        self.make("child")
        path = self.export()
        page = self.browse(path)
        self.assertEqual(self.page_figures(page), self.figures())
        self.assertEqual(page.value("view.total[0]"), self.value(
            "select sum(self_ns) from function_stats"))
        self.assertEqual(page.value("view.n - 1") > 100, True)
        # each pair, as the database has it
        pairs = json.loads(page.value(
            "JSON.stringify(view.functions.pairs.map(p => "
            "[nameOf(p.caller), nameOf(p.callee), p.calls, p.cum]))"))
        self.assertEqual(
            sorted(p[2:] for p in pairs if p[:2] == ["fib", "fib"]),
            [list(self.rows(
                "select sum(calls), sum(cum_ns) from call_stats s "
                "join functions f on f.id = caller_id join functions g "
                "on g.id = callee_id where f.name = 'fib' and g.name = 'fib'"
            )[0])])
        self.quiet(page, path)

    @once
    def test_threads_and_processes_can_be_chosen(self):
        self.make("child")
        page = self.browse(self.export())
        values = json.loads(page.value(
            "JSON.stringify([...document.querySelectorAll('#threads option')]"
            ".map(o => o.value))"))
        self.assertEqual(len(values), 1 + 2 + 4)
        for value in values:
            page.value("$('threads').value = %s, $('threads').dispatchEvent("
                       "new Event('change'))" % json.dumps(value))
            kind, _, id = value.partition(" ")
            where = {"all": "1", "p": "process_id = " + id,
                     "t": "t.id = " + id}[kind]
            self.assertEqual(
                [page.value("view.total[0]"),
                 page.value("view.functions.calls.reduce((a, b) => a + b)")],
                list(self.rows(
                    "select sum(self_ns), sum(calls + resumes) from "
                    "function_stats s join threads t on t.id = s.thread_id "
                    "where " + where)[0]))

    @once
    def test_looks(self):
        self.make("child")
        path = self.export()
        page = self.browse(path)
        self.picture(page, "page")
        self.assertEqual(page.value("document.title"),
                         "run 1: " + self.value(
                             "select command from processes order by started_ns"
                             " limit 1"))
        # Names are text.
        self.assertEqual(page.value("document.querySelectorAll('img').length"),
                         0)
        self.assertIn("<b>worker</b>", page.value(
            "$('threads').textContent"))

        # Click on a bar: zoom, and details with the source
        page.click("#search")
        page.type(r"Parser\.parse$|Parser\.parse ")
        self.assertRegex(page.value("$('found').value"),
                         r"^1 function: \S+ ns \([\d.]+%\)$")
        self.picture(page, "search")
        x, y = page.value(
            "(() => { const i = view.func.findIndex(f => f >= 0 && "
            "nameOf(f) === 'Parser.parse'), g = geometry(), "
            "b = canvas.getBoundingClientRect(); return [b.x + (view.x[i] + "
            "view.width[i] / 2) * g.scale, b.y + g.y(view.depth[i]) + 8]; })()")
        page.mouse(x, y)
        page.frame()
        self.assertIn("Parser.parse", page.value("$('tip').textContent"))
        page.click_at(x, y)
        details = page.value("$('details').innerText")
        self.assertIn("Parser.parse\n%s:8" % self.app, details)
        self.assertIn("def parse(self):", details)
        self.assertRegex(details, r"callers\nwork\t")
        self.assertRegex(details, r"callees\ndumps\t")
        self.assertRegex(page.value("$('path').textContent"),
                         r"^all › .*work › Parser\.parse$")
        self.assertLess(page.value("state.to - state.from"), 0.5)
        self.picture(page, "zoomed")
        # Esc: all again
        page.key("Escape")
        self.assertEqual(page.value("[state.from, state.to, $('found').value, "
                                    "$('path').textContent].join()"),
                         "0,1,,all")
        # a link of the details
        page.click("#details a")
        self.assertEqual(page.value("nameOf(state.func)"), "work")
        page.value("document.body.focus()")
        page.key("/", text="/")
        self.assertEqual(page.value("document.activeElement.id"), "search")
        self.quiet(page, path)

    @once
    def test_wrong_expressions_are_marked(self):
        self.make()
        page = self.browse(self.export())
        page.click("#search")
        page.type("(")
        self.assertTrue(page.value("$('search').className"))
        self.assertEqual(page.value("$('found').value"), "")
        page.type(")")
        self.assertFalse(page.value("$('search').className"))

    @once
    def test_zoom_by_wheel_and_drag(self):
        self.make()
        page = self.browse(self.export())
        box = page.value("(b => [b.x, b.y, b.width])"
                         "(canvas.getBoundingClientRect())")
        page.mouse(box[0] + box[2] / 4, box[1] + 40, "mouseWheel",
                   deltaX=0, deltaY=-400, modifiers=8)
        page.frame()
        seen = page.value("[state.from, state.to]")
        self.assertLess(seen[1] - seen[0], 0.5)
        self.assertTrue(seen[0] < 0.25 < seen[1])
        page.mouse(box[0] + 300, box[1] + 40, "mousePressed", button="left",
                   buttons=1)
        page.mouse(box[0] + 200, box[1] + 40, buttons=1, button="left")
        page.mouse(box[0] + 200, box[1] + 40, "mouseReleased", button="left")
        page.frame()
        moved = page.value("[state.from, state.to]")
        self.assertGreater(moved[0], seen[0])
        self.assertAlmostEqual(moved[1] - moved[0], seen[1] - seen[0])
        self.assertEqual(page.value("state.func"), -1)

    @once
    def test_table(self):
        self.make()
        page = self.browse(self.export())

        def column(n):
            return json.loads(page.value(
                "JSON.stringify([...document.querySelectorAll('.row')].map("
                "r => r.children[%d].textContent))" % n))

        def numbers(n):
            units = {"": 1, "ns": 1, "µs": 1e3, "ms": 1e6, "s": 1e9}
            return [float(m[1]) * units[m[2]] for m in (
                re.match(r"([\d.]+)(?:/\d+)? ?(\D*)$", c.replace(",", ""))
                for c in column(n))]

        self.assertEqual(numbers(1), sorted(numbers(1), reverse=True))
        page.click("#head button[data-id=ncalls]")
        self.assertEqual(numbers(0), sorted(numbers(0), reverse=True))
        page.click("#head button[data-id=ncalls]")
        self.assertEqual(numbers(0), sorted(numbers(0)))
        page.click("#head button[data-id=name]")
        self.assertEqual(column(6), sorted(column(6)))
        page.click("#search")
        page.type("fib")
        self.assertEqual(len(column(6)), 1)
        page.click(".row")
        self.assertEqual(page.value("nameOf(state.func)"), "fib")
        calls, own, cum = self.figures()["fib", "%s:4" % self.app]
        details = page.value("$('details').innerText")
        self.assertIn("calls\t%d\n" % calls, details)
        self.assertIn("not recursive\t2\n", details)
        self.assertRegex(details, r"total\t%d ns " % cum)
        self.assertRegex(details, r"self\t%d ns " % own)

    @once
    def test_weights_and_directions(self):
        self.make()
        page = self.browse(self.export())
        calls = page.value("view.functions.calls.reduce((a, b) => a + b)")
        page.click("#weight button[data-value=calls]")
        self.assertEqual(page.value("view.width[0]"), calls)
        before = page.value("geometry().y(1)")
        page.click("#direction button[data-value=up]")
        self.assertGreater(page.value("geometry().y(1)"), before)
        self.picture(page, "flame")
        deepest = page.value("view.deepest")
        page.click("#fold")
        self.assertLess(page.value("view.deepest"), deepest)
        self.assertEqual(page.value("view.width[0]"), calls)
        fib = page.value(
            "[...view.func].filter(f => f >= 0 && nameOf(f) === 'fib').length")
        self.assertEqual(fib, 2)        # below work, in each thread

    @once
    def test_keys(self):
        self.make()
        page = self.browse(self.export())

        def at():
            return page.value(
                "[...pathOf(state.path)].map(i => nameOf(view.func[i]))"
                ".join(' ')")

        page.value("$('scroll').focus()")
        page.key("ArrowDown")
        self.assertEqual(at(), "<module>")
        page.key("ArrowDown")
        first = at()
        page.key("ArrowRight")
        self.assertNotEqual(at(), first)
        self.assertEqual(len(at().split()), len(first.split()))
        page.key("ArrowLeft")
        self.assertEqual(at(), first)
        page.key("ArrowUp")
        self.assertEqual(at(), "<module>")
        # what is too narrow to see is zoomed to
        page.click("#search")
        page.type("^Parser.parse")
        page.key("Enter")
        self.assertRegex(at(), "work Parser.parse$")
        self.assertIn("Parser.parse\n", page.value("$('details').innerText"))
        self.assertGreater(page.value(
            "view.width[state.path] * geometry().scale"), 5)
        found = at()
        page.key("n")
        self.assertRegex(at(), "work Parser.parse$")
        self.assertNotEqual(page.value("state.path"), 0)
        page.key("N")
        self.assertEqual(at(), found)
        page.key("Enter")
        self.assertEqual(page.value("state.zoomed"), page.value("state.path"))
        page.key("Backspace")
        self.assertEqual(page.value("state.zoomed"),
                         page.value("view.parent[state.path]"))
        wide = page.value("state.to - state.from")
        page.key("+")
        self.assertAlmostEqual(page.value("state.to - state.from"), wide / 2)
        page.key("?")
        self.assertTrue(page.value("$('keys').open"))
        page.value("$('keys').close()")
        page.key("Escape")
        self.assertNotEqual(page.value("state.func"), -1)
        page.key("Escape")
        self.assertEqual(page.value(
            "[state.from, state.to, state.func, state.path].join()"),
            "0,1,-1,-1")
        # down in the table
        page.value("$('rows').focus()")
        for name in page.value("[...document.querySelectorAll('.row b')]"
                               ".slice(0, 3).map(b => b.textContent)"):
            page.key("ArrowDown")
            self.assertEqual(page.value("nameOf(state.func)"), name)
        self.assertEqual(page.errors, [])

    @once
    def test_light_and_dark(self):
        self.make()
        page = self.browse(self.export())

        def colors():
            return page.value(
                "[getComputedStyle(document.body).backgroundColor, "
                "colorOf(0), colorOfChange(0)]")

        self.assertEqual(colors()[0], "rgb(255, 255, 255)")
        light = colors()
        page.key("t")
        self.picture(page, "dark")
        for was, now in zip(light, colors()):
            self.assertNotEqual(was, now)
        page.click("#theme")
        self.assertEqual(colors(), light)

    @once
    def test_colours_say_where_time_goes(self):
        self.make()
        page = self.browse(self.export())
        shares = dict(re.findall(r"([a-z][a-z -]+) ([\d.]+)%", page.value(
            "$('legend').innerText")))
        where = {"program": "filename like '%app.py' or filename like '<img%'",
                 "built-in": "filename = '~'"}
        for name, condition in where.items():
            self.assertAlmostEqual(float(shares[name]), self.value(
                "select 100.0 * sum(self_ns) filter (where " + condition +
                ") / sum(self_ns) from function_stats s "
                "join functions f on f.id = function_id"), delta=0.051)
        self.assertAlmostEqual(sum(map(float, shares.values())), 100,
                               delta=0.2)

    @once
    def test_sources(self):
        self.make()
        # Only what is as it was when it ran, and only Python
        text = self.export().read_text(encoding="utf-8")
        self.assertIn('"source":"def fib(n):"', text)
        os.utime(self.app, (2**31, 2**31))
        text = self.export().read_text(encoding="utf-8")
        self.assertNotIn('"source":"def fib(n):"', text)
        self.app.unlink()
        os.mkfifo(self.app)
        self.assertNotIn('def fib', self.export().read_text(encoding="utf-8"))

    @once
    def test_a_hundred_thousand_paths_load_in_two_seconds(self):
        self.record([self.program("wide.py"), "16"])
        self.assertGreater(self.value("select count(*) from nodes"), 100000)
        path = self.export()
        self.assertLess(path.stat().st_size, 12 * self.value(
            "select count(*) from nodes"))
        page = self.browse(path)
        page.wait("document.body.dataset.ready")
        used = page.cpu_seconds()
        print("%d paths in %s ms, %.2f s of processors" % (
            page.value("view.n - 1"),
            page.value("document.body.dataset.ready"), used))
        self.assertLess(used, 2)
        self.picture(page, "wide")
        self.assertEqual(page.errors, [])
        self.assertEqual(set(page.requests), {path.as_uri()})

    @once
    def test_a_difference_in_red_and_blue(self):
        self.make()
        # the same functions, further down in the file; some calls more
        self.script("    # a line more\n" + PROGRAM.replace(
            "work(9)", "work(10)").replace(
            'json.dumps({"a": [1, 2, 3]})', '"none"'))
        self.make()
        path = self.export("--base", "1")
        page = self.browse(path)
        self.picture(page, "difference")
        self.assertIn("compared with run 1", page.value("document.title"))

        def now_and_then(name):
            return tuple(page.value(
                "(i => [view.functions.calls[i], view.functions.oldCalls[i], "
                "view.functions.self[i], view.functions.oldSelf[i]])"
                "(data.functions.findIndex(f => f.name === %s))"
                % json.dumps(name)))

        for name in "fib", "Parser.parse", "work":
            self.assertEqual(now_and_then(name), tuple(
                n for column in ("calls", "self_ns") for n, in self.rows(
                    "select sum(s.%s) from function_stats s join threads t "
                    "on t.id = s.thread_id join processes p on p.id = "
                    "process_id join functions f on f.id = s.function_id "
                    "where ifnull(qualname, f.name) = ? group by run_id "
                    "order by run_id desc" % column, name)))
        totals = self.rows("select sum(self_ns) from function_stats s "
                           "join threads t on t.id = s.thread_id join "
                           "processes p on p.id = process_id group by run_id "
                           "order by run_id desc")
        self.assertEqual([(n,) for n in page.value(
            "[view.total[0], view.oldTotal[0]]")], totals)

        # fib is red, dumps (which is gone) blue, and there
        change = page.value(
            "Object.fromEntries(['fib', 'dumps'].map(n => [n, view.change["
            "view.func.findIndex(f => f >= 0 && nameOf(f) === n)]]))")
        self.assertGreater(change["fib"], 0)
        self.assertEqual(change["dumps"], -1)
        self.assertRegex(page.value("colorOfChange(0.5)"), r"^hsl\(0 ")
        self.assertRegex(page.value("colorOfChange(-0.5)"), r"^hsl\(215 ")
        page.value("select(data.functions.findIndex(f => f.name === 'dumps'))")
        self.assertRegex(page.value("$('details').innerText"),
                         r"calls\s+0 was 2 \(-2\)")
        for side, at in ("after", 0), ("before", 1):
            page.click("#side button[data-value=%s]" % side)
            self.assertEqual((page.value("view.width[0]"),), totals[at])
        self.quiet(page, path)

        # a label is the latest run that has it
        self.tool("export", "-f", "html", "--base", "x", self.db, check=1)
        self.tool("export", "-f", "csv", "--base", "1", self.db, check=2)

    @once
    def test_an_old_browser_says_so(self):
        self.make()
        path = self.export()
        old = self.tmp / "old.html"
        old.write_text(path.read_text(encoding="utf-8").replace(
            '"use strict";', '"use strict"; delete window.DecompressionStream;',
            1), encoding="utf-8")
        shutil.copy(old, path)
        chromium = consumers.need(self, "chromium")
        (self.tmp / "browser").mkdir()
        with Browser(chromium, self.tmp / "browser") as page:
            page.open(path)
            self.assertIn("too old for the page", page.wait(
                "document.querySelector('#error')?.textContent"))
