# SPDX-License-Identifier: MIT
"""Profile(all_calls=True): what cProfile cannot see."""

import textwrap

import consumers
from harness import Case, since, until

COMMON = """
    import collections, functools, itertools, operator, sys, types
    import cProfile, proflite

    class Plain:
        pass

    class Init:
        def __init__(self, n=1):
            leaf()

        def __call__(self):
            return leaf()

        def shown(self):
            return super().__repr__()

    class Meta(type):
        def __call__(cls, *args):
            return super().__call__(*args)

    class Made(metaclass=Meta):
        pass

    class Raises:
        def __init__(self):
            raise KeyError

    class Slots(list):
        pass

    def leaf():
        return 1

    @functools.lru_cache(None)
    def cached(n):
        return leaf()

    def go():
        Plain()
        Init()()
        Init(2).shown()
        Made()
        try:
            Raises()
        except KeyError:
            pass
        int("3")
        try:
            int("x")
        except ValueError:
            pass
        cached(1), cached(1), cached(2)
        functools.partial(max, 3)(4)
        functools.partial(Init, 3)()
        operator.itemgetter(0)([1])
        [].__len__()
        list.__len__([])
        collections.deque([1])
        list(map(int, ["1", "2"]))
        types.MethodType(cached, 5)()
        types.MethodType(Init, 5)()
        types.MethodType(Init, 5)(*[])
        types.MethodType(len, [])()
        types.MethodType(len, [])(*[])
        len([])
        [].append(Slots())
        object.__init__(Plain())
        dict(a=1), dict(**{"b": 1}), str(1), tuple(), type(3)

    def rows(p):
        def name(code):
            return code if isinstance(code, str) else getattr(
                code, "co_qualname", code.co_name)

        return {name(e.code): (e.callcount, e.callcount - e.reccallcount,
                               {name(s.code): s.callcount
                                for s in e.calls or ()})
                for e in p.getstats()}

    cached.cache_clear()
    p = proflite.Profile(all_calls=True)
    p.enable()
    go()
    p.disable()
    cached.cache_clear()
"""


