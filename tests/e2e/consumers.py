# SPDX-License-Identifier: MIT
"""The programs that read what `proflite export` writes.

tests/consumers/install DIR installs them; they are looked for on the PATH, and
in DIR if PL_CONSUMERS names it, else in build/consumers.  A test of one that is
not there is skipped and says its name; with PL_CONSUMERS_REQUIRED set, as in
continuous integration, it fails, but for go's, which is large.
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
    "python with jsonschema": [FOLDER / "venv/bin/python"],
    "speedscope": [FOLDER / "node_modules/speedscope"],
    "pprof-format": [FOLDER / "node_modules/pprof-format"],
    "go": ["/usr/local/go/bin/go", "/usr/lib/go/bin/go"],
}

OPTIONAL = {"go"}


def find(name):
    """The path of consumer @name, or None."""
    found = shutil.which(name)
    if found:
        return Path(found)
    for place in map(Path, PLACES.get(name, ())):
        if place.exists():
            return place
    return None


def need(case, name):
    """The path of consumer @name, or no test."""
    path = find(name)
    if path:
        return path
    text = "%s is not here: tests/consumers/install DIR installs it" % name
    if os.environ.get("PL_CONSUMERS_REQUIRED") and name not in OPTIONAL:
        case.fail(text)
    return case.skipTest(text)
