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
        # The first greenlets are switched by a trace function of the program's
        # own; the other threads' by ours.
        self.assertEqual(self.rows(
            "select path, sum(ncalls) from call_paths where path like '%leaf' "
            "and thread_id != (select min(id) from threads) "
            "group by path order by path"),
            [(THREAD + "work > after > leaf", 2), (THREAD + "work > leaf", 2),
             ("fails > leaf", 2), ("killed > leaf", 2)])

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