class AllCalls(Case):
    def check(self, text):
        app = self.script(COMMON)
        with open(app, "a") as f:
            f.write(self.script(text, "more.py").read_text())
            f.write("\nprint('done')\n")
        done = self.python([app])
        self.assertEqual(done.stdout.splitlines()[-1:], ["done"])
        return done

    @since(3, 12)
    def test_what_it_sees(self):
        done = self.check("""
            import re
            # 3.15 says <slot wrapper '__init__'> of what object itself has.
            found = {re.sub("('__init__')>", r"\\1 of 'object' objects>", k): v
                     for k, v in rows(p).items()}
            calls = {k: v[0] for k, v in found.items()}
            expected = {
                "<class '__main__.Plain'>": 2, "<class '__main__.Init'>": 3,
                "<class '__main__.Made'>": 1, "<class '__main__.Raises'>": 1,
                "<class 'int'>": 2, "<functools._lru_cache_wrapper object>": 4,
                "<class 'functools.partial'>": 2,
                "<functools.partial object>": 2,
                "<class 'operator.itemgetter'>": 1,
                "<operator.itemgetter object>": 1,
                "<slot wrapper '__len__' of 'list' objects>": 2,
                "<slot wrapper '__init__' of 'object' objects>": 1,
                "<class 'collections.deque'>": 1, "<class 'map'>": 1,
                "<class 'list'>": 1, "<class 'dict'>": 2, "<class 'str'>": 1,
                "<class 'tuple'>": 1, "<class 'type'>": 1,
                "<class 'method'>": 5, "<class '__main__.Slots'>": 1,
                "<__main__.Init object>": 1,
                "<built-in method builtins.len>": 2,
                "<method 'append' of 'list' objects>": 1,
                "<method 'disable' of '_lsprof.Profiler' objects>": 1,
                "Init.__init__": 5, "Raises.__init__": 1, "leaf": 9, "go": 1,
                "Init.shown": 1, "Init.__call__": 1, "Meta.__call__": 1,
                "cached": 3,
            }
            for key, n in expected.items():
                assert calls.pop(key, None) == n, (key, found.get(key), found)
            # super(), and what it finds, differ from version to version.
            left = {k for k in calls if "super" not in k and "slot" not in k}
            assert not left, left
            assert found["<class '__main__.Init'>"][2] == {"Init.__init__": 3}
            assert found["go"][2]["<class '__main__.Init'>"] == 3
            """)
        self.assertEqual(done.stderr, "")

    @since(3, 12)
    def test_the_rest_stays_as_it_was(self):
        """Leaving out what is new, calls are what they are without."""
        self.check("""
            q, r = proflite.Profile(), cProfile.Profile()
            for other in q, r:
                # cProfile of 3.12 and 3.13 can't cope with it
                method, types.MethodType = types.MethodType, \\
                    lambda f, x: lambda *a: None
                cached.cache_clear()
                other.enable()
                go()
                other.disable()
                types.MethodType = method
            a, b = ({k: v[:2] for k, v in rows(x).items() if "lambda" not in k}
                    for x in (q, r))
            assert a == b, (a, b)
            q = proflite.Profile()
            cached.cache_clear()
            q.enable()
            go()
            q.disable()
            a, b = rows(p), rows(q)
            for key, (nc, cc, callees) in b.items():
                assert a[key][:2] == (nc, cc), (key, a[key], b[key])
            """)

    @since(3, 12)
    def test_recursion_and_matching(self):
        self.check("""
            @functools.lru_cache(None)
            def fib(n):
                return n if n < 2 else fib(n - 1) + way(n - 2)

            class Tree:
                def __init__(self, n):
                    self.below = [Tree(n - 1)] if n else []

            for way in fib, types.MethodType(lambda self, n: fib(n), 1), \\
                    lambda n: types.MethodType(fib, n)():
                fib.cache_clear()
                p = proflite.Profile(itertools.count().__next__, 1.0,
                                     all_calls=True)
                p.enable()
                fib(6)
                Tree(3)
                p.disable()
                found = rows(p)
                name = "<functools._lru_cache_wrapper object>"
                assert found[name][:2] == (11, 1), found
                assert found["fib"][0] == 7, found
                assert found["<class '__main__.Tree'>"][:2] == (4, 1), found
                total = sum(e.inlinetime for e in p.getstats())
                outer = max(e.totaltime for e in p.getstats())
                assert total >= outer
            """)

    @since(3, 12)
    def test_lives_no_longer_than_without(self):
        """A callable that is known by its type is not kept alive."""
        self.check("""
            import gc, weakref
            class Called:
                def __call__(self):
                    pass
            p = proflite.Profile(all_calls=True)
            p.enable()
            one = Called()
            gone = weakref.ref(one)
            one()
            part = functools.partial(leaf)
            part_gone = weakref.ref(part)
            part()
            del one, part
            p.disable()
            gc.collect()
            assert gone() is None and part_gone() is None
            assert rows(p)["<__main__.Called object>"][0] == 1
            """)

    @since(3, 12)
    def test_types_at_the_address_of_others(self):
        """What was found out of a type is not believed of the next one there:
        of callables with a name each is kept, of others none."""
        out = self.python(["-c", textwrap.dedent("""
            import gc, proflite, weakref

            def make(name):
                class T:
                    __slots__ = (name, "__weakref__")
                    def __call__(self):
                        pass
                return T

            def kept(T):
                profile.enable()
                t = T()
                t()
                r = weakref.ref(t)
                del t
                profile.disable()
                return r() is not None

            profile = proflite.Profile(all_calls=True)
            named = [make("__name__") for i in range(60)]
            assert all(map(kept, named))
            seen = set(map(id, named))
            profile.clear()
            del named
            gc.collect()
            others = [make("a_name_") for i in range(300)]
            again = [T for T in others if id(T) in seen]
            assert not any(map(kept, again))
            print(len(again))
            """)]).stdout
        if out == "0\n":
            self.skipTest("no address was used again")

    @since(3, 12)
    def test_record(self):
        app = self.script("""
            class K:
                def __init__(self):
                    pass
            K(), K(), int("1")
            """)
        self.record([app], options="all_calls=yes,clock=step")
        self.assertEqual(self.rows(
            "select function, ncalls from pstats where function like '<class%' "
            "and function in (select function from callees where "
            "callee_filename = ? or callee_function like '%int%') "
            "or function = '__init__' and filename = ?", str(app), str(app)),
            [("__init__", 2), ("<class '__main__.K'>", 2)][::-1])

    @since(3, 13)
    @until(3, 14)
    def test_numpy(self):
        """Those two are the ones that tests/consumers/install has it for."""
        folder = consumers.need(self, "numpy for " + self.py.name)
        self.check("""
            sys.path.append(%r)
            import numpy as np
            a, rng = np.arange(4), np.random.default_rng(1)
            def numeric():
                for i in range(3):
                    np.add(a, a)
                    np.sin(a)
                np.add.reduce(a)
                np.dtype("f8")
                rng.integers(4)         # a method that Cython compiled

            NEW = {"<ufunc 'add'>": 3, "<ufunc 'sin'>": 3,
                   "<class 'numpy.dtype'>": 1,
                   "<numpy.random._generator.Generator.integers>": 1}
            found = []
            for module, more in ((cProfile, {}), (proflite, {}),
                                 (proflite, {"all_calls": True})):
                p = module.Profile(**more)
                p.runcall(numeric)
                found.append({k: v[0] for k, v in rows(p).items()})
            theirs, plain, full = found
            assert theirs == plain and not NEW.keys() & plain.keys(), found
            assert plain["<method 'reduce' of 'numpy.ufunc' objects>"] == 1
            assert full == {**plain, **NEW, "<class 'range'>": 1}, full
            """ % str(folder))

    @until(3, 11)
    def test_says_that_it_cannot(self):
        done = self.check("""
            assert "<class 'int'>" not in rows(p)
            assert rows(p)["leaf"][0] == 9, rows(p)
            """)
        self.assertEqual(len(done.stderr.splitlines()), 2, done.stderr)
        self.assertIn("RuntimeWarning: all_calls needs Python 3.12",
                      done.stderr)
