"""Losses with Keras's names: functions of (y_true, y_pred) over the last axis, and classes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gpunet
from gpunet import Tensor
from gpunet.keras.naming import found
from gpunet.nn import functional as F

__all__ = ["BinaryCrossentropy", "CategoricalCrossentropy", "Huber", "KLDivergence", "Loss", "MeanAbsoluteError",
           "MeanSquaredError", "SparseCategoricalCrossentropy", "get"]

_EPSILON = 1e-7  # probabilities are cut to [epsilon, 1 - epsilon] before their logarithm


class Loss:
    """A loss; a subclass defines `call(y_true, y_pred)`, the loss of each example.

    Args:
        reduction: "sum_over_batch_size" for the mean, "sum", or None for the loss of each example.
        name: its name.

    Raises:
        ValueError: reduction is none of these.

    Examples:
        >>> class Cubed(keras.losses.Loss):
        ...     def call(self, y_true, y_pred):
        ...         return ((y_true - y_pred).abs() ** 3).mean(-1)
        >>> Cubed()(gpunet.zeros(2, 1), gpunet.full((2, 1), 2.0))
        tensor(8.)
    """

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str | None = None) -> None:
        if reduction not in ("sum_over_batch_size", "sum", "none", None):
            raise ValueError(f"{type(self).__name__}: reduction must be 'sum_over_batch_size', 'sum' or None, not "
                             f"{reduction!r}.")
        self.reduction, self.name = reduction, name or type(self).__name__

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The loss of each example.

        Args:
            y_true: the targets.
            y_pred: what the model gave.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define call.")

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Tensor:
        y_pred = gpunet.as_tensor(y_pred)
        each = self.call(*same_rank(gpunet.as_tensor(y_true).to(y_pred.device), y_pred))
        if sample_weight is not None:
            weight = gpunet.as_tensor(sample_weight).to(each.device, each.dtype)
            each = each * weight.reshape(*weight.shape, *[1] * (each.ndim - weight.ndim))
        if self.reduction in (None, "none"):
            return each
        return each.sum() if self.reduction == "sum" else each.mean()


def same_rank(y_true: Tensor, y_pred: Tensor) -> tuple[Tensor, Tensor]:
    """[N] and [N, 1] made alike."""
    if y_true.ndim == y_pred.ndim - 1 and y_pred.shape[-1] == 1:
        return y_true.unsqueeze(-1), y_pred
    if y_true.ndim == y_pred.ndim + 1 and y_true.shape[-1] == 1:
        return (y_true, y_pred.unsqueeze(-1)) if y_pred.ndim == 1 else (y_true.squeeze(-1), y_pred)
    return y_true, y_pred


def _alike(name: str, y_true: Tensor, y_pred: Tensor) -> tuple[Tensor, Tensor]:
    """Targets of the outputs' shape and type. Raises ValueError."""
    if y_true.shape != y_pred.shape:
        raise ValueError(f"{name}: targets and outputs must have the same shape, and have {tuple(y_true.shape)} and "
                         f"{tuple(y_pred.shape)}.")
    return y_true.to(y_pred.dtype), y_pred


def _probabilities(output: Tensor) -> Tensor:
    return output.clamp(_EPSILON, 1 - _EPSILON)


def sparse_categorical_crossentropy(y_true: Tensor, y_pred: Tensor, from_logits: bool = False,
                                    axis: int = -1) -> Tensor:
    """-log of the probability of the right class, which is given as a number."""
    if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1:
        y_true = y_true.squeeze(-1)
    rest = list(y_pred.shape)
    classes = rest.pop(axis)
    if list(y_true.shape) != rest:
        raise ValueError(f"sparse_categorical_crossentropy takes one class number for each output, and targets and "
                         f"outputs have the shapes {tuple(y_true.shape)} and {tuple(y_pred.shape)}; one-hot targets "
                         "go with categorical_crossentropy.")
    output = y_pred.movedim(axis, -1).reshape(-1, classes)
    target = y_true.reshape(-1).to(gpunet.int64)
    if from_logits:
        each = F.cross_entropy(output, target, reduction="none")
    else:
        each = F.nll_loss(_probabilities(output / output.sum(-1, keepdim=True)).log(), target, reduction="none")
    return each.reshape(y_true.shape)


