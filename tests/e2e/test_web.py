# SPDX-License-Identifier: MIT
"""The middlewares for WSGI and ASGI: each request is a run of its own, with
its own calls and no other's, whoever runs meanwhile."""

import os
import re
import signal
import subprocess
import textwrap
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import consumers
from harness import COMMAND_SECONDS, PACKAGE, SOURCE, STAGE, Case, once, since

# A request for /users/N works N times, so that its number tells its counts.
WORK = """
    def work():
        pass

    def work_on(n):
        for i in range(n):
            work()
    """


class Web(Case):
    def calls(self, function="work"):
        """[(label, calls of @function)] of all runs that have such."""
        return sorted(self.rows(
            "select r.label, p.ncalls from runs r join pstats p "
            "on p.run_id = r.id where p.function = ?", function))

    def check_whole(self):
        self.assertEqual(self.value("select sum(n_unmatched) + sum(n_lost) "
                                    "from threads"), 0)
        self.assertEqual(self.value("pragma integrity_check"), "ok")


class Wsgi(Web):
    """Without a server."""

    APP = WORK + """
    import io, sys, threading
    from wsgiref.util import setup_testing_defaults
    from wsgiref.validate import validator
    from proflite.wsgi import ProfliteMiddleware

    barrier = threading.Barrier(2)

    def body(n):
        work_on(n)
        yield b"%d" % n

    class Body:
        def __init__(self, n):
            self.n = n

        def __iter__(self):
            return body(self.n)

        def close(self):
            closed(self.n)

    def closed(n):
        work()

    def app(environ, start_response):
        n = int(environ["PATH_INFO"].rpartition("/")[2])
        if environ["PATH_INFO"].startswith("/meet/"):
            for i in range(n):
                barrier.wait(300)
                work()
                barrier.wait(300)
        if environ["PATH_INFO"].startswith("/fail/"):
            work_on(n)
            raise KeyError(n)
        start_response("200 OK", [("Content-Type", "text/plain")])
        if environ["PATH_INFO"].startswith("/list/"):
            work_on(n)
            return [b"%d" % n]
        return Body(n)

    def ask(app, path, query="", **headers):
        environ = {"SCRIPT_NAME": "", "PATH_INFO": path,
                   "QUERY_STRING": query, **headers}
        setup_testing_defaults(environ)
        answer = app(environ, lambda status, headers, exc_info=None:
                     (lambda data: None))
        try:
            return b"".join(answer)
        finally:
            if hasattr(answer, "close"):
                answer.close()
    """

    def run_app(self, text, **kwargs):
        return self.python([self.script(self.APP + text)], **kwargs)

    def test_iteration_and_close_belong_to_the_request(self):
        done = self.run_app("""
    app = validator(ProfliteMiddleware(validator(app)))
    work_on(100)
    print(ask(app, "/users/3"), ask(app, "/users/4"))
    try:
        ask(app, "/fail/5")
    except KeyError as e:
        print(e)
    """)
        self.assertEqual(done.stdout, "b'3' b'4'\n5\n")
        self.assertEqual(done.stderr, "")
        self.assertEqual(self.calls(), [
            ("GET /fail/5", 5), ("GET /users/3", 4), ("GET /users/4", 5)])
        self.assertEqual(self.calls("app"), [
            ("GET /fail/5", 1), ("GET /users/3", 1), ("GET /users/4", 1)])
        # Nothing of ours.
        self.assertEqual(self.value(
            "select count(*) from pstats "
            "where filename like '%/proflite/%.py'"), 0)
        self.check_whole()

    def test_threads_are_kept_apart(self):
        self.run_app("""
    app = ProfliteMiddleware(app)

    def both(n):
        threads = [threading.Thread(target=ask, args=(app, "/meet/%d" % n))
                   for i in range(2)]
        for t in threads:
            t.start()
        work_on(10)
        for t in threads:
            t.join()

    for n in range(1, 4):
        both(n)
    """)
        # Each has waited for the other in the middle.  n in the application,
        # n in its body, one when it is closed.
        self.assertEqual(self.calls(), [
            ("GET /meet/%d" % n, 2 * n + 1) for n in (1, 1, 2, 2, 3, 3)])
        self.assertEqual(self.value("select count(*) from threads"), 6)
        self.check_whole()

    def test_one_in_so_many(self):
        self.run_app("""
    app = ProfliteMiddleware(app, every=3, builtins=False,
                             label=lambda environ: environ["PATH_INFO"][1:])
    for n in range(1, 11):
        ask(app, "/users/%d" % n)
    """)
        self.assertEqual(self.calls(), [
            ("users/3", 4), ("users/6", 7), ("users/9", 10)])
        self.assertEqual(self.value(
            "select count(*) from functions where kind = 'c'"), 0)

    def test_those_that_ask(self):
        self.run_app("""
    ways = [{}, {"query": "a=b&proflite=1"}, {"HTTP_X_PROFLITE": "1"},
            {"query": "proflite=0", "HTTP_X_PROFLITE": "0"}]
    apps = [ProfliteMiddleware(app, every=0),
            ProfliteMiddleware(app, by_query=True),
            ProfliteMiddleware(app, by_header=True)]
    for i, one in enumerate(apps):
        for j, way in enumerate(ways):
            ask(one, "/users/%d%d" % (i, j), **way)
    """)
        self.assertEqual([label for label, _ in self.calls()],
                         ["GET /users/11", "GET /users/22"])

    def test_a_label_that_fails(self):
        done = self.run_app("""
    labels = iter([None, "one", 2, "\\ud800", "three"])
    app = ProfliteMiddleware(app, label=lambda environ:
                             next(labels) or environ["no such"])
    print([ask(app, "/users/%d" % n) for n in range(5)])
    """)
        self.assertEqual(done.stdout, "[b'0', b'1', b'2', b'3', b'4']\n")
        self.assertEqual(done.stderr, "proflite: KeyError: 'no such'; such "
                         "requests have no label\n")
        self.assertEqual(self.rows("select label from runs order by id"), [
            (None,), ("one",), (None,), (None,), ("three",)])

    def test_one_within_another(self):
        """As where an application is mounted in another: to the outer one,
        what the inner one does belongs to its request."""
        self.run_app("""
    app = ProfliteMiddleware(app, every=2, out="inner.db")
    app = ProfliteMiddleware(app)
    for n in range(1, 4):
        ask(app, "/users/%d" % n)
    """)
        self.assertEqual(self.calls(), [
            ("GET /users/1", 2), ("GET /users/2", 3), ("GET /users/3", 4)])
        self.check_whole()
        self.db = self.tmp / "inner.db"
        self.assertEqual(self.calls(), [("GET /users/2", 3)])
        self.check_whole()

    def test_length_is_told(self):
        done = self.run_app("""
    app = ProfliteMiddleware(app)
    environ = {"PATH_INFO": "/list/2"}
    setup_testing_defaults(environ)
    answer = app(environ, lambda *args: None)
    print(len(answer), list(answer))
    answer.close()
    environ["PATH_INFO"] = "/users/2"
    print(hasattr(app(environ, lambda *args: None), "__len__"))
    """)
        self.assertEqual(done.stdout, "1 [b'2']\nFalse\n")
        self.assertEqual(self.calls(), [("GET /list/2", 2)])

    def test_trouble_is_ours(self):
        done = self.run_app("""
    app = ProfliteMiddleware(app, out="nowhere/web.db")
    print([ask(app, "/users/%d" % n) for n in range(4)])
    """)
        self.assertEqual(done.stdout, "[b'0', b'1', b'2', b'3']\n")
        self.assertRegex(done.stderr, r"\Aproflite: .*nowhere/web\.db.*; no "
                         r"more requests are profiled\n\Z")

    def test_what_makes_no_sense(self):
        for wrong in "every=-1", "every=0.5", "every='x'":
            done = self.run_app("""
    ProfliteMiddleware(app, %s)
    """ % wrong, check=1)
            self.assertIn("every: want a whole number from 0 on", done.stderr)


