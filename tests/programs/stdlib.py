# SPDX-License-Identifier: MIT
#
# stdlib.py NAME: do some real work with a part of the standard library that is
# written in Python. Every run makes the same calls.
import contextlib
import io
import os
import shutil
import sys


def source_of(module):
    """The text of a module: real Python to work on."""
    with open(module.__file__, encoding="utf-8") as f:
        return f.read()


@contextlib.contextmanager
def folder():
    """One whose name is the same in every run."""
    os.mkdir("stdlib.tmp")
    yield "stdlib.tmp"
    shutil.rmtree("stdlib.tmp")


def run_argparse():
    import argparse
    parser = argparse.ArgumentParser("example", description="An example " * 20)
    group = parser.add_argument_group("files")
    group.add_argument("-o", "--output", metavar="FILE", help="where to " * 15)
    group.add_argument("files", nargs="*", type=str)
    parser.add_argument("-n", type=int, default=3, choices=range(10))
    parser.add_argument("-v", "--verbose", action="count")
    commands = parser.add_subparsers()
    for name in "add", "remove", "list":
        commands.add_parser(name, help="to " + name).add_argument("--all")
    parser.format_help()
    parser.parse_args(["-n", "4", "-vv", "-o", "x", "a", "list", "--all", "y"])


def run_ast():
    import ast
    import textwrap
    tree = ast.parse(source_of(textwrap))
    ast.dump(tree, indent=2)
    ast.unparse(tree)
    return sum(1 for _ in ast.walk(tree))


def run_asyncio():
    import asyncio

    async def numbers(n):
        for i in range(n):
            await asyncio.sleep(0)
            yield i

    async def work(n, queue):
        async with asyncio.Lock():
            async for i in numbers(n):
                await queue.put(i)
        raise ValueError(n)

    async def cancelled():
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)

    async def main():
        queue = asyncio.Queue(2)
        tasks = [asyncio.ensure_future(work(n, queue)) for n in range(5)]
        sleeper = asyncio.ensure_future(cancelled())
        total = sum([await queue.get() for _ in range(10)])
        await asyncio.gather(*tasks, return_exceptions=True)
        sleeper.cancel()
        await asyncio.wait([sleeper])
        return total

    return asyncio.run(main())


def run_calendar():
    import calendar
    calendar.TextCalendar().formatyear(2024)
    calendar.HTMLCalendar(6).formatyear(2023)
    return [calendar.monthrange(y, m) for y in range(1999, 2003)
            for m in range(1, 13)]


def run_compileall():
    import compileall
    import textwrap
    with folder() as name:
        for i in range(3):
            shutil.copy(textwrap.__file__, os.path.join(name, "m%d.py" % i))
        assert compileall.compile_dir(name, quiet=1, force=True)


def run_configparser():
    import configparser
    parser = configparser.ConfigParser()
    parser.read_string("".join(
        "[section %d]\n" % i + "".join("key%d = ${x} %d\n  more\n" % (j, j)
                                       for j in range(10))
        for i in range(20)))
    out = io.StringIO()
    parser.write(out)
    return [parser.get(s, o, raw=True) for s in parser for o in parser[s]]


def run_decimal():
    import _pydecimal as decimal
    decimal.getcontext().prec = 40
    a = decimal.Decimal(2)
    for i in range(8):
        a = (a + decimal.Decimal(2) / a) / 2
    return str(a.sqrt().ln().quantize(decimal.Decimal("1e-20")))


def run_difflib():
    import difflib
    import textwrap
    a = source_of(textwrap).splitlines()[:200]
    b = [line.replace("self", "this") for line in a if "width" not in line]
    return [list(difflib.unified_diff(a, b)), list(difflib.ndiff(a, b[:60])),
            difflib.get_close_matches("fill", ["full", "fell", "fall"])]


def run_email():
    import email
    import email.policy
    text = "".join("Header-%d: =?utf-8?q?caf=C3=A9?= %d\n" % (i, i)
                   for i in range(20)) + "To: a@b.c, \"D E\" <d@e.f>\n\nbody\n"
    message = email.message_from_string(text, policy=email.policy.default)
    return [str(v) for v in message.values()], message.as_bytes()


