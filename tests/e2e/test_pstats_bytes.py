# SPDX-License-Identifier: MIT
"""`proflite report` prints what pstats prints of the exported file: to the
byte, for every sort key, restriction and form, by the pstats of every Python.

pstats' own words come from one process under self.py, which reads a list of
cases and answers with a list of texts; ours from one `proflite` each.
"""

import json
import os
import random

from harness import Case, once

EXPECTED = r"""
import codecs, io, json, pstats, sys, warnings
warnings.simplefilter("ignore")

# Lone surrogates: those that stand for a byte as that byte, as
# "surrogateescape" has it; the others, which no encoding has, as \udXXX.
def put(error):
    out = b""
    for c in map(ord, error.object[error.start:error.end]):
        out += bytes([c - 0xdc00]) if 0xdc80 <= c <= 0xdcff else b"\\u%04x" % c
    return out, error.end
codecs.register_error("put", put)

def text(case):
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="utf-8", errors="put", newline="\n")
    try:
        stats = pstats.Stats(case["file"], stream=out)
    except TypeError:                   # pstats takes no file without functions
        stats = pstats.Stats(stream=out)
    files = len(stats.files)
    if case["strip"]:
        stats.strip_dirs()
    stats.sort_stats(*case["keys"])
    if case["reverse"]:
        stats.reverse_order()
    getattr(stats, "print_" + case["form"])(*case["restrictions"])
    out.flush()
    text = raw.getvalue()
    if files and case["form"] == "stats":       # its name and date
        text = text.split(b"\n\n", 1)[1]
    return text.decode("latin-1")

with open(sys.argv[1]) as f:
    cases = json.load(f)
json.dump([text(c) for c in cases], sys.stdout)
"""

KEYS = ["calls", "ncalls", "cumtime", "cumulative", "filename", "line",
        "module", "name", "nfl", "pcalls", "stdname", "time", "tottime",
        "ca", "cu", "cumt", "cumu", "nc", "na", "nf", "p", "f", "l", "m", "s",
        "ti", "to", "stdn", -1, 0, 1, 2]

RESTRICTIONS = [
    [], [], [5], [0], [-3], [10**6], [0.1], [0.0], [0.5, 3], [0.999], [1.5],
    [1e-05], ["json"], [r"^\{"], ["a", 7, "e"], [r"\d+\(", 0.3],
    ["é|ï|函"], ["(?i)JSON|COLL"], ["'"], ['"'], ["it's"], ["built-in"],
    [r"^(?!.*built).*$", 4], [r"\w+\.py:\d+\(<"], [r"\)$"], ["nothing matches"],
    ["ж|к.ю", 2], [r"\Z"], ["(?P<a>.)(?P=a)", 0.25], [r"\x7b\u006d"],
    [r"[^\W\d_]{,4}:"], [r"\u00e9\n"], ["a{"], ["(?:a|b){2}"], ["😀", 1],
    ["\udcff"], ["/", 0.5, 0.5], ["[[:alpha:]]x"], ["1e"],
    # no regular expressions
    ["("], ["[a-z"], ["*"], [r"\h"], ["(?<x>a)", 3],
]

WRONG = ("(", "[a-z", "*", r"\h", "(?<x>a)")

PER_FILE = 40


def cases(file, seed):
    """Each key and form once, and restrictions, keys and flags by chance."""
    r = random.Random(seed)

    def case(form, keys, restrictions, reverse=False, strip=False):
        return {"file": str(file), "form": form, "keys": keys,
                "restrictions": restrictions, "reverse": reverse,
                "strip": strip}

    for i, key in enumerate(KEYS):
        yield case(("stats", "callers", "callees")[i % 3], [key], [8 * i])
    for restrictions in RESTRICTIONS:
        yield case(r.choice(["stats", "callers", "callees"]),
                   [r.choice(KEYS)], restrictions)
    names = [k for k in KEYS if isinstance(k, str)]
    for _ in range(PER_FILE):
        yield case(r.choice(["stats", "stats", "callers", "callees"]),
                   r.sample(names, r.choice([1, 1, 2, 3])),
                   r.choice(RESTRICTIONS) + r.choice(RESTRICTIONS[:16]),
                   r.random() < .3, r.random() < .5)


