"""What compressing costs and gains: size, time and accuracy of models side by side."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import NamedTuple

import gpunet
from gpunet import nn
from gpunet.tensor import Tensor

__all__ = ["Row", "compare", "size_of"]


class Row(NamedTuple):
    """A model in the table.

    Args:
        name: the model's name.
        bytes: of its parameters and buffers.
        milliseconds: the fastest of some passes over the batch.
        accuracy: share of right classes.

    Examples:
        >>> gpunet.compress.Row("float32", 1000, 0.5, 0.98).bytes
        1000
    """

    name: str
    bytes: int
    milliseconds: float
    accuracy: float


def size_of(model: nn.Module) -> int:
    """Bytes of a model's state_dict.

    Args:
        model: the model.

    Returns:
        A number of bytes.

    Examples:
        >>> gpunet.compress.size_of(nn.Linear(10, 10))
        440
    """
    return sum(each.numel() * each.element_size() for each in model.state_dict().values())


def compare(models: Mapping[str, nn.Module], inputs: Tensor, targets: Tensor, repeats: int = 20) -> list[Row]:
    """Size, time and accuracy of models on one batch.

    Args:
        models: the models, by name; they are put into eval mode, and back.
        inputs: a batch.
        targets: its classes [N].
        repeats: passes of each model, taken in turns; the fastest counts.

    Returns:
        A `Row` for each model.

    Raises:
        ValueError: there are no repeats.

    Examples:
        >>> model = nn.Linear(4, 2)
        >>> rows = gpunet.compress.compare({"float32": model}, gpunet.rand(8, 4), gpunet.zeros(8).long(), repeats=2)
        >>> rows[0].name, rows[0].bytes
        ('float32', 40)
    """
    if repeats < 1:
        raise ValueError(f"compare: repeats must be at least 1, got {repeats}")
    modes = {name: [layer.training for layer in model.modules()] for name, model in models.items()}
    times: dict[str, list[float]] = {name: [] for name in models}
    right: dict[str, float] = {}
    try:
        with gpunet.no_grad():
            for name, model in models.items():
                right[name] = float((model.eval()(inputs).argmax(1) == targets).float().mean())
            for _ in range(repeats):
                for name, model in models.items():
                    start = time.perf_counter()
                    model(inputs).ravel()[0].item()  # reading a value waits for the device
                    times[name].append(time.perf_counter() - start)
    finally:
        for name, model in models.items():
            for layer, mode in zip(model.modules(), modes[name], strict=True):
                layer.training = mode
    return [Row(name, size_of(model), min(times[name]) * 1000, right[name]) for name, model in models.items()]
