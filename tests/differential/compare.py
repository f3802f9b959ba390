# SPDX-License-Identifier: MIT
"""Compare what cProfile and proflite say of one program.

Both are read through getstats().  Everything has to be equal but for the rules
below, each of which is a difference that doc/cprofile.md explains:

    shared labels   cProfile has an entry for every code object, proflite for
                    every (file, line, name).  Where several of cProfile's
                    entries share a label, calls and own time must equal their
                    sum; primitive calls and cumulative time may be less,
                    because one inside of another is recursion.
    open calls      in a profile that is read while it is enabled, proflite's
                    own time of a function contains that of a call still open;
                    and it shows a caller of shared label, with no calls yet,
                    when any one code object of that label has been called.
"""

import re


def label(code):
    if isinstance(code, str):
        return ("~", 0, re.sub("0x[0-9a-f]+", "0x", code))
    return (code.co_filename, code.co_firstlineno, code.co_name)


class Row:
    """Figures of one label, or of one (caller, callee)."""

    def __init__(self):
        self.entries = 0
        self.calls = self.recursive = 0
        self.total = self.own = 0.0

    def add(self, entry):
        self.entries += 1
        self.calls += entry.callcount
        self.recursive += entry.reccallcount
        self.total += entry.totaltime
        self.own += entry.inlinetime

    def __repr__(self):
        return "%d/%d calls, total %r, own %r" % (
            self.calls, self.calls - self.recursive, self.total, self.own)


def rows_of(entries):
    """{label: Row} and {(label, label): Row}"""
    functions, edges = {}, {}
    for entry in entries:
        functions.setdefault(label(entry.code), Row()).add(entry)
    for entry in entries:
        caller = label(entry.code)
        for sub in entry.calls or ():
            callee = label(sub.code)
            edges.setdefault((caller, callee), Row()).add(sub)
    return functions, edges


def row_differs(a, b, shared, times, own):
    """@a is cProfile's, @b proflite's."""
    if a.calls != b.calls:
        return True
    if shared:
        if b.recursive < a.recursive:
            return True
    elif a.recursive != b.recursive:
        return True
    if not times:
        return False
    if own and a.own != b.own:
        return True
    return b.total > a.total if shared else a.total != b.total


def compare(reference, ours, shared, times, own=True):
    """Differences between two getstats() results, as lines.  @shared: labels
    that more than one code object has in the finished profile.  @times: the
    clock counted readings, so times can be compared.  @own: own times too."""
    return compare_rows(rows_of(reference), rows_of(ours), shared, times, own)


def compare_rows(reference, ours, shared, times, own=True):
    """The same for two results of rows_of."""
    found = []
    for what, a, b in zip(("", "edge "), reference, ours):
        for key in sorted(set(a) | set(b)):
            x, y = a.get(key), b.get(key)
            among = key if what else (key,)
            is_shared = any(k in shared for k in among)
            if is_shared and what and x is None and not y.calls:
                continue
            if x is None or y is None:
                found.append("%s%s: cProfile %s, proflite %s" % (what, key, x, y))
                continue
            if row_differs(x, y, is_shared, times, own):
                found.append("%s%s: cProfile %s, proflite %s%s" % (
                    what, key, x, y, " (shared label)" if is_shared else ""))
    return found


def shared_labels(entries):
    """Of cProfile's entries."""
    return {key for key, row in rows_of(entries)[0].items() if row.entries > 1}


def check_stats(stats, entries):
    """That Profile.stats says what getstats() says."""
    functions, edges = rows_of(entries)
    named = {label(key[2]) if key[0] == "~" else key: value
             for key, value in stats.items()}
    found = []
    if set(named) != set(functions):
        found.append("stats and getstats: %s" % (set(named) ^ set(functions)))
    for key, (cc, nc, tt, ct, callers) in named.items():
        row = functions.get(key)
        if row and (nc, nc - cc, tt, ct) != (row.calls, row.recursive, row.own,
                                             row.total):
            found.append("stats of %s: %s, getstats %s" % (
                key, (cc, nc, tt, ct), row))
        for caller, (nc, cc, tt, ct) in callers.items():
            caller = label(caller[2]) if caller[0] == "~" else caller
            row = edges.get((caller, key))
            if not row or (nc, nc - cc, tt, ct) != (
                    row.calls, row.recursive, row.own, row.total):
                found.append("callers of %s: %s %s, getstats %s" % (
                    key, caller, (nc, cc, tt, ct), row))
    return found
