# SPDX-License-Identifier: MIT
"""CSV that a spreadsheet opens: no cell of it is a formula."""

import csv
import io

from harness import Case, once

FORMULAS = ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", "'a",
            "=HYPERLINK(\"http://x\",\"y\")"]

PROGRAM = """
    def f(): pass
    def main():
        for name in %r:
            exec(compile("0", name, "exec"))
            g = type(f)(f.__code__.replace(co_name=name), {})
            g()
    main()
    """


DANGEROUS = tuple("=+-@\t\r\n")


class Csv(Case):
    def texts(self, *args):
        """The cells of `proflite @args`, of which none is a formula, as they
        were before an apostrophe was put in front."""
        # To a file: Popen's text mode would change the ends of lines.
        path = self.tmp / "out.csv"
        with open(path, "wb") as out:
            self.tool(*args, stdout=out)
        text = path.read_bytes().decode()
        rows = list(csv.reader(io.StringIO(text, newline="")))
        cells = [cell for row in rows[1:] for cell in row]
        self.assertEqual([c for c in cells if c[:1] in DANGEROUS and c], [])
        return {c[1:] if c[:1] == "'" else c for c in cells}

    @once
    def test_no_cell_is_a_formula(self):
        self.record([self.script(PROGRAM % (FORMULAS,))],
                    flags=["--label", "=1+1"])
        names = set(FORMULAS)
        for args in (("export", "-f", "csv"), ("report", "-o", "csv"),
                     ("callees", "-o", "csv"),
                     ("tree", "-o", "csv", "-n", "0", "--min-percent", "0")):
            with self.subTest(args[0]):
                self.assertLessEqual(names, self.texts(*args, self.db))
        self.assertIn("=1+1", self.texts("runs", "-o", "csv", self.db))
