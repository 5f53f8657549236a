"""LiveView: the curves of a training that is going on, on a web page of this machine."""

from __future__ import annotations

import secrets
import threading
from time import monotonic
from typing import TYPE_CHECKING, Any

from gpunet.train.callbacks.callback import Callback
from gpunet.train.curves import PAGE, SERIES, panels, titled

if TYPE_CHECKING:
    from gpunet.train.callbacks.live_server import Server
    from gpunet.train.progress import Progress
    from gpunet.train.trainer import Trainer

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
        self._server: Server | None = None
        self._open()

    # ---- the server

    def _open(self) -> None:
        from gpunet.train.callbacks.live_server import HOST, Server

        if self._server is not None:
            return
        try:
            self._server = Server(self._port, self)
        except OSError as error:
            raise OSError(error.errno, f"LiveView: port {self._port} of {HOST} cannot be used: {error.strerror}; "
                                       "choose another one, or 0 for any that is free") from error
        except OverflowError:
            raise ValueError(f"LiveView: port must be from 0 to 65535, not {self._port}.") from None
        self._port = self._server.server_address[1]
        self.url = f"http://{HOST}:{self._port}/"
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
