"""What the losses share: the reduction, and the check of shapes.

The losses are in regression_loss.py, likelihood_loss.py, margin_loss.py, cross_entropy.py and ctc.py.
"""

from __future__ import annotations

from gpunet._warn import warn
from gpunet.ops.reduce import mean, sum

REDUCTIONS = ("none", "mean", "sum")


def check_reduction(reduction: str, op: str, allowed: tuple[str, ...] = REDUCTIONS) -> None:
    """ValueError for a reduction that `op` does not have."""
    if reduction not in allowed:
        raise ValueError(f"{op}: reduction must be one of {', '.join(allowed)}, got {reduction!r}")


def reduction_of(name: str, reduction: str, size_average: bool | None = None, reduce: bool | None = None,
                 allowed: tuple[str, ...] = REDUCTIONS) -> str:
    """The reduction of a call of the loss `name`, checked. PyTorch's two older arguments count where one is given."""
    if size_average is not None or reduce is not None:
        reduction = "none" if reduce is False else "sum" if size_average is False else "mean"
        warn(f"{name}: size_average and reduce are deprecated; use reduction={reduction!r}")
    check_reduction(reduction, name, allowed)
    return reduction


def reduced(loss, reduction: str):
    """The losses of the elements, or their mean or sum."""
    return loss if reduction == "none" else mean(loss) if reduction == "mean" else sum(loss)


def same_shapes(name: str, input, target, kind: type[Exception] = ValueError) -> None:
    """An error of this kind for an input and a target of different shapes."""
    if input._array.shape != target._array.shape:
        raise kind(f"{name}: the input has shape {input._array.shape}, the target {target._array.shape}; give "
                   "both the same shape")
