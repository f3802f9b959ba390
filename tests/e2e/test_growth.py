# SPDX-License-Identifier: MIT
"""A process that runs for weeks: what it does again and again costs neither
memory nor room in the recording.

Each program does something N times, measures, does it N times again, and
measures again.  The measures are counts (cells of the recording, data of the
process, objects alive), which a busy machine does not change."""

from harness import Case, since

# cells(): how many cells of 64 bytes the recording has.  data_kb(): private
# memory that the process has asked for, used or not.  gone(): waits until no
# thread is left of those that were joined, which the system ends later.
MEASURES = """
    import glob, os, struct, sys

    def cells():
        path, = glob.glob("*.%d-*.plrec" % os.getpid())
        with open(path, "rb") as f:
            f.seek(104)
            return struct.unpack("I", f.read(4))[0]

    def data_kb():
        with open("/proc/self/status") as f:
            for line in f:
                if line.startswith("VmData:"):
                    return int(line.split()[1])

    def gone():
        while len(os.listdir("/proc/self/task")) > 1:
            pass
    """


class Growth(Case):
    def program(self, text):
        return self.script(MEASURES + text)

    def numbers(self, done):
        return [int(word) for word in done.stdout.split()]

    def calls_of_texts(self):
        """Calls of what was compiled from a text, but for what site does."""
        sql = ("select ifnull(sum(ncalls), 0) from pstats "
               "where filename = '<string>'")
        imports = self.script("import glob, textwrap, threading", "imports.py")
        self.record([imports], db=self.tmp / "empty.db")
        return self.value(sql) - self.value(sql, db=self.tmp / "empty.db")

    def assertBounded(self, done, most_kb):
        """The program has printed cells and data_kb twice."""
        cells, data, cells_after, data_after = self.numbers(done)
        self.assertEqual(cells, cells_after)
        # The interpreter's own allocators take memory by the megabyte.
        self.assertLess(data_after - data, most_kb)

    def assertSame(self, done):
        """The program has printed the same number twice."""
        first, second = self.numbers(done)
        self.assertEqual(first, second)

    # -------------------------------------------------------------- threads --

    def test_threads_one_after_the_other(self):
        app = self.program("""
    import threading

    def leaf():
        pass

    def work():
        leaf()
        leaf()

    for i in range(2):
        for k in range(150):
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
            gone()
        print(cells())
    """)
        self.assertSame(self.record([app], options="max_threads=20"))
        self.assertEqual(self.rows("select count(*), sum(n_threads), "
                                   "max(n_threads) from threads"),
                         [(20, 301, 282)])
        # The first 19 are as they were, and the last tree is of the others.
        self.assertEqual(
            self.rows("select name, n_calls from threads join (select "
                      "thread_id, calls from function_stats join functions f "
                      "on f.id = function_id where f.name = 'leaf') "
                      "on thread_id = id where calls > 2"),
            self.rows("select '(282 threads)', n_calls from threads "
                      "where n_threads > 1"))
        self.assertEqual(
            self.rows("select name, tid is not null from threads "
                      "where name like '(%'"), [("(282 threads)", 1)])
        self.assertEqual(
            self.rows("select function, ncalls, primcalls from pstats where "
                      "function in ('leaf', 'work') order by 1"),
            [("leaf", 600, 600), ("work", 300, 300)])
        self.assertEqual(self.value("select sum(n_lost) + sum(n_unmatched) "
                                    "from threads"), 0)
        self.assertIn(" 301 ", self.tool("runs").stdout)

    def test_crowds_of_threads(self):
        app = self.program("""
    import threading

    def leaf():
        pass

    def work():
        barrier.wait()
        leaf()

    barrier = threading.Barrier(30)
    for i in range(6):
        threads = [threading.Thread(target=work) for k in range(30)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        gone()
        if i in (2, 5):
            print(cells())
    """)
        self.assertSame(self.record([app], options="max_threads=5,builtins=no"))
        # They are 30 and the main thread at once, however few are wanted.
        self.assertEqual(self.rows("select count(*), sum(n_threads) "
                                   "from threads"), [(31, 181)])
        self.assertEqual(self.value("select ncalls from pstats "
                                    "where function = 'leaf'"), 180)

    def test_clock_of_each_thread(self):
        """The next thread's clock begins anew: its row has the sum."""
        app = self.program("""
    import threading

    def work():
        for i in range(20000):
            pass

    for i in range(10):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        gone()
    """)
        self.record([app], options="max_threads=2,clock=cpu")
        n, duration, total = self.rows(
            "select n_threads, duration_ns, (select sum(self_ns) from nodes "
            "where thread_id = threads.id) from threads "
            "where n_threads > 1")[0]
        self.assertEqual(n, 10)
        self.assertEqual(duration, total)
        self.assertGreater(total, 0)
        self.assertLess(total, 3600e9)

    def test_all_threads_apart(self):
        app = self.program("""
    import threading
    for i in range(30):
        thread = threading.Thread(target=len, args=("",))
        thread.start()
        thread.join()
        gone()
    """)
        self.record([app], options="max_threads=0")
        self.assertEqual(self.rows("select count(*), max(n_threads) "
                                   "from threads"), [(31, 1)])

    # ------------------------------------------------------------ functions --

    FUNCTIONS = """
    def make(i):
        names = {}
        exec("def f%d(): pass\\nf%d()" % (i, i), names)
        return names["f%d" % i]

    for i in range(2):
        for k in range(2000):
            make(2000 * i + k)()
        print(cells())
    """

    def test_functions_without_end(self):
        app = self.program(self.FUNCTIONS)
        self.assertSame(self.record([app], options="max_functions=500"))
        # 500, one a kind, and one for a file in 16 of them
        self.assertLessEqual(self.value("select count(*) from functions"),
                             500 + 3 + 500 // 16 + 1)
        # f by the text and by make(), and the text itself
        self.assertEqual(self.calls_of_texts(), 4000 * 3)
        self.assertEqual(self.value("select more_functions from processes"), 1)
        ncalls, = self.rows("select ncalls from pstats where "
                            "filename = '<string>' and line = 0 and "
                            "function = '(more functions)'")[0]
        self.assertGreater(ncalls, 7000)
        self.assertIn(
            "proflite: note: run 1 came to its max_functions: functions seen "
            "after that are counted together, as (more functions) of their "
            "file", self.tool("report", self.db).stderr.replace(
                "proflite report:", "proflite:"))

    def test_all_functions_apart(self):
        app = self.program(self.FUNCTIONS)
        self.record([app], options="max_functions=0")
        self.assertEqual(self.value("select more_functions from processes"), 0)
        self.assertEqual(
            self.rows("select count(*), min(ncalls), max(ncalls) from pstats "
                      "where filename = '<string>' and function glob 'f[0-9]*'"),
            [(4000, 2, 2)])
        self.assertEqual(self.tool("report", self.db).stderr, "")

    def test_functions_past_the_bound_are_called_as_ever(self):
        """Generators, recursion, exceptions and threads of those that are
        counted together: every call is counted, and ends."""
        app = self.program("""
    import textwrap, threading

    TEXT = '''
    def rec_{0}(n):
        return n and rec_{0}(n - 1)
    def gen_{0}(n):
        for i in range(n):
            yield i
    def fails_{0}():
        raise KeyError
    '''

    def after():
        pass

    def make(i):
        names = {}
        exec(textwrap.dedent(TEXT).format(i), names)
        return [names[n + "_%d" % i] for n in ("rec", "gen", "fails")]

    def use(i):
        rec, gen, fails = make(i)
        rec(3)
        g, h = gen(3), gen(2)
        next(g)
        next(h)
        list(g)
        list(h)
        list(gen(2))
        try:
            fails()
        except KeyError:
            pass
        after()

    for i in range(300):
        use(i)
    thread = threading.Thread(target=lambda: [use(i) for i in range(300)])
    thread.start()
    thread.join()
    """)
        self.record([app], options="max_functions=400,clock=step,builtins=no")
        # Calls: rec 4, gen 3, fails 1, the text itself 1.  Resumes: g 3, h 2,
        # the third one 2.
        self.assertEqual(self.calls_of_texts(), 600 * (9 + 7))
        self.assertEqual(
            self.rows("select sum(s.resumes) from function_stats s "
                      "join functions f on f.id = s.function_id "
                      "where filename = '<string>'"), [(600 * 7,)])
        self.assertEqual(
            self.rows("select distinct caller_function, sum(ncalls) "
                      "from callers where function = 'after' group by 1"),
            [("use", 600)])
        self.assertEqual(self.value("select sum(n_lost) + sum(n_unmatched) "
                                    "from threads"), 0)
        self.assertEqual(self.value("select count(*) from nodes "
                                    "where flags & 2"), 0)

    def test_code_of_one_name_without_end(self):
        """Code objects that nobody else has are not kept."""
        app = self.program("""
    for i in range(2):
        for k in range(40000):
            eval("1 + %d" % k)
        print(sys.getallocatedblocks())
    """)
        first, second = self.numbers(
            self.record([app], options="max_functions=1000"))
        # 40,000 of them would be 200,000 blocks.
        self.assertLess(second - first, 50000)
        self.assertEqual(self.calls_of_texts(), 80000)

    @since(3, 12)
    def test_classes_without_end(self):
        app = self.program("""
    import gc

    class Base:
        pass

    def make():
        return type("C", (Base,), {})

    for i in range(2):
        for k in range(1500):
            make()()
        gc.collect()
        print(len(Base.__subclasses__()))
    """)
        self.assertSame(self.record([app],
                                    options="max_functions=600,all_calls"))
        self.assertEqual(
            self.value("select ncalls from pstats where function = "
                       "'<class ''__main__.C''>'"), 3000)

    # ------------------------------------------------- what begins and ends --

    def test_profiles_that_come_and_go(self):
        app = self.program("""
    import contextvars, threading
    import proflite

    var = contextvars.ContextVar("var")

    def cycle(**kinds):
        profile = proflite.Profile(**kinds)
        profile.enable()
        len("")
        profile.disable()
        profile.enable(subcalls=False)
        eval("1")
        profile.disable()
        profile.getstats()

    for i in range(4):
        for k in range(50):
            cycle()
            cycle(threads=True, all_calls=True)
            cycle(within=(var, k))
        if i in (1, 3):
            print(0, data_kb())
    """)
        # 256 KB each, 300 of them.
        self.assertBounded(self.python([app]), 8000)

    def test_start_and_stop_again_and_again(self):
        app = self.program("""
    import proflite
    for i in range(4):
        for k in range(500):
            proflite.start("x.db")
            len("")
            proflite.stop()
        if i in (1, 3):
            print(cells(), data_kb())
    """)
        # A page each, 1,000 of them, would be 4,000.
        self.assertBounded(self.python([app]), 3000)
        self.assertEqual(
            self.value("select ncalls from pstats where function = "
                       "'<built-in method builtins.len>'",
                       db=self.tmp / "x.db"), 2000)

    def test_forks(self):
        """The parent of processes that come and go."""
        app = self.program("""
    def leaf():
        pass

    def child():
        pid = os.fork()
        if not pid:
            leaf()
            os._exit(0)
        os.waitpid(pid, 0)

    for i in range(4):
        for k in range(10):
            child()
        if i in (1, 3):
            print(cells(), data_kb())
    """)
        self.assertBounded(self.record([app]), 3000)
        self.assertEqual(self.value("select ncalls from pstats "
                                    "where function = 'leaf'"), 40)

    def test_interpreters_that_come_and_go(self):
        """From 3.12 on the interpreter itself leaks megabytes for each."""
        app = self.program("""
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters
    import textwrap

    CODE = textwrap.dedent('''
    import json

    def leaf():
        pass
    for i in range(10):
        leaf()
        eval("1")
    json.dumps([1, 2])
    ''')

    for i in range(3):
        for k in range(20):
            id = interpreters.create()
            interpreters.run_string(id, CODE)
            interpreters.destroy(id)
        if i in (0, 2):
            print(data_kb())
    """)
        first, second = self.numbers(self.command([self.py.path, app]))
        bare = second - first
        first, second = self.numbers(self.record([app]))
        self.assertLess(second - first - bare, 2000)
        self.assertEqual(self.value("select ncalls from pstats "
                                    "where function = 'leaf'"), 600)
