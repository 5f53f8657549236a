"""Metrics with Keras's names, over the last axis; each is also a gpunet.metrics.Metric."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import gpunet
from gpunet import Tensor
from gpunet import metrics as base
from gpunet.keras import losses
from gpunet.keras.naming import found

__all__ = ["Accuracy", "BinaryAccuracy", "CategoricalAccuracy", "Mean", "MeanAbsoluteError", "MeanMetricWrapper",
           "MeanSquaredError", "Precision", "Recall", "RootMeanSquaredError", "SparseCategoricalAccuracy",
           "SparseTopKCategoricalAccuracy", "TopKCategoricalAccuracy", "get"]


class MeanMetricWrapper(base.Mean):
    """The mean of a function of (y_true, y_pred).

    Args:
        fn: the function; it gives a number for each example.
        name: its name; None: the function's.

    Examples:
        >>> metric = keras.metrics.MeanMetricWrapper(lambda y_true, y_pred: y_true == y_pred, "same")
        >>> metric.update_state(gpunet.tensor([1, 2]), gpunet.tensor([1, 3]))
        >>> metric.result()
        0.5
    """

    def __init__(self, fn: Callable[..., Any], name: str | None = None) -> None:
        super().__init__(name or getattr(fn, "__name__", "metric"))
        self.fn = fn

    def each(self, output: Any, target: Any) -> Tensor:
        return self.fn(*losses.same_rank(target, output))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds a batch.

        Args:
            y_true: the targets.
            y_pred: what the model gave.
            sample_weight: how much each example counts; None: all alike.
        """
        weight = None if sample_weight is None else gpunet.as_tensor(sample_weight)
        self.update(gpunet.as_tensor(y_pred), gpunet.as_tensor(y_true), weight)

    def result(self) -> Any:
        """The value over the batches so far."""
        return self.compute() if self.totals else 0.0

    def reset_state(self) -> None:
        """Begins anew."""
        self.reset()


class Mean(MeanMetricWrapper):
    """The mean of numbers.

    Args:
        name: its name.

    Examples:
        >>> metric = keras.metrics.Mean()
        >>> metric.update_state([1.0, 3.0])
        >>> metric.result()
        2.0
    """

    def __init__(self, name: str = "mean") -> None:
        super().__init__(lambda y_true, y_pred: y_pred, name)

    def update_state(self, y_true: Any, y_pred: Any = None, sample_weight: Any = None) -> None:
        """Adds numbers.

        Args:
            y_true: the numbers.
            y_pred: not used.
            sample_weight: how much each counts; None: all alike.
        """
        super().update_state(y_true, y_true, sample_weight)


def _binary(threshold: float) -> Callable[..., Any]:
    return lambda y_true, y_pred: (y_pred > threshold).to(y_pred.dtype) == y_true


def _classes(y_true: Tensor, y_pred: Tensor) -> Tensor:
    if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1:
        y_true = y_true.squeeze(-1)
    return y_true


def _sparse(y_true: Tensor, y_pred: Tensor) -> Tensor:
    return _classes(y_true, y_pred) == y_pred.argmax(-1)


def _categorical(y_true: Tensor, y_pred: Tensor) -> Tensor:
    return y_true.argmax(-1) == y_pred.argmax(-1)


def _in_top(k: int, sparse: bool) -> Callable[..., Any]:
    def in_top(y_true: Tensor, y_pred: Tensor) -> Tensor:
        right = _classes(y_true, y_pred) if sparse else y_true.argmax(-1)
        best = y_pred.topk(min(k, y_pred.shape[-1]), dim=-1).indices
        return (best == right.to(best.dtype).unsqueeze(-1)).any(-1)

    return in_top


