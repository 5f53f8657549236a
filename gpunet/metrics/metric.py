"""Metric: sums over the batches of a pass, which stay on the device until they are read."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Literal, Self

import gpunet
from gpunet import Tensor
from gpunet.dtypes import dtype, float64


class Metric:
    """A number (or several) over all examples of a pass, added up batch by batch.

    A subclass defines `update`, which adds to the tensors that `total` gives, and `compute`. The tensors are on the
    device of the outputs; `update` changes them in place and reads nothing on the host, so a step that updates metrics
    can be recorded by `gpunet.compile`. A metric that keeps more than sums says `in_place = False`; `better` is
    "max" or "min", for callbacks that look for the best epoch.

    Args:
        name: how the history and the displays call it.

    Attributes:
        name: the name.
        replayed: whether recorded steps update it: then all of them add on the device, and to the same sums.

    Examples:
        >>> class Largest(metrics.Metric):
        ...     def update(self, output, target, weight=None):
        ...         largest = self.total("largest", output)
        ...         largest.copy_(gpunet.maximum(largest, output.max()))
        ...     def compute(self):
        ...         return float(self.totals["largest"])
        >>> largest = Largest("largest")
        >>> largest.update(gpunet.tensor([1.0, 5.0]), None)
        >>> largest.update(gpunet.tensor([4.0]), None)
        >>> largest.compute()
        5.0
    """

    in_place = True
    replayed = False
    better: Literal["min", "max"] | None = None

    def __init__(self, name: str) -> None:
        self.name = name
        self.totals: dict[str, Tensor] = {}

    def update(self, output: Any, target: Any, weight: Tensor | None = None) -> None:
        """Adds a batch.

        Args:
            output: what the model gave.
            target: what it should have given.
            weight: how much each example counts, [N]; None: all alike.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define update.")

    def compute(self) -> Any:
        """The value over the batches so far. Reading it waits for the device.

        Returns:
            A float, or an array where there are several.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define compute.")

    def total(self, name: str, like: Tensor, shape: Sequence[int] = (), dtype: dtype = float64) -> Tensor:
        """A tensor that `update` adds to: zeros at first.

        Args:
            name: its name in `totals`.
            like: a tensor of the batch, for its device.
            shape: its shape.
            dtype: its type.
        """
        found = self.totals.get(name)
        if found is None:
            found = self.totals[name] = gpunet.zeros(*shape, dtype=dtype, device=like.device)
        elif found.device != like.device:  # as a checkpoint gave it
            found = self.totals[name] = found.to(like.device)
        return found

    def read(self, name: str) -> Any:
        """A total as a NumPy array on the host.

        Args:
            name: its name.

        Raises:
            ValueError: there was no batch.
        """
        if name not in self.totals:
            raise ValueError(f"{self.name}: there is no batch yet, so it has no value.")
        return self.totals[name].cpu().numpy()

    def reset(self) -> None:
        """Begins anew. The tensors stay, so that a recorded step goes on adding to them."""
        for each in self.totals.values():
            each.zero_()

    def new(self) -> Self:
        """A metric of the same kind and options, without any batch."""
        fresh = copy.copy(self)
        fresh.totals = {}
        return fresh

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {name: value.clone() for name, value in self.totals.items()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from what `state_dict` gave.

        Args:
            state_dict: what `state_dict` gave.
        """
        for name, value in state_dict.items():
            own = self.totals.get(name)
            if own is not None and own.shape == value.shape:
                own.copy_(value)
            else:
                self.totals[name] = value.clone()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"
