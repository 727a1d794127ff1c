"""A web server on loopback that serves a directory, well or in every bad way that tests ask for.

    with MisbehavingServer(folder) as server:
        server.plan("index/demo.jsonl", Fault(status=503, headers={"Retry-After": "1"}))   # once, then well
        ...
        assert server.requests[0].path == "index/demo.jsonl"

Nothing here sleeps for long: a server that never answers waits for the test to end.
"""

from __future__ import annotations

import hashlib
import re
import ssl
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Fault:
    """How one response is wrong.

    `status`, `headers` (None takes one away) and `body` replace those of a good response, `flip` changes the byte at an
    offset, `length` lies about the length.  `cut` closes the connection after that many bytes of the body, `refuse`
    without a word, `silent` never answers, `drip` sends a byte now and then until the client leaves.  `no_range`
    ignores Range, `wrong_range` answers it with the whole under 206, `no_validators` sends neither ETag nor date.
    `before` is called before anything is sent.
    """

    status: int | None = None
    headers: dict = field(default_factory=dict)
    body: bytes | None = None
    flip: int | None = None
    length: int | None = None
    cut: int | None = None
    refuse: bool = False
    silent: bool = False
    drip: bool = False
    no_range: bool = False
    wrong_range: bool = False
    no_validators: bool = False
    before: Callable | None = None


GOOD = Fault()


@dataclass
class Asked:
    """One request as it arrived."""

    path: str
    headers: dict


class MisbehavingServer:
    """Serves `folder` below `/tree/`; `always` and `plan` make it misbehave."""

    def __init__(self, folder, *, tls: ssl.SSLContext | None = None):
        self.folder = folder
        self.requests: list[Asked] = []
        self.over = threading.Event()
        self._plans = defaultdict(list)
        self._always = {}
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._http.handle_error = lambda *_: None
        self._scheme = "https" if tls else "http"
        if tls:
            self._http.socket = tls.wrap_socket(self._http.socket, server_side=True)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def port(self):
        return self._http.server_address[1]

    @property
    def url(self):
        host = "localhost" if self._scheme == "https" else "127.0.0.1"
        return f"{self._scheme}://{host}:{self.port}/tree"

    def plan(self, path, *faults):
        """The next responses for `path`, in order; after them it behaves."""
        self._plans[path] += faults

    def always(self, path, fault):
        """Every response for `path` that nothing else is planned for; `path` may be `*`."""
        self._always[path] = fault

    def forget(self):
        """Behave from now on."""
        self._plans.clear()
        self._always.clear()

    def asked(self, path):
        """The requests for `path` so far."""
        return [asked for asked in self.requests if asked.path == path]

    def fault_for(self, path):
        if self._plans[path]:
            return self._plans[path].pop(0)
        return self._always.get(path) or self._always.get("*") or GOOD

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


def _handler(server):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_):
            pass

        def do_GET(self):
            path = self.path.removeprefix("/tree/")
            server.requests.append(Asked(path, {k.lower(): v for k, v in self.headers.items()}))
            fault = server.fault_for(path)
            if fault.before:
                fault.before()
            if fault.silent:
                server.over.wait()
            if fault.silent or fault.refuse:
                self.close_connection = True
                return
            _Response(self, server.folder / path, fault, server.over).send()

    return Handler


class _Response:
    def __init__(self, handler, file, fault, over):
        self.handler, self.fault, self.over = handler, fault, over
        self.headers = {"Content-Type": "application/octet-stream"}
        try:
            self.status, self.body = 200, file.read_bytes()
        except OSError:
            self.status, self.body = 404, b"<html>no such file</html>"
        if self.status == 200 and not fault.no_validators:
            self.headers["ETag"] = f'"{hashlib.sha256(self.body).hexdigest()[:16]}"'
            self.headers["Last-Modified"] = "Mon, 05 Jan 2026 00:00:00 GMT"

    def send(self):
        if self.status == 200:
            self._conditions()
        fault = self.fault
        self.status = fault.status or self.status
        self.body = self.body if fault.body is None else fault.body
        if fault.flip is not None and self.body:
            at = fault.flip % len(self.body)
            self.body = self.body[:at] + bytes([self.body[at] ^ 1]) + self.body[at + 1 :]
        self.headers["Content-Length"] = str(len(self.body) if fault.length is None else fault.length)
        self.headers |= fault.headers
        self._write()

    def _drip(self):
        self.handler.close_connection = True
        try:
            for byte in self.body:
                self.handler.wfile.write(bytes([byte]))
                if self.over.wait(0.02):
                    return
        except OSError:
            return

    def _conditions(self):
        asked = self.handler.headers
        if asked.get("If-None-Match") and asked["If-None-Match"] == self.headers.get("ETag"):
            self.status, self.body = 304, b""
            return
        found = re.fullmatch(r"bytes=(\d+)-", asked.get("Range", ""))
        validators = (self.headers.get("ETag"), self.headers.get("Last-Modified"))
        if not found or self.fault.no_range or (asked.get("If-Range") and asked["If-Range"] not in validators):
            return
        start, total = int(found[1]), len(self.body)
        if self.fault.wrong_range:
            start = 0
        if start >= total:
            self.status, self.body = 416, b""
            return
        self.status, self.body = 206, self.body[start:]
        self.headers["Content-Range"] = f"bytes {start}-{total - 1}/{total}"

    def _write(self):
        self.handler.send_response(self.status)
        for name, value in self.headers.items():
            if value is not None:
                self.handler.send_header(name, value)
        self.handler.end_headers()
        cut = self.fault.cut
        if self.fault.drip:
            self._drip()
        else:
            self.handler.wfile.write(self.body if cut is None else self.body[:cut])
        if cut is not None or self.headers.get("Content-Length") is None or self.fault.length is not None:
            self.handler.close_connection = True
