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
                (2, ["http://x", "a.db", "b.db"], "b.db"),
                (1, ["http://x", "a.db"], "a.db"),
                (1, ["--run=7", "http://x", self.db], "7")):
            with self.subTest(words):
                self.refused(status, *words, says=says)
