"""Occlusion: what the model no longer says where a window of the input is covered."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import gpunet
from gpunet.interpret.common import (
    Baselines,
    Model,
    Target,
    at_rest,
    baseline_of,
    check_input,
    chosen,
    positive,
    repeated,
)
from gpunet.tensor import Tensor

__all__ = ["occlusion"]


def occlusion(model: Model, inputs: Tensor, sliding_window_shapes: Sequence[int], strides: int | Sequence[int] = 1,
              baselines: Baselines = None, target: Target = None, perturbations_per_eval: int = 16) -> Tensor:
    """How far the output falls where a sliding window of the input is replaced by the baseline: f(x) - f(x covered),
    at each place the mean over the windows that cover it.

    Source: Zeiler & Fergus 2014, "Visualizing and Understanding Convolutional Networks".

    Args:
        model: a module, or a function of a batch.
        inputs: the batch [N, ...].
        sliding_window_shapes: the window's size in each dimension but the first, such as (1, 3, 3) for images.
        strides: step of the window, one number or one for each dimension, at most the window's size.
        baselines: what covers: a number, or a tensor of the inputs' shape or [1, ...]. None: zeros.
        target: which output, as for `saliency`.
        perturbations_per_eval: covered copies that go through the model at once.

    Returns:
        Tensor of the inputs' shape.

    Raises:
        TypeError: the inputs are no floating-point tensor.
        ValueError: window or strides do not fit the inputs, or the target is none of the outputs.

    Examples:
        >>> x = gpunet.tensor([[1.0, 2.0, 3.0, 4.0]])
        >>> gpunet.interpret.occlusion(lambda x: x.sum(1), x, (2,), strides=2)
        tensor([[3., 3., 7., 7.]])
    """
    check_input("occlusion", inputs)
    positive("occlusion", perturbations_per_eval=perturbations_per_eval)
    sizes, window = tuple(inputs.shape[1:]), tuple(sliding_window_shapes)
    steps = (strides,) * len(sizes) if isinstance(strides, int) else tuple(strides)
    if len(window) != len(sizes) or not all(1 <= w <= n for w, n in zip(window, sizes, strict=True)):
        raise ValueError(f"occlusion: a window {window} does not fit samples of shape {sizes}: give a size for each "
                         "dimension but the first, at most the sample's")
    if len(steps) == len(sizes):  # one window that covers all has no second place
        steps = tuple(min(step, n) if w == n else step for step, w, n in zip(steps, window, sizes, strict=True))
    if len(steps) != len(sizes) or not all(1 <= step <= w for step, w in zip(steps, window, strict=True)):
        raise ValueError(f"occlusion: strides {strides} do not fit a window {window}: a step larger than the window "
                         "would leave places out")
    inputs = inputs.detach()
    baseline, samples = baseline_of("occlusion", baselines, inputs), inputs.shape[0]
    counts = [1 + math.ceil((n - w) / step) for n, w, step in zip(sizes, window, steps, strict=True)]
    along = [range(0, count * step, step) for count, step in zip(counts, steps, strict=True)]
    corners = list(itertools.product(*along))
    total, covered = gpunet.zeros_like(inputs), gpunet.zeros(sizes, dtype=inputs.dtype, device=inputs.device)
    with at_rest(model), gpunet.no_grad():
        whole = chosen("occlusion", model(inputs), target, samples)
        for start in range(0, len(corners), perturbations_per_eval):
            part = corners[start:start + perturbations_per_eval]
            places = [tuple(slice(at, at + w) for at, w in zip(corner, window, strict=True)) for corner in part]
            copies = inputs.repeat(len(part), *[1] * inputs.ndim)
            for copy, place in zip(copies, places, strict=True):
                copy[(slice(None), *place)] = baseline[(slice(None), *place)]
            left = chosen("occlusion", model(copies.reshape(-1, *sizes)), repeated(target, len(part)),
                          samples * len(part))
            falls = (whole - left.reshape(len(part), samples)).reshape(len(part), samples, *[1] * len(sizes))
            for fall, place in zip(falls, places, strict=True):
                total[(slice(None), *place)] += fall
                covered[place] += 1
    return total / covered
