# SPDX-License-Identifier: MIT
"""%proflite and %%proflite, for IPython: %prun by this profiler, and a flame
graph.  doc/ipython.md has the options."""

import html
import io
import os
import pstats
import tempfile
from pathlib import Path

from IPython.core import page
from IPython.core.magic import (Magics, line_cell_magic, magics_class,
                                no_var_expand)
from IPython.display import display

from . import _tool
from ._profile import Profile

EXITED = "*** SystemExit exception caught in code being profiled."


class Flame:
    """The page that `proflite export -f html' makes, shown where HTML is."""

    def __init__(self, profile):
        with tempfile.TemporaryDirectory(prefix="proflite-") as folder:
            db, out = os.path.join(folder, "x.db"), os.path.join(folder, "x.html")
            profile.save(db)
            status, text = _tool.run("export", "-f", "html", "-o", out, db)
            if status:
                raise OSError(text.strip())
            self.page = Path(out).read_text(encoding="utf-8")

    def _repr_html_(self):
        # In a frame: its style and names are its own.
        return ('<iframe class="proflite" title="flame graph" srcdoc="%s" style='
                '"width: 100%%; height: 600px; border: 1px solid #ccc"></iframe>'
                % html.escape(self.page))

    def __repr__(self):
        return "(a flame graph, which a notebook shows)"


def _limit(text):
    """What -l says, as pstats wants it: a number, a share, or a name."""
    for kind in int, float:
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def _table(stats, limits):
    stream, stats.stream = stats.stream, io.StringIO()
    try:
        stats.print_stats(*map(_limit, limits))
        return stats.stream.getvalue().rstrip()
    finally:
        stats.stream = stream


@magics_class
class ProfliteMagics(Magics):
    @no_var_expand
    @line_cell_magic
    def proflite(self, line, cell=None):
        """Run a statement, or a cell, under proflite.

        %proflite [options] statement

        %%proflite [options] [statement]
        code...

        Options, all but the first as %prun has them:

        -f, --flame    show the flame graph, in a notebook
        -l LIMIT       print N lines, a share (0.1), or what matches this
                       regular expression; may be repeated
        -s KEY         sort by this key of pstats (default: time); may be repeated
        -r             return the pstats.Stats
        -T FILE        write the table into a file, too
        -D FILE        write a file for pstats; an SQLite database for the
                       program proflite when the name ends in .db
        -q             print no table
        """
        options, code = self.parse_options(line, "D:l:rs:T:qf", "flame",
                                           list_all=True, posix=False)
        if cell is not None:
            code += "\n" + cell
        return self._run(self.shell.transform_cell(code), options)

    def _run(self, code, options):
        profile = Profile()
        namespace = self.shell.user_ns
        try:
            profile.runctx(code, namespace, namespace)
        except SystemExit:
            print(EXITED)
        stats = pstats.Stats(profile).strip_dirs()
        stats.sort_stats(*options.get("s", ["time"]))
        table = _table(stats, options.get("l", []))
        if "q" not in options:
            # What a kernel pages is not kept in the notebook.
            show = print if hasattr(self.shell, "kernel") else page.page
            show(table)
        self._write(profile, table, options)
        if "f" in options or "flame" in options:
            display(Flame(profile))
        return stats if "r" in options else None

    def _write(self, profile, table, options):
        for name in options.get("D", []):
            if name.endswith(".db"):
                profile.save(name)
            else:
                profile.dump_stats(name)
            print("*** Profile written to %r." % name)
        for name in options.get("T", []):
            Path(name).write_text(table, encoding="utf-8")
            print("*** Table written to %r." % name)
