# SPDX-License-Identifier: MIT
"""Random programs that make the same calls every time they run.

    source = generate(seed, version)

A program is functions, generators, coroutines, asynchronous generators, classes
and context managers that call one another at random, in every way Python has,
and raise at random.  What bounds it is `fuel` (in expressions: `tank`): every
callable of the program takes one unit on entry and returns at once when none is
left; loops are short.  So any call graph ends, mutual recursion included.

Every value is a small int.  A lambda or comprehension stands on a line of its
own, for two code objects of one name on one line are one function to proflite
and two to cProfile; one in twenty does not, to have such as well.

One program in four has generators of lambdas as well, several on a line and some
with closures, signals that a handler answers by raising where cProfile keeps its
place, and calls that code of C reports (tests/programs/fires.c), if that is there.

The namespace that the program runs in holds:

    prof        the profile that is enabled, or an object without effect
    snapshot    called with prof.getstats() results
"""

import random

PRELUDE = '''\
import collections, contextlib, functools, itertools, operator, re, types
import abc, signal
try:
    import fires
except ImportError:
    fires = None

fuel = %(fuel)d
tank = []
profiling = 1


class E(Exception):
    pass


class B(BaseException):
    pass


class Pause:
    def __init__(self, v):
        self.v = v

    def __await__(self):
        got = yield self.v
        return got or self.v


@types.coroutine
def pause(v):
    got = yield v
    return got or 1


def drive(coro, rounds=4):
    """Run a coroutine by hand."""
    try:
        got = coro.send(None)
        for i in range(rounds):
            got = coro.send(got)
        coro.close()
        return got
    except StopIteration as e:
        return e.value or 0


def drive_throw(coro, exc):
    try:
        coro.send(None)
        coro.throw(exc)
        coro.close()
        return 3
    except StopIteration as e:
        return e.value or 1


def drain(agen, rounds=5):
    total = 0
    try:
        for i in range(rounds):
            total += drive(agen.__anext__())
    except StopAsyncIteration:
        total += 1
    return total


def shut(agen):
    drive(agen.asend(None))
    drive(agen.aclose())
    return 2


def traced(f):
    @functools.wraps(f)
    def wrapper(*args, **kwargs):
        return f(*args, **kwargs)
    return wrapper


def twice(n):
    def decorate(f):
        def wrapper(*args, **kwargs):
            f(*args, **kwargs)
            return f(*args, **kwargs) + n
        return wrapper
    return decorate


class Desc:
    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, obj, owner):
        return 5 if obj is None else obj.hook(1)

    def __set__(self, obj, value):
        obj.hook(value)


class Meta(type):
    def __new__(mcls, name, bases, ns, **kw):
        return super().__new__(mcls, name, bases, ns)

    def __call__(cls, *args, **kwargs):
        return super().__call__(*args, **kwargs)

    def __instancecheck__(cls, obj):
        return type.__instancecheck__(cls, obj)

    def __len__(cls):
        return 3


def deep(n):
    return 0 if n <= 0 else deep(n - 1) + 1


def deep_finally(n):
    try:
        return deep_finally(n + 1)
    finally:
        n += 1


def deep_catch(n):
    try:
        return deep_catch(n + 1)
    except RecursionError:
        return abs(n) %% 7


def deep_a(n):
    return deep_b(n + 1)


def deep_b(n):
    return deep_a(n + 1) if n %% 2 else deep_c(n)


def deep_c(n):
    return len([n]) + deep_a(n)


def deep_gen(n):
    yield n
    yield from deep_gen(n + 1)


'''

SIGNALS = '''\
def on_signal(number, frame):
    raise E(number)


def fired(name):
    """A code object for calls that code of C reports."""
    namespace = {}
    exec(compile("def %s(): pass" % name, "<fired>", "exec"), namespace)
    return namespace[name].__code__


def call_fired(code, f, x):
    return fires.call(code, f, x) if fires else f(x)


def step_fired(code, f, x):
    return fires.step(code, f, x) if fires else f(x)


def catch_signal():
    try:
        signal.raise_signal(signal.SIGUSR1)
    except E:
        return 2
    return 1


signal.signal(signal.SIGUSR1, on_signal)
fired_a, fired_b = fired("fired_a"), fired("fired_b")

'''

