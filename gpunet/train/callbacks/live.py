"""LiveView: the curves of a training that is going on, on a web page of this machine."""

from __future__ import annotations

import json
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from typing import TYPE_CHECKING, Any

from gpunet.train.callbacks.callback import Callback
from gpunet.train.curves import PAGE, SERIES, panels, titled

if TYPE_CHECKING:
    from gpunet.train.progress import Progress
    from gpunet.train.trainer import Trainer

_HOST = "127.0.0.1"
_EVERY = 0.5  # seconds between readings of the loss, each of which waits for the device
_WATCHED = 5.0  # seconds after a question in which somebody is taken to be watching
_FAREWELL = 2.0  # seconds that the end waits for who is watching to see it


class LiveView(Callback):
    """Shows the running curves on a web page, which only this machine can open, while training goes on.

    The page asks for news every second. While nobody looks, nothing is computed.

    Args:
        port: the port; 0: any that is free.
        epochs: how many epochs there will be, if it is to be shown.
        title: the page's title.
        announce: whether the address is printed when training begins.

    Attributes:
        url: the page's address.
        epochs: how many epochs there will be, or None.
        title: the page's title.

    Raises:
        OSError: the port is in use, or may not be used.

    Examples:
        >>> model = nn.Linear(1, 1)
        >>> trainer = train.Trainer(model, F.mse_loss, optim.SGD(model.parameters()))
        >>> view = train.LiveView(announce=False)
        >>> view.url
        'http://127.0.0.1:.../'
        >>> history = trainer.fit((gpunet.ones(4, 1), gpunet.ones(4, 1)), callbacks=[view])
    """

    last = True  # so that it shows what the others have done

    def __init__(self, port: int = 0, *, epochs: int | None = None, title: str = "Training",
                 announce: bool = True) -> None:
        self._port, self.epochs, self.title, self._announce = port, epochs, title, announce
        self._server: _Server | None = None
        self._open()

    # ---- the server

    def _open(self) -> None:
        if self._server is not None:
            return
        try:
            self._server = _Server((_HOST, self._port), _Handler)
        except OSError as error:
            raise OSError(error.errno, f"LiveView: port {self._port} of {_HOST} cannot be used: {error.strerror}; "
                                       "choose another one, or 0 for any that is free") from error
        except OverflowError:
            raise ValueError(f"LiveView: port must be from 0 to 65535, not {self._port}.") from None
        self._server.view = self
        self._port = self._server.server_address[1]
        self.url = f"http://{_HOST}:{self._port}/"
        self._state: dict[str, Any] = {"status": "starting", "rows": [], "now": None}
        self._asked, self._read = -_WATCHED, -_EVERY
        self._seen_end = threading.Event()

    def close(self) -> None:
        """Ends the page; `on_fit_end` does so."""
        server, self._server = self._server, None
        if server is not None:
            if server.thread is not None:
                server.shutdown()
                server.thread.join()
            server.server_close()

    # ---- what the Trainer calls

    def on_fit_begin(self, trainer: Trainer) -> None:
        self._open()
        assert self._server is not None
        self._server.begin()
        self._state = {"status": "running", "rows": list(trainer.history), "now": None}
        if self._announce:
            print(f"Live view: {self.url}", flush=True)

    def on_batch_end(self, trainer: Trainer, progress: Progress) -> None:
        now = monotonic()
        if now - self._asked > _WATCHED or now - self._read < _EVERY:
            return  # nobody watches, or the last time is not long enough ago
        self._read = now
        row = {"epoch": progress.epoch, **progress.read(), "examples_per_second": progress.examples_per_second}
        self._state = {**self._state, "now": row, "batch": progress.batches, "total": progress.total}

    def on_epoch_end(self, trainer: Trainer, row: dict[str, Any]) -> None:
        self._state = {"status": "running", "rows": list(trainer.history), "now": None}

    def on_fit_end(self, trainer: Trainer) -> None:
        status = "failed" if trainer.failed else "stopped" if trainer.stopping else "finished"
        self._seen_end.clear()
        self._state = {"status": status, "rows": list(trainer.history), "now": None}
        if monotonic() - self._asked < _WATCHED:
            self._seen_end.wait(_FAREWELL)  # until who is watching has seen it
        self.close()

    # ---- what the page asks for

    def page(self) -> tuple[str, str]:
        """The page, and its content security policy."""
        from gpunet.train.pages import render, style

        nonce = secrets.token_urlsafe(16)
        policy = (f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'unsafe-inline'; connect-src 'self'; "
                  "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
        return render("live.html", style=style(), title=self.title, nonce=nonce,
                      series=[(name, PAGE[prefix]) for prefix, name in SERIES]), policy

    def news(self) -> dict[str, Any]:
        """What the page shows, as JSON has it."""
        state = self._state
        self._asked = monotonic()
        rows, now = state["rows"], state["now"]
        shown = [*rows, now] if now is not None else rows
        latest = shown[-1] if shown else {}
        if now is not None and rows:  # the validation data were last looked at after the epoch before
            latest = {**latest, **{name: value for name, value in rows[-1].items() if name.startswith("val_")}}
        done = len(rows) / self.epochs if self.epochs else None
        if done is not None and now is not None and state["total"]:
            done += state["batch"] / state["total"] / self.epochs  # pyright: ignore[reportOptionalOperand]
        answer = {"status": state["status"], "done": done, "cards": self._cards(latest, state),
                  "curves": panels(shown) if shown else []}
        if state["status"] not in ("starting", "running"):
            self._seen_end.set()
        return answer

    def _cards(self, row: dict[str, Any], state: dict[str, Any]) -> list[tuple[str, str]]:
        """Names and values of the latest numbers."""
        epoch = f"{row.get('epoch', 0):,}" + (f" of {self.epochs:,}" if self.epochs else "")
        cards = [("Epoch", epoch)]
        if state["now"] is not None:
            total = state["total"]
            cards.append(("Batch", f"{state['batch']:,}" + (f" of {total:,}" if total else "")))
        for name, value in row.items():
            if name in ("epoch", "seconds", "lr", "examples_per_second") or not isinstance(value, int | float):
                continue
            cards.append((titled(name), f"{value:.4g}"))
        if "examples_per_second" in row:
            cards.append(("Examples per second", f"{row['examples_per_second']:,.0f}"))
        return cards


class _Server(ThreadingHTTPServer):
    """A server of one view, in a thread of its own."""

    daemon_threads, block_on_close = True, False
    allow_reuse_address = True
    view: LiveView
    thread: threading.Thread | None = None

    def begin(self) -> None:
        """Begins to answer."""
        if self.thread is None:
            self.thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True,
                                           name="gpunet live view")
            self.thread.start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that has gone is no news."""


class _Handler(BaseHTTPRequestHandler):
    """Answers to this machine's browsers, and only under its own name: a page of another site that has its name lead to
    127.0.0.1 (DNS rebinding) still says its own in the Host header."""

    server_version, sys_version = "gpunet", ""
    protocol_version = "HTTP/1.1"
    timeout = 10
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        port = self.server.server_address[1]
        if self.headers.get("Host", "").lower() not in (f"{_HOST}:{port}", f"localhost:{port}"):
            self._answer(403, "text/plain", f"This page is at http://{_HOST}:{port}/ only.\n")
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
