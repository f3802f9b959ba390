# SPDX-License-Identifier: MIT
"""A headless Chromium, driven through a pair of pipes by its own protocol
(chromedevtools.github.io/devtools-protocol): no library, no network port.

    with Browser(chromium, folder) as page:
        page.open(path)
        page.wait("document.body.dataset.ready")
        page.click("#search")
        page.type("fib")
        page.value("document.title")
"""

import base64
import json
import os
import select
import signal
import subprocess
import time

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu",
         "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--disable-dev-shm-usage", "--no-first-run",
         "--disable-quic", "--hide-scrollbars", "--mute-audio",
         "--remote-debugging-pipe",
         # No page gets out of this machine.
         "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
SECONDS = 300


class Browser:
    def __init__(self, program, folder, width=1280, height=800):
        self.folder = folder
        self.errors = []        # what the page's scripts said is wrong
        self.console = []
        self.requests = []
        self.id = 0
        self.buffer = b""
        to_read, self.to_write = os.pipe()
        self.from_read, from_write = os.pipe()

        def connect():          # it reads 3 and writes 4
            a, b = os.dup(to_read), os.dup(from_write)
            os.dup2(a, 3)
            os.dup2(b, 4)

        self.log = open(folder / "chromium.log", "wb")
        self.process = subprocess.Popen(
            [program, *FLAGS, "--user-data-dir=%s" % (folder / "profile"),
             "--window-size=%d,%d" % (width, height), "about:blank"],
            preexec_fn=connect, close_fds=False, stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=self.log, start_new_session=True,
            env={**os.environ, "HOME": str(folder)})
        os.close(to_read)
        os.close(from_write)
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target,
                                 flatten=True)["sessionId"]
        for domain in "Page", "Runtime", "Network", "Log":
            self.send(domain + ".enable")
        self.send("Emulation.setDeviceMetricsOverride", width=width,
                  height=height, deviceScaleFactor=1, mobile=False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.to_write)
        os.close(self.from_read)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            pass
        try:                    # and the helpers it started
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.log.close()

    # ------------------------------------------------------------ protocol --

    def receive(self, deadline):
        while b"\0" not in self.buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.from_read], [], [], left)[0]:
                raise TimeoutError("Chromium does not answer: %s" % (
                    self.folder / "chromium.log"))
            part = os.read(self.from_read, 1 << 20)
            if not part:
                raise EOFError("Chromium is gone: " + (
                    self.folder / "chromium.log").read_text(errors="replace"))
            self.buffer += part
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def note(self, message):
        method, p = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(p["exceptionDetails"]))
        elif method == "Log.entryAdded" and p["entry"]["level"] == "error":
            self.errors.append(p["entry"]["text"])
        elif method == "Runtime.consoleAPICalled":
            self.console.append(" ".join(str(a.get("value", ""))
                                         for a in p["args"]))
        elif method == "Network.requestWillBeSent":
            self.requests.append(p["request"]["url"])

    def call(self, method, session=None, **params):
        self.id += 1
        message = {"id": self.id, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.to_write, data):]
        deadline = time.monotonic() + SECONDS
        while True:
            answer = self.receive(deadline)
            if answer.get("id") == self.id:
                break
            self.note(answer)
        if "error" in answer:
            raise RuntimeError("%s: %s" % (method, answer["error"]))
        return answer["result"]

    def send(self, method, **params):
        return self.call(method, self.session, **params)

    # ---------------------------------------------------------------- page --

    def open(self, path, query=""):
        """@path of a file, or the text of an address."""
        url = path if isinstance(path, str) else path.as_uri()
        self.send("Page.navigate", url=url + query)

    def value(self, script):
        """What a JavaScript expression is."""
        result = self.send("Runtime.evaluate", expression=script,
                           returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError("%s: %s" % (script, result["exceptionDetails"]))
        return result["result"].get("value")

    def wait(self, script, seconds=SECONDS):
        """Until the expression is true; its value."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                value = self.value(script)
            except RuntimeError:        # not loaded yet
                value = None
            if value:
                return value
            if time.monotonic() > deadline:
                raise TimeoutError("never true: %s\n%s" % (
                    script, "\n".join(self.errors)))
            time.sleep(0.02)

    def cpu_seconds(self):
        """What the processes that run pages have used, all their threads."""
        found = self.call("SystemInfo.getProcessInfo")["processInfo"]
        return sum(p["cpuTime"] for p in found if p["type"] == "renderer")

    def frame(self):
        """Let it draw."""
        self.value("new Promise(r => requestAnimationFrame(() => "
                   "requestAnimationFrame(() => r(true))))")

    def mouse(self, x, y, kind="mouseMoved", **more):
        self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def click_at(self, x, y):
        self.mouse(x, y)
        for kind in "mousePressed", "mouseReleased":
            self.mouse(x, y, kind, button="left", clickCount=1,
                       buttons=1 if kind == "mousePressed" else 0)
        self.frame()

    def click(self, selector):
        """The middle of an element."""
        x, y = self.value(
            "(r => [r.x + r.width / 2, r.y + r.height / 2])"
            "(document.querySelector(%s).getBoundingClientRect())"
            % json.dumps(selector))
        self.click_at(x, y)

    def type(self, text):
        self.send("Input.insertText", text=text)
        self.frame()

    def key(self, key, **more):
        for kind in "keyDown", "keyUp":
            self.send("Input.dispatchKeyEvent", type=kind, key=key, **more)
        self.frame()

    def picture(self, path):
        data = self.send("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(data))