DEEP = ["deep(9999)", "deep_finally(0)", "deep_catch(0)", "deep_a(1)",
        "sum(itertools.islice(deep_gen(0), 9999))"]


class Program:
    def __init__(self, seed, version):
        self.rng = random.Random("proflite %d" % seed)
        self.version = version
        self.lines = []
        self.n = 0
        r = self.rng
        self.funcs = ["f%d" % i for i in range(r.randint(2, 7))]
        self.gens = ["g%d" % i for i in range(r.randint(1, 3))]
        self.coros = ["c%d" % i for i in range(r.randint(1, 3))]
        self.agens = ["a%d" % i for i in range(r.randint(1, 2))]
        self.managers = ["m%d" % i for i in range(r.randint(1, 2))]
        self.classes = ["K%d" % i for i in range(r.randint(1, 3))]
        self.codes = ["x%d" % i for i in range(r.randint(1, 2))]
        self.deep = r.random() < 0.04
        self.toggles = r.random() < 0.15
        self.fuel = r.choice([20, 60, 120, 160])
        self.more = seed % 4 == 2

    # ------------------------------------------------------------ helpers --

    def pick(self, *items):
        return self.rng.choice(items)

    def chance(self, p):
        return self.rng.random() < p

    def int(self):
        return str(self.rng.randint(0, 9))

    def fresh(self, prefix):
        self.n += 1
        return "%s_%d" % (prefix, self.n)

    def own_line(self, text):
        """In parentheses a line may end anywhere."""
        return "(%s%s)" % ("" if self.chance(0.05) else "\n", text)

    def emit(self, level, text):
        self.lines.append("    " * level + text)

    # -------------------------------------------------------- expressions --

    def atom(self, names):
        if names and self.chance(0.6):
            return self.rng.choice(names)
        return self.int()

    def expr(self, depth, names):
        """An expression that is an int, or raises."""
        if depth <= 0:
            return self.atom(names)
        form = self.rng.choice(self.FORMS + self.MORE if self.more
                               else self.FORMS)
        return form(self, depth - 1, list(names))

    def guarded(self, depth, names):
        """For what is called without taking fuel."""
        return "(%s if tank and tank.pop() else 1)" % self.expr(depth, names)

    def lam(self, depth, names, arg="v"):
        return self.own_line("lambda %s: %s" % (
            arg, self.expr(depth, names + [arg])))

    def callee(self, depth, names):
        """An expression that can be called with one int."""
        kind = self.rng.random()
        f = self.rng.choice(self.funcs)
        if kind < 0.5:
            return f
        if kind < 0.62:
            return self.lam(depth, names)
        if kind < 0.68:
            return "functools.partial(%s, b=%s)" % (f, self.int())
        if kind < 0.74:
            return "types.MethodType(%s, %s).__call__" % (f, self.int())
        if kind < 0.8:
            return "%s().meth" % self.rng.choice(self.classes)
        if kind < 0.85:
            return self.pick("abs", "int", "hash", "(3).__add__", "bool")
        if kind < 0.9:
            return self.rng.choice(self.classes) + ".stat"
        if kind < 0.95:
            return self.rng.choice(self.classes) + ".make"
        return "%s()" % self.rng.choice(self.classes)

    def small(self, depth, names):
        return "(%s) %% 11" % self.expr(depth, names)

    def items(self, depth, names):
        n = self.rng.randint(1, 3)
        return "[%s]" % ", ".join(self.expr(depth - 1, names) for _ in range(n))

    def call_plain(self, d, names):
        f = self.rng.choice(self.funcs)
        x, y = self.expr(d, names), self.expr(d - 1, names)
        return f + self.pick(
            "(%s)" % x, "(%s, %s)" % (x, y), "(a=%s)" % x,
            "(%s, b=%s)" % (x, y), "(*[%s])" % x, "(*(%s, %s))" % (x, y),
            "(**{'a': %s})" % x, "(*[%s], **{'b': %s})" % (x, y),
            "(%s, 1, 2, 3, z=%s)" % (x, y), "()")

    def call_any(self, d, names):
        return "(%s)(%s)" % (self.callee(d, names), self.expr(d, names))

    def through_c(self, d, names):
        f, xs = self.callee(d, names), self.items(d, names)
        form = self.rng.randrange(14)
        two = self.own_line("lambda p, q: (p + %s) %% 13" % self.expr(
            d - 1, names + ["p", "q"]))
        return [
            lambda: "sum(map(%s, %s))" % (f, xs),
            lambda: "max(%s, key=%s)" % (xs, f),
            lambda: "sorted(%s, key=%s)[0]" % (xs, f),
            lambda: "min(%s, key=%s, default=1)" % (xs, f),
            lambda: "len(list(filter(%s, %s)))" % (f, xs),
            lambda: "next(map(%s, %s), 0)" % (f, xs),
            lambda: "functools.reduce(%s, %s)" % (two, xs),
            lambda: "sum(itertools.starmap(%s, zip(%s)))" % (f, xs),
            lambda: "len(tuple(itertools.takewhile(%s, %s)))" % (f, xs),
            lambda: "sort_by(%s, %s)" % (f, xs),
            lambda: "len(re.sub('[ab]', %s, 'abc'))" % self.own_line(
                "lambda m: str(%s)" % self.expr(d - 1, names)),
            lambda: "sorted(%s, key=functools.cmp_to_key(%s))[0]" % (xs, two),
            lambda: "sum(itertools.accumulate(%s, %s))" % (xs, two),
            lambda: "collections.defaultdict(%s)[1]" % self.own_line(
                "lambda: %s" % self.expr(d - 1, names)),
        ][form]()

    def comprehension(self, d, names):
        v = self.pick("i", "j")
        body = self.expr(d, names + [v])
        source = self.pick("range(2)", "range(3)", self.items(d, names),
                           "%s(%s)" % (self.rng.choice(self.gens),
                                       self.int()))
        tail = "for %s in %s" % (v, source)
        if self.chance(0.3):
            tail += " if %s" % self.expr(d - 1, names + [v])
        return self.pick(
            "sum" + self.own_line("[%s %s]" % (body, tail)),
            "sum" + self.own_line("(%s) %s" % (body, tail)),
            "len" + self.own_line("{%s %s}" % (body, tail)),
            "len" + self.own_line("{%s: 1 %s}" % (body, tail)),
            "any" + self.own_line("(%s) %s" % (body, tail)),
            "next(%s, 0)" % self.own_line("(%s) %s" % (body, tail)))

    def generator(self, d, names):
        g = "%s(%s)" % (self.rng.choice(self.gens), self.expr(d, names))
        return self.pick(
            "sum(%s)", "len(list(%s))", "next(%s, 0)", "sum(map(int, %s))",
            "sorted(%s)[0]", "max(%s, default=0)", "use_send(%s)",
            "use_throw(%s)", "use_close(%s)", "use_part(%s)",
            "sum(itertools.islice(%s, 2))", "len([*%s])", "use_reraise(%s)",
        ) % g

    def coroutine(self, d, names):
        c = "%s(%s)" % (self.rng.choice(self.coros), self.expr(d, names))
        return self.pick(
            "drive(%s)" % c, "drive(%s, 1)" % c, "drive_throw(%s, E)" % c,
            "drive_throw(%s, E(1))" % c, "%s.close() or 1" % c)

    def async_generator(self, d, names):
        a = "%s(%s)" % (self.rng.choice(self.agens), self.expr(d, names))
        return self.pick("drain(%s)" % a, "drain(%s, 1)" % a, "shut(%s)" % a)

    def object(self, d, names):
        k = self.rng.choice(self.classes)
        o = "%s(%s)" % (k, self.expr(d - 1, names))
        x = self.expr(d, names)
        return self.pick(
            "%s.meth(%s)" % (o, x), "%s.meth(%s, %s)" % (o, x, self.int()),
            "%s.meth(%s, %s)" % (k, o, x), "%s.stat(%s)" % (o, x),
            "%s.stat(%s)" % (k, x), "%s.make(%s)" % (o, x),
            "%s.make(%s)" % (k, x), "%s.prop" % o, "%s.missing" % o,
            "%s.desc" % o, "setattr(%s, 'desc', %s) or 1" % (o, x),
            "setattr(%s, 'prop', %s) or 1" % (o, x), "%s[%s]" % (o, x),
            "len(%s)" % o, "(%s + %s)" % (o, x), "(%s + %s)" % (x, o),
            "int(%s == %s)" % (o, x), "int(%s < %s)" % (o, x),
            "sum(%s)" % o, "(%s in %s) + 0" % (x, o), "%s(%s)" % (o, x),
            "hash(%s) %% 5" % o, "len(str(%s))" % o, "bool(%s) + 0" % o,
            "getattr(%s, %r)(%s)" % (o, self.pick("meth", "stat"), x),
            "getattr(%s, 'nope', 4)" % o, "hasattr(%s, 'nope2') + 0" % o,
            "operator.attrgetter('prop')(%s)" % o,
            "operator.methodcaller('meth', %s)(%s)" % (x, o),
            "%s.cached" % o, "isinstance(%s, %s) + 0" % (o, k),
            "max([%s, %s])." % (o, o) + "val", "len([*%s])" % o,
            "%s.__len__()" % o, "operator.index(%s)" % o,
            "%s.sup(%s)" % (o, x))

    def builtin(self, d, names):
        x, y = self.expr(d, names), self.expr(d - 1, names)
        return self.pick(
            "abs(%s)" % x, "len([%s, %s])" % (x, y), "max(%s, %s)" % (x, y),
            "divmod(%s, 7)[0]" % x, "int(str(%s))" % x, "sum([%s, %s])" % (x, y),
            "[%s].count(%s)" % (x, y), "[3, %s].pop()" % x,
            "'abc'.find('c') + %s" % x, "dict(k=%s).get('k')" % x,
            "{1: %s}.get(2, %s)" % (x, y), "len('%%d' %% (%s))" % x,
            "len(' '.join(['a', str(%s)]))" % x, "hash(%s)" % x,
            "list.__len__([%s])" % x, "[].append(%s) or 1" % x,
            "list.append([], %s) or 1" % x, "int.__add__(%s, 1)" % x,
            "(%s).bit_length()" % x, "len(dict.fromkeys([%s, %s]))" % (x, y),
            "int.from_bytes(bytes([1, 2]), 'big') + %s" % x,
            "functools.partial(max, %s)(%s)" % (x, y),
            "operator.add(%s, %s)" % (x, y), "len(list(zip([%s], [1])))" % x,
            "cached(%s)" % self.small(d, names), "dispatch(%s)" % x,
            "dispatch('s') + %s" % x, "stored(%s)" % x, "bound(%s)" % x,
            "round(%s)" % x, "len(collections.deque([%s], 3))" % x,
            "Point(%s, 1).x" % x, "len(Point(%s, 1)._asdict())" % x)

    def evaluated(self, d, names):
        if self.chance(0.75):
            return "eval(%s)" % self.rng.choice(self.codes)
        return "eval(%r, globals(), {'v': %s})" % (
            self.rng.choice(self.funcs) + "(v)", self.expr(d, names))

    def raising(self, d, names):
        x = self.expr(d, names)
        return self.pick(
            "fail(%s)" % x, "(1 // (%s %% 2))" % x, "[1][%s]" % x,
            "next(iter([]))", "int('x%s')" % self.int(), "fail_base(%s)" % x,
            "{}['k']", "getattr(1, 'nope')", "len(%s)" % x,
            "list.append(%s)" % x, "[].pop()", "max(key=abs)",
            "(%s)(1, 2, 3, 4, zz=1)" % self.rng.choice(self.codes), "fail()",
            "sorted([1, 'a', %s])" % x, "''.join([%s])" % x)

    def logic(self, d, names):
        x, y, z = (self.expr(d, names) for _ in range(3))
        return self.pick("(%s if %s else %s)" % (x, y, z),
                         "(%s or %s)" % (x, y), "(%s and %s)" % (x, y),
                         "(%s + %s) %% 101" % (x, y), "(%s - %s)" % (x, y),
                         "(%s < %s) + 0" % (x, y), "(-%s)" % x)

    def lambdas(self, d, names):
        """Generators of one line, one of them a closure."""
        x, y = self.expr(d - 1, names), self.expr(d - 1, names)
        both = "(lambda w: ((lambda: (yield %s)), (lambda: (yield w))))(%s)" % (
            x, y)
        return self.pick(
            "sum(i or 0 for f in %s for i in f())" % both,
            "use_close(%s[1]())" % both, "use_throw(%s[0]())" % both,
            "use_throw(%s[1]())" % both, "use_send(%s[1]())" % both,
            "len([*%s[0](), *%s[1]()])" % (both, both))

    def signalled(self, d, names):
        return self.pick(
            "catch_signal()", "signal.raise_signal(signal.SIGUSR1) or 1",
            "(%s)(catch_signal())" % self.rng.choice(self.funcs))

    def reported(self, d, names):
        code = self.pick("fired_a", "fired_a", "fired_b")
        how = self.pick("call_fired", "call_fired", "step_fired")
        return "%s(%s, %s, %s)" % (
            how, code, self.pick(self.callee(d, names), "fail", "catch_signal",
                                 self.rng.choice(self.funcs)),
            self.expr(d - 1, names))

    MORE = [lambdas] * 5 + [signalled] * 2 + [reported] * 5

    FORMS = ([call_plain] * 9 + [call_any] * 4 + [through_c] * 4 +
             [comprehension] * 4 + [generator] * 4 + [coroutine] * 3 +
             [async_generator] * 2 + [object] * 6 + [builtin] * 6 +
             [evaluated] + [raising] + [logic] * 4)

    # --------------------------------------------------------- statements --

    def block(self, level, depth, names, kind):
        """A few statements.  @kind: what may stand in it: def, gen, coro or
        agen."""
        for _ in range(self.rng.randint(1, 3)):
            self.statement(level, depth, names, kind)

    def assign(self, level, depth, names, kind):
        name = self.pick("s", "t")
        self.emit(level, "%s = %s" % (name, self.expr(depth, names)))
        if name not in names:
            names.append(name)

    def if_(self, level, depth, names, kind):
        self.emit(level, "if %s:" % self.expr(depth - 1, names))
        self.block(level + 1, depth - 1, list(names), kind)
        if self.chance(0.4):
            self.emit(level, "else:")
            self.block(level + 1, depth - 1, list(names), kind)

    def for_(self, level, depth, names, kind):
        self.emit(level, "for i in %s:" % self.pick(
            "range(2)", "range(3)", self.items(depth, names),
            "%s(2)" % self.rng.choice(self.gens),
            "%s()" % self.rng.choice(self.classes)))
        inner = names + ["i"]
        self.block(level + 1, depth - 1, inner, kind)
        if self.chance(0.3):
            self.emit(level + 1, "if %s: %s" % (
                self.expr(depth - 1, inner), self.pick("break", "continue")))

    def try_(self, level, depth, names, kind):
        self.emit(level, "try:")
        self.block(level + 1, depth - 1, list(names), kind)
        if self.chance(0.3):
            self.emit(level + 1, "raise %s" % self.pick(
                "E", "E(1)", "B", "ValueError(2)", "StopIteration(3)",
                "E from KeyError()"))
        if self.chance(0.85):
            star = self.version >= (3, 11) and self.chance(0.15)
            self.emit(level, "%s %s as e:" % (
                "except*" if star else "except",
                self.pick("Exception", "E", "(E, B)", "ArithmeticError",
                          "BaseException")))
            if star:            # no break, continue or return in there
                self.assign(level + 1, depth - 1, list(names), kind)
            else:
                self.block(level + 1, depth - 1, list(names), kind)
            if self.chance(0.2):
                self.emit(level + 1, "raise")
            if self.chance(0.3):
                self.emit(level, "else:")
                self.block(level + 1, depth - 1, list(names), kind)
            if self.chance(0.3):
                self.emit(level, "finally:")
                self.block(level + 1, depth - 1, list(names), kind)
        else:
            self.emit(level, "finally:")
            self.block(level + 1, depth - 1, list(names), kind)

    def with_(self, level, depth, names, kind):
        self.emit(level, "with %s as w:" % self.pick(
            "%s(%s)" % (self.rng.choice(self.managers),
                        self.expr(depth - 1, names)),
            "%s(%s)" % (self.rng.choice(self.classes), self.int()),
            "contextlib.suppress(E, ArithmeticError)",
            "contextlib.ExitStack()"))
        self.block(level + 1, depth - 1, list(names), kind)

    def nested_def(self, level, depth, names, kind):
        name = self.fresh("inner")
        if self.chance(0.3):
            self.emit(level, "@" + self.pick(
                "traced", "twice(1)", "functools.lru_cache(None)"))
        self.emit(level, "def %s(p=1, q=2):" % name)
        self.emit(level + 1, "return %s" % self.expr(depth, ["p", "q"]))
        self.emit(level, "t = %s(%s)" % (name, self.expr(depth - 1, names)))
        if "t" not in names:
            names.append("t")

    def nested_class(self, level, depth, names, kind):
        name = self.fresh("Local")
        self.emit(level, "class %s(%s):" % (
            name, self.rng.choice(self.classes)))
        self.emit(level + 1, "attribute = %s" % self.expr(depth - 1, []))
        self.emit(level + 1, "def meth(self, v, w=0):")
        self.emit(level + 2, "return super().meth(%s)" %
                  self.expr(depth - 1, ["v"]))
        self.emit(level, "t = %s(1).meth(%s)" % (
            name, self.expr(depth - 1, names)))
        if "t" not in names:
            names.append("t")

    def exec_(self, level, depth, names, kind):
        self.emit(level, "exec(%r, {**globals()})" % (
            "def made(v):\n    return %s(v)\nmade(%s)\n" % (
                self.rng.choice(self.funcs), self.int())))

    def leave(self, level, depth, names, kind):
        self.emit(level, "if %s:" % self.expr(depth - 1, names))
        if kind in ("def", "coro"):
            self.emit(level + 1, self.pick(
                "return %s" % self.expr(depth - 1, names), "raise E(1)"))
        else:
            self.emit(level + 1, self.pick("return", "raise E(2)"))

    def toggle(self, level, depth, names, kind):
        """Stop and go on, not always in the same frame."""
        if not self.toggles:
            return self.assign(level, depth, names, kind)
        form = self.rng.randrange(5)
        if form == 0:
            self.emit(level, "if profiling: profiling = 0; prof.disable()")
        elif form in (1, 2):
            self.emit(level, "if not profiling: profiling = 1; prof.enable()")
        elif form == 3:
            self.emit(level, "snapshot(prof.getstats())")
        else:
            self.emit(level, "if profiling:")
            self.emit(level + 1, "prof.disable()")
            self.emit(level + 1, "prof.enable()")

    def yield_(self, level, depth, names, kind):
        x = self.expr(depth - 1, names)
        if kind == "gen":
            self.emit(level, self.pick(
                "yield %s" % x, "t = yield %s" % x,
                "yield from %s(%s)" % (self.rng.choice(self.gens), x),
                "yield from [%s]" % x,
                "t = yield from %s(%s)" % (self.rng.choice(self.gens), x)))
        elif kind == "coro":
            self.emit(level, self.pick(
                "s = await Pause(%s)" % x, "s = await pause(%s)" % x,
                "s = await %s(%s)" % (self.rng.choice(self.coros), x),
                "async for i in %s(%s): pass" % (
                    self.rng.choice(self.agens), x),
                "async with %s(%s): await pause(1)" % (
                    self.rng.choice(self.classes), self.int()),
                "s = len([i async for i in %s(%s)])" % (
                    self.rng.choice(self.agens), x)))
        elif kind == "agen":
            self.emit(level, self.pick(
                "yield %s" % x, "await pause(%s)" % x,
                "await %s(%s)" % (self.rng.choice(self.coros), x)))

    STATEMENTS = ([assign] * 8 + [if_] * 2 + [for_] * 2 + [try_] * 4 +
                  [with_] * 2 + [nested_def, nested_class, exec_, leave] +
                  [toggle])

    def statement(self, level, depth, names, kind):
        if depth <= 0:
            return self.emit(level, "s = %s" % self.atom(names))
        if kind != "def" and self.chance(0.4):
            return self.yield_(level, depth, names, kind)
        self.rng.choice(self.STATEMENTS)(self, level, depth, names, kind)

    # -------------------------------------------------------- definitions --

    def body(self, level, names, kind, depth=None):
        names = list(names) + ["s", "t"]
        self.emit(level, "global fuel, profiling")
        self.emit(level, "s = t = 1")
        self.emit(level, "fuel -= 1")
        self.emit(level, "if fuel < 0: return" +
                  (" 1" if kind in ("def", "coro") else ""))
        self.block(level, depth or self.rng.randint(1, 3), names, kind)
        if kind in ("gen", "agen"):
            self.emit(level, "yield %s" % self.expr(1, names))
        else:
            if kind == "coro" and self.chance(0.5):
                self.emit(level, "s = await pause(%s)" % self.int())
            self.emit(level, "return %s" % self.expr(
                self.rng.randint(0, 2), names))

    def functions(self):
        for name in self.funcs:
            for _ in range(self.rng.choice([0, 0, 0, 0, 1, 2])):
                self.emit(0, "@" + self.pick("traced", "twice(2)",
                                             "traced", "mark"))
            self.emit(0, "def %s(a=1, b=2, *args, **kw):" % name)
            self.body(1, ["a", "b"], "def")
            self.emit(0, "")
        for name in self.gens:
            self.emit(0, "def %s(a=1):" % name)
            self.body(1, ["a"], "gen")
            self.emit(0, "")
        for name in self.coros:
            self.emit(0, "async def %s(a=1):" % name)
            self.body(1, ["a"], "coro")
            self.emit(0, "")
        for name in self.agens:
            self.emit(0, "async def %s(a=1):" % name)
            self.body(1, ["a"], "agen")
            self.emit(0, "")
        for name in self.managers:
            self.emit(0, "@contextlib.contextmanager")
            self.emit(0, "def %s(a=1):" % name)
            self.emit(1, "s = %s" % self.guarded(1, ["a"]))
            self.emit(1, "try:")
            self.emit(2, "yield s")
            if self.chance(0.5):
                self.emit(1, "except E:")
                self.emit(2, "s = %s" % self.guarded(1, ["a"]))
            self.emit(1, "finally:")
            self.emit(2, "s = %s" % self.guarded(1, ["a"]))
            self.emit(0, "")

    METHODS = [
        ("meth", "self, v=1, w=2", "def", ["v", "w"]),
        ("hook", "self, v=1", "def", ["v"]),
        ("__getattr__", "self, name", None, []),
        ("__getitem__", "self, v", None, ["v"]),
        ("__len__", "self", "len", []),
        ("__add__", "self, v", "def", ["v"]),
        ("__radd__", "self, v", "def", ["v"]),
        ("__eq__", "self, v", "def", []),
        ("__lt__", "self, v", "def", []),
        ("__gt__", "self, v", "def", []),
        ("__hash__", "self", "def", []),
        ("__call__", "self, v=1, *args", "def", ["v"]),
        ("__iter__", "self", "gen", []),
        ("__contains__", "self, v", "def", []),
        ("__bool__", "self", "bool", []),
        ("__enter__", "self", "def", []),
        ("__exit__", "self, *exc", "exit", []),
        ("__aenter__", "self", "coro", []),
        ("__aexit__", "self, *exc", "coro", []),
        ("__str__", "self", "str", []),
        ("__del__", "self", "del", []),
        ("__index__", "self", "def", []),
        ("sup", "self, v", None, ["v"]),
    ]

    def method(self, name, args, kind, names):
        if name == "__del__" and self.chance(0.7):
            return
        self.emit(1, "%sdef %s(%s):" % (
            "async " if kind == "coro" else "", name, args))
        if name == "__getattr__":
            self.emit(2, "if name[:1] == '_' or name[:4] == 'nope': "
                         "raise AttributeError(name)")
            self.emit(2, "return %s" % self.guarded(1, []))
        elif name == "__getitem__":
            self.emit(2, "if v > 4: raise IndexError(v)")
            self.emit(2, "return %s" % self.guarded(1, ["v"]))
        elif name == "sup":
            self.emit(2, "return super().__sizeof__() * 0 + "
                         "len(super().__repr__()[:2]) + " +
                      self.guarded(1, ["v"]))
        elif kind == "len":
            self.emit(2, "return abs(%s) %% 3" % self.guarded(1, []))
        elif kind == "bool":
            self.emit(2, "return (%s) > 1" % self.guarded(1, []))
        elif kind == "str":
            self.emit(2, "return '%%d' %% (%s)" % self.guarded(1, []))
        elif kind == "exit":
            self.emit(2, "return (%s) > 4" % self.guarded(1, []))
        elif kind == "del":
            self.emit(2, "return %s" % self.guarded(1, []))
        else:
            self.body(2, names, kind, depth=self.rng.randint(1, 2))

    def class_(self, name, bases):
        base = self.rng.choice(bases) if bases and self.chance(0.5) else None
        meta = "" if base or self.chance(0.6) else self.pick(
            "metaclass=Meta", "metaclass=abc.ABCMeta", "metaclass=Meta, key=1")
        self.emit(0, "class %s(%s):" % (name, base or meta))
        self.emit(1, "val = 2")
        self.emit(1, "desc = Desc()")
        if self.chance(0.5) or not base:
            self.emit(1, "def __init__(self, val=1):")
            if base:
                self.emit(2, "super().__init__(val)")
            self.emit(2, "self.val = val")
        if self.chance(0.2):
            self.emit(1, "def __new__(cls, *args):")
            self.emit(2, "return super().__new__(cls)")
        if self.chance(0.3):
            self.emit(1, "def __init_subclass__(cls, **kw):")
            self.emit(2, "super().__init_subclass__(**kw)")
        for method in self.METHODS:
            if not base or self.chance(0.25):
                self.method(*method)
        if not base:
            self.emit(1, "__hash__ = lambda self: 7")
            self.emit(1, "prop = property(lambda self: %s, "
                         "lambda self, v: self.hook(v))" % self.guarded(1, []))
            self.emit(1, "@functools.cached_property")
            self.emit(1, "def cached(self):")
            self.emit(2, "return %s" % self.guarded(1, []))
            self.emit(1, "@staticmethod")
            self.emit(1, "def stat(v=1):")
            self.emit(2, "return %s" % self.guarded(1, ["v"]))
            self.emit(1, "@classmethod")
            self.emit(1, "def make(cls, v=1):")
            self.emit(2, "return cls(v).val")
        self.emit(0, "")

    def helpers(self):
        self.lines += HELPERS.splitlines()
        for name in self.codes:
            self.emit(0, "%s = compile(%r, '<%s>', 'eval')" % (
                name, self.guarded(2, []).replace("\n", ""), name))
        self.emit(0, "")

    def main(self):
        self.emit(0, "def main():")
        self.emit(1, "global fuel, tank")
        self.emit(1, "total = 0")
        for _ in range(self.rng.randint(2, 5)):
            self.emit(1, "fuel, tank = %d, [1] * %d" % (self.fuel,
                                                       self.fuel // 2))
            self.emit(1, "try:")
            self.emit(2, "total += %s" % (
                self.rng.choice(DEEP) if self.deep and self.chance(0.7)
                else self.expr(self.rng.randint(2, 4), [])))
            self.emit(1, "except BaseException as e:")
            self.emit(2, "total += 1")
            # Tracebacks hold frames, and those generators: let go now.
            self.emit(1, "e = None")
        self.emit(1, "return total")
        self.emit(0, "")
        self.emit(0, "main()")

    def text(self):
        self.lines = (PRELUDE % {"fuel": self.fuel}).splitlines()
        if self.more:
            self.lines += SIGNALS.splitlines()
        self.helpers()
        made = []
        for name in self.classes:
            self.class_(name, made)
            made.append(name)
        self.functions()
        self.main()
        return "\n".join(self.lines) + "\n"


HELPERS = '''\
def fail(v=1):
    raise E(v)


def fail_base(v=1):
    raise B(v)


def sort_by(f, xs):
    xs.sort(key=f)
    return len(xs)


def mark(f):
    f.marked = True
    return f


@functools.lru_cache(8)
def cached(v):
    return abs(v)


@functools.singledispatch
def dispatch(v):
    return 1


@dispatch.register(int)
def dispatch_int(v):
    return abs(v)


Point = collections.namedtuple('Point', 'x y')
stored = [1, 2, 3].count
bound = (5).__add__


def use_send(g):
    total = next(g, 0)
    try:
        total += g.send(3) or 0
        total += g.send(None) or 0
    except StopIteration as e:
        total += e.value or 0
    return total


def use_throw(g):
    next(g, 0)
    try:
        return g.throw(E(5)) or 0
    except (E, StopIteration):
        return 4


def use_reraise(g):
    try:
        g.throw(ValueError)
    except ValueError:
        pass
    return 1


def use_close(g):
    next(g, 0)
    g.close()
    return 1


def use_part(g):
    a, *rest = itertools.islice(g, 3)
    return len(rest)

'''


class Options:
    """What a program needs to be told to whoever runs it."""

    def __init__(self, program):
        self.deep = program.deep
        self.toggles = program.toggles


def generate(seed, version):
    """(source, options) of program number @seed for Python @version."""
    program = Program(seed, tuple(version[:2]))
    return program.text(), Options(program)


if __name__ == "__main__":
    import sys
    print(generate(int(sys.argv[1]), sys.version_info)[0], end="")
