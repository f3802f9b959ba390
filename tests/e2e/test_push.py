# SPDX-License-Identifier: MIT
"""`proflite push`: the requests that a server gets, and what it may answer."""

import base64
import gzip
import http.server
import json
import socket
import struct
import threading

from harness import Case, once

PROGRAM = """
    def leaf():
        pass
    def main():
        for i in range(7):
            leaf()
    main()
    """


def trailer(text):
    data = text.encode()
    return struct.pack(">BI", 128, len(data)) + data


class Server:
    """Answers every request alike, and remembers it."""

    def __init__(self, status=200, body=b"{}", headers=()):
        self.requests = []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                n = int(self.headers["Content-Length"])
                server.requests.append((self.path, dict(self.headers),
                                        self.rfile.read(n)))
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.http = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.http.server_port
        self.thread = threading.Thread(target=self.http.serve_forever,
                                       args=(0.05,))
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


def fields(data):
    """[(number, value)] of a protobuf message."""
    at, found = 0, []

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        key = number()
        value = number()
        if key & 7 == 2:
            at += value
            value = data[at - value:at]
        found.append((key >> 3, value))
    return found


class Push(Case):
    def setUp(self):
        self.record([self.script(PROGRAM)], options="clock=step")

    def pprof(self, *flags):
        path = self.tmp / "x.pb.gz"
        self.tool("export", "-f", "pprof", "-o", path, *flags, self.db)
        return gzip.decompress(path.read_bytes())

    def refused(self, status, *words, says, **kwargs):
        done = self.tool("push", *words, check=status, **kwargs)
        self.assertEqual(done.stdout, "")
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn(says, done.stderr)

    @once
    def test_pyroscope(self):
        host = self.value("select host from processes")
        with Server() as server:
            done = self.tool("push", "-l", "team=a \"b\"", "-H",
                             "X-Scope-OrgID: one", server.url + "/", self.db)
        self.assertEqual((done.stdout, done.stderr), ("", ""))
        (path, headers, body), = server.requests
        self.assertEqual(path, "/push.v1.PusherService/Push")
        self.assertEqual(headers["Content-Type"], "application/json")
        self.assertEqual(headers["X-Scope-OrgID"], "one")
        self.assertNotIn("Expect", headers)
        series, = json.loads(body)["series"]
        self.assertEqual({l["name"]: l["value"] for l in series["labels"]}, {
            "team": 'a "b"', "service_name": "app", "host": host,
            "__name__": "wall"})
        sample, = series["samples"]
        self.assertEqual(sample["ID"],
                         self.value("select uuid from runs"))
        self.assertEqual(gzip.decompress(base64.b64decode(
            sample["rawProfile"])), self.pprof())

    @once
    def test_parca(self):
        with Server(body=trailer("grpc-status: 0\r\n"), headers=[
                ("Content-Type", "application/grpc-web+proto")]) as server:
            self.tool("push", "--to=parca", "--name=shop", "--label=host=x",
                      server.url, self.db)
        (path, headers, body), = server.requests
        self.assertEqual(path, "/parca.profilestore.v1alpha1."
                               "ProfileStoreService/WriteRaw")
        self.assertEqual(headers["Content-Type"], "application/grpc-web+proto")
        self.assertEqual(struct.unpack(">BI", body[:5]), (0, len(body) - 5))
        (two, series), normalized = fields(body[5:])
        self.assertEqual((two, normalized), (2, (3, 1)))
        (one, labels), (two, sample) = fields(series)
        self.assertEqual((one, two), (1, 2))
        self.assertEqual([dict(fields(label)) for _, label in fields(labels)], [
            {1: b"host", 2: b"x"}, {1: b"service_name", 2: b"shop"},
            {1: b"__name__", 2: b"wall"}])
        (one, raw), = fields(sample)
        self.assertEqual((one, gzip.decompress(raw)), (1, self.pprof()))

    @once
    def test_which_run(self):
        self.record([self.script("def other(): pass\nother()")],
                    options="clock=cpu", flags=["--label", "nightly"])
        with Server() as server:
            for flags in [], ["--run=1"]:
                self.tool("push", *flags, server.url, self.db)
        for (_, _, body), flags, name, kind in zip(
                server.requests, ([], ["--run=1"]), ("nightly", "app"),
                ("process_cpu", "wall")):
            series, = json.loads(body)["series"]
            labels = {l["name"]: l["value"] for l in series["labels"]}
            self.assertEqual((labels["service_name"], labels["__name__"]),
                             (name, kind))
            self.assertEqual(gzip.decompress(base64.b64decode(
                series["samples"][0]["rawProfile"])), self.pprof(*flags))

    @once
    def test_what_a_server_refuses(self):
        with Server(401, b"no\x1b[31m tenant\nsecond line") as server:
            self.refused(1, server.url, self.db,
                         says="answers 401: no?[31m tenant\n")
        with Server(body=trailer(
                "grpc-status: 3\r\ngrpc-message: bad labels\r\n")) as server:
            self.refused(1, "--to=parca", server.url, self.db,
                         says="bad labels (gRPC status 3)")
        with Server(headers=[("grpc-status", "16"),
                             ("grpc-message", "who are you")]) as server:
            self.refused(1, "--to=parca", server.url, self.db,
                         says="who are you (gRPC status 16)")
        with Server(body=b"<html>") as server:
            self.refused(1, "--to=parca", server.url, self.db,
                         says="not as Parca does")

    @once
    def test_the_first_line_of_what_was_said_is_shown_without_controls(self):
        said = "a\x1b]0;t\x07b\u009bc" + "x" * 5000
        with Server(500, said.encode() + b"\r\nmore") as server:
            self.refused(1, server.url, self.db,
                         says="answers 500: a?]0;t?b?cx")
        with Server(headers=[("grpc-status", "13"),
                             ("grpc-message", "\x1b[2J" + "y" * 5000)]) \
                as server:
            done = self.tool("push", "--to=parca", server.url, self.db,
                             check=1)
        self.assertRegex(done.stderr, r"profile: \?\[2Jy+ \(gRPC status 13\)")
        self.assertLess(len(done.stderr), 500)

    def serve(self, answer):
        """The URL of a server that calls answer(connection) in a thread."""
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def run():
            try:
                connection, _ = listener.accept()
                with connection:
                    answer(connection)
            except OSError:             # the client has left, or never came
                pass
        thread = threading.Thread(target=run, daemon=True)
        thread.start()

        def end():
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            listener.close()
        self.addCleanup(end)
        return "http://127.0.0.1:%d" % listener.getsockname()[1]

    @once
    def test_a_reply_without_end(self):
        chunk = b"x" * 65536

        def body(connection):
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                connection.sendall(chunk)

        def headers(connection):
            connection.recv(65536)
            while True:
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)

        def one_header(connection):
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            while True:
                connection.sendall(chunk)

        for answer in body, headers, one_header:
            with self.subTest(answer.__name__):
                url = self.serve(answer)
                self.refused(1, url, self.db, says=url)

    @once
    def test_a_reply_that_does_not_come(self):
        done = threading.Event()

        def silence(connection):
            done.wait()

        url = self.serve(silence)
        self.addCleanup(done.set)       # before the thread is joined
        self.refused(1, "--timeout=1", url, self.db, says="timed out")

    @once
    def test_no_redirect_is_followed(self):
        with Server() as other:
            for target in "file:///etc/passwd", other.url:
                with Server(302, headers=[("Location", target)]) as server:
                    self.refused(1, server.url, self.db, says="answers 302")
                with Server(307, headers=[("Location", target)]) as server:
                    self.refused(1, server.url.replace("//", "//me:secret@"),
                                 self.db, says="answers 307")
        self.assertEqual(other.requests, [])

    @once
    def test_a_password_is_not_shown(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            nobody = "127.0.0.1:%d" % taken.getsockname()[1]
            with Server(500, b"no") as server:
                for url in server.url[7:], nobody:
                    done = self.tool("push", "http://me:a@secret@" + url,
                                     self.db, check=1)
                    self.assertIn(url, done.stderr)
                    self.assertNotIn("secret", done.stderr)
                    self.assertNotIn("me:", done.stderr)

    @once
    def test_no_server(self):
        with socket.socket() as taken:          # and nobody listens
            taken.bind(("127.0.0.1", 0))
            self.refused(1, "http://127.0.0.1:%d" % taken.getsockname()[1],
                         self.db, says="127.0.0.1")

    @once
    def test_what_is_wrong_is_said(self):
        for status, words, says in (
                (2, [], "http://HOST:PORT"),
                (2, ["pyroscope:4040"], "http:// or https://"),
                (2, ["file:///etc/passwd", self.db], "http:// or https://"),
                (2, ["--to=grafana", "http://x"], "pyroscope or parca"),
                (2, ["-l", "team", "http://x"], "NAME=VALUE"),
                (2, ["-l", "1a=b", "http://x"], "NAME=VALUE"),
                (2, ["-H", "none", "http://x"], "Name: value"),
                (2, ["-H", "a: b\nc: d", "http://x"], "Name: value"),
                (2, ["--timeout=0", "http://x"], "from 1 to 86400"),
                (2, ["--timeout=soon", "http://x"], "from 1 to 86400"),
                (2, ["http://x", "a.db", "b.db"], "b.db"),
                (1, ["http://x", "a.db"], "a.db"),
                (1, ["--run=7", "http://x", self.db], "7")):
            with self.subTest(words):
                self.refused(status, *words, says=says)