def categorical_crossentropy(y_true: Tensor, y_pred: Tensor, from_logits: bool = False, label_smoothing: float = 0.0,
                             axis: int = -1) -> Tensor:
    """-log of the probability of the right class, which is given one-hot."""
    if y_true.shape != y_pred.shape:
        raise ValueError(f"categorical_crossentropy takes one-hot targets of the outputs' shape, and they have "
                         f"{tuple(y_true.shape)} and {tuple(y_pred.shape)}; class numbers go with "
                         "sparse_categorical_crossentropy.")
    target = y_true.to(y_pred.dtype)
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / y_pred.shape[axis]
    if from_logits:
        return -(target * F.log_softmax(y_pred, axis)).sum(axis)
    return -(target * _probabilities(y_pred / y_pred.sum(axis, keepdim=True)).log()).sum(axis)


def binary_crossentropy(y_true: Tensor, y_pred: Tensor, from_logits: bool = False,
                        label_smoothing: float = 0.0) -> Tensor:
    """-log of the probability of the right answer, 0 or 1; the mean over the last axis."""
    y_true, y_pred = _alike("binary_crossentropy", y_true, y_pred)
    if label_smoothing:
        y_true = y_true * (1 - label_smoothing) + 0.5 * label_smoothing
    if from_logits:
        return F.binary_cross_entropy_with_logits(y_pred, y_true, reduction="none").mean(-1)
    return F.binary_cross_entropy(_probabilities(y_pred), y_true, reduction="none").mean(-1)


