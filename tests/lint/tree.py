# SPDX-License-Identifier: MIT
"""Where the sources and the installed tree are, and reading them."""

import os
import re
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
STAGE = Path(os.environ.get("PL_STAGE", "stage"))

# A folder, and those it may include besides itself.  No cycle, never upwards.
LAYERS = {
    "src/base": [],
    "src/core": ["base"],
    "src/store": ["base", "core"],
    "src/probe": ["base", "core"],
    "src/preload": ["base", "core"],
    "src/export": ["base", "core", "store"],
    "tools": ["base", "core", "store", "export"],
}

# What make writes; beside the sources, where the source folder is built in.
MADE = ("src/store/schema_sql.h", "src/export/html_page.h",
        "src/export/profile.pb-c.c", "src/export/profile.pb-c.h",
        "src/export/parca.pb-c.c", "src/export/parca.pb-c.h")


def is_made(path):
    return path.relative_to(SOURCE).as_posix() in MADE


def c_files():
    """(folder, path) of every C source and header of the product."""
    for folder in LAYERS:
        for path in sorted((SOURCE / folder).glob("*.[ch]")):
            if not is_made(path):
                yield folder, path


def includes(path):
    """(header, is in quotes) of every #include."""
    text = path.read_text(encoding="utf-8")
    for quote, header in re.findall(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)',
                                    text, re.M):
        yield header, quote == '"'
