# SPDX-License-Identifier: MIT
"""The programs that read what `proflite export` writes.

tests/consumers/install DIR installs them; they are looked for on the PATH, and
in DIR if PL_CONSUMERS names it, else in build/consumers.  A test of one that is
not there is skipped and says its name; with PL_CONSUMERS_REQUIRED=1, as in
continuous integration, it fails, but for those in OPTIONAL.  The variable may
also be a list of words, with commas: then only those fail whose names begin with
one.
"""

import os
import shutil
from pathlib import Path

from harness import SOURCE

FOLDER = Path(os.environ.get("PL_CONSUMERS") or SOURCE / "build/consumers")

# What it is called, and where it may be besides the PATH.
PLACES = {
    "flamegraph.pl": ["/usr/share/perl5/Devel/NYTProf/flamegraph.pl"],
    "gprof2dot": [FOLDER / "venv/bin/gprof2dot"],
    "snakeviz": [FOLDER / "venv/bin/snakeviz"],
    "tuna": [FOLDER / "venv/bin/tuna"],
    "flameprof": [FOLDER / "venv/bin/flameprof"],
    "pyprof2calltree": [FOLDER / "venv/bin/pyprof2calltree"],
    "python with jsonschema": [FOLDER / "venv/bin/python"],
    "speedscope": [FOLDER / "node_modules/speedscope"],
    "pprof-format": [FOLDER / "node_modules/pprof-format"],
    "python with coverage": [FOLDER / "venv/bin/python"],
    "coverage": [FOLDER / "coverage"],
    "flask's source": sorted(FOLDER.glob("flask-*.tar.gz")),
    "pytest": [FOLDER / "pytest"],
    "python with pytest": [FOLDER / "venv/bin/python"],
    "python with ipython": [FOLDER / "venv/bin/python"],
    "python with nbclient": [FOLDER / "venv/bin/python"],
    "cython": [FOLDER / "venv/bin/cython"],
    "numpy for 3.13": [FOLDER / "numpy-3.13"],
    "numpy for 3.14": [FOLDER / "numpy-3.14"],
    **{"greenlet for 3.%d" % minor: [FOLDER / ("greenlet-3.%d" % minor)]
       for minor in range(9, 15)},
    **{"web frameworks for 3.%d" % minor: [FOLDER / ("web-3.%d" % minor)]
       for minor in (11, 13)},
    "go": ["/usr/local/go/bin/go", "/usr/lib/go/bin/go"],
}

OPTIONAL = {
    "greenlet for 3.15",                # not there yet
    # One Python for each kind of events is enough.
    *("web frameworks for 3.%d" % minor for minor in (9, 10, 12, 14, 15)),
}


def find(name):
    """The path of consumer @name, or None."""
    # A package to import is not the program of that name.
    found = name != "pytest" and shutil.which(name)
    if found:
        return Path(found)
    for place in map(Path, PLACES.get(name, ())):
        if place.exists():
            return place
    return None


def required(name):
    which = os.environ.get("PL_CONSUMERS_REQUIRED", "")
    words = tuple(word for word in which.split(",") if word)
    return name not in OPTIONAL and (which == "1" or name.startswith(words))


def need(case, name):
    """The path of consumer @name, or no test."""
    path = find(name)
    if path:
        return path
    text = "%s is not here: tests/consumers/install DIR installs it" % name
    if required(name):
        case.fail(text)
    return case.skipTest(text)