def mean_squared_error(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """The squared difference; the mean over the last axis."""
    y_true, y_pred = _alike("mean_squared_error", y_true, y_pred)
    return F.mse_loss(y_pred, y_true, reduction="none").mean(-1)


def mean_absolute_error(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """The absolute difference; the mean over the last axis."""
    y_true, y_pred = _alike("mean_absolute_error", y_true, y_pred)
    return F.l1_loss(y_pred, y_true, reduction="none").mean(-1)


def huber(y_true: Tensor, y_pred: Tensor, delta: float = 1.0) -> Tensor:
    """Half the squared difference, and linear beyond delta; the mean over the last axis."""
    y_true, y_pred = _alike("huber", y_true, y_pred)
    return F.huber_loss(y_pred, y_true, reduction="none", delta=delta).mean(-1)


def kl_divergence(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """y_true * log(y_true / y_pred), summed over the last axis."""
    y_true, y_pred = _alike("kl_divergence", y_true, y_pred)
    y_true, y_pred = y_true.clamp(_EPSILON, 1.0), y_pred.clamp(_EPSILON, 1.0)
    return (y_true * (y_true / y_pred).log()).sum(-1)


class _OfFunction(Loss):
    """A loss from a function and its options."""

    def __init__(self, function: Callable[..., Any], reduction: str | None, name: str | None, **options: Any) -> None:
        super().__init__(reduction, name)
        self.function, self.options = function, options

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return self.function(y_true, y_pred, **self.options)


class SparseCategoricalCrossentropy(_OfFunction):
    """-log of the probability of the right class, which is given as a number.

    Args:
        from_logits: whether the outputs are logits, and no probabilities.
        reduction: "sum_over_batch_size" for the mean, "sum", or None.
        name: its name.

    Examples:
        >>> keras.losses.SparseCategoricalCrossentropy()(gpunet.tensor([1]), gpunet.tensor([[0.5, 0.5]]))
        tensor(0.6931)
    """

    def __init__(self, from_logits: bool = False, reduction: str | None = "sum_over_batch_size",
                 name: str | None = None) -> None:
        super().__init__(sparse_categorical_crossentropy, reduction, name or "sparse_categorical_crossentropy",
                         from_logits=from_logits)


class CategoricalCrossentropy(_OfFunction):
    """-log of the probability of the right class, which is given one-hot.

    Args:
        from_logits: whether the outputs are logits, and no probabilities.
        label_smoothing: share of the target that all classes have alike.
        axis: the axis of the classes.
        reduction: "sum_over_batch_size" for the mean, "sum", or None.
        name: its name.

    Examples:
        >>> keras.losses.CategoricalCrossentropy()(gpunet.tensor([[0.0, 1.0]]), gpunet.tensor([[0.5, 0.5]]))
        tensor(0.6931)
    """

    def __init__(self, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1,
                 reduction: str | None = "sum_over_batch_size",
                 name: str | None = None) -> None:
        super().__init__(categorical_crossentropy, reduction, name or "categorical_crossentropy",
                         from_logits=from_logits, label_smoothing=label_smoothing, axis=axis)


class BinaryCrossentropy(_OfFunction):
    """-log of the probability of the right answer, 0 or 1.

    Args:
        from_logits: whether the outputs are logits, and no probabilities.
        label_smoothing: share of the target that all classes have alike.
        reduction: "sum_over_batch_size" for the mean, "sum", or None.
        name: its name.

    Examples:
        >>> keras.losses.BinaryCrossentropy()(gpunet.tensor([[1.0]]), gpunet.tensor([[0.5]]))
        tensor(0.6931)
    """

    def __init__(self, from_logits: bool = False, label_smoothing: float = 0.0,
                 reduction: str | None = "sum_over_batch_size",
                 name: str | None = None) -> None:
        super().__init__(binary_crossentropy, reduction, name or "binary_crossentropy",
                         from_logits=from_logits, label_smoothing=label_smoothing)


class MeanSquaredError(_OfFunction):
    """The mean of the squared difference.

    Args:
        reduction: "sum_over_batch_size" for the mean, "sum", or None.
        name: its name.

    Examples:
        >>> keras.losses.MeanSquaredError()(gpunet.zeros(1, 2), gpunet.ones(1, 2))
        tensor(1.)
    """

    def __init__(self, reduction: str | None = "sum_over_batch_size",
                 name: str | None = None) -> None:
        super().__init__(mean_squared_error, reduction, name or "mean_squared_error")


class MeanAbsoluteError(_OfFunction):
    """The mean of the absolute difference.

    Args:
        reduction: "sum_over_batch_size" for the mean, "sum", or None.
        name: its name.

    Examples:
        >>> keras.losses.MeanAbsoluteError()(gpunet.zeros(1, 2), gpunet.ones(1, 2))
        tensor(1.)
    """

    def __init__(self, reduction: str | None = "sum_over_batch_size",
                 name: str | None = None) -> None:
        super().__init__(mean_absolute_error, reduction, name or "mean_absolute_error")


class Huber(_OfFunction):
    """Half the squared difference, and linear beyond delta.

    Args:
        delta: where it becomes linear.
        reduction: "sum_over_batch_size" for the mean, "sum", or None.
        name: its name.

    Examples:
        >>> keras.losses.Huber()(gpunet.zeros(1, 2), gpunet.ones(1, 2))
        tensor(0.5000)
    """

    def __init__(self, delta: float = 1.0, reduction: str | None = "sum_over_batch_size",
                 name: str | None = None) -> None:
        super().__init__(huber, reduction, name or "huber", delta=delta)


class KLDivergence(_OfFunction):
    """The divergence of distributions, y_true * log(y_true / y_pred).

    Args:
        reduction: "sum_over_batch_size" for the mean, "sum", or None.
        name: its name.

    Examples:
        >>> keras.losses.KLDivergence()(gpunet.tensor([[1.0, 0.0]]), gpunet.tensor([[0.5, 0.5]]))
        tensor(0.6931)
    """

    def __init__(self, reduction: str | None = "sum_over_batch_size",
                 name: str | None = None) -> None:
        super().__init__(kl_divergence, reduction, name or "kl_divergence")


_NAMES: dict[str, Callable[..., Any]] = {
    "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
    "categorical_crossentropy": CategoricalCrossentropy, "binary_crossentropy": BinaryCrossentropy,
    "mse": MeanSquaredError, "mean_squared_error": MeanSquaredError, "mae": MeanAbsoluteError,
    "mean_absolute_error": MeanAbsoluteError, "huber": Huber, "kl_divergence": KLDivergence,
}


def get(identifier: Any) -> Loss:
    """A loss by its name.

    Args:
        identifier: the name; a Loss; or a function of (y_true, y_pred) that gives the loss of each example.

    Raises:
        ValueError: there is no loss of this name.

    Examples:
        >>> keras.losses.get("mse")(gpunet.zeros(1, 2), gpunet.ones(1, 2))
        tensor(1.)
    """
    if isinstance(identifier, str):
        return found("loss", identifier, _NAMES)
    if isinstance(identifier, type) and issubclass(identifier, Loss):
        return identifier()
    if isinstance(identifier, Loss):
        return identifier
    if not callable(identifier):
        raise TypeError(f"A loss is a name, a Loss or a function of (y_true, y_pred), not {identifier!r}.")
    return _OfFunction(identifier, "sum_over_batch_size", getattr(identifier, "__name__", None))
