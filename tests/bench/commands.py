#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How long does every command take on a database of a million call paths?

    tests/bench/commands.py STAGE [--depth N] [--db DB]

Records tests/programs/wide.py into DB (or a temporary one) if it is not there,
and prints a table: the best wall and processor time of three runs of each
command, in seconds.  What reads one run reads a million paths; diff reads two
runs of half a million each, as deep as one level less.
"""

import argparse
import http.server
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

WIDE = Path(__file__).resolve().parent.parent / "programs/wide.py"

COMMANDS = [
    "report", "report --columns all", "report -o json", "report -s cumulative",
    "callers f1", "callees f1", "callers -o csv", "tree", "tree --unfold",
    "tree --focus f77[(] --ignore f9", "tree --depth 5", "tree -o json",
    "runs", "sql DB select+*+from+pstats+order+by+tottime+desc+limit+10",
    "diff 1 2", "diff 1 2 --paths", "diff 1 2 --fail-if ncalls>+0%",
    "merge",
    *["export -o OUT -f " + f for f in (
        "pstats", "callgrind", "collapsed", "speedscope", "pprof", "chrome",
        "dot", "json", "csv", "html")],
    "push"]


def measure(words, out):
    best = None
    for _ in range(3):
        out.unlink(missing_ok=True)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begin = time.monotonic()
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        wall = time.monotonic() - begin
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took = (wall, after.ru_utime + after.ru_stime -
                before.ru_utime - before.ru_stime)
        best = took if best is None else min(best, took)
    return best


class Sink(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def words_of(command, tool, big, two, out, url):
    name, *rest = command.split()
    db = two if name == "diff" else big
    rest = [{"DB": db, "OUT": str(out)}.get(w, w.replace("+", " ")
            if name == "sql" else w) for w in rest]
    if name == "merge":
        return [tool, name, "-o", str(out), db]
    if name == "push":
        return [tool, name, url, db]
    if name == "sql":
        return [tool, name, *rest]
    if name in ("callers", "callees") and rest and rest[0][0] != "-":
        return [tool, name, db, *rest]
    if name == "diff":
        return [tool, name, db, *rest]
    return [tool, name, *rest, db]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stage", type=Path)
    parser.add_argument("--depth", type=int, default=19)
    parser.add_argument("--db", type=Path)
    args = parser.parse_args()
    tool = str(args.stage / "bin/proflite")
    with tempfile.TemporaryDirectory() as tmp:
        big = str(args.db or Path(tmp) / "big.db")
        two, out = str(Path(tmp) / "two.db"), Path(tmp) / "out"
        for db, depth, times in (big, args.depth, 1), (two, args.depth - 1, 2):
            for _ in range(times if not os.path.exists(db) else 0):
                subprocess.run([tool, "record", "-o", db, "--", sys.executable,
                                WIDE, str(depth)], check=True)
        server = http.server.HTTPServer(("127.0.0.1", 0), Sink)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = "http://127.0.0.1:%d" % server.server_port
        print("%-50s %7s %7s" % ("command", "wall s", "cpu s"))
        for command in COMMANDS:
            print("%-50s %7.2f %7.2f" % (command, *measure(
                words_of(command, tool, big, two, out, url), out)), flush=True)
        server.shutdown()


if __name__ == "__main__":
    main()
