# SPDX-License-Identifier: MIT
"""Real programs make as many calls for us as they do for cProfile.

Both watch the same code run: programs/drive.py, which does what `python -m
cProfile` does, executes programs/stdlib.py; once with cProfile on, and once
recorded by us without it. Compared are all functions below the program's
<module>, Python's and C's alike. What is left out, by name:

    exec, and disable of cProfile's   the runner's own calls
    addresses in names                <built-in method __new__ of type ... at 0x7f>
"""

import json
import re

from harness import PROGRAMS, Case

NAMES = re.findall(r"^def run_(\w+)", (PROGRAMS / "stdlib.py").read_text(),
                   re.M)

OURS = """
    select f.filename, f.line, f.name, sum(n.calls + n.resumes)
    from nodes n join functions f on f.id = n.function_id
    join nodes top on n.id between top.id and top.last_id
    join functions t on t.id = top.function_id
    where t.name = '<module>' and t.filename = ? group by f.id"""

RUNNERS = {("~", 0, "<built-in method builtins.exec>"): 1,
           ("~", 0, "<method 'disable' of '_lsprof.Profiler' objects>"): 1}


def table(rows):
    counts = {}
    for file, line, name, n in rows:
        key = file, line, re.sub(" at 0x[0-9a-f]+", "", name)
        counts[key] = counts.get(key, 0) + n
    return counts


class Counting(Case):
    def theirs(self, words):
        out = self.tmp / "cprofile.json"
        self.command([self.py.path, self.program("drive.py"), "-c", out,
                      *words])
        counts = table(json.loads(out.read_text()))
        for key, n in RUNNERS.items():
            counts[key] -= n
            if not counts[key]:
                del counts[key]
        return counts

    def ours(self, words):
        self.record([self.program("drive.py"), *words])
        counts = table(self.rows(OURS, str(words[0])))
        self.db.unlink()
        return counts

    def check(self, name):
        words = [self.program("stdlib.py"), name]
        ours, theirs = self.ours(words), self.theirs(words)
        self.assertGreater(len(theirs), 20)
        self.assertEqual(
            {k: (ours.get(k), theirs.get(k)) for k in {*ours, *theirs}
             if ours.get(k) != theirs.get(k)}, {})



def of(name):
    return lambda self: self.check(name)


# A test for each program.
Counts = type("Counts", (Counting,), {"test_" + name: of(name)
                                      for name in NAMES})