class PstatsBytes(Case):
    def compare(self, runs):
        """@runs: {number: exported file}, of self.db"""
        plan = [(run, c) for run, file in runs.items()
                for c in cases(file, file.name)]
        path = self.tmp / "cases.json"
        path.write_text(json.dumps([c for _, c in plan]))
        program = self.script(EXPECTED, "expected.py")
        texts = json.loads(self.python([program, path]).stdout)
        self.assertEqual(len(texts), len(plan))
        for (run, case), text in zip(plan, texts):
            wrong = any(w in case["restrictions"] for w in WRONG)
            self.assertEqual(text.encode("latin-1"),
                             self.ours(run, case, 2 if wrong else 0), case)

    def ours(self, run, case, check):
        words = ["report"] if case["form"] == "stats" else [case["form"]]
        words += ["-n0", "--run=%s" % run]
        words += ["--strip-dirs"] * case["strip"] + ["-r"] * case["reverse"]
        for key in case["keys"]:
            words += ["-s", key]
        words += [self.db, "--", *[r if isinstance(r, str) else repr(r)
                                   for r in case["restrictions"]]]
        done = self.tool(*words, check=check)
        return done.stdout.encode("utf-8", "surrogateescape")

    def export(self, run):
        path = self.tmp / ("run %s.prof" % run)
        self.tool("export", "-f", "pstats", "-o", path, "--run=%s" % run,
                  self.db)
        return path

    def test_profiles_of_cprofile(self):
        self.python([self.program("many_functions.py"), self.tmp])
        files = sorted(self.tmp.glob("*.prof"))
        self.assertGreater(len(files), 3)
        self.tool("import", "-o", self.db, *files)
        runs = [id for id, in self.rows("select id from runs order by id")]
        self.assertEqual(len(runs), len(files))
        self.assertGreater(self.value("select max(n) from (select count(*) as n"
                                      " from pstats group by run_id)"), 1000)
        self.compare({run: self.export(run) for run in runs})

    def test_profiles_of_our_own(self):
        self.record([self.program("many_functions.py")])
        self.compare({1: self.export(1)})

    def test_what_no_options_print(self):
        self.python([self.program("many_functions.py"), self.tmp])
        self.tool("import", "-o", self.db, self.tmp / "names.prof")
        path = self.tmp / "cases.json"
        path.write_text(json.dumps([{
            "file": str(self.export(1)), "form": "stats", "keys": ["time"],
            "restrictions": [20], "reverse": False, "strip": False}]))
        text, = json.loads(self.python(
            [self.script(EXPECTED, "expected.py"), path]).stdout)
        total = self.value("select count(*) from pstats")
        self.assertEqual(
            self.tool("report").stdout.encode("utf-8", "surrogateescape"),
            text.encode("latin-1") +
            b"%d more functions are left out: -n 0 shows all\n" % (total - 20))

    @once
    def test_several_files_add_up_as_in_pstats(self):
        self.python([self.program("many_functions.py"), self.tmp])
        names = ["names.prof", "compile.prof", "many.prof"]
        self.tool("import", "--merge", "-o", self.db, *names)
        script = self.script(r"""
            import pstats, sys
            pstats.Stats(*sys.argv[2:]).dump_stats(sys.argv[1])
            """, "add.py")
        added = self.tmp / "added.prof"
        self.python([script, added, *names])
        self.tool("import", "-o", self.db, added)
        for form in "report", "callers", "callees":
            self.assertEqual(*[
                self.tool(form, "-n0", "-s", "nfl", "-s", "stdname",
                          "--run=%d" % run).stdout for run in (1, 2)])
        self.assertEqual(os.path.getsize(self.export(1)),
                         os.path.getsize(self.export(2)))
