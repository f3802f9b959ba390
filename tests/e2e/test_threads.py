# SPDX-License-Identifier: MIT
"""Every thread has a tree of its own, with every call of it."""

import trees
from harness import Case

OF_THREADS = """
    select t.name, s.calls + s.resumes, s.primitive
    from threads t join function_stats s on s.thread_id = t.id
    join functions f on f.id = s.function_id
    where f.name = ? order by t.name"""


class Threads(Case):
    def trees_of(self, function):
        """{name of a thread: tree of @function in it}"""
        nodes = trees.load(self)
        below = trees.children(nodes)
        names = dict(self.rows("select n.id, t.name from nodes n "
                               "join threads t on t.id = n.thread_id"))
        return {names[n.id]: trees.text(below, n) for n in nodes
                if n.name == function}

    def test_trees(self):
        app = self.script("""
            import threading

            N = 4
            barrier = threading.Barrier(N)

            def leaf():
                pass

            def down(n):
                leaf()
                # Everybody is in the middle of it at the same time.
                barrier.wait()
                if n:
                    down(n - 1)

            def work(n):
                for i in range(n):
                    leaf()
                down(2)

            threads = [threading.Thread(target=work, args=(i,),
                                        name="worker %d" % i)
                       for i in range(N)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            """)
        self.record([app], options="clock=step,builtins=no")
        found = self.trees_of("work")
        self.assertEqual(sorted(found), ["worker %d" % i for i in range(4)])
        for i in range(4):
            lines = found["worker %d" % i].splitlines()
            self.assertRegex(lines[0], r"^work 1 ")
            kept = [l.rsplit(" ", 1)[0] for l in lines
                    if l.split()[0] in ("leaf", "down")]
            self.assertEqual(kept, ["  leaf %d" % i] * bool(i) + [
                "  down 1", "    leaf 1", "    down 1", "      leaf 1",
                "      down 1", "        leaf 1"])
        self.assertEqual(self.rows("select sum(n_unmatched), sum(n_lost), "
                                   "count(*) from threads"), [(0, 0, 5)])
        self.assertEqual(self.rows("select count(*) from nodes where flags"),
                         [(0,)])

    def test_step_clock_is_of_each_thread(self):
        app = self.script("""
            import threading

            def leaf():
                pass

            def work(n):
                for i in range(n):
                    leaf()

            for n in 5, 50:
                # It has returned when it is joined.
                t = threading.Thread(target=work, args=(n,))
                t.start()
                t.join()
            """)
        self.record([app], options="clock=step,builtins=no")
        found = [trees.text(trees.children(trees.load(self)), n)
                 for n in trees.load(self) if n.name == "work"]
        self.assertEqual(found, ["work 1 11\n  leaf 5 5",
                                 "work 1 101\n  leaf 50 50"])

    def test_names(self):
        app = self.script("""
            import _thread, threading

            def work():
                pass

            def raw(done):
                work()
                done.release()

            def run(name):
                t = threading.Thread(target=work, name=name)
                t.start()
                t.join()

            work()
            run("plain")
            run("çå, \\U0001f40d\\n")
            done = _thread.allocate_lock()
            done.acquire()
            _thread.start_new_thread(raw, (done,))
            done.acquire()
            """)
        self.record([app])
        self.assertEqual(self.rows(OF_THREADS, "work"), [
            (None, 1, 1), ("MainThread", 1, 1), ("plain", 1, 1),
            ("çå, \U0001f40d\n", 1, 1)])

    def test_many_short_ones(self):
        app = self.script("""
            import threading

            def leaf():
                pass

            def work():
                for i in range(3):
                    leaf()

            for i in range(30):
                threads = [threading.Thread(target=work) for _ in range(10)]
                for t in threads:
                    t.start()
                for t in threads:
                    t.join()
            """)
        self.record([app], options="clock=step")
        self.assertEqual(self.value("select count(*) from threads"), 301)
        self.assertEqual(self.rows("select ncalls from pstats where function "
                                   "in ('leaf', 'work') order by 1"),
                         [(300,), (900,)])
        self.assertEqual(self.value(
            "select count(distinct thread_id) from function_stats s "
            "join functions f on f.id = s.function_id "
            "where f.name = 'work' and s.calls = 1"), 300)
        self.assertEqual(self.value(
            "select count(*) from threads where duration_ns < 0 "
            "or started_ns is null and process_id is null"), 0)

    def test_pool(self):
        app = self.script("""
            from concurrent.futures import ThreadPoolExecutor
            import threading

            barrier = threading.Barrier(4)

            def leaf(n):
                return n

            def task(n):
                if n < 4:
                    barrier.wait()
                return sum(map(leaf, range(n)))

            with ThreadPoolExecutor(4, "pool") as pool:
                assert sum(pool.map(task, range(50))) == 19600
            """)
        self.record([app])
        rows = self.rows(OF_THREADS, "task")
        self.assertEqual([r[0] for r in rows], ["pool_%d" % i for i in range(4)])
        self.assertEqual(sum(r[1] for r in rows), 50)
        self.assertEqual(sum(r[1] for r in self.rows(OF_THREADS, "leaf")),
                         50 * 49 // 2)

    def test_calls_of_a_library_in_c(self):
        """Threads that are started by C, and run no Python of their own but
        callbacks."""
        app = self.script("""
            import ctypes

            def leaf():
                pass

            @ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
            def callback(arg):
                leaf()
                leaf()
                return None

            c = ctypes.CDLL(None)
            for i in range(3):
                t = ctypes.c_ulong()
                assert not c.pthread_create(ctypes.byref(t), None, callback,
                                            None)
                assert not c.pthread_join(t, None)
            """)
        self.record([app])
        self.assertEqual(self.rows(OF_THREADS, "leaf"), [(None, 2, 2)] * 3)
        self.assertEqual(self.rows(OF_THREADS, "callback"), [(None, 1, 1)] * 3)

    def test_library_in_c_that_calls_again_and_again(self):
        """A thread of C that has a new thread state for each of its calls; and
        one that is started in a forked child."""
        app = self.script("""
            import ctypes, os

            def leaf():
                pass

            @ctypes.CFUNCTYPE(None)
            def callback():
                leaf()

            helper = ctypes.CDLL(os.environ["HELPER"])
            def run(n):
                assert not helper.call_from_a_thread(callback, n)
            run(10)
            pid = os.fork()
            if not pid:
                run(4)
                os._exit(0)
            os.waitpid(pid, 0)
            run(1)
            """)
        source = self.script("""
            #include <pthread.h>
            struct job { void (*call)(void); int n; };
            static void *work(void *p)
            {
                struct job *j = p;
                for (int i = 0; i < j->n; i++)
                    j->call();
                return 0;
            }
            int call_from_a_thread(void (*call)(void), int n)
            {
                struct job j = { call, n };
                pthread_t t;
                return pthread_create(&t, 0, work, &j) || pthread_join(t, 0);
            }
            """, "helper.c")
        library = self.library(source, "helper.so")
        self.record([app], env={"HELPER": library})
        self.assertEqual(self.rows(
            "select p.forked, s.calls from processes p "
            "join threads t on t.process_id = p.id "
            "join function_stats s on s.thread_id = t.id "
            "join functions f on f.id = s.function_id where f.name = 'leaf' "
            "order by 1, 2"), [(0, 1), (0, 10), (1, 4)])

    def test_started_by_a_call_from_c(self):
        app = self.script("""
            import _thread, functools, threading

            def leaf():
                pass

            def work(done):
                leaf()
                leaf()
                done.release()

            def start(how):
                done = _thread.allocate_lock()
                done.acquire()
                how(work, (done,))
                done.acquire()

            start(_thread.start_new_thread)
            start(functools.partial(_thread.start_new_thread))
            start(lambda *args: list(map(_thread.start_new_thread, args[:1],
                                         args[1:])))
            """)
        self.record([app])
        self.assertEqual(self.value(
            "select ncalls from pstats where function = 'leaf'"), 6)

    def test_started_while_they_run(self):
        app = self.script("""
            import threading
            import proflite

            N = 3
            before, after = threading.Barrier(N + 1), threading.Barrier(N + 1)

            def leaf():
                pass

            def inner():
                before.wait()
                after.wait()
                for i in range(7):
                    leaf()

            def outer():
                inner()
                leaf()

            def work():
                leaf()
                outer()
                leaf()
                again()

            def again():
                leaf()

            threads = [threading.Thread(target=work, name="early %d" % i)
                       for i in range(N)]
            for t in threads:
                t.start()
            before.wait()
            proflite.start("proflite.db", clock="step", builtins=False)
            after.wait()
            for t in threads:
                t.join()
            late = threading.Thread(target=again, name="late")
            late.start()
            late.join()
            """)
        self.python([app])
        self.assertEqual(self.rows(OF_THREADS, "leaf"), [
            ("early 0", 10, 10), ("early 1", 10, 10), ("early 2", 10, 10),
            ("late", 1, 1)])
        self.assertEqual(self.trees_of("again"), {
            name: "again 1 3\n  leaf 1 1"
            for name in ("early 0", "early 1", "early 2", "late")})
        # inner, outer and work were open when it began, so their ends match
        # nothing, and what they call is called by nobody.
        nodes = trees.load(self, where="t.name like 'early%'")
        roots = {n.id for n in nodes if not n.parent}
        self.assertEqual([n.calls for n in nodes
                          if n.name == "leaf" and n.parent in roots], [9] * 3)
        self.assertNotIn("outer", [n.name for n in nodes])

    def test_stopped_while_they_run(self):
        app = self.script("""
            import threading
            import proflite

            N = 3
            before, after = threading.Barrier(N + 1), threading.Barrier(N + 1)

            def leaf():
                pass

            def inner():
                leaf()
                before.wait()
                after.wait()
                leaf()

            def work():
                inner()
                leaf()

            proflite.start("proflite.db", clock="step")
            threads = [threading.Thread(target=work, name="w%d" % i)
                       for i in range(N)]
            for t in threads:
                t.start()
            before.wait()
            proflite.stop()
            after.wait()
            for t in threads:
                t.join()
            """)
        self.python([app])
        self.assertEqual(self.rows(OF_THREADS, "leaf"),
                         [("w%d" % i, 1, 1) for i in range(3)])
        self.assertEqual(self.rows(OF_THREADS, "work"),
                         [("w%d" % i, 1, 1) for i in range(3)])

    def test_daemons_that_outlive_the_interpreter(self):
        app = self.script("""
            import threading

            ready = threading.Barrier(3)

            def leaf():
                pass

            def work():
                for i in range(9):
                    leaf()
                ready.wait()
                threading.Event().wait()

            for i in range(2):
                threading.Thread(target=work, name="d%d" % i,
                                 daemon=True).start()
            ready.wait()
            """)
        self.record([app], options="clock=step")
        self.assertEqual(self.rows(OF_THREADS, "leaf"),
                         [("d0", 9, 9), ("d1", 9, 9)])
        self.assertEqual(self.rows(OF_THREADS, "work"),
                         [("d0", 1, 1), ("d1", 1, 1)])
        # It never returned, and has its time all the same.
        self.assertEqual(self.rows(
            "select n.total_ns > 18 from nodes n join functions f "
            "on f.id = n.function_id where f.name = 'work'"), [(1,), (1,)])

    def test_cpu_clock_is_of_each_thread(self):
        app = self.script("""
            import threading, time

            def spin():
                end = time.thread_time() + 0.05
                while time.thread_time() < end:
                    pass

            def idle(event):
                event.wait()

            event = threading.Event()
            a = threading.Thread(target=idle, args=(event,))
            b = threading.Thread(target=spin)
            a.start()
            b.start()
            b.join()
            event.set()
            a.join()
            """)
        self.record([app], options="clock=cpu")
        times = dict(self.rows("select function, cumtime from pstats "
                               "where function in ('spin', 'idle')"))
        self.assertLess(times["idle"], 0.03)
        self.assertGreater(times["spin"], 0.045)
        self.assertLess(times["spin"], 0.2)

    def test_generator_that_changes_threads(self):
        app = self.script("""
            import threading

            def leaf():
                pass

            def numbers():
                for i in range(4):
                    leaf()
                    yield

            def work(numbers):
                next(numbers)
                leaf()

            n = numbers()
            next(n)
            for i in range(3):
                t = threading.Thread(target=work, args=(n,), name="t%d" % i)
                t.start()
                t.join()
            next(n, None)
            """)
        self.record([app], options="clock=step")
        self.assertEqual(self.trees_of("work"), {
            "t%d" % i: "work 1 9\n"
            "  {built-in method builtins.next} 1 5\n"
            "    numbers 0+1 3\n"
            "      leaf 1 1\n"
            "  leaf 1 1" for i in range(3)})
        self.assertEqual(self.rows(OF_THREADS, "numbers"), [
            ("MainThread", 2, 2), ("t0", 1, 1), ("t1", 1, 1), ("t2", 1, 1)])
