#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run random programs under cProfile and under proflite and compare.

    run.py [--stage DIR] [--count N] [--first SEED]     under every Python found
    run.py --seed SEED                                  one program
    run.py --seed SEED --show                           print it

Every program is run in one process with others, three times over: under
cProfile and under proflite, both with a clock that counts its readings, and
under proflite with its own clock.  One in twenty is also run in a process of
its own kind, recorded as a whole under LD_PRELOAD.  Another one in twenty is of
interrupted.py's kind: a signal's handler raises in it at any moment.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import extension
import interrupted
import preload
import pythons
import runner
from generate import generate

PIECE = 100                     # programs a process
PRELOAD_SHARE = 20
PIECE_SECONDS = 300


def python_path(stage):
    folders = [str(stage / "lib/proflite/python")]
    if os.environ.get("PL_FIRES"):
        folders.append(os.environ["PL_FIRES"])
    return ":".join(folders)


def run_piece(python, stage, first, count):
    """[(test, outcome, text)] of programs @first and on, and the totals."""
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8",
           "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1",
           "PYTHONPATH": python_path(stage)}
    found, totals = [], {}
    try:
        done = subprocess.run(
            [python.path, str(HERE / "worker.py"), str(first), str(count)],
            env=env, capture_output=True, text=True, errors="replace",
            timeout=PIECE_SECONDS)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        died = done.returncode or not lines or "done" not in lines[-1]
        said = "exit status %d\n%s" % (done.returncode, done.stderr)
    except subprocess.TimeoutExpired as e:
        lines, died = [], True
        said = "still running after %d s\n%s" % (PIECE_SECONDS, e.stderr)
    for line in lines:
        if "done" in line:
            totals = line
        else:
            found.append(("program %d" % line["seed"], "failed", "\n".join(
                line["found"]) + "\n... and %d more\n" % line["more"]))
    if died:
        found.append(("programs %d to %d" % (first, first + count - 1),
                      "failed", said))
    return found, totals


def run_preload(python, stage, first, count):
    name = "programs %d to %d under LD_PRELOAD" % (first, first + count - 1)
    try:
        found = preload.check(python.path, stage, first, count)
    except Exception as e:
        found = ["%s: %s" % (type(e).__name__, e)]
    return [(name, "failed", "\n".join(found[:20]) + "\n")] if found else []


def note_all(run, python, found, passed, again, skipped=0):
    """Count what was @found, after a second run, again()."""
    second = {test: (outcome, text)
              for test, outcome, text in (again() if found else ())}
    for test, outcome, text in found:
        text += "seed: see the number; run.py --seed N --show\n"
        run.judge_again("%s %s" % (python.tag, test), (outcome, text),
                        second.get(test, ("passed", "")))
    run.counts["passed"] += passed
    run.counts["skipped"] += skipped


def test_pieces(run, pool, totals, python, stage, first, count):
    """How many of the programs could not be compared."""
    pieces = [(first + i, min(PIECE, count - i))
              for i in range(0, count, PIECE)]
    waiting = [pool.submit(run_piece, python, stage, *piece)
               for piece in pieces]
    all_skipped = 0
    for piece, result in zip(pieces, waiting):
        found, more = result.result()
        skipped = more.get("skipped", 0)
        note_all(run, python, found, piece[1] - len(found) - skipped,
                 lambda: run_piece(python, stage, *piece)[0], skipped)
        for key, value in more.items():
            totals[key] = totals.get(key, 0) + value
        all_skipped += skipped
    return all_skipped


def test_python(run, python, stage, first, count, jobs):
    totals = {}
    with ThreadPoolExecutor(jobs) as pool:
        batches = [(piece, pool.submit(run_preload, python, stage, *piece))
                   for piece in [(first + i, min(25, count // PRELOAD_SHARE - i))
                                 for i in range(0, count // PRELOAD_SHARE, 25)]]
        missing, seed = count, first
        # Others for those that are skipped, but for one that is asked for.
        while missing and (seed == first or count > 1):
            seed, missing = seed + missing, test_pieces(
                run, pool, totals, python, stage, seed, missing)
        for piece, result in batches:
            note_all(run, python, result.result(), 0,
                     lambda: run_preload(python, stage, *piece))
    run.say("differential: Python %s: %s" % (python.name, ", ".join(
        "%d %s" % (value, key) for key, value in totals.items())))


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--stage", help="installed tree to test")
    parser.add_argument("--python", action="append", default=[],
                        help="an interpreter; may be given several times")
    parser.add_argument("--count", type=int, default=2000, metavar="N",
                        help="programs per interpreter (default: 2000)")
    parser.add_argument("--first", type=int, default=1, metavar="SEED")
    parser.add_argument("--seed", type=int, help="this program only")
    parser.add_argument("--show", action="store_true", help="print it")
    parser.add_argument("-j", type=int, dest="jobs", metavar="N",
                        default=len(os.sched_getaffinity(0)))
    return parser.parse_args()


def main():
    args = parse()
    if args.python:
        os.environ["PL_TEST_PYTHONS"] = ":".join(args.python)
    if args.seed is not None:
        args.first, args.count = args.seed, 1
    if args.show:
        print(interrupted.generate(args.first)
              if interrupted.is_one(args.first) else
              generate(args.first, pythons.found()[-1].version)[0], end="")
        return 0
    stage = runner.stage_folder(args.stage)
    run = runner.Run("differential", False)
    with tempfile.TemporaryDirectory(prefix="proflite-") as folder:
        fires = extension.build(pythons.found(), folder)
        os.environ["PL_FIRES"] = str(fires or "")
        if not fires:
            run.say("differential: no calls that code of C reports: no C "
                    "compiler, or no headers of Python")
        for python in pythons.found():
            test_python(run, python, stage, args.first, args.count, args.jobs)
    return run.close()


if __name__ == "__main__":
    sys.exit(main())
