# SPDX-License-Identifier: MIT
"""The queries of doc/queries.md answer."""

import csv
import io
import re

import consumers
from harness import SOURCE, Case, once

PROGRAM = """
    import json, subprocess, sys, threading

    def numbers(n):
        for i in range(n):
            yield i

    def fib(n):
        return n if n < 2 else fib(n - 1) + fib(n - 2)

    def added():
        pass

    def work(n):
        return json.dumps([sum(numbers(n)), fib(n)])

    def main():
        thread = threading.Thread(target=work, args=(5,), name="worker")
        thread.start()
        thread.join()
        work(int(sys.argv[1]))
        if len(sys.argv) > 2:
            added()
            subprocess.run([sys.executable, __file__, "3"], check=True)

    main()
    """


class Queries(Case):
    @once
    def test_every_query_has_an_answer(self):
        consumers.need(self, "sqlite3")
        app = self.script(PROGRAM)
        self.record([app, "4"], options="clock=step", flags=["--label", "old"])
        self.record([app, "6", "more"], options="clock=step")
        text = (SOURCE / "doc/queries.md").read_text(encoding="utf-8")
        queries = re.findall(r"(?s)```sql\n(.*?)```", text)
        numbers = re.findall(r"(?m)^(\d+)\. ", text)
        self.assertEqual(numbers, [str(i) for i in range(1, 21)])
        self.assertEqual(len(queries), 20)
        answers = []
        for number, query in enumerate(queries, 1):
            with self.subTest(number):
                done = self.tool("sql", "-o", "csv", self.db, query)
                self.assertEqual(done.stderr, "")
                rows = list(csv.DictReader(io.StringIO(done.stdout)))
                self.assertTrue(rows, query)
                answers.append(rows)
        self.assertEqual([r["caller_function"] for r in answers[6]], ["work"])
        self.assertEqual([r["ncalls"] for r in answers[6]], ["4"])
        self.assertIn("fib", [r["function"] for r in answers[11]])
        self.assertIn("numbers", [r["name"] for r in answers[14]])
        self.assertEqual(len(answers[15]), 4)           # threads
        self.assertEqual([r["parent"] == "" for r in answers[16]],
                         [True, False])
        self.assertEqual([(r["run_id"], r["label"], r["ncalls"])
                          for r in answers[17]],
                         [("1", "old", "1"), ("2", "", "2")])
        self.assertIn("added", [r["function"] for r in answers[19]])
        self.assertNotIn("work", [r["function"] for r in answers[19]])
