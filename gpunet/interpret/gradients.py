"""Attributions by gradients of the input: saliency, input times gradient, integrated gradients, SmoothGrad."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import gpunet
from gpunet.interpret.common import (
    Baselines,
    Model,
    Target,
    at_rest,
    baseline_of,
    check_input,
    chosen,
    input_gradient,
    positive,
    repeated,
)
from gpunet.tensor import Tensor

__all__ = ["input_x_gradient", "integrated_gradients", "saliency", "smooth_grad"]


def saliency(model: Model, inputs: Tensor, target: Target = None, abs: bool = True) -> Tensor:
    """The gradient's size at each input: |d output[target] / d x|. How much the output moves with a small change.

    Source: Simonyan et al. 2014, "Deep Inside Convolutional Networks".

    Args:
        model: a module, or a function of a batch.
        inputs: the batch [N, ...].
        target: which output: a class, a class for each sample, a place in outputs [N, ...] as a tuple; None for models
            with one output.
        abs: the absolute value; False: the gradient itself.

    Returns:
        Tensor of the inputs' shape.

    Raises:
        TypeError: the inputs are no floating-point tensor.
        ValueError: the target is none of the model's outputs.

    Examples:
        >>> model = nn.Linear(2, 2, bias=False)
        >>> _ = model.load_state_dict({"weight": gpunet.tensor([[1.0, -2.0], [3.0, 4.0]])})
        >>> gpunet.interpret.saliency(model, gpunet.ones(1, 2), target=0)
        tensor([[1., 2.]])
    """
    check_input("saliency", inputs)
    with at_rest(model):
        gradient = input_gradient("saliency", model, inputs, target)
    return gradient.abs() if abs else gradient


def input_x_gradient(model: Model, inputs: Tensor, target: Target = None) -> Tensor:
    """The input times its gradient, x d output[target] / d x: of a linear model without bias each input's share.

    Args:
        model: a module, or a function of a batch.
        inputs: the batch [N, ...].
        target: which output, as for `saliency`.

    Returns:
        Tensor of the inputs' shape.

    Raises:
        TypeError: the inputs are no floating-point tensor.
        ValueError: the target is none of the model's outputs.

    Examples:
        >>> gpunet.interpret.input_x_gradient(lambda x: x[:, 0] * 3 + x[:, 1], gpunet.tensor([[2.0, 5.0]]))
        tensor([[6., 5.]])
    """
    check_input("input_x_gradient", inputs)
    with at_rest(model):
        return inputs.detach() * input_gradient("input_x_gradient", model, inputs, target)


def integrated_gradients(model: Model, inputs: Tensor, baselines: Baselines = None, target: Target = None,
                         n_steps: int = 50, internal_batch_size: int | None = None,
                         return_convergence_delta: bool = False) -> Any:
    """The gradient, averaged on the straight way from the baseline b to the input x, times that way:
    (x - b) * integral over a from 0 to 1 of d f(b + a (x - b)) / d x.

    Complete: the attributions of a sample add up to f(x) - f(b), up to the error of the integral, which
    `return_convergence_delta` gives. The integral is taken by Gauss and Legendre's points.

    Source: Sundararajan et al. 2017, "Axiomatic Attribution for Deep Networks".

    Args:
        model: a module, or a function of a batch.
        inputs: the batch [N, ...].
        baselines: what stands for "nothing": a number, or a tensor of the inputs' shape or [1, ...]. None: zeros.
        target: which output, as for `saliency`.
        n_steps: points of the integral.
        internal_batch_size: the most samples that go through the model at once; None: all points at once.
        return_convergence_delta: return the error too.

    Returns:
        Tensor of the inputs' shape; or it and the error of each sample [N], sum of attributions - (f(x) - f(b)).

    Raises:
        TypeError: the inputs are no floating-point tensor.
        ValueError: the target is none of the model's outputs, or the baselines do not fit.

    Examples:
        >>> def square(x): return (x ** 2).sum(1)
        >>> x = gpunet.tensor([[1.0, 3.0]])
        >>> values, delta = gpunet.interpret.integrated_gradients(square, x, return_convergence_delta=True)
        >>> values.round(decimals=4), delta.abs().item() < 1e-4
        (tensor([[1., 9.]]), True)
    """
    check_input("integrated_gradients", inputs)
    positive("integrated_gradients", n_steps=n_steps, internal_batch_size=internal_batch_size or 1)
    inputs = inputs.detach()
    baseline = baseline_of("integrated_gradients", baselines, inputs)
    points, weights = np.polynomial.legendre.leggauss(n_steps)
    points, weights = (points + 1) / 2, weights / 2
    samples, way = inputs.shape[0], inputs - baseline
    together = n_steps if internal_batch_size is None else max(1, internal_batch_size // samples)
    total = gpunet.zeros_like(inputs)
    with at_rest(model):
        for start in range(0, n_steps, together):
            part = slice(start, start + together)
            count = len(points[part])
            along = (count, *[1] * inputs.ndim)
            at, weight = (gpunet.tensor(each[part], dtype=inputs.dtype, device=inputs.device).reshape(along)
                          for each in (points, weights))
            path = (baseline + at * way).reshape(count * samples, *inputs.shape[1:])
            slopes = input_gradient("integrated_gradients", model, path, repeated(target, count))
            total += (slopes.reshape(count, *inputs.shape) * weight).sum(0)
        total *= way
        if not return_convergence_delta:
            return total
        with gpunet.no_grad():
            end, begin = (chosen("integrated_gradients", model(x), target, samples) for x in (inputs, baseline))
    return total, total.reshape(samples, -1).sum(1) - (end - begin)


def smooth_grad(model: Model, inputs: Tensor, target: Target = None, n_samples: int = 25, stdevs: float = 0.15,
                method: Callable[..., Tensor] = saliency, square: bool = False, **options: Any) -> Tensor:
    """An attribution averaged over noisy copies of the input: mean of method(x + e), e ~ N(0, stdevs^2). Noise of the
    gradient averages out.

    Source: Smilkov et al. 2017, "SmoothGrad: removing noise by adding noise".

    Args:
        model: a module, or a function of a batch.
        inputs: the batch [N, ...].
        target: which output, as for `saliency`.
        n_samples: noisy copies.
        stdevs: standard deviation of the noise, in the inputs' unit; the paper takes 10% to 20% of max - min.
        method: the attribution, called as method(model, inputs, target=target, **options).
        square: average the squares (Hooker et al. 2019).
        **options: further arguments of the method.

    Returns:
        Tensor of the inputs' shape.

    Raises:
        TypeError: the inputs are no floating-point tensor.
        ValueError: there are no samples, or the noise is negative.

    Examples:
        >>> x = gpunet.zeros(1, 3)
        >>> gpunet.interpret.smooth_grad(lambda x: x.abs().sum(1), x, n_samples=2).shape
        gpunet.Size([1, 3])
    """
    check_input("smooth_grad", inputs)
    positive("smooth_grad", n_samples=n_samples)
    if stdevs < 0:
        raise ValueError(f"smooth_grad: stdevs must not be negative, got {stdevs}")
    inputs = inputs.detach()
    total = gpunet.zeros_like(inputs)
    for _ in range(n_samples):
        found = method(model, inputs + stdevs * gpunet.randn_like(inputs), target=target, **options)
        total += found * found if square else found
    return total / n_samples
