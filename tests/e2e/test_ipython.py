# SPDX-License-Identifier: MIT
"""The magics, in IPython and in a notebook that Jupyter's nbclient runs."""

import json
import os
import re
from pathlib import Path

import consumers
from browser import Browser
from harness import PACKAGE, Case, once

SETUP = """
    %load_ext proflite
    def leaf():
        return 1
    def work(n):
        return sum(leaf() for _ in range(n))
    """


class IPython(Case):
    def ipython(self, cells, check=0):
        python = consumers.need(self, "python with ipython")
        program = self.script(SETUP, "app.ipy")
        with program.open("a") as f:
            f.write(cells)
        return self.command(
            [python, "-m", "IPython", "--no-banner", "--colors=NoColor",
             "--no-confirm-exit", program],
            {"PYTHONPATH": PACKAGE}, check=check).stdout

    def figures(self, table):
        """What a table says but for the times."""
        return sorted(re.findall(r"^ +(\d\S*) .* (\S+:\d+\(\S+\)|\{.*\})$", table,
                                 re.M))

    @once
    def test_as_prun(self):
        out = self.ipython(
            "%prun -q -T a.txt work(20)\n%proflite -q -T b.txt work(20)\n"
            "%prun -q -T c.txt -l leaf -s ncalls -s name work(3)\n"
            "%proflite -q -T d.txt -l leaf -s ncalls -s name work(3)\n")
        a, b, c, d = ((self.tmp / (name + ".txt")).read_text()
                      for name in "abcd")
        rows = self.figures(a)
        self.assertEqual(len(rows), 7, a)
        self.assertEqual(self.figures(b), rows)
        cut = re.compile(r"in \S+ seconds|\d\.\d{3}")
        self.assertEqual(cut.sub("", d), cut.sub("", c))
        self.assertIn("due to restriction <'leaf'>", d)
        self.assertIn("*** Table written to 'd.txt'.\n", out)
        self.assertNotIn("function calls", out)

    @once
    def test_prints_returns_and_writes(self):
        out = self.ipython(
            "stats = %proflite -r -l 2 -D x.prof -D x.db work(4)\n"
            "print('calls', stats.total_calls)\n"
            "x = %proflite -q y = work(5)\n"
            "print(x, y)\n"
            "import pstats\n"
            "print('read', pstats.Stats('x.prof').total_calls)\n"
            "%proflite -q raise SystemExit\n"
            "print('still here')\n")
        self.assertIn("List reduced from 7 to 2 due to restriction <2>\n", out)
        self.assertIn("calls 14\n", out)
        self.assertIn("None 5\n", out)
        self.assertIn("read 14\n", out)
        self.assertIn("*** SystemExit exception caught in code being "
                      "profiled.\nstill here\n", out)
        self.assertEqual(self.value("select ncalls from pstats where "
                                    "function = 'leaf'", db=self.tmp / "x.db"), 4)

    @once
    def test_an_exception_is_the_cells(self):
        out = self.ipython("%proflite 1/0\nprint(work(2))\n", check=None)
        self.assertIn("ZeroDivisionError", out)

    @once
    def test_flame_graph_on_a_terminal(self):
        out = self.ipython("%proflite -q -f work(3)\n")
        self.assertIn("(a flame graph, which a notebook shows)\n", out)

    @once
    def test_notebook(self):
        python = consumers.need(self, "python with nbclient")
        chromium = consumers.need(self, "chromium")
        book, page = self.tmp / "x.ipynb", self.tmp / "x.html"
        self.command([python, self.program("notebook.py"), book, page],
                     {"PYTHONPATH": PACKAGE, "PYDEVD_DISABLE_FILE_VALIDATION": 1})
        cells = json.loads(book.read_text())["cells"]
        text = "".join(cells[1]["outputs"][0]["text"])
        self.assertIn("due to restriction <3>", text)
        self.assertRegex(text, r"177/1 .*\(fib\)")
        shown, = cells[2]["outputs"]
        self.assertEqual(shown["output_type"], "display_data")
        self.assertEqual(shown["data"]["text/plain"],
                         ["(a flame graph, which a notebook shows)"])
        inner = "document.querySelector('iframe.proflite').contentDocument"
        with Browser(chromium, self.tmp, height=1400) as view:
            view.open(page)
            view.wait(inner + ".body.dataset.ready")
            view.value("document.querySelector('iframe').scrollIntoView("
                       "{block: 'end'})")
            view.frame()
            shown = view.value(inner + ".body.innerText")
            for name in "fib", "total":
                self.assertIn(name, shown)
            # What it says of itself, not what the notebook's own page lacks
            # without a network.
            self.assertEqual([e for e in view.errors if "srcdoc" in e], [])
            keep = os.environ.get("PL_PICTURE")
            if keep:            # to look at
                view.picture(Path(keep))
