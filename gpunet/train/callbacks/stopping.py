"""EarlyStopping, and GracefulStop: training that ends before its last epoch, and loses nothing."""

from __future__ import annotations

import shlex
import signal
import sys
import threading
from collections.abc import Callable
from os import PathLike, fspath
from types import FrameType
from typing import TYPE_CHECKING, Any

from gpunet.train.callbacks.best_weights import BestWeights
from gpunet.train.callbacks.callback import Callback
from gpunet.train.callbacks.monitor import Mode, Monitor

if TYPE_CHECKING:
    from gpunet.train.progress import Progress
    from gpunet.train.trainer import Trainer


class EarlyStopping(Callback):
    """Ends training when a number has not become better for some epochs.

    Args:
        monitor: the column of the history to watch.
        patience: how many epochs without a better value are one too many.
        min_delta: by how much a value must be better to count.
        mode: "min" or "max", which way is better; None: less of a loss, of a metric as it says.
        restore_best: give the model the weights of the best epoch when training ends.

    Attributes:
        best: the best value so far, or None.
        best_epoch: its epoch.

    Raises:
        ValueError: patience is not positive; or, in training, there is no such column.

    Examples:
        >>> stopping = train.EarlyStopping("loss", patience=3)
        >>> model = nn.Linear(1, 1)
        >>> trainer = train.Trainer(model, F.mse_loss, optim.SGD(model.parameters(), lr=0.0), callbacks=[stopping])
        >>> len(trainer.fit((gpunet.ones(4, 1), gpunet.ones(4, 1)), epochs=100))
        4
        >>> stopping.best_epoch, trainer.stopping
        (1, 'loss has not become better for 3 epochs')
    """

    def __init__(self, monitor: str = "val_loss", patience: int = 5, min_delta: float = 0.0, mode: Mode | None = None,
                 restore_best: bool = True) -> None:
        if patience < 1:
            raise ValueError(f"EarlyStopping: patience must be at least 1, not {patience}.")
        self.patience, self.restore_best = patience, restore_best
        self._monitor = Monitor("EarlyStopping", monitor, mode, min_delta)
        self._weights = BestWeights()

    @property
    def best(self) -> float | None:
        """The best value so far."""
        return self._monitor.best

    @property
    def best_epoch(self) -> int:
        """The epoch of the best value; 0 before the first."""
        return self._monitor.epoch

    def on_epoch_end(self, trainer: Trainer, row: dict[str, Any]) -> None:
        if self._monitor.improved(trainer, row):
            if self.restore_best:
                self._weights.take(trainer)
        elif self._monitor.waited >= self.patience:
            trainer.stop(f"{self._monitor.name} has not become better for {self.patience} "
                         f"epoch{'s' * (self.patience > 1)}")

    def on_fit_end(self, trainer: Trainer) -> None:
        if trainer.finished:
            self._weights.give_back(trainer)

    def state_dict(self) -> dict[str, Any]:
        return {"monitor": self._monitor.state_dict(), "weights": self._weights.state}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._monitor.load_state_dict(state_dict["monitor"])
        self._weights.state = state_dict["weights"]


class GracefulStop(Callback):
    """A first Ctrl-C finishes the batch, writes a checkpoint and says how to go on; a second one interrupts.

    The same is done for SIGTERM and SIGHUP, which schedulers and closed terminals send. Signals are only seen where
    `fit` runs in the program's main thread.

    Args:
        path: the checkpoint's file; None: no checkpoint is written.
        say: a function that shows a line to the user; None writes it to stderr.

    Attributes:
        signal: the number of the signal that has stopped training, or None.

    Examples:
        >>> model = nn.Linear(1, 1)
        >>> trainer = train.Trainer(model, F.mse_loss, optim.SGD(model.parameters()),
        ...                         callbacks=[train.GracefulStop("checkpoint.safetensors")])
        >>> len(trainer.fit((gpunet.ones(4, 1), gpunet.ones(4, 1))))
        1
    """

    last = True

    def __init__(self, path: str | PathLike[str] | None = "checkpoint.safetensors",
                 say: Callable[[str], object] | None = None) -> None:
        self.path = path
        self.signal: int | None = None
        self._say = say or (lambda line: print(line, file=sys.stderr, flush=True))
        self._before: dict[int, Any] = {}

    def on_fit_begin(self, trainer: Trainer) -> None:
        self.signal = None
        if threading.current_thread() is not threading.main_thread():
            return
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            # A signal that is ignored, as under nohup, or handled by somebody else stays so.
            if number is not None and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                self._before[number] = signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._restore()  # so the next one interrupts at once
        self.signal = number
        self._say("\nStopping after this batch; once more to stop at once.")

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def on_batch_end(self, trainer: Trainer, progress: Progress) -> None:
        if self.signal is not None:
            self._stop(trainer, f"epoch {progress.epoch}, batch {progress.batches}")

    def on_epoch_end(self, trainer: Trainer, row: dict[str, Any]) -> None:
        if self.signal is not None:
            self._stop(trainer, f"epoch {row['epoch']}")

    def _stop(self, trainer: Trainer, place: str) -> None:
        assert self.signal is not None
        trainer.stop(f"stopped by {signal.Signals(self.signal).name}", pause=True)
        if self.path is None:
            self._say(f"Stopped after {place}; fit goes on from there.")
        else:
            trainer.save(self.path)
            self._say(f"Stopped after {place}. {shlex.quote(fspath(self.path))} has it all: go on by "
                      f"fit(..., resume={fspath(self.path)!r}).")

    def on_fit_end(self, trainer: Trainer) -> None:
        self._restore()
