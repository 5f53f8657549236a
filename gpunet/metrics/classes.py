"""What the outputs and targets of classifiers say: which class was chosen, and which is right."""

from __future__ import annotations

from gpunet import Tensor
from gpunet.engine.extensions import extensions


def at_hand(value: Tensor) -> bool:
    """Whether reading a number makes nobody wait, and is no part of a recorded step: it can be added up on the host,
    which takes a fraction of the time."""
    return extensions.recorder is None and value.device.type == "cpu"


def right_class(target: Tensor, output: Tensor) -> Tensor:
    """The class of each example: whole numbers as they are, the largest of one-hot or soft targets."""
    if target.ndim == output.ndim and output.ndim > 1 and output.shape[1] > 1:
        return target.argmax(1)
    if target.ndim == output.ndim and output.ndim > 1:
        return target.squeeze(1)
    return target


def chosen_class(output: Tensor, threshold: float) -> Tensor:
    """The class that the model chose: the largest of several outputs [N, C, ...], or 1 where the only one, [N] or
    [N, 1, ...], is above the threshold."""
    if output.ndim > 1 and output.shape[1] > 1:
        return output.argmax(1)
    if output.ndim > 1:
        output = output.squeeze(1)
    return output > threshold


def spread(weight: Tensor, like: Tensor) -> Tensor:
    """Weights of examples, [N], for each element of a tensor [N, ...]."""
    return weight.reshape(-1, *[1] * (like.ndim - 1)).expand(like.shape)
