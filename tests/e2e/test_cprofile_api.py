# SPDX-License-Identifier: MIT
"""proflite.Profile where cProfile.Profile was: what it offers, and that its
figures are the same.  tests/differential has the random programs."""

from harness import Case, Recorded, since, until

# What the scripts below share: `both` runs something under each profiler, with
# a clock that counts its readings, and compares.
COMMON = """
    import cProfile, itertools, marshal, os, pstats, sys
    import proflite

    def label(code):
        if isinstance(code, str):
            return code
        return "%s:%d:%s" % (os.path.basename(code.co_filename),
                             code.co_firstlineno, code.co_name)

    def rows(entries):
        if hasattr(entries, "getstats"):
            entries = entries.getstats()
        return {label(e.code): (
            e.callcount, e.reccallcount, e.totaltime, e.inlinetime,
            e.calls and {label(s.code): tuple(s)[1:] for s in e.calls})
            for e in entries}

    def counting(*args, **kwargs):
        for module in cProfile, proflite:
            yield module.Profile(itertools.count().__next__, 1.0, *args,
                                 **kwargs)

    def both(run, *args, **kwargs):
        a, b = counting(*args, **kwargs)
        run(a)
        run(b)
        check(rows(a), rows(b))
        return rows(b)

    def check(a, b):
        assert a == b, "cProfile:\\n%s\\nproflite:\\n%s" % (
            sorted(a.items()), sorted(b.items()))

    def leaf():
        return 1

    def fact(n):
        return n * fact(n - 1) if n else leaf()

    def work():
        fact(3)
        return sorted([3, 1, 2], key=lambda v: -v)

    def numbers(n):
        for i in range(n):
            yield leaf()
"""


