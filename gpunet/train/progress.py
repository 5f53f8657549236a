"""Progress: loss and metrics of one pass so far, added up on the device."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Any

import gpunet
from gpunet import Tensor
from gpunet.dtypes import float64
from gpunet.metrics import Metric
from gpunet.metrics.classes import at_hand


class Progress:
    """Loss and metrics over the examples of one pass so far.

    The sums stay on the device. `read` fetches them, which waits for the device, so a display should read a few times
    a second and not after each batch.

    Args:
        metrics: what is reported beside the loss.
        epoch: number of the epoch.
        total: number of batches of the pass, if it is known.

    Attributes:
        epoch: number of the epoch.
        total: number of batches of the pass, or None.
        batches: number of batches so far.
        examples: number of examples so far.
        replayed: whether recorded steps add: then all of them add on the device, and to the same sums.

    Examples:
        >>> progress = train.Progress([metrics.Accuracy()])
        >>> progress.add(gpunet.tensor(0.5), gpunet.tensor([[0.1, 0.9], [0.8, 0.2]]), gpunet.tensor([1, 1]), 2)
        >>> progress.read()
        {'loss': 0.5, 'accuracy': 0.5}
    """

    def __init__(self, metrics: Sequence[Metric] = (), epoch: int = 0, total: int | None = None) -> None:
        self.metrics = list(metrics)
        self._loss: Tensor | None = None
        self._known = 0.0  # what has been added up on the host
        self.replayed = False
        self.begin(epoch, total)

    def begin(self, epoch: int, total: int | None) -> None:
        """Begins a pass. The sums keep their memory, to which a recorded step adds.

        Args:
            epoch: number of the epoch.
            total: number of batches of the pass, if it is known.
        """
        self.epoch, self.total = epoch, total
        self.batches = self.examples = 0
        self._before = 0.0  # seconds of the pass before it was stopped and resumed
        self._started = perf_counter()
        self._known = 0.0
        if self._loss is not None:
            self._loss.zero_()
        for metric in self.metrics:
            metric.reset()

    def add(self, loss: Tensor, output: Any, target: Any, count: int) -> None:
        """Adds a batch.

        Args:
            loss: mean loss over the batch.
            output: what the model gave.
            target: what it should have given.
            count: number of examples.
        """
        self.add_sums(loss, output, target, count)
        self.add_rest(output, target, count)

    def add_sums(self, loss: Tensor, output: Any, target: Any, count: int) -> None:
        """The part of `add` that works in place on the device: it can be recorded.

        Args:
            loss: mean loss over the batch.
            output: what the model gave.
            target: what it should have given.
            count: number of examples.
        """
        if self._loss is None:
            self._loss = gpunet.zeros((), dtype=float64, device=loss.device)
        elif self._loss.device != loss.device:  # as a checkpoint gave it
            self._loss = self._loss.to(loss.device)
        if not self.replayed and at_hand(loss):
            self._known += loss.item() * count
        else:
            self._loss.add_((loss.detach() * count).double())  # of its own type: adding one type to another is slow
        for metric in self.metrics:
            if metric.in_place:
                metric.update(output, target)

    def add_rest(self, output: Any, target: Any, count: int) -> None:
        """The other part of `add`.

        Args:
            output: what the model gave.
            target: what it should have given.
            count: number of examples.
        """
        for metric in self.metrics:
            if not metric.in_place:
                metric.update(output, target)
        self.batches += 1
        self.examples += count

    def read(self) -> dict[str, Any]:
        """The mean loss and the metrics, by name.

        Raises:
            ValueError: there were no examples.
        """
        if self._loss is None or not self.examples:
            raise ValueError("There is no batch to train on or evaluate: the data is empty, or drop_last dropped all.")
        loss = float(self._loss) + self._known
        return {"loss": loss / self.examples, **{each.name: each.compute() for each in self.metrics}}

    @property
    def seconds(self) -> float:
        """Seconds since the pass began, without those between a stop and its resumption."""
        return self._before + perf_counter() - self._started

    @property
    def examples_per_second(self) -> float:
        """Examples per second so far."""
        return self.examples / max(self.seconds, 1e-9)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"epoch": self.epoch, "batches": self.batches, "examples": self.examples, "seconds": self.seconds,
                "loss": None if self._loss is None else self._loss.clone(), "known_loss": self._known,
                "metrics": {each.name: each.state_dict() for each in self.metrics}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from what `state_dict` gave.

        Args:
            state_dict: what `state_dict` gave.
        """
        self.epoch, self.batches = state_dict["epoch"], state_dict["batches"]
        self.examples, self._before = state_dict["examples"], state_dict["seconds"]
        self._started = perf_counter()
        loss, self._known = state_dict["loss"], state_dict.get("known_loss", 0.0)
        if loss is None or self._loss is None:
            self._loss = None if loss is None else loss.clone()
        else:
            self._loss.copy_(loss)
        for metric in self.metrics:
            metric.load_state_dict(state_dict["metrics"][metric.name])
