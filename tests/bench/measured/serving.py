# SPDX-License-Identifier: MIT
"""Requests to an application, in a process of its own and without a server.

	serving.py SPEC		SPEC: JSON; the answer goes to spec.answer

The application makes a page of `rows` rows, at about three calls a row.
Answers the CPU seconds of all requests, from the first to the last, after some
that are not measured; the databases that are written are in it.
"""

import asyncio
import cProfile
import json
import os
import sys
import time

spec = json.loads(sys.argv[1])
sys.path[:0] = spec["path"]

from proflite import asgi, wsgi

NEVER = 1 << 60
EVERY = {"not chosen": NEVER, "1 in 100": 100, "every": 1}
WARM_UP = 100


def row(n):
    return json.dumps({"id": n, "name": "row %d" % n})


def page():
    return "\n".join([row(n) for n in range(spec["rows"])]).encode()


def of_wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [page()]


async def of_asgi(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": page()})


def under_cprofile(app):
    """As werkzeug's ProfilerMiddleware does it: a file for each request."""
    def wrapped(environ, start_response):
        profile = cProfile.Profile()
        body = profile.runcall(app, environ, start_response)
        profile.dump_stats("%d.prof" % time.monotonic_ns())
        return body
    return wrapped


def wrap(tool, app, middleware):
    if tool == "cProfile":
        return under_cprofile(app)
    return middleware(app, every=EVERY[tool]) if tool in EVERY else app


def ask_wsgi(app, n):
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/page"}
    for _ in range(n):
        body = app(environ, lambda *_: None)
        for _ in body:
            pass
        if hasattr(body, "close"):
            body.close()


async def ask_asgi(app, n):
    scope = {"type": "http", "method": "GET", "path": "/page", "headers": []}

    async def send(message):
        pass

    for _ in range(n):
        await app(scope, None, send)


def serve_wsgi(n):
    app = wrap(spec["tool"], of_wsgi, wsgi.ProfliteMiddleware)
    ask_wsgi(app, WARM_UP)
    began = time.process_time()
    ask_wsgi(app, n)
    return time.process_time() - began


async def serve_asgi(n):
    app = wrap(spec["tool"], of_asgi, asgi.ProfliteMiddleware)
    await ask_asgi(app, WARM_UP)
    began = time.process_time()
    await ask_asgi(app, n)
    return time.process_time() - began


os.chdir(spec["folder"])
n = spec["requests"]
took = serve_wsgi(n) if spec["kind"] == "WSGI" else asyncio.run(serve_asgi(n))
with open(spec["answer"], "w") as f:
    json.dump({"seconds": took, "units": n}, f)