class Api(Case):
    def check(self, text):
        """Run @text behind COMMON; it says "done"."""
        app = self.script(COMMON)
        with open(app, "a") as f:
            f.write(self.script(text, "more.py").read_text())
            f.write("\nprint('done')\n")
        done = self.python([app])
        self.assertEqual(done.stdout.splitlines()[-1:], ["done"])
        self.assertEqual(done.stderr, "")
        return done.stdout

    def test_every_way_to_profile(self):
        self.check("""
            def enabled(p):
                p.enable()
                work()
                p.disable()
            assert both(enabled)[label(fact.__code__)][:2] == (4, 3)

            def with_block(p):
                with p as same:
                    assert same is p
                    work()
                p.disable()
            a, b = counting()
            with_block(a), with_block(b)
            a, b = rows(a), rows(b)
            for x in a, b:                  # __exit__ stands on its own line
                exits = [k for k in x if k.endswith(":__exit__")]
                x["exit"] = x.pop(*exits)
            check(a, b)

            def runcall(p):
                assert p.runcall(max, 2, 3, key=abs) == 3
                assert p.runcall(fact, n=3) == 6
                try:
                    p.runcall(int, "x")
                except ValueError:
                    pass
            both(runcall)

            def run(p):
                assert p.run("x = work()") is p
                assert x == [3, 2, 1]
            both(run)

            def runctx(p):
                names = {"f": fact}
                assert p.runctx("y = f(4)", names, names) is p
                assert names["y"] == 24
            both(runctx)

            def raising(p):
                try:
                    p.runctx("f('x')", {"f": fact}, {})
                except TypeError:
                    pass
                leaf()                  # no more enabled
            both(raising)
            """)

    def test_open_calls(self):
        """Begun inside of calls, ended inside of others, and both again."""
        self.check("""
            def inner(p, how):
                leaf()
                getattr(p, how)()
                leaf()

            def middle(p, how):
                leaf()
                inner(p, how)
                leaf()

            def run(p):
                middle(p, "enable")
                leaf()
                middle(p, "disable")
                leaf()
                middle(p, "enable")
                middle(p, "disable")
                g = numbers(3)
                next(g)
                p.enable()
                next(g)
                p.disable()
                next(g)
                p.enable()
                next(g, 0)
                p.disable()
            both(run)
            """)

    def test_begun_in_odd_places(self):
        """In a signal's handler, a callback of the garbage collector, a
        finalizer, a generator, a coroutine, twice."""
        self.check("""
            import asyncio, gc, signal

            def in_handler(p):
                signal.signal(signal.SIGUSR1, lambda *args: p.enable())
                os.kill(os.getpid(), signal.SIGUSR1)
                work()
                p.disable()

            def in_collector(p):
                def begin(phase, info):
                    if phase == "start":
                        p.enable()
                gc.callbacks.append(begin)
                gc.collect()
                gc.callbacks.remove(begin)
                work()
                p.disable()

            class Finalizer:
                def __init__(self, p):
                    self.p = p

                def __del__(self):
                    self.p.enable()

            def in_finalizer(p):
                Finalizer(p)
                work()
                p.disable()

            def in_generator(p):
                def generator():
                    p.enable()
                    yield leaf()
                    p.disable()
                    yield leaf()
                it = generator()
                next(it)
                work()
                next(it)
                leaf()

            async def coroutine(p):
                p.enable()
                await asyncio.sleep(0)
                work()
                p.disable()

            def in_coroutine(p):
                loop.run_until_complete(coroutine(p))

            def generators(p):
                def generator():
                    try:
                        yield 1
                    finally:
                        leaf()
                p.enable()
                it = generator()
                next(it)
                it.close()
                it = generator()
                next(it)
                del it
                it = generator()
                next(it)
                try:
                    it.throw(KeyError)
                except KeyError:
                    pass
                p.disable()

            def twice(p):
                p.enable()
                leaf()
                p.disable()
                p.disable()
                p.enable()
                leaf()
                p.disable()

            loop = asyncio.new_event_loop()
            in_coroutine(cProfile.Profile())    # what it does the first time
            gc.disable()
            for run in (in_handler, in_collector, in_finalizer, in_generator,
                        in_coroutine, generators, twice):
                found = both(run)
                assert label(leaf.__code__) in found, (run, found)
            loop.close()
            """)

    def test_begun_in_a_trace_function(self):
        self.check("""
            def in_trace_function(p):
                def trace(frame, event, arg):
                    if frame.f_code is leaf.__code__:
                        p.enable()
                sys.settrace(trace)
                leaf()
                sys.settrace(None)
                work()
                p.disable()

            found = both(in_trace_function)
            assert label(leaf.__code__) in found
            """)

    def test_while_enabled(self):
        """Calls that are open do not count yet; a caller whose first call of a
        function is open has a row of zeros."""
        self.check("""
            def outer(p, deep):
                leaf()
                if deep:
                    outer(p, deep - 1)
                else:
                    seen.append(p.getstats())
                    work()

            def other(p):
                outer(p, 0)

            def run(p):
                p.enable()
                outer(p, 0)
                outer(p, 2)
                other(p)
                other(p)
                outer(p, 1)
                p.disable()

            def without_own(rows):
                return {k: (*v[:3], v[4] and {
                    name: sub[:3] for name, sub in v[4].items()})
                    for k, v in rows.items()}

            seen = []
            both(run)
            assert len(seen) == 10
            for a, b in zip(map(rows, seen[:5]), map(rows, seen[5:])):
                check(without_own(a), without_own(b))
            def first(p, snap):
                if snap:
                    p.snapshot_stats()
                    stats.append(p.stats)

            def second(p, snap):
                first(p, snap)

            def again(p):
                p.enable()
                first(p, False)
                first(p, True)
                second(p, True)
                p.disable()

            def line(f):
                return (__file__, f.__code__.co_firstlineno, f.__name__)

            # second() has no row, being open, so it is nobody's caller either.
            stats = []
            for p in counting():
                again(p)
            for s in stats:
                assert line(second) not in s
                assert s[line(first)][4] == {}, s
            assert [s[line(first)][:2] for s in stats] == [(1, 1), (2, 2)] * 2

            def third(p, snap):
                if snap:
                    first(p, snap)

            stats = []
            for p in counting():
                p.enable()
                first(p, False)
                third(p, False)
                third(p, True)
                p.disable()
            for s in stats:
                assert s[line(first)][4] == {line(third): (0, 0, 0.0, 0.0)}, s
            """)

    def test_subcalls_and_builtins(self):
        self.check("""
            def run(p):
                p.enable(subcalls=s, builtins=b)
                work()
                list(numbers(2))
                p.disable()
            for s in False, True:
                for b in False, True:
                    found = both(run, s, b)
                    assert any(v[4] for v in found.values()) == s
                    assert any("built-in" in k for k in found) == b

            # The choice may differ from time to time.
            def change(p):
                for s, b in ((1, 1), (0, 1), (1, 0), (0, 0), (1, 1)):
                    p.enable(s, b)
                    work()
                    p.disable()
            both(change)
            p = proflite.Profile(subcalls=False, builtins=False)
            p.enable()
            work()
            p.disable()
            assert not any(v[4] for v in rows(p).values())
            assert not any("built-in" in k for k in rows(p))
            """)

    def test_entries(self):
        self.check("""
            p = proflite.Profile()
            assert p.getstats() == []
            p.runcall(work)
            q = cProfile.Profile()
            q.runcall(work)
            for a, b in zip(*(sorted(x.getstats(), key=lambda e: label(e.code))
                              for x in (p, q))):
                assert type(a).__name__ == type(b).__name__
                assert len(a) == len(b) == 6
                assert a.code is b.code or a.code == b.code
                for name in ("callcount", "reccallcount", "totaltime",
                             "inlinetime", "calls"):
                    assert type(getattr(a, name)) is type(getattr(b, name))
                for sub in a.calls or ():
                    assert type(sub).__name__ == "profiler_subentry"
                    assert len(sub) == 5 and sub.totaltime >= sub.inlinetime
            for e in p.getstats():
                line = e.code if isinstance(e.code, str) else \\
                    e.code.co_firstlineno
                assert line in proflite.label(e.code)[1:], e
            """)

    def test_signatures(self):
        """Every name of cProfile, with cProfile's parameters; what is more is
        by keyword only."""
        self.check("""
            import inspect

            def signature(f):
                try:
                    found = inspect.signature(f)
                except ValueError:          # of C, in older versions
                    return None
                return str(found.replace(parameters=[
                    p for name, p in found.parameters.items()
                    if name not in ("threads", "all_calls", "within")]))

            assert set(cProfile.__all__) <= set(proflite.__all__)
            names = [n for n in ("run", "runctx", "Profile", "label", "main")
                     if hasattr(cProfile, n)]
            pairs = [(getattr(cProfile, n), getattr(proflite, n))
                     for n in names]
            methods = [n for n in dir(cProfile.Profile)
                       if not n.startswith("_")] + ["__enter__", "__exit__"]
            assert len(methods) > 12
            pairs += [(getattr(cProfile.Profile, n),
                       getattr(proflite.Profile, n)) for n in methods]
            for theirs, ours in pairs:
                expected = signature(theirs)
                assert expected in (None, signature(ours)), (
                    ours, expected, signature(ours))
                assert ours.__doc__ or not theirs.__doc__, ours
            assert repr(proflite.Profile()).startswith("<proflite.Profile ")
            for bad in [(1, 2)], [None], [b"x"]:
                for f in cProfile, proflite:
                    try:
                        getattr(f, "label", proflite.label)(*bad)
                    except AttributeError:
                        pass
                    else:
                        raise AssertionError(bad)
            """)

    def test_shapes_of_entries(self):
        self.check("""
            a, b = counting()
            for p in a, b:
                assert not hasattr(p, "stats")
                p.runcall(work)
            entries = [sorted(p.getstats(), key=lambda e: label(e.code))
                       for p in (a, b)]
            for one, two in zip(*entries):
                pairs = [(one, two)]
                pairs += zip(*(sorted(e.calls or (), key=repr)
                               for e in (one, two)))
                for x, y in pairs:
                    assert isinstance(y, tuple)
                    x_shown, y_shown = (         # those come in any order
                        repr(e).split(", calls=[")[0] for e in (x, y))
                    assert x_shown == y_shown, (x, y)
                    assert repr(type(x)) == repr(type(y))
                    for name in dir(x):
                        value = getattr(y, name)
                        if name.startswith("n_") or name == "__match_args__":
                            assert value == getattr(x, name), name
            assert repr(entries[1][0]).startswith("_lsprof.profiler_entry(code=")
            """)

    def test_twice_the_same(self):
        """Whatever is found out about the clock's rate in the meantime."""
        self.check("""
            import time
            p = proflite.Profile()
            p.runcall(work)
            first = rows(p)
            for i in range(5):
                time.sleep(0.01)
                p.create_stats()
                check(first, rows(p))
                assert {k[2] for k in p.stats} == {k[2] for k in p.stats}
            one = dict(p.stats)
            p.create_stats()
            assert one == p.stats
            """)

    def test_clear(self):
        self.check("""
            def run(p):
                p.enable()
                work()
                clearing(p)
                work()
                p.disable()
                seen.append(rows(p))
                p.clear()
                assert p.getstats() == []
                p.clear()
                p.enable()
                leaf()
                p.disable()

            def clearing(p):
                leaf()
                p.clear()
                leaf()
            seen = []
            both(run)
            check(*seen)
            """)

    def test_print_stats(self):
        """Every kind of sort key, to the letter but for the times."""
        self.check("""
            import contextlib, io, re

            def text(p, *args):
                out = io.StringIO()
                with contextlib.redirect_stdout(out):
                    p.print_stats(*args)
                return re.sub(r"\\d+\\.\\d{3}", "0.000", out.getvalue())

            a, b = counting()
            a.runcall(work), b.runcall(work)
            keys = [(), (-1,), (0,), (1,), (2,), ("cumulative",), ("ncalls",),
                    (pstats.SortKey.TIME,), ("file",)]
            for key in keys:
                # Rows that the key does not tell apart come in any order.
                left, right = (sorted(text(p, *key).splitlines())
                               for p in (a, b))
                assert left == right, (key, left, right)
            assert text(a) == text(b)
            # A tuple of keys: cProfile since 3.13.
            for keys in ("calls", "stdname"), (pstats.SortKey.CALLS,
                                               pstats.SortKey.STDNAME):
                found = text(b, keys).splitlines()
                assert found[2] == \\
                    "   Ordered by: call count, standard name", found
                assert [line.split()[0] for line in found[5:] if line] \\
                    == ["4/1", "3", "1", "1", "1", "1"], found
            for bad in "nonsense", ("calls", 7):
                for p in a, b:
                    try:
                        text(p, bad)
                    except (KeyError, AttributeError, TypeError) as e:
                        print(type(e))
                    else:
                        print("printed")
            """)

    def test_stats(self):
        self.check("""
            a, b = counting()
            for p in a, b:
                p.runcall(work)
                p.create_stats()
            assert a.stats == b.stats
            b.dump_stats("x.prof")
            with open("x.prof", "rb") as f:
                assert marshal.load(f) == b.stats
            one = pstats.Stats("x.prof")
            assert one.stats == b.stats and one.total_calls == 11
            two = pstats.Stats("x.prof", b)
            assert two.total_calls == 22
            try:
                b.dump_stats("no/such/folder")
            except FileNotFoundError:
                pass
            assert b.getstats()
            """)

    def test_save(self):
        self.check("""
            p = proflite.Profile(itertools.count().__next__, 1e-9)
            p.runcall(work)
            p.save("proflite.db")
            os.mkdir("sub")
            p.save(os.path.join("sub", "other.db"))
            os.chdir("sub")
            import pathlib
            p.save(pathlib.Path("third.db"))
            p.create_stats()
            with open("../x.marshal", "wb") as f:
                marshal.dump(p.stats, f)
            """)
        import marshal
        stats = marshal.loads((self.tmp / "x.marshal").read_bytes())
        for db in (self.db, self.tmp / "sub/other.db",
                   self.tmp / "sub/third.db"):
            found = {tuple(row[:3]): row[3:] for row in self.rows(
                "select filename, line, function, primcalls, ncalls, "
                "tottime, cumtime from pstats", db=db)}
            self.assertEqual({k: (v[0], v[1]) for k, v in stats.items()},
                             {k: (v[0], v[1]) for k, v in found.items()})
            for key, value in stats.items():
                self.assertAlmostEqual(value[2], found[key][2])
                self.assertAlmostEqual(value[3], found[key][3])
            callers = {(tuple(row[:3]), tuple(row[3:6])): row[6:]
                       for row in self.rows(
                "select filename, line, function, caller_filename, "
                "caller_line, caller_function, ncalls, primcalls from callers",
                db=db)}
            self.assertEqual(callers, {
                (callee, caller): (nc, cc)
                for callee, row in stats.items()
                for caller, (nc, cc, tt, ct) in row[4].items()})

    def test_save_again(self):
        """Each profile is a run, as it was saved last; clear() begins another;
        what cannot be written says so, and is not written."""
        self.check("""
            import sqlite3

            def runs():
                return sqlite3.connect("runs.db").execute(
                    "select run_id, ncalls from pstats "
                    "where function = 'leaf' order by run_id").fetchall()

            p, q = proflite.Profile(), proflite.Profile()
            p.save("empty.db")
            for one in p, q, p:
                one.runcall(leaf)
                one.save("runs.db")
            assert runs() == [(1, 2), (2, 1)], runs()
            p.enable()
            leaf()
            p.save("runs.db")
            leaf()
            p.disable()
            p.save(b"runs.db")
            assert runs() == [(1, 4), (2, 1)], runs()
            p.clear()
            p.runcall(leaf)
            p.save("runs.db")
            assert runs() == [(1, 4), (2, 1), (3, 1)], runs()

            with open("text", "w") as f:
                f.write("no database, but text of some length")
            for path in "text", "no/such/folder.db", ".":
                try:
                    p.save(path)
                except OSError as e:
                    assert path in str(e), e
                else:
                    raise AssertionError(path)
            assert open("text").read().startswith("no database")
            for path in None, 3, "nul\\0":
                try:
                    p.save(path)
                except (TypeError, ValueError):
                    pass
                else:
                    raise AssertionError(path)
            """)

    def test_subclass(self):
        self.check("""
            class Mine(proflite.Profile):
                def __init__(self, name, **kwargs):
                    super().__init__(**kwargs)
                    self.name = name

                def getstats(self):
                    return [e for e in super().getstats()
                            if not isinstance(e.code, str)]

            p = Mine("x", builtins=True)
            p.runcall(work)
            p.create_stats()
            assert p.name == "x"
            assert all(key[0] != "~" for key in p.stats), p.stats
            full = proflite.Profile()
            full.runcall(work)
            full.create_stats()
            for key, row in p.stats.items():
                assert row[:2] == full.stats[key][:2]
                assert {k: v[:2] for k, v in row[4].items()} == {
                    k: v[:2] for k, v in full.stats[key][4].items()
                    if k[0] != "~"}

            class Plain(proflite.Profile):
                def __init__(self):     # and not the base's
                    pass
            p = Plain()
            p.enable()
            work()
            p.disable()
            p.create_stats()
            """)

    def test_not_pickled(self):
        self.check("""
            import copy, pickle
            for make in cProfile.Profile, proflite.Profile:
                p = make()
                p.runcall(work)
                for way in pickle.dumps, copy.copy, copy.deepcopy:
                    try:
                        way(p)
                    except TypeError as e:
                        print(e)
                    else:
                        print("no error")
                assert pickle.loads(pickle.dumps(p.getstats()[0].callcount))
                p.create_stats()
                assert pickle.loads(pickle.dumps(p.stats)) == p.stats
            """)

    def test_functions_of_the_module(self):
        self.check("""
            import contextlib, io, re

            def text(f, *args, **kwargs):
                out = io.StringIO()
                with contextlib.redirect_stdout(out):
                    f(*args, **kwargs)
                return re.sub(r"\\d+\\.\\d{3}", "0.000", out.getvalue())

            names = {"fact": fact, "exit": sys.exit}
            for args in (["fact(3)"], ["fact(3)", None, 0],
                         ["fact(1); raise SystemExit(3)"],
                         ["fact(3)", None, "tottime"]):
                a, b = text(cProfile.run, *args), text(proflite.run, *args)
                assert sorted(a) == sorted(b), (a, b)
                args[1:1] = [names, {}]
                a, b = (text(module.runctx, *args)
                        for module in (cProfile, proflite))
                assert sorted(a) == sorted(b), (a, b)
            for f in cProfile.run, proflite.run:
                try:
                    text(f, "raise KeyError(1)")
                except KeyError:
                    pass
            proflite.run("work()", "a.prof")
            proflite.runctx("f()", {"f": work}, {}, filename="b.prof")
            for name in "a.prof", "b.prof":
                assert pstats.Stats(name).total_calls >= 10
            assert proflite.run("1", filename="c.prof") is None
            """)

    def test_arguments(self):
        self.check("""
            for make in cProfile.Profile, proflite.Profile:
                make(itertools.count().__next__, 0.5, False, True)
                make(timer=None, timeunit=0.0, subcalls=True, builtins=True)
                for bad in ({"timeunit": "x"}, {"nonsense": 1}):
                    try:
                        make(**bad)
                    except TypeError:
                        pass
                    else:
                        raise AssertionError((make, bad))
            for bad in ((1, 2, 3),):
                for p in cProfile.Profile(), proflite.Profile():
                    try:
                        p.enable(*bad)
                    except TypeError:
                        pass
                    else:
                        raise AssertionError((p, bad))
            """)

    def test_names_of_c_functions(self):
        """Functions, methods, class methods, of modules, of subclasses."""
        self.check("""
            import collections, math, operator, re

            class List(list):
                def append(self, x):
                    list.append(self, x)

                def later(self):
                    super().sort()

            class Dict(dict):
                pass

            def calls():
                len([])
                [].append(1)
                append = [].append
                append(2)
                l = List()
                l.append(1)
                l.extend([1])
                l.later()
                dict.fromkeys([1])
                Dict.fromkeys([1])
                Dict().get(1)
                math.sqrt(2.0)
                operator.add(1, 2)
                re.match("a", "a")
                object.__new__(object)
                (3).bit_length()
                "".join([])
                str.maketrans("a", "b")
                int.from_bytes(b"1", "big")
                sys.getsizeof(1)
                object().__dir__()
                type.mro(int)
                __import__("os")
                bytes.fromhex("00")
                list.sort([])
                try:
                    [].pop()
                except IndexError:
                    pass
                {}.values().__len__()
                next(iter([1]))
                globals()

            def run(p):
                p.enable()
                calls()
                p.disable()
            calls()
            found = both(run)
            for name in ("<method 'extend' of 'list' objects>",
                         "<built-in method builtins.len>",
                         "<built-in method fromkeys>",
                         "<built-in method math.sqrt>"):
                assert name in found, (name, sorted(found))
            """)

    def test_wrong_first_argument(self):
        """gh-132250: cProfile of 3.12 and 3.13.0 raises a SystemError here."""
        self.check("""
            p = proflite.Profile()
            p.enable()
            for wrong in lambda: list.append(1), lambda: list.append():
                try:
                    wrong()
                except TypeError:
                    pass
            [].append(1)
            p.disable()
            found = rows(p)
            assert found["<method 'append' of 'list' objects>"][0] == 1, found
            """)

    def test_code_that_dies(self):
        """Many code objects at the same address, each gone before the next."""
        self.check("""
            def run(p):
                for i in range(200):
                    code = compile("def f%d(): return leaf()\\nf%d()" % (i, i),
                                   "made%d" % i, "exec")
                    p.runctx(code, {"leaf": leaf}, {})
                    del code
            found = both(run)
            assert sum(":f" in k for k in found) == 200
            """)

    def test_one_label_for_several(self):
        """cProfile's dictionary keeps one of them, ours adds them up."""
        self.check("""
            code = "f = [lambda: leaf(), lambda: leaf(), lambda: leaf()]"
            names = {"leaf": leaf}
            exec(compile(code, "same", "exec"), names)
            p = proflite.Profile()
            p.enable()
            for i, f in enumerate(names["f"]):
                for j in range(i + 2):
                    f()
            p.disable()
            p.create_stats()
            row = p.stats[("same", 1, "<lambda>")]
            assert row[:2] == (9, 9), row
            row = p.stats[(__file__, leaf.__code__.co_firstlineno, "leaf")]
            assert [v[:2] for v in row[4].values()] == [(9, 9)], row

            # One inside of another of the same label is recursion.
            names = {}
            exec(compile("f = lambda n: (lambda m: m and f(m - 1))(n)", "same",
                         "exec"), names)
            p = proflite.Profile(itertools.count().__next__, 1.0)
            p.runcall(names["f"], 2)
            p.create_stats()
            assert p.stats[("same", 1, "<lambda>")][:2] == (1, 6), p.stats
            """)

    @until(3, 11)
    def test_getprofile(self):
        self.check("""
            for make in cProfile.Profile, proflite.Profile:
                p = make()
                assert sys.getprofile() is None
                p.enable()
                assert sys.getprofile() is p
                p.disable()
                assert sys.getprofile() is None
            p, q = proflite.Profile(), proflite.Profile()
            p.enable()
            q.enable()
            assert sys.getprofile() is q
            q.disable()
            assert sys.getprofile() is p
            work()
            p.disable()
            assert sys.getprofile() is None
            assert label(work.__code__) in rows(p)

            # A hook that somebody else has put there meanwhile stays.
            p.enable()
            hook = lambda *args: None
            sys.setprofile(hook)
            p.disable()
            assert sys.getprofile() is hook
            sys.setprofile(None)

            # One that nobody can reach any more does not stay on for ever.
            proflite.Profile().enable()
            assert sys.getprofile() is not None
            proflite.Profile().disable()
            assert sys.getprofile() is None
            """)

    @since(3, 12)
    def test_monitoring(self):
        """sys.setprofile is not touched, and all ids are given back."""
        self.check("""
            def tools():
                return [sys.monitoring.get_tool(i) for i in range(6)]
            before = tools()
            p = proflite.Profile()
            p.enable()
            assert sys.getprofile() is None
            assert sum(t == "proflite" for t in tools()) == 1
            assert tools()[sys.monitoring.PROFILER_ID] is None
            q = proflite.Profile()
            q.enable()
            assert sum(t == "proflite" for t in tools()) == 1
            p.disable()
            assert sum(t == "proflite" for t in tools()) == 1
            q.disable()
            assert tools() == before
            proflite.Profile().enable()
            import gc
            gc.collect()
            assert tools() == before, "a profile that is gone stays on"

            for i in range(6):
                sys.monitoring.use_tool_id(i, "mine")
            try:
                p.enable()
            except ValueError as e:
                assert "tool ids" in str(e), e
            else:
                raise AssertionError("no error")
            for i in range(6):
                sys.monitoring.free_tool_id(i)
            p.enable()
            p.disable()
            """)


class ApiRecorded(Recorded, Api):
    # The first is of nobody else.  In the second, since 3.12, the interpreter
    # asks the trace function before it tells us of a call, if it does tell us:
    # the profile begins before the call then, and has it.
    without = ["test_monitoring", "test_begun_in_a_trace_function"]