def _accuracy(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """What "accuracy" means for these shapes."""
    if y_pred.shape[-1] == 1 or y_pred.ndim == 1:
        return _binary(0.5)(y_true, y_pred)
    if y_true.ndim < y_pred.ndim or y_true.shape[-1] == 1:
        return _sparse(y_true, y_pred)
    return _categorical(y_true, y_pred)


class Accuracy(MeanMetricWrapper):
    """How often the output equals the target.

    Args:
        name: its name.

    Examples:
        >>> metric = keras.metrics.Accuracy()
        >>> metric.update_state(gpunet.tensor([1, 2]), gpunet.tensor([1, 3]))
        >>> metric.result()
        0.5
    """

    better = "max"

    def __init__(self, name: str = "accuracy") -> None:
        super().__init__(lambda y_true, y_pred: y_true == y_pred, name)


class BinaryAccuracy(MeanMetricWrapper):
    """How often the output, 0 or 1, is right.

    Args:
        name: its name.
        threshold: an output above it means 1.

    Examples:
        >>> metric = keras.metrics.BinaryAccuracy()
        >>> metric.update_state(gpunet.tensor([[1], [0]]), gpunet.tensor([[0.9], [0.8]]))
        >>> metric.result()
        0.5
    """

    better = "max"

    def __init__(self, name: str = "binary_accuracy", threshold: float = 0.5) -> None:
        super().__init__(_binary(threshold), name)


class CategoricalAccuracy(MeanMetricWrapper):
    """How often the class is right; targets are one-hot.

    Args:
        name: its name.

    Examples:
        >>> metric = keras.metrics.CategoricalAccuracy()
        >>> metric.update_state(gpunet.tensor([[0, 1], [1, 0]]), gpunet.tensor([[0.1, 0.9], [0.3, 0.7]]))
        >>> metric.result()
        0.5
    """

    better = "max"

    def __init__(self, name: str = "categorical_accuracy") -> None:
        super().__init__(_categorical, name)


class SparseCategoricalAccuracy(MeanMetricWrapper):
    """How often the class is right; targets are numbers of classes.

    Args:
        name: its name.

    Examples:
        >>> metric = keras.metrics.SparseCategoricalAccuracy()
        >>> metric.update_state(gpunet.tensor([1, 0]), gpunet.tensor([[0.1, 0.9], [0.3, 0.7]]))
        >>> metric.result()
        0.5
    """

    better = "max"

    def __init__(self, name: str = "sparse_categorical_accuracy") -> None:
        super().__init__(_sparse, name)


class TopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the class is among the k largest; targets are one-hot.

    Args:
        k: how many.
        name: its name.

    Examples:
        >>> metric = keras.metrics.TopKCategoricalAccuracy()
        >>> metric.update_state(gpunet.tensor([[0, 1], [1, 0]]), gpunet.tensor([[0.1, 0.9], [0.3, 0.7]]))
        >>> metric.result()
        1.0
    """

    better = "max"

    def __init__(self, k: int = 5, name: str = "top_k_categorical_accuracy") -> None:
        super().__init__(_in_top(k, False), name)


class SparseTopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the class is among the k largest; targets are numbers of classes.

    Args:
        k: how many.
        name: its name.

    Examples:
        >>> metric = keras.metrics.SparseTopKCategoricalAccuracy()
        >>> metric.update_state(gpunet.tensor([1, 0]), gpunet.tensor([[0.1, 0.9], [0.3, 0.7]]))
        >>> metric.result()
        1.0
    """

    better = "max"

    def __init__(self, k: int = 5, name: str = "sparse_top_k_categorical_accuracy") -> None:
        super().__init__(_in_top(k, True), name)


class MeanSquaredError(MeanMetricWrapper):
    """The mean of the squared difference.

    Args:
        name: its name.

    Examples:
        >>> metric = keras.metrics.MeanSquaredError()
        >>> metric.update_state(gpunet.zeros(2, 1), gpunet.full((2, 1), 2.0))
        >>> metric.result()
        4.0
    """

    better = "min"

    def __init__(self, name: str = "mean_squared_error") -> None:
        super().__init__(losses.mean_squared_error, name)


class MeanAbsoluteError(MeanMetricWrapper):
    """The mean of the absolute difference.

    Args:
        name: its name.

    Examples:
        >>> metric = keras.metrics.MeanAbsoluteError()
        >>> metric.update_state(gpunet.zeros(2, 1), gpunet.full((2, 1), 2.0))
        >>> metric.result()
        2.0
    """

    better = "min"

    def __init__(self, name: str = "mean_absolute_error") -> None:
        super().__init__(losses.mean_absolute_error, name)


class RootMeanSquaredError(MeanMetricWrapper):
    """The root of the mean of the squared difference.

    Args:
        name: its name.

    Examples:
        >>> metric = keras.metrics.RootMeanSquaredError()
        >>> metric.update_state(gpunet.zeros(2, 1), gpunet.full((2, 1), 2.0))
        >>> metric.result()
        2.0
    """

    better = "min"

    def __init__(self, name: str = "root_mean_squared_error") -> None:
        super().__init__(losses.mean_squared_error, name)

    def compute(self) -> float:
        return super().compute() ** 0.5


class Precision(MeanMetricWrapper):
    """Of the outputs above the threshold, how many have the target 1.

    Args:
        thresholds: the threshold; None: 0.5.
        name: its name.

    Examples:
        >>> metric = keras.metrics.Precision()
        >>> metric.update_state(gpunet.tensor([1, 0, 0]), gpunet.tensor([0.9, 0.8, 0.1]))
        >>> metric.result()
        0.5
    """

    better = "max"

    def __init__(self, thresholds: float | None = None, name: str = "precision") -> None:
        super().__init__(lambda y_true, y_pred: y_pred, name)
        self.threshold = 0.5 if thresholds is None else thresholds

    def update(self, output: Any, target: Any, weight: Tensor | None = None) -> None:
        target, output = losses.same_rank(target, output)
        chosen, right = output > self.threshold, target > 0
        _add(self, chosen & right, chosen, weight)


class Recall(MeanMetricWrapper):
    """Of the targets 1, how many have an output above the threshold.

    Args:
        thresholds: the threshold; None: 0.5.
        name: its name.

    Examples:
        >>> metric = keras.metrics.Recall()
        >>> metric.update_state(gpunet.tensor([1, 1, 0]), gpunet.tensor([0.9, 0.2, 0.1]))
        >>> metric.result()
        0.5
    """

    better = "max"

    def __init__(self, thresholds: float | None = None, name: str = "recall") -> None:
        super().__init__(lambda y_true, y_pred: y_pred, name)
        self.threshold = 0.5 if thresholds is None else thresholds

    def update(self, output: Any, target: Any, weight: Tensor | None = None) -> None:
        target, output = losses.same_rank(target, output)
        chosen, right = output > self.threshold, target > 0
        _add(self, chosen & right, right, weight)


def _add(metric: base.Metric, hits: Tensor, among: Tensor, weight: Tensor | None) -> None:
    factor = 1.0 if weight is None else weight.reshape(-1, *[1] * (hits.ndim - 1))
    metric.total("total", hits).add_((hits * factor).sum())
    metric.total("count", hits).add_((among * factor).sum())


_NAMES: dict[str, Callable[..., Any]] = {
    "accuracy": lambda: MeanMetricWrapper(_accuracy, "accuracy"), "acc": lambda: MeanMetricWrapper(_accuracy, "acc"),
    "binary_accuracy": BinaryAccuracy, "categorical_accuracy": CategoricalAccuracy,
    "sparse_categorical_accuracy": SparseCategoricalAccuracy, "top_k_categorical_accuracy": TopKCategoricalAccuracy,
    "sparse_top_k_categorical_accuracy": SparseTopKCategoricalAccuracy,
    "mean_squared_error": MeanSquaredError, "mse": lambda: MeanSquaredError("mse"),
    "mean_absolute_error": MeanAbsoluteError, "mae": lambda: MeanAbsoluteError("mae"),
    "root_mean_squared_error": RootMeanSquaredError, "precision": Precision, "recall": Recall,
}


def get(identifier: Any) -> base.Metric:
    """A metric by its name.

    Args:
        identifier: the name; a Metric, of Keras's kind or of gpunet.metrics; or a function of (y_true, y_pred).

    Raises:
        ValueError: there is no metric of this name.

    Examples:
        >>> keras.metrics.get("mae").name
        'mae'
    """
    if isinstance(identifier, str):
        metric = found("metric", identifier, _NAMES)
        return metric if isinstance(metric, base.Metric) else metric()
    if isinstance(identifier, base.Metric):
        return identifier
    if not callable(identifier):
        raise TypeError(f"A metric is a name, a Metric or a function of (y_true, y_pred), not {identifier!r}.")
    return MeanMetricWrapper(identifier)


class OfOutput(base.Metric):
    """A metric of one of several outputs."""

    def __init__(self, metric: base.Metric, index: int, name: str) -> None:
        super().__init__(f"{name}_{metric.name}")
        self.metric, self.index = metric, index
        self.in_place, self.better = metric.in_place, metric.better

    def update(self, output: Any, target: Any, weight: Tensor | None = None) -> None:
        self.metric.update(output[self.index], target[self.index], weight)

    def compute(self) -> Any:
        return self.metric.compute()

    def reset(self) -> None:
        self.metric.reset()

    def new(self) -> Any:
        fresh = copy.copy(self)
        fresh.metric = self.metric.new()
        return fresh
