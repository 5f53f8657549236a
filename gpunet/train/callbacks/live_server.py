"""The web server of LiveView: it answers this machine alone."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpunet.train.callbacks.live import LiveView

HOST = "127.0.0.1"


class Server(ThreadingHTTPServer):
    """A server of one view, in a thread of its own."""

    daemon_threads, block_on_close = True, False
    allow_reuse_address = True
    thread: threading.Thread | None = None

    def __init__(self, port: int, view: LiveView) -> None:
        super().__init__((HOST, port), Handler)
        self.view = view

    def begin(self) -> None:
        """Begins to answer."""
        if self.thread is None:
            self.thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True,
                                           name="gpunet live view")
            self.thread.start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that has gone is no news."""


class Handler(BaseHTTPRequestHandler):
    """Answers to this machine's browsers, and only under its own name: a page of another site that has its name lead to
    127.0.0.1 (DNS rebinding) still says its own in the Host header."""

    server_version, sys_version = "gpunet", ""
    protocol_version = "HTTP/1.1"
    timeout = 10
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        port = self.server.server_address[1]
        if self.headers.get("Host", "").lower() not in (f"{HOST}:{port}", f"localhost:{port}"):
            self._answer(403, "text/plain", f"This page is at http://{HOST}:{port}/ only.\n")
        elif self.path == "/":
            page, policy = self.server.view.page()
            self._answer(200, "text/html", page, {"Content-Security-Policy": policy})
        elif self.path == "/news":
            self._answer(200, "application/json", json.dumps(self.server.view.news()))
        else:
            self._answer(404, "text/plain", "There is no such page.\n")

    do_HEAD = do_GET

    def _answer(self, status: int, kind: str, text: str, headers: dict[str, str] | None = None) -> None:
        content = text.encode()
        self.send_response(status)
        for name, value in {"Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(content)),
                            "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
                            "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
                            "Cross-Origin-Resource-Policy": "same-origin", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Questions are no news."""
