"""Display: epochs and numbers as Keras shows them."""

from __future__ import annotations

import sys
from time import perf_counter
from typing import Any

from gpunet.train import Callback, Progress, Trainer


class Display(Callback):
    """"Epoch 1/5", a bar that is drawn anew in a terminal, and a line with the numbers."""

    def __init__(self, epochs: int, before: int, bar: bool) -> None:
        self.epochs, self.before, self.bar = epochs, before, bar
        self.live = bar and sys.stdout.isatty()
        self._drawn = 0.0

    @classmethod
    def wanted(cls, verbose: str | int, epochs: int, before: int) -> Display | None:
        """One, unless verbose is 0. Raises ValueError."""
        if verbose not in ("auto", 0, 1, 2):
            raise ValueError(f"verbose must be 'auto', 0, 1 or 2, not {verbose!r}.")
        return cls(epochs, before, verbose != 2) if verbose else None

    def on_epoch_begin(self, trainer: Trainer, epoch: int) -> None:
        print(f"Epoch {epoch + self.before}/{self.epochs}", flush=True)

    def on_batch_end(self, trainer: Trainer, progress: Progress) -> None:
        if self.live and perf_counter() - self._drawn > 0.1:
            self._drawn = perf_counter()
            print("\r" + _text(progress, progress.read()), end="\033[K", flush=True)

    def on_epoch_end(self, trainer: Trainer, row: dict[str, Any]) -> None:
        numbers = {name: value for name, value in row.items() if name not in HIDDEN}
        if self.bar:
            print("\r" * self.live + _text(trainer.progress, numbers) + "\033[K" * self.live, flush=True)
        else:
            progress = trainer.progress
            print(f"{progress.batches}/{progress.batches} - {progress.seconds:.0f}s - {_numbers(numbers)}", flush=True)

    def line(self, values: dict[str, Any]) -> None:
        """Shows numbers alone."""
        print(_numbers(values), flush=True)


HIDDEN = ("epoch", "lr", "seconds", "examples_per_second")  # columns that Keras does not have


def _text(progress: Progress, values: dict[str, Any]) -> str:
    total, done = progress.total or progress.batches, progress.batches
    full = 20 * done // max(total, 1)
    each = progress.seconds / max(done, 1)
    pace = f"{each:.0f}s" if each >= 1 else f"{1000 * each:.0f}ms"
    return (f"{done}/{total} {'━' * full}{' ' * (20 - full)} {progress.seconds:.0f}s {pace}/step - "
            f"{_numbers(values)}")


def _numbers(values: dict[str, Any]) -> str:
    return " - ".join(f"{name}: {value:.4f}" if abs(value) > 1e-3 or value == 0 else f"{name}: {value:.4e}"
                      for name, value in sorted(values.items()) if isinstance(value, int | float))
