"""Metrics by name, as users give them to a Trainer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from gpunet.metrics.accuracy import Accuracy, Mean, TopK
from gpunet.metrics.confusion import F1, ConfusionMatrix, Precision, Recall
from gpunet.metrics.metric import Metric
from gpunet.metrics.perplexity import Perplexity
from gpunet.metrics.ranking import AUROC, AveragePrecision
from gpunet.metrics.regression import R2, MeanAbsoluteError, MeanSquaredError, RootMeanSquaredError

NAMES: dict[str, Callable[[], Metric]] = {
    "accuracy": Accuracy, **{f"top_{k}": lambda k=k: TopK(k) for k in (2, 3, 5, 10)},
    "precision": Precision, "recall": Recall, "f1": F1, "confusion_matrix": ConfusionMatrix,
    "auroc": AUROC, "average_precision": AveragePrecision,
    "mse": MeanSquaredError, "rmse": RootMeanSquaredError, "mae": MeanAbsoluteError, "r2": R2,
    "perplexity": Perplexity,
}


class _Function(Mean):
    """The mean of what a function gives."""

    def __init__(self, function: Callable[[Any, Any], Any], name: str) -> None:
        super().__init__(name)
        self.function = function

    def each(self, output: Any, target: Any) -> Any:
        return self.function(output, target)


def get(metric: str | Metric | Callable[[Any, Any], Any], name: str | None = None) -> Metric:
    """A metric by its name, from a function, or itself.

    Args:
        metric: a name such as "accuracy"; a Metric; or a function of (output, target), whose mean is reported.
        name: how the history calls it; None for its own name.

    Raises:
        ValueError: there is no metric of this name; the message names the nearest.

    Examples:
        >>> metrics.get("accuracy")
        Accuracy('accuracy')
        >>> metrics.get("acuracy")
        Traceback (most recent call last):
            ...
        ValueError: There is no metric 'acuracy'; did you mean 'accuracy'?
    """
    if isinstance(metric, str):
        if metric not in NAMES:
            near = get_close_matches(metric, NAMES, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(NAMES)}."
            raise ValueError(f"There is no metric {metric!r}; {hint}")
        metric = NAMES[metric]()
    elif not isinstance(metric, Metric):
        if not callable(metric):
            raise TypeError(f"A metric is a name, a Metric or a function of (output, target), not {metric!r}.")
        metric = _Function(metric, getattr(metric, "__name__", type(metric).__name__))
    if name is not None:
        metric.name = name
    return metric


def get_all(given: Any) -> list[Metric]:
    """Metrics of different names, from one, several, or a dictionary by name.

    Args:
        given: one metric, a list of them, or a dictionary of them by name; each as `get` takes it.

    Raises:
        ValueError: a name is unknown, or two metrics have the same.

    Examples:
        >>> metrics.get_all({"right": "accuracy"})
        [Accuracy('right')]
    """
    if isinstance(given, str | Metric) or callable(given):
        found = [get(given)]
    elif isinstance(given, Mapping):
        found = [get(metric, name) for name, metric in given.items()]
    elif isinstance(given, Iterable):
        found = [get(metric) for metric in given]
    else:
        raise TypeError(f"metrics must be a name, a Metric, or several of them, not {given!r}.")
    names = [each.name for each in found]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"Two metrics are called {name!r}; give one of them another name.")
        if name in ("epoch", "loss", "seconds", "examples_per_second", "lr") or name.startswith("val_"):
            raise ValueError(f"A metric cannot be called {name!r}, which means something else in the history; give it "
                             "another name.")
    return found
