"""LRFinder: which learning rate to take, from one short trial."""

from __future__ import annotations

import copy
import math
from os import PathLike
from pathlib import Path
from typing import Any

from gpunet import files
from gpunet.train.callbacks.callback import Callback
from gpunet.train.checkpoint import restore, state_of
from gpunet.train.checks import TrainingDiverged
from gpunet.train.curves import rate_curve
from gpunet.train.history import Picture
from gpunet.train.progress import Progress
from gpunet.train.trainer import Trainer


class LRFinder(Callback):
    """Trains for a few steps while the learning rate grows from tiny to huge, and looks where the loss falls fastest.

    Afterwards the trainer is as it was before: weights, optimizer, random numbers and history.

    Source: Smith, "Cyclical Learning Rates for Training Neural Networks", 2017.

    Args:
        trainer: the trainer whose rate is looked for.
        start: the first rate.
        end: the last rate.
        steps: how many steps of the optimizer the trial has; it ends early once the loss is four times the least.

    Attributes:
        rates: the rates tried.
        losses: the loss at each, smoothed.

    Raises:
        ValueError: the rates are not positive and rising, there are too few steps, or the trainer has no optimizer.

    Examples:
        >>> model = nn.Linear(2, 1)
        >>> trainer = train.Trainer(model, F.mse_loss, optim.SGD(model.parameters(), lr=0.1))
        >>> x = gpunet.randn(64, 2)
        >>> finder = train.LRFinder(trainer, steps=30)
        >>> 1e-4 < finder.run((x, x.sum(1, keepdim=True)), batch_size=16) < 1
        True
    """

    def __init__(self, trainer: Trainer, start: float = 1e-7, end: float = 10.0, steps: int = 100) -> None:
        if not 0 < start < end:
            raise ValueError(f"LRFinder: rates must be positive and rise, not from {start:g} to {end:g}.")
        if steps < 10:
            raise ValueError(f"LRFinder: steps must be at least 10, not {steps}.")
        if trainer.optimizer is None:
            raise ValueError("LRFinder: the trainer has no optimizer, so it has no learning rate.")
        self.trainer, self.start, self.end, self.steps = trainer, start, end, steps
        self.rates: list[float] = []
        self.losses: list[float] = []

    def run(self, data: Any, *, batch_size: int = 32) -> float:
        """Runs the trial.

        Args:
            data: what to train on, as for `Trainer.fit`.
            batch_size: examples in a batch, for arrays and Datasets.

        Returns:
            The suggested rate.
        """
        trainer, self.rates, self.losses, self._average = self.trainer, [], [], 0.0
        before, callbacks, scheduler = copy.deepcopy(state_of(trainer, {})), trainer.callbacks, trainer.scheduler
        trainer.callbacks, trainer.scheduler = [], None
        trainer.position.abandon()  # a new pass, wherever training is
        try:
            self._set(self.start)
            trainer.stopping = None
            while trainer.stopping is None:
                trainer.fit(data, epochs=len(trainer.history) + 1, batch_size=batch_size, callbacks=[self])
        except TrainingDiverged:
            pass
        finally:
            trainer.callbacks, trainer.scheduler, trainer.stopping = callbacks, scheduler, None
            restore(before, trainer, "the trial")
        return self.suggestion

    def on_epoch_begin(self, trainer: Trainer, epoch: int) -> None:
        self._total, self._examples, self._step = 0.0, 0, trainer.steps

    def on_batch_end(self, trainer: Trainer, progress: Progress) -> None:
        if trainer.steps == self._step:  # the gradient is not complete yet
            return
        total = progress.read()["loss"] * progress.examples
        loss = (total - self._total) / (progress.examples - self._examples)
        self._total, self._examples, self._step = total, progress.examples, trainer.steps
        self._average = 0.9 * self._average + 0.1 * loss
        smoothed = self._average / (1 - 0.9 ** (len(self.rates) + 1))
        if not math.isfinite(smoothed) or len(self.losses) > 10 and smoothed > 4 * min(self.losses):
            trainer.stop("the loss has exploded")
            return
        self.rates.append(self._rate)
        self.losses.append(smoothed)
        if len(self.rates) >= self.steps:
            trainer.stop("the trial is over")
        else:
            self._set(self.start * (self.end / self.start) ** (len(self.rates) / (self.steps - 1)))

    def _set(self, rate: float) -> None:
        assert self.trainer.optimizer is not None
        self._rate = rate
        for group in self.trainer.optimizer.param_groups:
            group["lr"] = rate

    @property
    def suggestion(self) -> float:
        """The rate at which the loss falls fastest, over the logarithm of the rate; a tenth of the best rate where it
        does not fall.

        Raises:
            ValueError: there was no trial, or the loss exploded at once.
        """
        if len(self.losses) < 3:
            raise ValueError("LRFinder: there are too few losses to suggest a rate; run it first, from a lower start.")
        begin, lowest = len(self.losses) // 10, self.losses.index(min(self.losses))  # the first averages are of few
        if lowest < begin + 3:
            return self.rates[lowest] / 10
        slopes = {place: self.losses[place + 1] - self.losses[place - 1] for place in range(begin + 1, lowest)}
        return self.rates[min(slopes, key=slopes.__getitem__)]

    def plot(self, path: str | PathLike[str] | None = None) -> Picture:
        """Draws the loss over the rate, with the suggestion, as an SVG picture.

        Args:
            path: a file to write it to.

        Returns:
            The picture: a text, which a notebook shows as a picture.

        Raises:
            ValueError: there was no trial.
        """
        picture = Picture(rate_curve(self.rates, self.losses, self.suggestion))
        if path is not None:
            files.replace(Path(path), picture, durable=False)
        return picture