def run_fractions():
    from fractions import Fraction
    total = Fraction(0)
    for i in range(1, 60):
        total += Fraction(1, i) ** 2
    return total.limit_denominator(1000), float(total), hash(total)


def run_html():
    from html.parser import HTMLParser

    class Collector(HTMLParser):
        def __init__(self):
            super().__init__()
            self.seen = []

        def handle_starttag(self, tag, attrs):
            self.seen.append((tag, attrs))

        def handle_data(self, data):
            self.seen.append(data)

    parser = Collector()
    parser.feed("<!DOCTYPE html><ul>" + "".join(
        '<li class="c%d" id=x%d>item &amp; %d<br/>' % (i, i, i)
        for i in range(100)) + "</ul><!-- end -->")
    parser.close()
    return parser.seen


def run_json():
    import json
    import json.tool
    data = {"k%d" % i: [i, i / 2, None, True, {"n": "x" * i}] for i in range(40)}
    text = json.dumps(data, indent=1, sort_keys=True)
    json.loads(text, object_hook=dict, parse_float=float)
    with folder() as name:
        path = os.path.join(name, "x.json")
        with open(path, "w") as f:
            f.write(text)
        sys.argv[1:] = [path]
        json.tool.main()


def run_pickletools():
    import pickle
    import pickletools
    data = pickle.dumps([{"a": i, "b": (i, str(i), [None] * i)}
                         for i in range(30)])
    pickletools.dis(pickletools.optimize(data), io.StringIO())


def run_pprint():
    import pprint
    data = {"key %d" % i: [list(range(i)), ("x" * i, {i, i + 1}), b"y" * i]
            for i in range(40)}
    return pprint.pformat(data, width=60), pprint.isreadable(data)


def run_regex():
    import re
    for pattern in (r"(?P<a>\w+)@(\w+\.)+(com|org)", r"^\s*(?:#.*)?$",
                    r"(a|b)*?c{2,5}[^d-f]\b(?=x)", r"[\u00e0-\u00ff]+(?i:x)"):
        re.purge()
        re.compile(pattern).sub(lambda m: m.group().upper(), "me@a.b.com" * 9)


def run_statistics():
    import statistics
    data = [i * 37 % 101 for i in range(200)]
    return (statistics.mean(data), statistics.median(data),
            statistics.stdev(data), statistics.quantiles(data),
            statistics.mode(data))


def run_textwrap():
    import textwrap
    text = " ".join("word%d" % i * (i % 5 + 1) for i in range(400))
    return [textwrap.fill(text, n) for n in (20, 40, 70)] + [
        textwrap.dedent(textwrap.indent(text, "  ")), textwrap.shorten(text, 50)]


def run_tokenize():
    import textwrap
    import tokenize
    text = source_of(textwrap)
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    return tokenize.untokenize(tokens) == text


def run_unittest():
    import unittest

    class Example(unittest.TestCase):
        def test_equal(self):
            for i in range(50):
                with self.subTest(i):
                    self.assertEqual(i, i)

        def test_raises(self):
            with self.assertRaises(ValueError):
                int("x")

        def test_fails(self):
            self.assertEqual([1, 2, 3], [1, 2, 4])

        @unittest.skip("not now")
        def test_skipped(self):
            pass

    suite = unittest.defaultTestLoader.loadTestsFromTestCase(Example)
    unittest.TextTestRunner(io.StringIO()).run(suite)


def run_xml():
    import xml.dom.minidom
    import xml.etree.ElementTree as tree
    root = tree.Element("root")
    for i in range(60):
        child = tree.SubElement(root, "child", id=str(i))
        child.text = "text & %d" % i
    text = tree.tostring(root)
    list(tree.fromstring(text).iter("child"))
    xml.dom.minidom.parseString(text).toprettyxml()


if __name__ == "__main__":
    with contextlib.redirect_stdout(io.StringIO()):
        globals()["run_" + sys.argv[1]]()
    print("done")
