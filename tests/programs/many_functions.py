# SPDX-License-Identifier: MIT
"""Real programs of the standard library, and names that are hard to print.

    many_functions.py FOLDER    profile each with cProfile into FOLDER/NAME.prof
    many_functions.py           just run them (more than 1,000 functions)
"""

import contextlib
import importlib
import io
import os
import sys

MODULES = """
    argparse ast asyncio calendar cmd code codeop compileall configparser
    concurrent.futures copy csv dataclasses decimal difflib dis doctest
    email.message email.policy enum fractions ftplib getopt gettext glob heapq
    html.parser http.client http.cookies http.server imaplib inspect ipaddress
    json locale logging.config mailbox mimetypes multiprocessing.pool netrc
    numbers optparse pdb pickle pickletools platform plistlib poplib pprint
    profile pydoc queue random sched selectors shelve shlex smtplib socketserver
    statistics string subprocess tarfile tempfile textwrap timeit tokenize trace
    turtle unittest.mock urllib.request uuid wave weakref webbrowser wsgiref.util
    xml.dom.minidom xml.etree.ElementTree xml.sax xmlrpc.client zipapp zipfile
    """.split()

# What stands for a file name: folders, blanks, a dollar, quotes, no file, a
# byte that is no UTF-8, a surrogate that no byte stands for, other alphabets.
FILES = ["/tmp/pa th/ünï cödé.py", "/tmp/other/ünï cödé.py", "/x/collide.py",
         "/y/collide.py", "/x/it's.py", 'C:\\win\\"p".py', "", "<string>",
         "/emoji/😀/a.py", "/sur/\udcff\udc80x.py", "/sur/\ud800.py", "trail/",
         "/a/b.py", "b.py", "~", "/b/~"]

NAMES = """
def naïve(n):
    return n if n < 2 else naïve(n - 1) + naïve(n - 2)
def 函数(x):
    return sorted(x, key=ключ)
def ключ(y):
    return -y
def even(n):
    return n == 0 or odd(n - 1)
def odd(n):
    return n != 0 and even(n - 1)
class Ünï:
    def mé(self):
        return [naïve(k) for k in range(5)]
def boom(n):
    if n == 0:
        raise ValueError
    boom(n - 1)
def go():
    函数(range(20))
    Ünï().mé()
    naïve(7)
    even(9)
    try:
        boom(6)
    except ValueError:
        pass
"""


def names():
    for file in FILES:
        space = {}
        exec(compile(NAMES, file, "exec"), space)
        space["go"]()


def many():
    for name in MODULES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    import argparse
    import ast
    import asyncio
    import difflib
    import email
    import json
    import pydoc
    import textwrap
    import unittest
    import xml.dom.minidom

    source = open(difflib.__file__, encoding="utf-8").read()
    tree = ast.parse(source)
    ast.dump(tree)
    json.loads(json.dumps({str(i): [i, {"a": "é" * i}] for i in range(99)},
                          indent=1))
    pydoc.render_doc(textwrap)
    "".join(difflib.ndiff(source.splitlines()[:30], source.splitlines()[9:40]))
    argparse.ArgumentParser().format_help()
    email.message_from_string("a: b\n\nc").as_string()
    xml.dom.minidom.parseString("<a><b>c</b></a>").toprettyxml()

    async def nap():
        await asyncio.gather(*[asyncio.sleep(0) for _ in range(5)])

    asyncio.run(nap())

    class Test(unittest.TestCase):
        def test_it(self):
            self.assertEqual(1, 1)

    suite = unittest.defaultTestLoader.loadTestsFromTestCase(Test)
    unittest.TextTestRunner(stream=io.StringIO()).run(suite)


def compile_():
    import compileall
    import tempfile
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "x.py")
        with open(path, "w") as f:
            f.write("def f(): return 1\n" * 50)
        compileall.compile_dir(folder, quiet=2, force=True)


def nothing():
    pass


PROGRAMS = {"many": many, "names": names, "compile": compile_,
            "nothing": nothing}


def profile(folder):
    import cProfile
    import marshal
    for name, run in PROGRAMS.items():
        p = cProfile.Profile()
        p.runcall(run)
        p.dump_stats(os.path.join(folder, name + ".prof"))

    # The profiler in Python counts callers and no more, and has a row that was
    # called 0 times.
    p = importlib.import_module("profile").Profile()
    p.runcall(names)
    p.dump_stats(os.path.join(folder, "python.prof"))
    # What no profiler writes, and pstats prints: callers without a row, that
    # fall together with each other and with a row once folders are stripped.
    for name, stats in [("empty", {}), ("odd", {
            ("/x/a.py", 1, "f"): (2, 3, .5, .7, {
                ("/y/b.py", 1, "g"): (3, 2, .4, .6),
                ("/z/b.py", 1, "g"): (1, 1, .1, .1),
                ("/z/c.py", 1, "h"): (1, 1, .1, .1)}),
            ("/w/b.py", 1, "g"): (1, 1, .1, .2, {
                ("/z/c.py", 1, "h"): (1, 1, .1, .2)}),
            ("/v/b.py", 1, "g"): (0, 0, 0., 0., {})})]:
        with open(os.path.join(folder, name + ".prof"), "wb") as f:
            marshal.dump(stats, f)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        profile(sys.argv[1])
    else:
        with contextlib.redirect_stdout(io.StringIO()):
            for program in PROGRAMS.values():
                program()
