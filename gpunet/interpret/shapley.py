"""Shapley values: each feature's mean contribution, over all orders in which features become known."""

from __future__ import annotations

import math
from collections.abc import Callable

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
    positive,
    repeated,
)
from gpunet.tensor import Tensor

__all__ = ["shapley_value_sampling", "shapley_values"]


def shapley_value_sampling(model: Model, inputs: Tensor, baselines: Baselines = None, target: Target = None,
                           feature_mask: Tensor | None = None, n_samples: int = 25,
                           perturbations_per_eval: int = 64) -> Tensor:
    """Shapley values by sampling: in random orders the features of the baseline are replaced by the input's, one after
    the other; each gets by how much the output rises with it, on average. The values of a sample add up to f(x) - f(b).

    Source: Castro et al. 2009; Strumbelj & Kononenko 2010; Lundberg & Lee 2017 (SHAP).

    Args:
        model: a module, or a function of a batch.
        inputs: the batch [N, ...].
        baselines: what stands for an unknown feature: a number, or a tensor of the inputs' shape or [1, ...], such as
            the mean of the training data. None: zeros.
        target: which output, as for `saliency`.
        feature_mask: integers of a sample's shape (or [1, ...]): elements with the same number are one feature, such as
            a patch of an image. None: every element is a feature.
        n_samples: random orders.
        perturbations_per_eval: inputs of a sample that go through the model at once.

    Returns:
        Tensor of the inputs' shape.

    Raises:
        TypeError: the inputs are no floating-point tensor.
        ValueError: mask, baselines or target do not fit.

    Examples:
        >>> x = gpunet.tensor([[2.0, 3.0, 1.0]])
        >>> gpunet.interpret.shapley_value_sampling(lambda x: 2 * x[:, 0] - x[:, 1], x, n_samples=3)
        tensor([[ 4., -3.,  0.]])
    """
    op = "shapley_value_sampling"
    positive(op, n_samples=n_samples, perturbations_per_eval=perturbations_per_eval)
    groups, count, value = _game(op, model, inputs, baselines, target, feature_mask, perturbations_per_eval)
    total = gpunet.zeros(inputs.shape[0], count, dtype=inputs.dtype, device=inputs.device)
    with at_rest(model), gpunet.no_grad():
        for _ in range(n_samples):
            order = gpunet.randperm(count)
            rank = gpunet.argsort(order)
            known = (rank.unsqueeze(0) < gpunet.arange(count + 1).unsqueeze(1)).numpy()  # [count + 1, count]
            values = value(known)
            total += (values[1:] - values[:-1])[rank.to(inputs.device)].t()
    return _spread(total / n_samples, groups, inputs)


def shapley_values(model: Model, inputs: Tensor, baselines: Baselines = None, target: Target = None,
                   feature_mask: Tensor | None = None, perturbations_per_eval: int = 64) -> Tensor:
    """Exact Shapley values, from all 2^M sets of M features:
    phi[i] = sum over S without i of |S|! (M - |S| - 1)! / M! (f(S and i) - f(S)).

    Source: Shapley 1953, "A Value for n-Person Games".

    Args:
        model: a module, or a function of a batch.
        inputs: the batch [N, ...].
        baselines: what stands for an unknown feature, as for `shapley_value_sampling`.
        target: which output, as for `saliency`.
        feature_mask: which elements are one feature, as for `shapley_value_sampling`; at most 16 features.
        perturbations_per_eval: inputs of a sample that go through the model at once.

    Returns:
        Tensor of the inputs' shape.

    Raises:
        TypeError: the inputs are no floating-point tensor.
        ValueError: there are more than 16 features; mask, baselines or target do not fit.

    Examples:
        >>> def product(x): return x[:, 0] * x[:, 1] + x[:, 2]
        >>> gpunet.interpret.shapley_values(product, gpunet.tensor([[2.0, 3.0, 1.0]]))
        tensor([[3., 3., 1.]])
    """
    op = "shapley_values"
    positive(op, perturbations_per_eval=perturbations_per_eval)
    groups, count, value = _game(op, model, inputs, baselines, target, feature_mask, perturbations_per_eval)
    if count > 16:
        raise ValueError(f"shapley_values: {count} features have 2^{count} sets; give a feature_mask with at most 16, "
                         "or use shapley_value_sampling")
    sets = np.arange(2**count)
    known = (sets[:, None] >> np.arange(count) & 1).astype(bool)
    weight = np.array([1 / (count * math.comb(count - 1, size)) for size in range(count)])
    total = []
    with at_rest(model), gpunet.no_grad():
        values = value(known)  # [2^count, N]
        for feature in range(count):
            without = sets[~known[:, feature]]
            place, joined = (gpunet.tensor(each, device=inputs.device) for each in (without, without | 1 << feature))
            each = gpunet.tensor(weight[known[without].sum(1)], dtype=inputs.dtype, device=inputs.device)
            total.append(((values[joined] - values[place]) * each.unsqueeze(1)).sum(0))
    return _spread(gpunet.stack(total, 1), groups, inputs)


def _game(op: str, model: Model, inputs: Tensor, baselines: Baselines, target: Target, feature_mask: Tensor | None,
          together: int) -> tuple[Tensor, int, Callable[[np.ndarray], Tensor]]:
    """The feature of each element of a sample, how many there are, and the function from sets [K, features] of known
    features to the outputs [K, N]."""
    check_input(op, inputs)
    inputs = inputs.detach()
    samples, shape = inputs.shape[0], tuple(inputs.shape[1:])
    if feature_mask is None:
        groups = np.arange(math.prod(shape)).reshape(shape)
    else:
        given = feature_mask.cpu().numpy()
        given = given[0] if given.ndim == len(shape) + 1 and len(given) == 1 else given
        try:
            groups = np.broadcast_to(given, shape)
        except ValueError:
            raise ValueError(f"{op}: a feature_mask of shape {tuple(feature_mask.shape)} does not fit samples of shape "
                             f"{shape}") from None
    names, groups = np.unique(groups, return_inverse=True)
    groups = gpunet.tensor(groups.reshape(shape), device=inputs.device)
    baseline = baseline_of(op, baselines, inputs)

    def value(known: np.ndarray) -> Tensor:
        found = []
        for start in range(0, len(known), together):
            part = gpunet.tensor(known[start:start + together], device=inputs.device)
            count = part.shape[0]
            shown = part[:, groups].reshape(count, 1, *shape)
            mixed = gpunet.where(shown, inputs, baseline).reshape(count * samples, *shape)
            found.append(chosen(op, model(mixed), repeated(target, count), count * samples).reshape(count, samples))
        return gpunet.cat(found)

    return groups, len(names), value


def _spread(values: Tensor, groups: Tensor, inputs: Tensor) -> Tensor:
    """The value of each element's feature."""
    return values[:, groups.reshape(-1)].reshape(inputs.shape)
