# SPDX-License-Identifier: MIT
"""What the middlewares for WSGI and ASGI share: which requests are profiled,
what belongs to one, and how it gets into the database."""

import contextvars
import itertools
import os
import sys

from ._profile import Profile

# What is profiled where this is set: a token of the request.  A task or a
# thread that is given a copy of the context (asyncio, anyio, asgiref do) goes
# on with it.
_request = contextvars.ContextVar("proflite_request")

HEADER = "x-proflite"
QUERY = "proflite=1"


class Request:
    """A request that is profiled: the calls made in its steps, and in tasks
    and threads that these start."""

    def __init__(self, **kinds):
        # Contexts may outlive the request, and should not keep its profile.
        self._token = object()
        self._profile = Profile(within=(_request, self._token), **kinds)
        self._profile.enable()

    def step(self, function, *args):
        """function(*args) as a part of the request."""
        outside = _request.set(self._token)
        try:
            return function(*args)
        finally:
            _request.reset(outside)

    def end(self):
        self._profile.disable()

    def save(self, path, label):
        self._profile._save(path, label, True)


class Middleware:
    """Profiles one request in `every`, or those that ask for it.

    out: the database, "proflite.db" unless told.  Each request is a run in it.
    every: profile one request in so many, of each process; 0 for none.  1
        unless told, and 0 with by_header or by_query.
    by_header: profile requests with the header "X-Proflite: 1".
    by_query: profile requests with proflite=1 in their query.
    label: a function that makes the label of a run out of the WSGI environ or
        the ASGI scope, once the request has been answered.  Unless told, it is
        the method and the route, or the path where there is no route.
    builtins, all_calls: as in proflite.start().

    Everybody who can send a request can ask by header or query: enable that
    where only you can.
    """

    def __init__(self, app, *, out="proflite.db", every=None, by_header=False,
                 by_query=False, label=None, builtins=True, all_calls=False):
        if every is None:
            every = 0 if by_header or by_query else 1
        if not isinstance(every, int) or every < 0:
            raise ValueError("every: want a whole number from 0 on, not %r"
                             % (every,))
        self.app = app
        self._out = os.path.abspath(os.fspath(out))
        self._every = every
        self._by_header = by_header
        self._by_query = by_query
        self._label = label or self.default_label
        self._kinds = {"builtins": builtins, "all_calls": all_calls}
        self._numbers = itertools.count(1)
        self._is_broken = False
        self._said = set()

    def begin(self, header, query):
        """A Request, or None: not this one.  header: the value of ours; query:
        the query string."""
        wanted = self._every and not next(self._numbers) % self._every
        if self._by_header and header == "1":
            wanted = True
        if self._by_query and QUERY in query.split("&"):
            wanted = True
        if not wanted or self._is_broken:
            return None
        try:
            return Request(**self._kinds)
        except Exception as e:
            return self._give_up(e)

    def save(self, request, seen):
        """Put a request that has ended into the database.  seen: the environ or
        the scope."""
        try:
            request.save(self._out, self._label_of(seen))
        except Exception as e:
            self._give_up(e)

    def _label_of(self, seen):
        try:
            label = self._label(seen)
            label.encode()          # is it text that can be written?
            return label
        except Exception as e:      # of one odd request: no reason to give up
            self._say(e, "such requests have no label")
            return None

    def _give_up(self, e):
        """The application goes on, and we don't."""
        self._say(e, "no more requests are profiled")
        self._is_broken = True

    def _say(self, e, then):
        if then not in self._said and sys.stderr is not None:
            sys.stderr.write("proflite: %s: %s; %s\n"
                             % (type(e).__name__, e, then))
        self._said.add(then)


def django_route(path):
    """The route of a path in a program of Django's, or None.  Asked again, as
    neither the environ nor the scope holds the request."""
    urls = sys.modules.get("django.urls")
    if urls is None:
        return None
    try:
        return "/" + urls.resolve(path).route
    except Exception:
        return None             # none that matches, or not Django's program
