"""EMA: an exponential moving average of a model's weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gpunet
from gpunet import Tensor, nn


class EMA:
    """An exponential moving average of a model's weights: `average += (1 - d) * (weight - average)` after each step.

    d is min(decay, (1 + n) / (10 + n)) in step n, so that the first steps do not weigh for long. Buffers, such as the
    statistics of batch normalisation, are those of the model.

    Args:
        model: the model.
        decay: how much of the average each step keeps, in (0, 1).

    Attributes:
        averages: the averages, by the names of the parameters.
        updates: number of updates.

    Raises:
        ValueError: decay is out of range.

    Examples:
        >>> model = nn.Linear(2, 1)
        >>> average = train.EMA(model, 0.99)
        >>> average.update()
        >>> with average.applied():        # the model computes with the averages
        ...     output = model(gpunet.ones(1, 2))
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        if not 0 < decay < 1:
            raise ValueError(f"ema must be a decay between 0 and 1, such as 0.999, not {decay!r}.")
        self.decay = decay
        self.updates = 0
        self._weights = {name: each.detach() for name, each in model.named_parameters()}
        self.averages = {name: each.clone() for name, each in self._weights.items()}

    @gpunet.no_grad()
    def update(self) -> None:
        """Takes the weights as they are now into the averages."""
        self.updates += 1
        share = 1 - min(self.decay, (1 + self.updates) / (10 + self.updates))
        for name, average in self.averages.items():
            average.lerp_(self._weights[name], share)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """A block in which the model has the averages for weights."""
        own = {name: each.clone() for name, each in self._weights.items()}
        self.copy_to_model()
        try:
            yield
        finally:
            self._write(own)

    def copy_to_model(self) -> None:
        """Makes the averages the model's weights."""
        self._write(self.averages)

    @gpunet.no_grad()
    def _write(self, values: dict[str, Tensor]) -> None:
        for name, each in self._weights.items():
            each.copy_(values[name])

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"decay": self.decay, "updates": self.updates, "averages": dict(self.averages)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from what `state_dict` gave.

        Args:
            state_dict: what `state_dict` gave.
        """
        self.decay, self.updates = state_dict["decay"], state_dict["updates"]
        with gpunet.no_grad():
            for name, average in self.averages.items():
                average.copy_(state_dict["averages"][name])
