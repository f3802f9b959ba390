# SPDX-License-Identifier: MIT
"""Execute a notebook that uses the magics, with a kernel, as Jupyter does:
notebook.py FILE.ipynb FILE.html.  The cells are below."""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from traitlets.config import Config

CELLS = ["""\
%load_ext proflite

def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)

def total(words):
    return sum(map(len, words))""", """\
%proflite -l 3 fib(10)""", """\
%%proflite -q -f total(["one", "three"])
for n in 8, 9:
    fib(n)"""]


def main(notebook, page):
    book = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(text) for text in CELLS])
    # By sockets in the folder: a port that was free when the client looked may
    # be another's when the kernel binds it.
    NotebookClient(book, timeout=600, startup_timeout=600,
                   kernel_name="python3", config=Config(
                       {"KernelManager": {"transport": "ipc"}})).execute()
    nbformat.write(book, notebook)
    text, _ = HTMLExporter().from_notebook_node(book)
    Path(page).write_text(text, encoding="utf-8")


main(*sys.argv[1:])
