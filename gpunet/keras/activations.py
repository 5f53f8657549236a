"""Activations of keras.layers, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gpunet
from gpunet import Tensor
from gpunet.keras.naming import found
from gpunet.nn import functional as F

__all__ = ["get", "linear", "relu", "softmax"]


def linear(x: Any) -> Any:
    """The input, as it is.

    Args:
        x: the input.

    Examples:
        >>> keras.activations.linear(3)
        3
    """
    return x


def relu(x: Tensor, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Tensor:
    """x where it is above the threshold, else `negative_slope * (x - threshold)`; at most `max_value`.

    Args:
        x: the input.
        negative_slope: the slope below the threshold.
        max_value: the largest output, or None.
        threshold: where the slope becomes 1.

    Examples:
        >>> keras.activations.relu(gpunet.tensor([-1.0, 3.0]), max_value=2.0)
        tensor([0., 2.])
    """
    if threshold:
        below = negative_slope * (x - threshold) if negative_slope else gpunet.zeros_like(x)
        result = gpunet.where(x > threshold, x, below)
    else:
        result = F.leaky_relu(x, negative_slope) if negative_slope else F.relu(x)
    return result if max_value is None else result.clamp(max=max_value)


def softmax(x: Tensor, axis: int = -1) -> Tensor:
    """exp(x) over its sum along an axis.

    Args:
        x: the input.
        axis: the axis of the classes.

    Examples:
        >>> keras.activations.softmax(gpunet.zeros(1, 2))
        tensor([[0.5000, 0.5000]])
    """
    return F.softmax(x, axis)


def _gelu(x: Tensor) -> Tensor:  # exact, as Keras's default is
    return F.gelu(x)


def _leaky_relu(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2)


def _hard_sigmoid(x: Tensor) -> Tensor:
    return F.hardsigmoid(x)


_NAMES: dict[str, Callable[..., Any]] = {
    "linear": linear, "relu": relu, "softmax": softmax, "sigmoid": gpunet.sigmoid, "tanh": gpunet.tanh, "elu": F.elu,
    "selu": F.selu, "gelu": _gelu, "silu": F.silu, "swish": F.silu, "softplus": F.softplus, "softsign": F.softsign,
    "relu6": F.relu6, "leaky_relu": _leaky_relu, "hard_sigmoid": _hard_sigmoid, "exponential": gpunet.exp,
    "mish": F.mish, "log_softmax": lambda x: F.log_softmax(x, -1),
}


def get(identifier: str | Callable[..., Any] | None) -> Callable[..., Any]:
    """An activation by its name.

    Args:
        identifier: the name; a function, which is given back; or None for `linear`.

    Raises:
        ValueError: there is no activation of this name.

    Examples:
        >>> keras.activations.get("relu")(gpunet.tensor([-1.0, 3.0]))
        tensor([0., 3.])
    """
    if identifier is None:
        return linear
    if isinstance(identifier, str):
        return found("activation", identifier, _NAMES)
    if not callable(identifier):
        raise TypeError(f"An activation is a name or a function, not {identifier!r}.")
    return identifier
