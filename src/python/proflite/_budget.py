# SPDX-License-Identifier: MIT
"""Budgets of calls, max_ncalls={name: most}: which functions a name means, which
were called too often, and which names mean no function at all.

A name is that of a report, "query" or "<built-in method builtins.len>", with the
end of the file's path before it if need be: "app/db.py:query".  A misspelt name
would never be over its budget, so a name that no call matched must be the name
of a function that exists: loaded in this process, or in a source file that was
not imported yet.
"""

import ast
import difflib
import gc
import os
import re
import sys
import types


def matches(label, name):
    """Whether @name, of a budget, means the function @label of a profile."""
    file, _, function = label
    if function == name:
        return True
    wanted, _, function_wanted = name.rpartition(":")
    return bool(wanted) and function == function_wanted and (
        file == wanted or file.endswith(os.sep + wanted))


def over(stats, budget):
    """A line for each function of @stats that was called too often."""
    for name, most in budget.items():
        found = [(label, row[1]) for label, row in sorted(stats.items())
                 if matches(label, name)]
        n = sum(calls for _, calls in found)
        if n <= most:
            continue
        yield "%s was called %d time%s, max_ncalls allows %d" % (
            name, n, "s" * (n != 1), most)
        for (file, line, function), calls in found:
            yield "  %d  %s" % (
                calls, function if file == "~" else
                "%s:%d(%s)" % (file, line, function))


# ------------------------------------------------------------ unknown names --

def unknown(stats, budget, folders):
    """A line for each name of @budget that means no function.  @folders: where
    source files that were not imported are looked for."""
    names = [name for name in budget
             if not any(matches(label, name) for label in stats)]
    if not names:
        return
    loaded = set(stats) | set(_loaded())
    for name in names:
        if not (any(matches(label, name) for label in loaded) or
                _is_in_source(name, folders) or _may_be_in_c(name)):
            yield "max_ncalls: there is no function %s%s" % (
                name, _suggestion(name, loaded))


def _loaded():
    """The label of every Python function in memory, and of those within."""
    codes = [f.__code__ for f in gc.get_objects()
             if type(f) is types.FunctionType]
    seen = set()
    while codes:
        code = codes.pop()
        if code in seen:
            continue
        seen.add(code)
        codes += [c for c in code.co_consts if type(c) is types.CodeType]
        yield code.co_filename, code.co_firstlineno, code.co_name


def _is_in_source(name, folders):
    """Whether a file below one of @folders has the function of file:function."""
    file, _, function = name.rpartition(":")
    for folder in folders if file else ():
        path = os.path.join(folder, file)
        try:
            with open(path, "rb") as f:
                tree = ast.parse(f.read())
        except (OSError, SyntaxError, ValueError):
            continue
        return function.startswith("<") or any(
            isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef,
                              ast.ClassDef)) and node.name == function
            for node in ast.walk(tree))
    return False


def _may_be_in_c(name):
    """Whether @name is that of a C function, as far as that can be told."""
    function = re.fullmatch(r"<built-in method (\w[\w.]*)\.(\w+)>", name)
    if function:
        module = sys.modules.get(function[1])
        return module is None or hasattr(module, function[2])
    method = re.fullmatch(r"<method '(.+)' of '.+' objects>", name)
    if method:
        return any(repr(vars(t).get(method[1])) == name for t in _types())
    return name.startswith("<")


def _types():
    """Every class; the garbage collector does not know those made in C."""
    found, waiting = {object}, [object]
    while waiting:
        for t in type.__subclasses__(waiting.pop()):
            if t not in found:
                found.add(t)
                waiting.append(t)
    return found


def _suggestion(name, loaded):
    n_folders = name.count("/") + 1 if ":" in name else 0

    def spelt(label):
        file, _, function = label
        return ("%s:%s" % ("/".join(file.split(os.sep)[-n_folders:]), function)
                if n_folders else function)

    # Reports print C functions in braces.
    names = sorted({spelt(label) for label in loaded})
    if name.startswith("{"):
        names.append("<%s>" % name.strip("{}"))
    close = difflib.get_close_matches(name, names, 1, 0.75)
    return " (did you mean %s?)" % close[0] if close else ""
