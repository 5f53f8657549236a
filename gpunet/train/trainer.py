"""The training loop: epochs over a DataLoader, with evaluation, history and callbacks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from time import perf_counter

import gpunet
from gpunet import Tensor, nn
from gpunet.optim import Optimizer


class TrainingDiverged(RuntimeError):
    """A loss, a weight or a number in the optimizer's state is no longer finite.

    Examples:
        >>> issubclass(train.TrainingDiverged, RuntimeError)
        True
    """


class Progress:
    """Loss and accuracy over the examples of one pass so far.

    The sums stay on the device. `read` fetches them, which waits for the device, so a display should read a few times
    a second and not after each batch.

    Args:
        epoch: number of the epoch.

    Attributes:
        batches: number of batches so far.
        examples: number of examples so far.

    Examples:
        >>> progress = train.Progress()
        >>> progress.add(gpunet.tensor(0.5), gpunet.tensor([[0.1, 0.9], [0.8, 0.2]]), gpunet.tensor([1, 1]))
        >>> progress.read()
        (0.5, 0.5)
    """

    def __init__(self, epoch: int = 0) -> None:
        self.epoch = epoch
        self.batches = 0
        self.examples = 0
        self._started = perf_counter()
        self._loss: Tensor | float = 0.0
        self._correct: Tensor | int = 0

    def add(self, loss: Tensor, output: Tensor, target: Tensor) -> None:
        """Adds a batch of N examples.

        Args:
            loss: mean loss over the batch.
            output: one number for each class, [N, classes].
            target: classes, [N].
        """
        count = len(target)
        self._loss = self._loss + loss.detach() * count
        self._correct = self._correct + (output.detach().argmax(1) == target).sum()
        self.batches += 1
        self.examples += count

    def read(self) -> tuple[float, float]:
        """The mean loss and the accuracy, from 0 to 1.

        Raises:
            ValueError: there were no examples.
        """
        if not self.examples:
            raise ValueError("There is no batch to train on or evaluate: the data is empty, or drop_last dropped all.")
        return float(self._loss) / self.examples, int(self._correct) / self.examples

    @property
    def seconds(self) -> float:
        """Seconds since the pass began."""
        return perf_counter() - self._started

    @property
    def examples_per_second(self) -> float:
        """Examples per second so far."""
        return self.examples / max(self.seconds, 1e-9)


class Callback:
    """Functions that `Trainer.fit` calls. Override what you need.

    Examples:
        >>> class Printer(train.Callback):
        ...     def on_epoch_end(self, trainer, row):
        ...         print(f"epoch {row['epoch']}: loss {row['loss']:.3f}")
    """

    def on_epoch_begin(self, trainer: Trainer, epoch: int) -> None:
        """Called before an epoch.

        Args:
            trainer: the trainer.
            epoch: number of the epoch, from 1.
        """

    def on_batch_end(self, trainer: Trainer, progress: Progress) -> None:
        """Called after each training batch.

        Args:
            trainer: the trainer.
            progress: loss and accuracy of the epoch so far.
        """

    def on_epoch_end(self, trainer: Trainer, row: dict[str, float]) -> None:
        """Called after an epoch.

        Args:
            trainer: the trainer.
            row: the epoch's row of the history.
        """


class Trainer:
    """Trains a classifier on batches of `(input, class)`.

    Args:
        model: gives one number for each class.
        optimizer: over the model's parameters; evaluate and predict need none.
        loss: a function of the model's output and the classes that gives the mean over the batch.
        device: where the model is; batches are moved there.

    Attributes:
        history: one row for each epoch: epoch (from 1), loss and accuracy over the training batches, each with the
            weights at that moment, test_loss and test_accuracy after the epoch in eval mode (only with test data),
            seconds and examples_per_second of the training pass.

    Examples:
        >>> model = nn.Linear(2, 2)
        >>> trainer = train.Trainer(model, optim.SGD(model.parameters(), lr=0.1))
        >>> batches = [(gpunet.tensor([[1.0, 0.0], [0.0, 1.0]]), gpunet.tensor([0, 1]))]
        >>> history = trainer.fit(batches, epochs=20)
        >>> history[-1]["loss"] < history[0]["loss"]
        True
        >>> trainer.predict(gpunet.eye(2)).shape
        gpunet.Size([2, 2])
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
        """Trains until the history has a number of epochs.

        Args:
            train: training batches, iterated once an epoch.
            epochs: number of epochs, counted with those that the history has already.
            test: batches to evaluate after each epoch.
            callbacks: functions to call meanwhile.

        Returns:
            The history.

        Raises:
            TrainingDiverged: a loss, a weight or a number in the optimizer's state is not finite after an epoch. The
                history then ends with the epoch before, and no `on_epoch_end` is called for this one.
            ValueError: the trainer has no optimizer, or there are no batches.
        """
        optimizer = self.optimizer
        if optimizer is None:
            raise ValueError("Trainer.fit needs an optimizer; give one to the Trainer.")
        for epoch in range(len(self.history) + 1, epochs + 1):
            for each in callbacks:
                each.on_epoch_begin(self, epoch)
            row = self._train_epoch(optimizer, train, epoch, callbacks)
            if test is not None:
                row["test_loss"], row["test_accuracy"] = self.evaluate(test)
            self._refuse_divergence(optimizer, row)
            self.history.append(row)
            for each in callbacks:
                each.on_epoch_end(self, row)
        return self.history

    def _train_epoch(
        self, optimizer: Optimizer, train: Iterable[Sequence[Tensor]], epoch: int, callbacks: Sequence[Callback]
    ) -> dict[str, float]:
        self.model.train()
        progress = Progress(epoch)
        for x, y in train:
            x, y = x.to(self.device), y.to(self.device)
            optimizer.zero_grad()
            output = self.model(x)
            loss = self.loss(output, y)
            loss.backward()
            optimizer.step()
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

    def _refuse_divergence(self, optimizer: Optimizer, row: dict[str, float]) -> None:
        for name, what in (("loss", "training loss"), ("test_loss", "test loss")):
            if not isfinite(row.get(name, 0.0)):
                raise _diverged(f"The {what} became {row[name]}", row["epoch"])
        for name, value in self.model.state_dict().items():
            if not _all_finite(value):
                raise _diverged(f"The model's {name} has values that are not finite", row["epoch"])
        for state in optimizer.state_dict()["state"].values():
            for name, value in state.items():
                # An infinite mean square stops its weight; only NaN spreads to it.
                if isinstance(value, Tensor) and value.is_floating_point() and bool(gpunet.isnan(value).any()):
                    raise _diverged(f"The optimizer's {name} has NaN", row["epoch"])

    def evaluate(self, data: Iterable[Sequence[Tensor]]) -> tuple[float, float]:
        """Mean loss and accuracy, in eval mode.

        Args:
            data: batches.

        Returns:
            The mean loss over the examples, and the accuracy from 0 to 1.

        Raises:
            ValueError: there are no batches.
        """
        self.model.eval()
        progress = Progress()
        with gpunet.no_grad():
            for x, y in data:
                x, y = x.to(self.device), y.to(self.device)
                output = self.model(x)
                progress.add(self.loss(output, y), output, y)
        return progress.read()

    def predict(self, x: Tensor) -> Tensor:
        """Class probabilities, in eval mode.

        Args:
            x: inputs [N, ...].

        Returns:
            Probabilities [N, classes].
        """
        self.model.eval()
        with gpunet.no_grad():
            return nn.functional.softmax(self.model(x.to(self.device)), dim=1)


def _diverged(what: str, epoch: float) -> TrainingDiverged:
    return TrainingDiverged(f"{what} in epoch {epoch}; a lower learning rate may help.")


def _all_finite(value: Tensor) -> bool:
    return not value.is_floating_point() or bool(gpunet.isfinite(value).all())