class Asgi(Web):
    """Without a server."""

    APP = WORK + """
    import asyncio, contextvars, sys
    from proflite.asgi import ProfliteMiddleware

    async def rest():
        await asyncio.sleep(0)

    async def child(n):
        for i in range(n):
            work()
            await rest()

    def in_thread(n):
        work_on(n)

    async def app(scope, receive, send):
        if scope["type"] != "http":
            work_on(1000)
            return await send(scope["type"])
        kind, n = scope["path"][1:].split("/")
        n = int(n)
        await steps[kind](n)
        await send({"type": "http.response.start", "status": 200,
                    "headers": []})
        await send({"type": "http.response.body", "body": b"%d" % n})

    async def fail(n):
        await child(n)
        raise KeyError(n)

    async def wait(n):
        work_on(n)
        await asyncio.sleep(3600)

    steps = {
        "users": child,
        "tasks": lambda n: asyncio.gather(child(n), child(n)),
        "thread": lambda n: asyncio.to_thread(in_thread, n),
        "fail": fail,
        "wait": wait,
    }

    async def noise(n):
        for i in range(n):
            work()
            await asyncio.sleep(0)

    async def ask(app, path, query=b"", headers=(), **scope):
        said = []
        async def send(message):
            work()                      # the server's, and so the request's
            said.append(message)
        await app({"type": "http", "method": "GET", "path": path,
                   "query_string": query, "headers": list(headers), **scope},
                  None, send)
        return said[-1]["body"] if isinstance(said[-1], dict) else said[-1]

    async def cancel(task):
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            print("cancelled")
    """

    def run_app(self, text, **kwargs):
        return self.python([self.script(self.APP + text)], **kwargs)

    def test_tasks_and_threads(self):
        done = self.run_app("""
    app = ProfliteMiddleware(app)

    async def main():
        other = asyncio.ensure_future(noise(500))
        print(*await asyncio.gather(*(
            ask(app, "/%s/%d" % (kind, n)) for n in range(1, 6)
            for kind in ("users", "tasks", "thread"))))
        await other

    asyncio.run(main())
    """)
        self.assertEqual(done.stdout, " ".join(
            "b'%d'" % (i // 3) for i in range(3, 18)) + "\n")
        self.assertEqual(done.stderr, "")
        self.assertEqual(self.calls(), sorted(
            ("GET /%s/%d" % (kind, n), times * n + 2) for n in range(1, 6)
            for kind, times in (("users", 1), ("tasks", 2), ("thread", 1))))
        # Called once, resumed n times; and each has its own caller.
        self.assertEqual(self.rows(
            "select distinct s.calls, s.resumes from runs r "
            "join processes p on p.run_id = r.id "
            "join threads t on t.process_id = p.id "
            "join function_stats s on s.thread_id = t.id "
            "join functions f on f.id = s.function_id "
            "where r.label = 'GET /users/5' and f.name = 'child'"), [(1, 5)])
        self.assertEqual(self.rows(
            "select path, ncalls from call_paths c join runs r "
            "on r.id = c.run_id where r.label = 'GET /users/5' "
            "and path like '%app > child > work'"),
            [("app > child > work", 5)])
        self.assertEqual(self.value(
            "select count(*) from pstats "
            "where filename like '%/proflite/%.py'"), 0)
        self.check_whole()

    def test_errors_and_cancelling(self):
        done = self.run_app("""
    app = ProfliteMiddleware(app)

    async def main():
        try:
            await ask(app, "/fail/3")
        except KeyError as e:
            print(e)
        task = asyncio.ensure_future(ask(app, "/wait/4"))
        await asyncio.sleep(0)
        await cancel(task)

    asyncio.run(main())
    """)
        self.assertEqual(done.stdout, "3\ncancelled\n")
        self.assertEqual(done.stderr, "")
        self.assertEqual(self.calls(), [("GET /fail/3", 3), ("GET /wait/4", 4)])
        self.check_whole()

    def test_headers_that_can_be_read_once(self):
        """The interface has them as any iterable."""
        done = self.run_app("""
    async def tell(scope, receive, send):
        print(list(scope["headers"]))

    for options in {}, {"by_header": True}:
        app = ProfliteMiddleware(tell, **options)
        asyncio.run(app({"type": "http", "method": "GET", "path": "/x",
                         "headers": iter([(b"x-proflite", b"1")])}, None, None))
    """)
        self.assertEqual(done.stdout, "[(b'x-proflite', b'1')]\n" * 2)
        self.assertEqual(self.value("select count(*) from runs"), 2)

    def test_cancelled_while_it_is_saved(self):
        done = self.run_app("""
    import threading
    from proflite import asgi

    app = ProfliteMiddleware(app)
    free, waiting, submit = threading.Event(), [], asgi._submit

    def tell(*args):
        waiting.append(args)
        return submit(*args)

    async def main():
        submit(free.wait)               # the writer is busy
        asgi._submit = tell
        task = asyncio.ensure_future(ask(app, "/users/3"))
        while not waiting:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        await cancel(task)
        free.set()

    asyncio.run(main())
    """)
        self.assertEqual(done.stdout, "cancelled\n")
        self.assertEqual(done.stderr, "")
        self.assertEqual(self.calls(), [("GET /users/3", 5)])

    def test_main_thread_has_ended(self):
        """A server in a thread of its own goes on then."""
        done = self.run_app("""
    import concurrent.futures.thread, threading, time

    app = ProfliteMiddleware(app)

    def serve():
        while not concurrent.futures.thread._shutdown:
            time.sleep(0.01)
        print(asyncio.run(ask(app, "/users/3")))

    threading.Thread(target=serve).start()
    """)
        self.assertEqual(done.stdout, "b'3'\n")
        self.assertEqual(done.stderr, "")
        self.assertEqual(self.calls(), [("GET /users/3", 5)])

    def test_what_is_no_request_passes_through(self):
        done = self.run_app("""
    app = ProfliteMiddleware(app)
    print(asyncio.run(ask(app, "", type="websocket")),
          asyncio.run(ask(app, "", type="lifespan")))
    asyncio.run(ask(app, "/users/1"))
    """)
        self.assertEqual(done.stdout, "websocket lifespan\n")
        self.assertEqual(self.calls(), [("GET /users/1", 3)])

    def test_which(self):
        self.run_app("""
    ways = [{}, {"query": b"a=b&proflite=1"},
            {"headers": [(b"x-proflite", b"1")]}]
    apps = [ProfliteMiddleware(app, every=0),
            ProfliteMiddleware(app, by_query=True),
            ProfliteMiddleware(app, by_header=True),
            ProfliteMiddleware(app, every=2)]
    for i, one in enumerate(apps):
        for j, way in enumerate(ways):
            asyncio.run(ask(one, "/users/%d%d" % (i, j), **way))
    """)
        self.assertEqual([label for label, _ in self.calls()], [
            "GET /users/11", "GET /users/22", "GET /users/31"])

    def test_trouble_is_ours(self):
        done = self.run_app("""
    app = ProfliteMiddleware(app, out="nowhere/web.db")
    print(*[asyncio.run(ask(app, "/users/%d" % n)) for n in range(4)])
    """)
        self.assertEqual(done.stdout, "b'0' b'1' b'2' b'3'\n")
        self.assertRegex(done.stderr, r"\Aproflite: .*nowhere/web\.db.*; no "
                         r"more requests are profiled\n\Z")


FLASK = WORK + """
    import os
    from flask import Flask
    from meeting import meet
    from proflite.wsgi import ProfliteMiddleware

    app = Flask(__name__)

    @app.get("/users/<int:n>")
    def user(n):
        work_on(n)
        return str(os.getpid())

    @app.get("/stream/<int:n>")
    def stream(n):
        def pieces():
            work_on(n)
            yield str(os.getpid())
        return pieces()

    @app.get("/meet")
    def meeting():
        return meet()

    app.wsgi_app = ProfliteMiddleware(app.wsgi_app)
    """

DJANGO = WORK + """
    import os
    import django
    from django.conf import settings
    from django.http import HttpResponse, StreamingHttpResponse
    from django.urls import path
    from meeting import meet

    settings.configure(ROOT_URLCONF=__name__, SECRET_KEY="x",
                       ALLOWED_HOSTS=["127.0.0.1"])
    django.setup()

    def user(request, n):
        work_on(n)
        return HttpResponse(str(os.getpid()))

    def stream(request, n):
        def pieces():
            work_on(n)
            yield str(os.getpid())
        return StreamingHttpResponse(pieces())

    def meeting(request):
        return HttpResponse(meet())

    urlpatterns = [path("users/<int:n>", user), path("stream/<int:n>", stream),
                   path("meet", meeting)]
    """

DJANGO_WSGI = DJANGO + """
    from django.core.wsgi import get_wsgi_application
    from proflite.wsgi import ProfliteMiddleware
    app = ProfliteMiddleware(get_wsgi_application())
    """

DJANGO_ASGI = DJANGO + """
    from django.core.asgi import get_asgi_application
    from proflite.asgi import ProfliteMiddleware
    app = ProfliteMiddleware(get_asgi_application())
    """

# Behind a middleware the application is a task of its own; what is not async
# goes to a thread.
FASTAPI = WORK + """
    import asyncio, os
    from fastapi import FastAPI
    from fastapi.responses import PlainTextResponse, StreamingResponse
    from meeting import meet
    from proflite.asgi import ProfliteMiddleware

    app = FastAPI(default_response_class=PlainTextResponse)

    @app.middleware("http")
    async def between(request, call_next):
        return await call_next(request)

    @app.get("/users/{n}")
    def user(n: int):
        work_on(n)
        return str(os.getpid())

    @app.get("/awaits/{n}")
    async def awaits(n: int):
        for i in range(n):
            work()
            await asyncio.sleep(0)
        return str(os.getpid())

    @app.get("/stream/{n}")
    async def stream(n: int):
        async def pieces():
            for i in range(n):
                work()
                await asyncio.sleep(0)
            yield str(os.getpid())
        return StreamingResponse(pieces())

    @app.get("/meet")
    async def meeting():
        return meet()

    app.add_middleware(ProfliteMiddleware)
    """

# Two workers that have nothing to say to each other meet in a folder.
MEETING = """
    import os, time

    def meet():
        open("met-%d" % os.getpid(), "x").close()
        until = time.monotonic() + 300
        while sum(name.startswith("met-") for name in os.listdir(".")) < 2:
            if time.monotonic() > until:
                raise TimeoutError("the other worker has not come")
            time.sleep(0.01)
        return str(os.getpid())
    """

ROUNDS = 5                      # requests of each kind: 1 to so many calls


class Servers(Web):
    """Real servers with real frameworks, on a port of the kernel's choice."""

    def start(self, argv, ready):
        """A server's process and its address, which it says on stderr.  @ready:
        what each of its two workers says when it is there."""
        web = consumers.need(self, "web frameworks for 3.%d"
                             % self.py.version[1])
        self.script(MEETING, "meeting.py")
        self.said = open(self.tmp / "said", "w+b")
        self.addCleanup(self.said.close)
        server = subprocess.Popen(
            [self.py.path, "-m", *argv], cwd=self.tmp,
            env=self.environment({"PYTHONPATH": "%s:%s:." % (web, PACKAGE)}),
            stdin=subprocess.DEVNULL, stdout=self.said, stderr=self.said,
            start_new_session=True)
        self.addCleanup(self.kill, server)
        until = time.monotonic() + COMMAND_SECONDS
        while time.monotonic() < until and server.poll() is None:
            said = self.output()
            found = re.search(r"http://127\.0\.0\.1:\d+", said)
            if found and said.count(ready) == 2:
                return server, found.group()
            time.sleep(0.02)
        return self.fail("no address: " + self.output())

    def output(self):
        return (self.tmp / "said").read_text(encoding="utf-8")

    @staticmethod
    def kill(server):
        try:
            os.killpg(server.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        server.wait()

    def stop(self, server):
        server.send_signal(signal.SIGTERM)
        server.wait(COMMAND_SECONDS)
        self.assertNotIn("proflite:", self.output())
        self.assertNotIn("Traceback", self.output())

    def ask(self, path):
        with urllib.request.urlopen(self.address + path,
                                    timeout=COMMAND_SECONDS) as answer:
            return int(answer.read())

    def both_workers_meet(self, pool):
        """One waits, and so the other one has the second request."""
        first = pool.submit(self.ask, "/meet")
        while not list(self.tmp.glob("met-*")) and not first.done():
            time.sleep(0.01)
        return [first.result(), self.ask("/meet")] if first.done() else \
            [self.ask("/meet"), first.result()]

    def load(self, argv, paths, meet=True, ready="Booting worker"):
        """Ask for all of @paths, by eight at a time; the workers that have
        answered."""
        server, self.address = self.start(argv, ready)
        with ThreadPoolExecutor(8) as pool:
            met = self.both_workers_meet(pool) if meet else []
            pids = met + list(pool.map(self.ask, paths))
        if meet:
            self.assertEqual(len(set(met)), 2)
        self.stop(server)
        self.check_whole()
        return pids

    def check_workers(self, pids):
        """Each worker has in the database what it has answered."""
        self.assertEqual(
            dict(self.rows("select pid, count(*) from processes group by pid")),
            {pid: pids.count(pid) for pid in pids})

    def check(self, argv, labels, **kwargs):
        """@labels: of a path without its number."""
        paths = [path + str(n) for n in range(1, ROUNDS + 1)
                 for path in labels]
        self.check_workers(self.load(argv, paths, **kwargs))
        self.assertEqual(self.calls(), sorted(
            (label, n) for n in range(1, ROUNDS + 1)
            for label in labels.values()))
        if kwargs.get("meet", True):
            self.assertEqual(self.calls("meet"), [("GET /meet", 1)] * 2)

    def gunicorn(self, *options):
        # It ends workers that do not come to their next turn in time.
        patience = ["--timeout", "600", "--graceful-timeout", "600"]
        return ["gunicorn", "-b", "127.0.0.1:0", "-w", "2", *patience, *options,
                "app:app"]

    @since(3, 11)
    def test_flask_gunicorn(self):
        self.script(FLASK)
        self.check(self.gunicorn(), {
            "/users/": "GET /users/<int:n>", "/stream/": "GET /stream/<int:n>"})

    @since(3, 11)
    def test_flask_gunicorn_with_threads(self):
        self.script(FLASK)
        self.check(self.gunicorn("--threads", "4"), {
            "/users/": "GET /users/<int:n>", "/stream/": "GET /stream/<int:n>"},
            meet=False)

    @since(3, 11)
    def test_django_gunicorn(self):
        self.script(DJANGO_WSGI)
        self.check(self.gunicorn(), {
            "/users/": "GET /users/<int:n>", "/stream/": "GET /stream/<int:n>"})

    def uvicorn(self):
        # It ends workers that do not answer in time.
        return ["uvicorn", "--port", "0", "--workers", "2",
                "--timeout-worker-healthcheck", "600", "app:app"]

    @since(3, 11)
    def test_fastapi_uvicorn(self):
        self.script(FASTAPI)
        self.check(self.uvicorn(), {
            "/users/": "GET /users/{n}", "/awaits/": "GET /awaits/{n}",
            "/stream/": "GET /stream/{n}"},
            ready="Application startup complete")

    @since(3, 11)
    def test_django_uvicorn(self):
        """Its views and its streams are in threads, so a worker whose view
        waits may well take the next request, too."""
        self.script(DJANGO_ASGI)
        self.check(self.uvicorn(), {
            "/users/": "GET /users/<int:n>", "/stream/": "GET /stream/<int:n>"},
            meet=False, ready="Application startup complete")


class Mounted(Web):
    """Applications within others: a label says of which one the route is."""

    def run_app(self, text):
        web = consumers.need(self, "web frameworks for 3.%d"
                             % self.py.version[1])
        self.python([self.script(text)],
                    {"PYTHONPATH": "%s:%s" % (web, PACKAGE)})
        return [label for label, in self.rows(
            "select label from runs order by id")]

    @once
    def test_flask(self):
        self.assertEqual(self.run_app("""
    from wsgiref.util import setup_testing_defaults
    from flask import Flask
    from werkzeug.middleware.dispatcher import DispatcherMiddleware
    from proflite.wsgi import ProfliteMiddleware

    main, shop = Flask("main"), Flask("shop")
    main.get("/users/<int:n>")(lambda n: str(n))
    shop.get("/users/<name>")(lambda name: name)
    app = ProfliteMiddleware(DispatcherMiddleware(main, {
        "/shop": shop, "/bound": shop.wsgi_app}))

    for outer, path in (("", "/users/1"), ("", "/shop/users/2"), ("", "/shop/x"),
                        ("/pre", "/shop/users/3"), ("", "/bound/users/4"),
                        ("", "/shop"), ("", "")):
        environ = {"SCRIPT_NAME": outer, "PATH_INFO": path}
        setup_testing_defaults(environ)
        body = app(environ, lambda *args: None)
        b"".join(body)
        body.close()
    """), ["GET /users/<int:n>", "GET /shop/users/<name>", "GET /shop/x",
           "GET /pre/shop/users/<name>", "GET /bound/users/<name>",
           "GET /shop", "GET /"])

    @once
    def test_fastapi(self):
        self.assertEqual(self.run_app("""
    import asyncio
    from fastapi import FastAPI
    from proflite.asgi import ProfliteMiddleware

    app, shop = FastAPI(), FastAPI()
    app.get("/users/{n}")(lambda n: n)
    shop.get("/users/{n}")(lambda n: n)
    app.mount("/shop", shop)
    app.add_middleware(ProfliteMiddleware)

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        pass

    for outer, path in (("", "/users/1"), ("", "/shop/users/2"), ("", "/shop/x"),
                        ("/pre", "/pre/shop/users/3"), ("/pre", "/users/4")):
        asyncio.run(app({"type": "http", "method": "GET", "path": path,
                         "root_path": outer, "query_string": b"",
                         "headers": []}, receive, send))
    """), ["GET /users/{n}", "GET /shop/users/{n}", "GET /shop/x",
           "GET /pre/shop/users/{n}", "GET /pre/users/{n}"])


# Around the examples of the document: both frameworks' applications.
CART_WSGI = """
    from wsgiref.util import setup_testing_defaults
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpResponse
    from django.urls import path
    from flask import Flask

    app = Flask(__name__)
    app.get("/cart")(lambda: "cart")
    settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1"])
    urlpatterns = [path("cart", lambda request: HttpResponse("cart"))]

%s

    def ask(app):
        environ = {"PATH_INFO": "/cart"}
        setup_testing_defaults(environ)
        body = app(environ, lambda *args: None)
        print(b"".join(body).decode())
        body.close()

    for _ in range(700):
        ask(app)
    for _ in range(100):
        ask(application)
    """

CART_ASGI = """
    import asyncio
    from django.conf import settings
    from django.core.asgi import get_asgi_application
    from django.http import HttpResponse
    from django.urls import path
    from fastapi import FastAPI

    app = FastAPI()
    app.get("/cart")(lambda: "cart")
    settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1"])
    urlpatterns = [path("cart", lambda request: HttpResponse("cart"))]

%s

    async def ask(app):
        messages = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive():
            return messages.pop() if messages else await asyncio.sleep(3600)

        async def send(message):
            if message.get("body"):
                print(message["body"].decode().strip('"'))

        await app({"type": "http", "method": "GET", "path": "/cart",
                   "query_string": b"", "headers": [(b"host", b"127.0.0.1")]},
                  receive, send)

    async def main():
        for app_of, n in (app, 200), (application, 100):
            for _ in range(n):
                await ask(app_of)

    asyncio.run(main())
    """


class Document(Web):
    """What doc/web.md shows, as it stands there."""

    def blocks(self, language, name="doc/web.md"):
        return re.findall(r"(?ms)^```%s\n(.*?)^```$" % language,
                          (SOURCE / name).read_text(encoding="utf-8"))

    def run_block(self, program, text):
        web = consumers.need(self, "web frameworks for 3.%d"
                             % self.py.version[1])
        self.script(program % textwrap.indent(text, "    "))
        done = self.python(["app.py"], {"PYTHONPATH": "%s:%s" % (web, PACKAGE)})
        self.assertEqual(done.stderr, "")
        return done.stdout.count("cart\n")

    def labels(self, name):
        return self.rows("select label, count(*) from runs group by label",
                         db=self.tmp / name)

    @once
    def test_wsgi(self):
        consumers.need(self, "sqlite3")
        self.assertEqual(self.run_block(CART_WSGI, self.blocks("python")[0]),
                         800)
        self.assertEqual(self.labels("web.db"), [("GET /cart", 7)])
        self.assertEqual(self.labels("proflite.db"), [("GET /cart", 1)])
        commands, = [re.sub(r"(?m)^\$ | +# .*$", "", text)
                     for text in self.blocks("") if "proflite runs" in text]
        done = self.command(["sh", "-e", "-c", "cp web.db old.db\n" + commands],
                            {"PATH": "%s/bin:%s" % (
                                STAGE, self.environment()["PATH"])})
        self.assertEqual(done.stdout.count("GET /cart: "), 7)
        self.assertIn("function calls", done.stdout)
        self.assertRegex(done.stdout, r"(?m)^GET /cart\|7\|\d")
        self.assertEqual(done.stderr, "")

    @once
    def test_asgi(self):
        self.assertEqual(self.run_block(CART_ASGI, self.blocks("python")[1]),
                         300)
        self.assertEqual(self.labels("web.db"), [("GET /cart", 2)])
        self.assertEqual(self.labels("proflite.db"), [("GET /cart", 1)])

    @once
    def test_readme_shows_the_same(self):
        def lines(name):
            return {re.sub(" +# .*", "", line)
                    for text in self.blocks("python", name)
                    for line in text.splitlines() if "Middleware" in line}
        self.assertEqual(len(lines("README.md")), 4)
        self.assertLessEqual(lines("README.md"), lines("doc/web.md"))
