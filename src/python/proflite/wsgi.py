# SPDX-License-Identifier: MIT
"""Profile requests to a WSGI application (Flask, Django, ...):

    from proflite.wsgi import ProfliteMiddleware

    application = ProfliteMiddleware(application, every=100, out="web.db")
"""

from . import _web

__all__ = ["ProfliteMiddleware"]


class _Body:
    """The answer's iterable; the request ends when the server closes it."""

    def __init__(self, body, request, end):
        self._body = body
        self._iterator = None
        self._request = request
        self._end = end

    def __iter__(self):
        return self

    def __next__(self):
        step = self._request.step
        if self._iterator is None:
            self._iterator = step(iter, self._body)
        return step(next, self._iterator)

    def close(self):
        try:
            if hasattr(self._body, "close"):
                self._request.step(self._body.close)
        finally:
            self._end()


class _SizedBody(_Body):
    """Servers find the length of an answer by that of a list of one."""

    def __len__(self):
        return len(self._body)


class ProfliteMiddleware(_web.Middleware):
    __doc__ = _web.Middleware.__doc__

    def __call__(self, environ, start_response):
        request = self.begin(environ.get("HTTP_X_PROFLITE"),
                             environ.get("QUERY_STRING", ""))
        if request is None:
            return self.app(environ, start_response)
        try:
            body = request.step(self.app, environ, start_response)
        except BaseException:
            self._finish(request, environ)
            raise
        kind = _SizedBody if hasattr(body, "__len__") else _Body
        return kind(body, request, lambda: self._finish(request, environ))

    def _finish(self, request, environ):
        request.end()
        self.save(request, environ)

    def default_label(self, environ):
        # As they are at the end: what mounts an application moves the
        # beginning of the path from one to the other.
        outer, path = (environ.get(name, "").encode("latin-1").decode(
            "utf-8", "replace") for name in ("SCRIPT_NAME", "PATH_INFO"))
        route = _flask_route(self.app, environ) or \
            _web.django_route(path or "/")
        return "%s %s" % (environ["REQUEST_METHOD"],
                          outer + (route or path) or "/")


def _flask_route(app, environ):
    """The route of a request in a program of Flask's, or None.  Asked again, as
    Flask takes its request out of the environ when it is done."""
    outer = environ.get("SCRIPT_NAME", "")
    for _ in range(8):
        app = getattr(app, "__self__", app)     # of app.wsgi_app
        if not hasattr(app, "url_map"):
            # Below werkzeug's middlewares; its dispatcher has mounts.
            app = next((mounted for place, mounted
                        in getattr(app, "mounts", {}).items()
                        if outer.endswith(place)), getattr(app, "app", None))
    try:
        rule, _ = app.url_map.bind_to_environ(environ).match(return_rule=True)
    except Exception:
        return None             # none that matches
    return rule.rule
