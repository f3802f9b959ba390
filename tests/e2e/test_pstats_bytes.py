# SPDX-License-Identifier: MIT
"""`proflite report` prints what pstats prints of the exported file: to the
byte, for every sort key, restriction and form, by the pstats of every Python.

The text of pstats comes from one process under self.py, which reads a list of
cases and returns a list of texts; ours from one `proflite` each.  The Pythons
share the cases of a file, in turns that begin elsewhere for each file: so each
file has every case, and each Python has every sort key and restriction.
"""

import itertools
import json
import marshal
import random

import pythons
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
        stats = pstats.Stats(*case["files"], stream=out)
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
    if files and case["form"] == "stats":       # their names and dates
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

# What sums of times that are no whole nanoseconds do not put in another order.
UNTIMED = ["calls", "ncalls", "filename", "line", "module", "name", "nfl",
           "pcalls", "stdname"]

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

FORMS = ("stats", "callers", "callees")
PER_FILE = 30                   # of all Pythons together


def turns(python, file, all):
    """Those of @all whose turn it is under @python for the file of that
    number, with their places."""
    n = len(pythons.found())
    first = (pythons.found().index(python) + file) % n
    return list(enumerate(all))[first::n]


def cases(python, number, files, every=True,
          names=[k for k in KEYS if isinstance(k, str)]):
    """The share of @python in the random cases of @files, the @number-th of
    those compared; with @every also in each key and each restriction."""
    r = random.Random("%s %s" % (python.name, " ".join(f.name for f in files)))

    def case(form, keys, restrictions, reverse=False, strip=False):
        return {"files": list(map(str, files)), "form": form, "keys": keys,
                "restrictions": restrictions, "reverse": reverse,
                "strip": strip}

    for i, key in turns(python, number, KEYS if every else ()):
        yield case(FORMS[i % 3], [key], [8 * i])
    for _, restrictions in turns(python, number, RESTRICTIONS if every else ()):
        yield case(r.choice(FORMS), [r.choice(KEYS)], restrictions)
    for form, reverse, strip in itertools.product(FORMS, (0, 1), (0, 1)):
        yield case(form, [r.choice(names)], [90], bool(reverse), bool(strip))
    for _ in turns(python, number, range(PER_FILE)):
        yield case(r.choice(("stats",) + FORMS),
                   r.sample(names, r.choice([1, 1, 2, 3])),
                   r.choice(RESTRICTIONS) + r.choice(RESTRICTIONS[:16]),
                   r.random() < .3, r.random() < .5)


def nanoseconds(stats):
    """The items in their order, with times that can be compared."""
    def figures(row):
        return (*row[:2], *(round(t * 1e9) for t in row[2:4]))
    return [(key, figures(row), {caller: figures(value)
                                 for caller, value in row[4].items()})
            for key, row in stats.items()]


class PstatsBytes(Case):
    def compare(self, runs, *args):
        """@runs: {(database, run): files that say what is in it}."""
        plan = [(place, case)
                for i, (place, files) in enumerate(runs.items())
                for case in cases(self.py, i, files, *args)]
        path = self.tmp / "cases.json"
        path.write_text(json.dumps([case for _, case in plan]))
        program = self.script(EXPECTED, "expected.py")
        texts = json.loads(self.python([program, path]).stdout)
        self.assertEqual(len(texts), len(plan))
        for (place, case), text in zip(plan, texts):
            wrong = any(w in case["restrictions"] for w in WRONG)
            self.assertEqual(text.encode("latin-1"),
                             self.ours(*place, case, 2 if wrong else 0), case)

    def ours(self, db, run, case, check):
        words = ["report"] if case["form"] == "stats" else [case["form"]]
        words += ["-n0", "--run=%s" % run]
        words += ["--strip-dirs"] * case["strip"] + ["-r"] * case["reverse"]
        for key in case["keys"]:
            words += ["-s", key]
        words += [db, "--", *[r if isinstance(r, str) else repr(r)
                                   for r in case["restrictions"]]]
        done = self.tool(*words, check=check)
        return done.stdout.encode("utf-8", "surrogateescape")

    def export(self, run, db=None):
        path = self.tmp / ("run %s.prof" % run)
        self.tool("export", "-f", "pstats", "-o", path, "--run=%s" % run,
                  db or self.db)
        return path

    def test_profiles_of_cprofile(self):
        """Each in a database of its own: what pstats says of the very file; and
        what is exported again is the same, in the same order."""
        self.python([self.program("many_functions.py"), self.tmp])
        files = sorted(self.tmp.glob("*.prof"))
        self.assertGreater(len(files), 3)
        runs, most = {}, 0
        for file in files:
            db = file.with_suffix(".db")
            self.tool("import", "-o", db, file)
            again = self.export(1, db).rename(file.with_suffix(".again"))
            runs[db, 1] = [file]
            before, after = (marshal.loads(path.read_bytes())
                             for path in (file, again))
            most = max(most, len(before))
            if file.stem in ("many", "names", "compile"):
                self.assertEqual(nanoseconds(before), nanoseconds(after))
            elif file.stem == "python":     # its callers have no times
                runs[db, 1] = [again]
        self.assertGreater(most, 1000)
        self.compare(runs)

    def test_profiles_of_our_own(self):
        """And a second run in the same database, which knows most functions
        already."""
        self.record([self.program("many_functions.py")])
        self.record([self.program("many_functions.py")],
                    options="builtins=no,clock=step")
        self.compare({(self.db, 1): [self.export(1)]})
        self.compare({(self.db, 2): [self.export(2)]}, False)

    def test_profiles_that_are_added(self):
        """`import --merge` is what pstats.Stats(FILE, FILE...) is."""
        self.python([self.program("many_functions.py"), self.tmp])
        files = [self.tmp / (name + ".prof") for name in
                 ("names", "many", "compile", "odd", "names")]
        self.tool("import", "--merge", "-o", self.db, *files)
        self.compare({(self.db, 1): files}, False, UNTIMED)
        self.compare({(self.db, 1): [self.export(1)]}, False)

    def test_what_no_options_print(self):
        self.python([self.program("many_functions.py"), self.tmp])
        self.tool("import", "-o", self.db, self.tmp / "names.prof")
        path = self.tmp / "cases.json"
        path.write_text(json.dumps([{
            "files": [str(self.export(1))], "form": "stats", "keys": ["time"],
            "restrictions": [20], "reverse": False, "strip": False}]))
        text, = json.loads(self.python(
            [self.script(EXPECTED, "expected.py"), path]).stdout)
        total = self.value("select count(*) from pstats")
        self.assertEqual(
            self.tool("report").stdout.encode("utf-8", "surrogateescape"),
            text.encode("latin-1") +
            b"%d more functions are left out: -n 0 shows all\n" % (total - 20))

    @once
    def test_beginnings_of_sort_keys(self):
        """Any that is the beginning of keys of one order, and no other."""
        self.python([self.program("many_functions.py"), self.tmp])
        self.tool("import", "-o", self.db, self.tmp / "odd.prof")
        known = json.loads(self.python(["-c", """if 1:
            import json, pstats
            stats = pstats.Stats()
            print(json.dumps([list(stats.get_sort_arg_defs()),
                              list(stats.sort_arg_dict_default)]))
            """]).stdout)
        beginnings = {key[:n + 1] for key in known[1] for n in range(len(key))}
        self.assertGreater(len(beginnings), 50)
        for word in sorted(beginnings):
            self.tool("report", "-s", word, self.db,
                      check=0 if word in known[0] else 2)
