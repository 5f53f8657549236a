"""Observers: which floats the 8-bit integers stand for, from the values that come by."""

from __future__ import annotations

from typing import Any

import numpy as np

import gpunet
from gpunet import nn
from gpunet.compress.int8 import LEAST_SCALE
from gpunet.tensor import Tensor

__all__ = ["HistogramObserver", "MinMaxObserver", "MovingAverageMinMaxObserver"]

LOW, HIGH = -128, 127


class MinMaxObserver(nn.Module):
    """Keeps the smallest and the largest value.

    Affine (the default): scale = (max - min) / 255 and zero_point = round(-128 - min / scale), where 0 lies between min
    and max, so that it is exact. Symmetric: scale = max |x| / 127 and zero_point = 0, for weights.

    Args:
        symmetric: whether the integers are symmetric around 0.
        ch_axis: the dimension that has a scale for each of its places, such as 0 for weights; None: one scale.

    Examples:
        >>> observer = gpunet.compress.MinMaxObserver()
        >>> _ = observer(gpunet.tensor([-1.0, 0.5])), observer(gpunet.tensor([1.55]))
        >>> scale, zero_point = observer.calculate_qparams()
        >>> round(scale.item(), 4), zero_point.item()
        (0.01, -28.0)
    """

    min_val: Tensor
    max_val: Tensor

    def __init__(self, symmetric: bool = False, ch_axis: int | None = None) -> None:
        super().__init__()
        self.symmetric, self.ch_axis = symmetric, ch_axis
        self.register_buffer("min_val", gpunet.tensor(float("inf")))
        self.register_buffer("max_val", gpunet.tensor(float("-inf")))

    def forward(self, x: Tensor) -> Tensor:
        if x.numel():
            with gpunet.no_grad():
                self.update(*self._ends(x.detach().float()))
        return x

    def _ends(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.ch_axis is None:
            return x.min(), x.max()
        others = [dim for dim in range(x.ndim) if dim != self.ch_axis % x.ndim]
        return (x.amin(others), x.amax(others)) if others else (x, x)

    def update(self, low: Tensor, high: Tensor) -> None:
        """Takes the ends of new values.

        Args:
            low: the smallest value, or one for each place.
            high: the largest.
        """
        self.min_val, self.max_val = gpunet.minimum(self.min_val, low), gpunet.maximum(self.max_val, high)

    @property
    def seen(self) -> bool:
        """Whether any value came by."""
        return bool((self.min_val <= self.max_val).all())

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """The scale and the zero point, which is a whole number kept as a float.

        Returns:
            (scale, zero_point), of no dimensions or one for each place.

        Raises:
            RuntimeError: no value came by, or one was NaN.
        """
        if not self.seen:
            raise RuntimeError(f"{type(self).__name__}: there are no values yet, or one was NaN; run the prepared "
                               "model on some inputs first")
        return qparams(self.min_val, self.max_val, self.symmetric)

    def extra_repr(self) -> str:
        return f"symmetric={self.symmetric}, ch_axis={self.ch_axis}"


def qparams(low: Tensor, high: Tensor, symmetric: bool) -> tuple[Tensor, Tensor]:
    """Scale and zero point for values between two ends."""
    low, high = low.clamp(max=0.0), high.clamp(min=0.0)
    if symmetric:
        scale = (gpunet.maximum(-low, high) / HIGH).clamp(min=LEAST_SCALE)
        return scale, gpunet.zeros_like(scale)
    scale = ((high - low) / (HIGH - LOW)).clamp(min=LEAST_SCALE)
    return scale, (LOW - low / scale).round().clamp(LOW, HIGH)


class MovingAverageMinMaxObserver(MinMaxObserver):
    """Moving averages of the batches' smallest and largest values: for training, where early values lose their weight.

    Args:
        averaging_constant: the weight of a new batch.
        symmetric: as for `MinMaxObserver`.
        ch_axis: likewise.

    Examples:
        >>> observer = gpunet.compress.MovingAverageMinMaxObserver(0.5)
        >>> _ = observer(gpunet.tensor([0.0, 1.0])), observer(gpunet.tensor([0.0, 2.0]))
        >>> observer.max_val
        tensor(1.5000)
    """

    def __init__(self, averaging_constant: float = 0.01, symmetric: bool = False, ch_axis: int | None = None) -> None:
        super().__init__(symmetric, ch_axis)
        self.averaging_constant = averaging_constant

    def update(self, low: Tensor, high: Tensor) -> None:
        if not self.seen:
            self.min_val, self.max_val = low, high
        else:
            self.min_val = self.min_val + self.averaging_constant * (low - self.min_val)
            self.max_val = self.max_val + self.averaging_constant * (high - self.max_val)


class HistogramObserver(MinMaxObserver):
    """Keeps a histogram, and leaves rare large values out of the range: they are clipped, all others are finer.

    The range is that with the least mean square error of quantization, or, with `percentile`, the one that holds so
    much of the values.

    Args:
        bins: of the histogram.
        percentile: share of the values that is kept, in percent, such as 99.9; None: by the error.
        symmetric: as for `MinMaxObserver`.

    Raises:
        ValueError: the percentile is not above 50 and at most 100.

    Examples:
        >>> observer = gpunet.compress.HistogramObserver(percentile=99)
        >>> _ = observer(gpunet.cat([gpunet.linspace(0, 1, 1000), gpunet.tensor([100.0])]))
        >>> observer.calculate_qparams()[0].item() < 0.01
        True
    """

    histogram: Tensor

    def __init__(self, bins: int = 2048, percentile: float | None = None, symmetric: bool = False) -> None:
        super().__init__(symmetric)
        if percentile is not None and not 50 < percentile <= 100:
            raise ValueError(f"HistogramObserver: percentile must be above 50 and at most 100, got {percentile}")
        self.bins, self.percentile = bins, percentile
        self.register_buffer("histogram", gpunet.zeros(bins, dtype=gpunet.float64))

    def forward(self, x: Tensor) -> Tensor:
        if x.numel():
            values = x.detach().float().cpu().numpy().ravel()
            ends = float(values.min()), float(values.max())
            counts, middles = self.histogram.cpu().numpy(), None
            if counts.any():
                middles = self._middles()
                ends = min(ends[0], float(self.min_val)), max(ends[1], float(self.max_val))
            if np.isfinite(ends).all():
                new = np.histogram(values, self.bins, ends)[0].astype(np.float64)
                if middles is not None:
                    new += np.histogram(middles, self.bins, ends, weights=counts)[0]
                self.histogram = gpunet.tensor(new, device=x.device)
            self.min_val, self.max_val = gpunet.tensor(ends, dtype=gpunet.float32, device=x.device)
        return x

    def _middles(self) -> np.ndarray:
        edges = np.linspace(float(self.min_val), float(self.max_val), self.bins + 1)
        return (edges[1:] + edges[:-1]) / 2

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        super().calculate_qparams()  # which complains where there are no values
        low, high = self._by_percentile() if self.percentile is not None else self._by_error()
        ends = gpunet.tensor([low, high], dtype=gpunet.float32, device=self.histogram.device)
        return qparams(ends[0], ends[1], self.symmetric)

    def _by_percentile(self) -> tuple[float, float]:
        """The ends without the rarest values: of both ends half, or all of the only one that is not 0."""
        low, high, counts, x = float(self.min_val), float(self.max_val), self.histogram.cpu().numpy(), self._middles()
        outside = 1 - (self.percentile or 100) / 100
        if not outside:
            return low, high
        below = outside / 2 if low < 0 < high else outside if low < 0 else 0.0
        share = np.cumsum(counts) / counts.sum()
        if below:
            low = float(x[np.searchsorted(share, below)])
        if outside > below:
            high = float(x[min(np.searchsorted(share, 1 - outside + below), self.bins - 1)])
        return low, high

    def _by_error(self) -> tuple[float, float]:
        """The best of a hundred ranges, each a part of the whole one."""
        low, high, counts, x = float(self.min_val), float(self.max_val), self.histogram.cpu().numpy(), self._middles()
        low, high = min(low, 0.0), max(high, 0.0)
        found = []
        for share in np.linspace(0.02, 1, 99):
            ends = low * share, high * share
            if self.symmetric:
                scale, zero = max(-ends[0], ends[1], LEAST_SCALE) / HIGH, 0.0
            else:
                scale = max((ends[1] - ends[0]) / (HIGH - LOW), LEAST_SCALE)
                zero = round(LOW - ends[0] / scale)
            steps = np.clip(np.rint(x / scale) + zero, LOW, HIGH) - zero
            found.append((float((counts * (steps * scale - x) ** 2).sum()), ends))
        return min(found)[1]


def check_observer(op: str, observer: Any) -> None:
    """TypeError for what makes no observer."""
    if not callable(observer) or not isinstance(observer(), MinMaxObserver):
        raise TypeError(f"{op}: observer must make an observer when it is called, such as compress.HistogramObserver; "
                        f"got {observer!r}")
