"""A small HTTP/2 server on loopback: serves a directory below `/tree/` and counts its connections."""

from __future__ import annotations

import socket
import ssl
import threading

import h2.config
import h2.connection
import h2.events


class Http2Server:
    """Serves `folder`; `hold` requests are kept waiting until as many are under way on one connection."""

    def __init__(self, folder, tls: ssl.SSLContext, *, hold: int = 1):
        self.folder, self.hold, self.connections = folder, hold, 0
        self._tls = tls
        self._tls.set_alpn_protocols(["h2"])
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]

    @property
    def url(self):
        return f"https://localhost:{self._socket.getsockname()[1]}/tree"

    def __enter__(self):
        self._threads[0].start()
        return self

    def __exit__(self, *_):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._threads[0].join()

    def _accept(self):
        while True:
            try:
                plain, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(plain,), daemon=True).start()

    def _talk(self, plain):
        try:
            with self._tls.wrap_socket(plain, server_side=True) as connection:
                self._serve(connection)
        except OSError:
            return

    def _serve(self, connection):
        state = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        state.initiate_connection()
        connection.sendall(state.data_to_send())
        waiting = []
        while data := connection.recv(65536):
            for event in state.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    path = dict(event.headers)[b":path"].decode().removeprefix("/tree/")
                    waiting.append((event.stream_id, path))
            if len(waiting) >= self.hold or any(path == "config.json" for _, path in waiting):
                for stream, path in waiting:
                    self._answer(state, stream, self.folder / path)
                waiting = []
            connection.sendall(state.data_to_send())

    @staticmethod
    def _answer(state, stream, file):
        body = file.read_bytes() if file.is_file() else b""
        state.send_headers(stream, [(":status", "200" if body else "404"), ("content-length", str(len(body)))])
        state.send_data(stream, body, end_stream=True)
