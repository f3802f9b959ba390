# SPDX-License-Identifier: MIT
"""Profile requests to an ASGI application (FastAPI, Starlette, Django, ...):

    from proflite.asgi import ProfliteMiddleware

    app = ProfliteMiddleware(app, every=100, out="web.db")
"""

import asyncio
import concurrent.futures
import os

from . import _web

__all__ = ["ProfliteMiddleware"]

# Databases are written there, not in the event loop; made where it is needed,
# as a forked child has no thread of its parent's.
_writer = None
_writer_pid = None


def _submit(function, *args):
    global _writer, _writer_pid
    if _writer_pid != os.getpid():
        _writer = concurrent.futures.ThreadPoolExecutor(1, "proflite")
        _writer_pid = os.getpid()
    return _writer.submit(function, *args)


class _Steps:
    """Awaits what the application returns, and tells the request when a step of
    it begins and ends: what runs between two is not the request's."""

    def __init__(self, request, awaitable):
        self._request = request
        self._awaitable = awaitable

    def __await__(self):
        step = self._request.step
        inner = step(self._awaitable.__await__)
        go_on, argument = inner.send, None
        while True:
            try:
                wish = step(go_on, argument)
            except StopIteration as e:
                return e.value
            try:
                go_on, argument = inner.send, (yield wish)
            except GeneratorExit:
                step(inner.close)
                raise
            except BaseException as e:
                go_on, argument = inner.throw, e


class ProfliteMiddleware(_web.Middleware):
    __doc__ = _web.Middleware.__doc__

    async def __call__(self, scope, receive, send):
        request = self._begin_of(scope)
        if request is None:
            await self.app(scope, receive, send)
            return
        try:
            await _Steps(request, request.step(self.app, scope, receive, send))
        except Exception:
            await self._finish(request, scope)
            raise
        except BaseException:           # cancelled: no time to wait
            self._save(request, scope)
            raise
        await self._finish(request, scope)

    def _begin_of(self, scope):
        if scope["type"] != "http":     # websocket, lifespan
            return None
        header = b""
        if self._by_header:             # they may be an iterator
            scope["headers"] = list(scope["headers"])
            header = dict(scope["headers"]).get(_web.HEADER.encode(), b"")
        return self.begin(header.decode("latin-1"),
                          scope.get("query_string", b"").decode("latin-1"))

    async def _finish(self, request, scope):
        saved = self._save(request, scope)
        if saved is not None:
            await asyncio.wrap_future(saved)

    def _save(self, request, scope):
        """What is done when the request is in the database; None: it is."""
        request.end()
        try:
            asyncio.get_running_loop()
            saved = _submit(self.save, request, scope)
        except RuntimeError:
            # trio; or the main thread has ended, and no thread takes more work
            self.save(request, scope)
            return None
        # Who waits may be cancelled, and the request is saved all the same.
        # asyncio.shield would tell the loop of its end, which may be closed by
        # then.
        saved.cancel = lambda: False
        return saved

    def default_label(self, scope):
        path, outer = scope["path"] or "/", scope.get("root_path", "")
        below = path[len(outer):] if path.startswith(outer) else path
        # A route is told from where its application is mounted.
        route = getattr(scope.get("route"), "path", None) or \
            _web.django_route(below or "/")
        return "%s %s" % (scope["method"], outer + route if route else path)
