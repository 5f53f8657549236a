"""The training loop: epochs over a DataLoader, with evaluation, history and callbacks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from time import perf_counter

import gpunet
from gpunet import Tensor, nn
from gpunet.optim import Optimizer


class TrainingDiverged(RuntimeError):
    """A loss, a weight or a number of the optimizer's state is no longer finite."""


class Progress:
    """Loss and accuracy over the examples seen so far in one pass.

    The sums stay on the device; `read` fetches them, which waits for the device. So a display reads a few times a
    second, not at every batch.
    """

    def __init__(self, epoch: int = 0) -> None:
        self.epoch = epoch
        self.batches = 0
        self.examples = 0
        self._started = perf_counter()
        self._loss: Tensor | float = 0.0
        self._correct: Tensor | int = 0

    def add(self, loss: Tensor, output: Tensor, target: Tensor) -> None:
        count = len(target)
        self._loss = self._loss + loss.detach() * count
        self._correct = self._correct + (output.detach().argmax(1) == target).sum()
        self.batches += 1
        self.examples += count

    def read(self) -> tuple[float, float]:
        """The mean loss and the accuracy, from 0 to 1."""
        if not self.examples:
            raise ValueError("There is no batch to train on or evaluate: the data is empty, or drop_last dropped all.")
        return float(self._loss) / self.examples, int(self._correct) / self.examples

    @property
    def seconds(self) -> float:
        return perf_counter() - self._started

    @property
    def examples_per_second(self) -> float:
        return self.examples / max(self.seconds, 1e-9)


class Callback:
    """What may happen during `Trainer.fit`; override what you need."""

    def on_epoch_begin(self, trainer: Trainer, epoch: int) -> None: ...

    def on_batch_end(self, trainer: Trainer, progress: Progress) -> None: ...

    def on_epoch_end(self, trainer: Trainer, row: dict[str, float]) -> None: ...


class Trainer:
    """Trains a classifier on batches of `(input, class)`.

    model: gives one output a class. optimizer: over the model's parameters; not needed for evaluate and predict.
    loss: from the model's output and the classes to a scalar mean over the batch.
    device: where the model is; batches are moved there.

    `history` has one row an epoch: epoch (from 1), loss and accuracy over the epoch's training batches (as they were
    met: with dropout, and with the weights of that moment), test_loss and test_accuracy (after the epoch, in eval
    mode; only with test data), seconds and examples_per_second (of the training pass alone).
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer | None = None,
        loss: Callable[[Tensor, Tensor], Tensor] = nn.functional.cross_entropy,
        device: str = "cpu",
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.loss = loss
        self.device = device
        self.history: list[dict[str, float]] = []

    def fit(
        self,
        train: Iterable[Sequence[Tensor]],
        epochs: int,
        test: Iterable[Sequence[Tensor]] | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> list[dict[str, float]]:
        """Train until the history has `epochs` rows, and return it.

        Raises TrainingDiverged after an epoch whose losses, or what the model and the optimizer are left with, are not
        finite: the history then ends with the epoch before, and no callback hears of this one's end.
        """
        if self.optimizer is None:
            raise ValueError("Trainer.fit needs an optimizer; give one to the Trainer.")
        for epoch in range(len(self.history) + 1, epochs + 1):
            for each in callbacks:
                each.on_epoch_begin(self, epoch)
            row = self._train_epoch(train, epoch, callbacks)
            if test is not None:
                row["test_loss"], row["test_accuracy"] = self.evaluate(test)
            self._refuse_divergence(row)
            self.history.append(row)
            for each in callbacks:
                each.on_epoch_end(self, row)
        return self.history

    def _train_epoch(
        self, train: Iterable[Sequence[Tensor]], epoch: int, callbacks: Sequence[Callback]
    ) -> dict[str, float]:
        self.model.train()
        progress = Progress(epoch)
        for x, y in train:
            x, y = x.to(self.device), y.to(self.device)
            self.optimizer.zero_grad()
            output = self.model(x)
            loss = self.loss(output, y)
            loss.backward()
            self.optimizer.step()
            progress.add(loss, output, y)
            for each in callbacks:
                each.on_batch_end(self, progress)
        loss, accuracy = progress.read()
        return {
            "epoch": epoch,
            "loss": loss,
            "accuracy": accuracy,
            "seconds": progress.seconds,
            "examples_per_second": progress.examples_per_second,
        }

    def _refuse_divergence(self, row: dict[str, float]) -> None:
        for name, what in (("loss", "training loss"), ("test_loss", "test loss")):
            if not isfinite(row.get(name, 0.0)):
                raise _diverged(f"The {what} became {row[name]}", row["epoch"])
        for name, value in self.model.state_dict().items():
            if not _all_finite(value):
                raise _diverged(f"The model's {name} has values that are not finite", row["epoch"])
        for state in self.optimizer.state_dict()["state"].values():
            for name, value in state.items():
                # An infinite mean square stops its weight; only NaN spreads to it.
                if isinstance(value, Tensor) and value.is_floating_point() and bool(gpunet.isnan(value).any()):
                    raise _diverged(f"The optimizer's {name} has NaN", row["epoch"])

    def evaluate(self, data: Iterable[Sequence[Tensor]]) -> tuple[float, float]:
        """The mean loss and the accuracy over `data`, in eval mode."""
        self.model.eval()
        progress = Progress()
        with gpunet.no_grad():
            for x, y in data:
                x, y = x.to(self.device), y.to(self.device)
                output = self.model(x)
                progress.add(self.loss(output, y), output, y)
        return progress.read()

    def predict(self, x: Tensor) -> Tensor:
        """The probability of each class for each row of `x`, shape (N, classes), in eval mode."""
        self.model.eval()
        with gpunet.no_grad():
            return nn.functional.softmax(self.model(x.to(self.device)), dim=1)


def _diverged(what: str, epoch: float) -> TrainingDiverged:
    return TrainingDiverged(f"{what} in epoch {epoch}; a lower learning rate may help.")


def _all_finite(value: Tensor) -> bool:
    return not value.is_floating_point() or bool(gpunet.isfinite(value).all())
