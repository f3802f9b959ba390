# SPDX-License-Identifier: MIT
"""Compare a recording of a whole process, made under LD_PRELOAD, with cProfile:
the same programs in two processes.  Compared is what belongs to the programs:
their functions, and every row whose caller or callee is one of those."""

import json
import os
import sqlite3
import subprocess
import tempfile
from pathlib import Path

import compare

HERE = Path(__file__).resolve().parent
SECONDS = 300


def start(python, stage, *args, **env):
    base = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8",
            "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": "%s:%s" % (stage / "lib/proflite/python",
                                     os.environ.get("PL_FIRES", ""))}
    argv = [python, str(HERE / "batch.py"), *map(str, args)]
    done = subprocess.run(argv, env={**base, **env}, capture_output=True,
                          text=True, errors="replace", timeout=SECONDS)
    if done.returncode or done.stderr:
        raise RuntimeError("%s: exit status %d\n%s" % (
            " ".join(argv), done.returncode, done.stderr))


def row_of(calls, primitive, own, total):
    row = compare.Row()
    row.entries, row.calls, row.recursive = 1, calls, calls - primitive
    row.own, row.total = round(own * 1e9), round(total * 1e9)
    return row


def ours(db):
    """The rows of a database, in the shape of compare.rows_of."""
    def key(file, line, name):
        return compare.label(name) if file == "~" else (file, line, name)

    connection = sqlite3.connect("file:%s?mode=ro" % db, uri=True)
    functions = {key(*row[:3]): row_of(*row[3:]) for row in connection.execute(
        "select filename, line, function, ncalls, primcalls, tottime, cumtime "
        "from pstats")}
    edges = {(key(*row[:3]), key(*row[3:6])): row_of(*row[6:])
             for row in connection.execute(
        "select caller_filename, caller_line, caller_function, filename, line, "
        "function, ncalls, primcalls, tottime, cumtime from callers")}
    connection.close()
    return functions, edges


def theirs(path):
    def rows(pairs, key_of):
        found = {}
        for key, fields in pairs:
            row = found[key_of(key)] = compare.Row()
            vars(row).update(fields)
        return found

    data = json.loads(path.read_text())
    return (rows(data["functions"], tuple),
            rows(data["edges"], lambda pair: tuple(map(tuple, pair))))


def of_programs(functions, edges):
    def mine(key):
        return key[0][:1] == "p" and key[0][1:].isdigit()

    return ({k: r for k, r in functions.items() if mine(k)},
            {k: r for k, r in edges.items() if mine(k[0]) or mine(k[1])})


def check(python, stage, first, count):
    """Lines that say what differs."""
    with tempfile.TemporaryDirectory(prefix="proflite-") as folder:
        db, out = Path(folder, "x.db"), Path(folder, "reference.json")
        start(python, stage, first, count, out)
        start(python, stage, out,
              LD_PRELOAD=str(stage / "lib/libproflite.so"),
              PROFLITE_OPTIONS="out=%s,clock=step" % db)
        reference = theirs(out)
        shared = {key for key, row in reference[0].items() if row.entries > 1}
        return compare.compare_rows(of_programs(*reference),
                                    of_programs(*ours(db)), shared, True)
