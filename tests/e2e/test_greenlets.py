# SPDX-License-Identifier: MIT
"""Greenlets: several stacks in one thread, and no event that tells of a switch.
Each keeps its own."""

import consumers
import trees
from harness import Case

THREAD = "_bootstrap > _bootstrap_inner > run > "


class Greenlets(Case):
    def packages(self):
        """The environment in which greenlet and gevent can be imported."""
        return {"PYTHONPATH": consumers.need(
            self, "greenlet for %d.%d" % self.py.version[:2])}

    def tree_of(self, name, **where):
        nodes = trees.load(self, **where)
        below = trees.children(nodes)
        return [trees.text(below, n) for n in nodes if n.name == name]

    def check_counts(self, counts):
        found = dict(self.rows(
            "select function, ncalls from pstats where function in (%s)"
            % ", ".join("'%s'" % name for name in counts)))
        self.assertEqual(found, counts)
        self.assertEqual(self.value("select sum(n_unmatched) from threads"), 0)

    APP = """
        from greenlet import getcurrent, greenlet

        def leaf():
            pass

        def ping():
            for i in range(3):
                leaf()
                b.switch()
                inner_ping()
            main.switch()

        def inner_ping():
            b.switch()
            leaf()

        def pong():
            while True:
                inner_pong()

        def inner_pong():
            a.switch()
            other()

        def other():
            pass

        main = getcurrent()
        a, b = greenlet(ping), greenlet(pong)
        a.switch()
        leaf()
        """

    def test_each_keeps_its_stack(self):
        env = self.packages()
        self.record([self.script(self.APP)], options="clock=step,builtins=no",
                    env=env)
        self.assertEqual(
            [line.rsplit(" ", 1)[0] for line in
             "\n".join(self.tree_of("ping") + self.tree_of("pong")).split("\n")],
            ["ping 1", "  leaf 3", "  inner_ping 3", "    leaf 3",
             "pong 1", "  inner_pong 6", "    other 5"])
        self.check_counts({"leaf": 7, "ping": 1, "pong": 1, "inner_pong": 6})

    def test_with_builtins(self):
        env = self.packages()
        self.record([self.script(self.APP)], options="clock=step", env=env)
        switch = "{method 'switch' of 'greenlet.greenlet' objects}"
        self.assertEqual(
            [line.rsplit(" ", 1)[0] for line in
             "\n".join(self.tree_of("ping") + self.tree_of("pong")).split("\n")],
            ["ping 1", "  leaf 3", "  %s 4" % switch, "  inner_ping 3",
             "    %s 3" % switch, "    leaf 3",
             "pong 1", "  inner_pong 6", "    %s 6" % switch, "    other 5"])
        self.check_counts({"leaf": 7})

    def test_exceptions_threads_and_trace_functions(self):
        app = self.script("""
            import threading
            import greenlet

            def leaf():
                pass

            def fails():
                leaf()
                main().switch()
                raise KeyError

            def main():
                return greenlet.getcurrent().parent

            def killed():
                try:
                    main().switch()
                finally:
                    leaf()

            def work(trace):
                seen = []
                if trace:
                    old = greenlet.settrace(lambda *event: seen.append(event))
                g, k = greenlet.greenlet(fails), greenlet.greenlet(killed)
                for x in g, k:
                    x.switch()
                leaf()
                k.throw()
                try:
                    g.switch()
                except KeyError:
                    after()
                if trace:
                    greenlet.settrace(old)
                    print(len(seen))

            def after():
                leaf()

            work(True)
            for i in range(2):
                t = threading.Thread(target=work, args=(False,))
                t.start()
                t.join()
            """)
        env = self.packages()
        done = self.record([app], options="builtins=no", env=env)
        self.assertEqual(done.stdout, "8\n")
        self.assertEqual(self.value("select ncalls from pstats "
                                    "where function = 'leaf'"), 12)
        # The first greenlets have a trace function of the program's own.
        self.assertEqual(self.rows(
            "select path, sum(ncalls) from call_paths where path like '%leaf' "
            "group by path order by path"),
            [("<module> > work > after > leaf", 1),
             ("<module> > work > leaf", 1),
             (THREAD + "work > after > leaf", 2), (THREAD + "work > leaf", 2),
             ("fails > leaf", 3), ("killed > leaf", 3)])

    def test_gevent(self):
        """A server and its clients, in one thread."""
        app = self.script("""
            import gevent
            from gevent.server import StreamServer
            from gevent import socket

            def handle(client, address):
                greet(client)
                answer(client)

            def greet(client):
                client.sendall(b"hello\\n")

            def answer(client):
                for line in client.makefile("rb"):
                    client.sendall(turn(line))

            def turn(line):
                return line.strip()[::-1] + b"\\n"

            def talk(n):
                with socket.create_connection(server.address) as s:
                    f = s.makefile("rwb")
                    assert f.readline() == b"hello\\n"
                    for i in range(5):
                        ask(f, b"%d-%d" % (n, i))

            def ask(f, what):
                f.write(what + b"\\n")
                f.flush()
                assert f.readline() == what[::-1] + b"\\n"

            server = StreamServer(("127.0.0.1", 0), handle)
            server.start()
            gevent.joinall([gevent.spawn(talk, n) for n in range(20)],
                           raise_error=True)
            server.stop()
            print("ok")
            """)
        env = self.packages()
        self.assertEqual(self.record([app], env=env).stdout, "ok\n")
        # Whoever runs meanwhile, each function has its own caller.
        self.assertEqual(self.rows(
            "select c.caller, c.callee, sum(c.ncalls) from ("
            "select caller_function caller, function callee, ncalls "
            "from callers) c where c.callee in "
            "('greet', 'answer', 'turn', 'ask') group by 1, 2 order by 2"),
            [("handle", "answer", 20), ("talk", "ask", 100),
             ("handle", "greet", 20), ("answer", "turn", 100)])
        self.assertEqual(self.value("select sum(n_lost) from threads"), 0)

    TRACE = """
        import gc
        import sys
        import threading
        import greenlet
        from greenlet import getcurrent, gettrace, settrace

        def leaf():
            pass

        def child():
            while True:
                leaf()
                main.switch()

        def switch(where):
            for i in range(2):
                g.switch()
                where()

        def first(event, args):
            seen.append(event)

        def second(event, args):
            seen.append(event.upper())

        def raises(event, args):
            raise KeyError(event)

        def said(function, *args, **names):
            try:
                return function(*args, **names)
            except TypeError as e:
                return str(e)

        def none():
            leaf()

        def one():
            leaf()

        def two():
            leaf()

        def failed():
            leaf()

        seen = []
        main, g = getcurrent(), greenlet.greenlet(child)
        print(gettrace(), settrace(None), gettrace())
        switch(none)
        print(settrace(first), gettrace() is first, seen)
        switch(one)
        print(settrace(second) is first, gettrace() is second, seen)
        switch(two)
        print(settrace(None) is second, gettrace(), seen)
        switch(none)
        settrace(raises)
        try:
            g.switch()
        except KeyError as e:
            print(repr(e), gettrace())
        switch(failed)
        for how in (settrace,), (settrace, 1, 2), (gettrace, 1):
            print(said(*how))
        print(said(settrace, x=1), said(gettrace, x=1))
        print(settrace, gettrace.__doc__, settrace.__module__,
              {settrace: 1}.get(greenlet.settrace))
        print([o for o in gc.get_objects()
               if "proflite" in str(getattr(o, "__module__", ""))])

        def work():
            print(gettrace(), settrace(first), gettrace() is first)
        t = threading.Thread(target=work)
        t.start()
        t.join()
        print(gettrace())
        """

    def test_trace_functions_are_the_programs(self):
        env = self.packages()
        app = self.script(self.TRACE)
        bare = self.command([self.py.path, app], env).stdout
        self.assertEqual(bare.split("\n")[:2], [
            "None None None", "None True []"])
        self.assertEqual(self.record([app], options="builtins=no",
                                     env=env).stdout, bare)
        # Whatever the program sets, switches are told to us.
        self.assertEqual(self.rows(
            "select path, sum(ncalls) from call_paths where path like '%leaf' "
            "group by path order by path"),
            [("<module> > switch > failed > leaf", 2),
             ("<module> > switch > none > leaf", 4),
             ("<module> > switch > one > leaf", 2),
             ("<module> > switch > two > leaf", 2), ("child > leaf", 8)])

    def test_trace_functions_set_by_compiled_code(self):
        """gevent's is set by Cython, which calls by the definition's flags."""
        env = self.packages()
        app = self.script("""
            import greenlet
            from gevent import _tracer

            def leaf():
                pass

            def child():
                leaf()
                main.switch()
                leaf()

            print(_tracer.__file__.endswith(".so"), greenlet.gettrace())
            main, g = greenlet.getcurrent(), greenlet.greenlet(child)
            tracer = _tracer.GreenletTracer()
            print(greenlet.gettrace() == tracer, tracer.greenlet_switch_counter)
            g.switch()
            leaf()
            print(tracer.greenlet_switch_counter)
            tracer.kill()
            print(greenlet.gettrace())
            g.switch()
            leaf()
            """)
        done = self.record([app], options="builtins=no", env=env)
        self.assertEqual(done.stdout, "True None\nTrue 0\n2\nNone\n")
        self.assertEqual(self.rows(
            "select path, sum(ncalls) from call_paths where path like '%leaf' "
            "and path not like '%import%' group by path order by path"),
            [("<module> > leaf", 2), ("child > leaf", 2)])
