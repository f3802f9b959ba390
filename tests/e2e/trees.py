# SPDX-License-Identifier: MIT
"""Call trees of a database as text, and files of such trees to compare with.

A call path is a line: the function, how often it was entered (from the start,
+ in the middle: a generator), and its total. With clock=step a total is the
number of readings between entry and exit, two for each call inside and one for
its own exit, so nothing in a tree may change without a number changing.

    list_of_three 1 15
      count_to 1+3 10
        leaf 3 3
      {method 'append' of 'list' objects} 1 1

An expected file is made of such trees, one for each function that the program
calls at top level, with empty lines between. Where interpreters differ, the
versions and the reason stand above the tree:

    -- 3.9 3.10 3.11: a comprehension is a function
    list_comprehension 1 9
      ...
"""

import re
from typing import NamedTuple

from harness import EXPECT

ADDRESS = re.compile(r" at 0x[0-9a-f]+")


class Node(NamedTuple):
    id: int
    parent: int                 # 0: a root
    name: str                   # "" of a root
    file: str
    line: int
    calls: int
    resumes: int
    total: int
    flags: int

    @property
    def entries(self):
        return "%d+%d" % (self.calls, self.resumes) if self.resumes \
            else "%d" % self.calls


def load(case, db=None, where="1"):
    """All nodes whose threads match @where, each behind its parent."""
    return [Node(*row) for row in case.rows(
        "select n.id, ifnull(n.parent_id, 0), case f.kind when 'python' then "
        "f.name when 'c' then '{' || substr(f.name, 2, length(f.name) - 2) || "
        "'}' else ifnull(f.name, '') end, ifnull(f.filename, ''), "
        "ifnull(f.line, 0), n.calls, n.resumes, n.total_ns, n.flags "
        "from nodes n left join functions f on f.id = n.function_id "
        "join threads t on t.id = n.thread_id "
        "join processes p on p.id = t.process_id where %s order by n.id" % where,
        db=db)]


def children(nodes):
    """{id: [nodes called from there]}"""
    below = {}
    for node in nodes:
        below.setdefault(node.parent, []).append(node)
    return below


def text(below, node, times=True, depth=0):
    """The tree of @node, without its final newline."""
    name = ADDRESS.sub("", node.name)
    lines = ["  " * depth + name + " " + node.entries]
    if times:
        lines[0] += " %d" % node.total
    lines += [text(below, child, times, depth + 1)
              for child in below.get(node.id, ())]
    return "\n".join(lines)


def below_module(case, program, db=None):
    """{name of a function called by <module> of @program: its tree}"""
    nodes = load(case, db)
    below = children(nodes)
    modules = [n for n in nodes
               if n.name == "<module>" and n.file == str(program)]
    case.assertEqual(len(modules), 1, "modules of %s" % program)
    return {n.name: text(below, n) for n in below[modules[0].id]}


def expected(name, python):
    """{name of the function: tree} of expect/@name, as @python is to have it."""
    trees, special = {}, {}
    content = (EXPECT / name).read_text(encoding="utf-8")
    for block in content.strip().split("\n\n"):
        lines = [l for l in block.split("\n") if not l.startswith("#")]
        if not lines:
            continue
        versions = re.match(r"-- ([\d. ]+): ", lines[0])
        body = "\n".join(lines[1:] if versions else lines)
        key = body.split("\n")[0].rsplit(" ", 2)[0]
        if not versions:
            trees[key] = body
        elif python.name in versions.group(1).split():
            special[key] = body
    return {**trees, **special}
