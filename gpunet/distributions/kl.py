"""The Kullback-Leibler divergence, and a registry of its formulas."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from gpunet.distributions.continuous import Exponential, Laplace, LogNormal, Normal, Uniform
from gpunet.distributions.discrete import Bernoulli, Categorical, OneHotCategorical
from gpunet.distributions.distribution import Distribution, sum_rightmost
from gpunet.distributions.gamma import Beta, Dirichlet, Gamma
from gpunet.distributions.independent import Independent
from gpunet.ops.compare import where
from gpunet.ops.sigmoids import softplus
from gpunet.tensor import Tensor

Formula: TypeAlias = Callable[[Any, Any], Tensor]
F = TypeVar("F", bound=Formula)
_EULER = 0.57721566490153286060
_formulas: dict[tuple[type, type], Formula] = {}


def register_kl(type_p: type[Distribution], type_q: type[Distribution]) -> Callable[[F], F]:
    """Decorator that registers a function of (p, q) as the formula of `kl_divergence` for two types.

    The formula also serves subclasses that have none of their own.

    Args:
        type_p: class of the first distribution.
        type_q: class of the second distribution.

    Raises:
        TypeError: one of them is not a subclass of Distribution.

    Examples:
        >>> class Mine(distributions.Normal):
        ...     pass
        >>> @distributions.register_kl(Mine, Mine)
        ... def formula(p, q):
        ...     return (p.loc - q.loc).abs()
        >>> distributions.kl_divergence(Mine(0.0, 1.0), Mine(2.0, 1.0))
        tensor(2.)
    """
    for kind in (type_p, type_q):
        if not (isinstance(kind, type) and issubclass(kind, Distribution)):
            raise TypeError(f"Expected type_p and type_q to be Distribution subclasses but got {kind}")

    def register(fun: F) -> F:
        _formulas[type_p, type_q] = fun
        return fun

    return register


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """The Kullback-Leibler divergence KL(p || q): the mean of log(p(x) / q(x)), where x is drawn from p.

    Source: Kullback and Leibler, "On Information and Sufficiency", 1951.

    Args:
        p: a distribution.
        q: a distribution whose batch shape broadcasts with that of `p`.

    Returns:
        The divergences in nats, of the batch shape.

    Raises:
        NotImplementedError: no formula is registered for the two types or their base classes; see `register_kl`.

    Examples:
        >>> distributions.kl_divergence(distributions.Normal(0.0, 1.0), distributions.Normal(1.0, 1.0))
        tensor(0.5000)
    """
    for a in type(p).__mro__:
        for b in type(q).__mro__:
            if (a, b) in _formulas:
                return _formulas[a, b](p, q)
    raise NotImplementedError(f"No KL(p || q) is implemented for p type {type(p).__name__} and q type "
                              f"{type(q).__name__}")


@register_kl(Normal, Normal)
@register_kl(LogNormal, LogNormal)
def _(p: Normal | LogNormal, q: Normal | LogNormal) -> Tensor:
    ratio = (p.scale / q.scale) ** 2
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale) ** 2 - 1 - ratio.log())


@register_kl(Laplace, Laplace)
def _(p: Laplace, q: Laplace) -> Tensor:
    ratio, distance = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + distance / q.scale + ratio * (-distance / p.scale).exp() - 1


@register_kl(Uniform, Uniform)
def _(p: Uniform, q: Uniform) -> Tensor:
    outside = (q.low > p.low) | (q.high < p.high)
    return where(outside, math.inf, ((q.high - q.low) / (p.high - p.low)).log())


@register_kl(Exponential, Exponential)
def _(p: Exponential, q: Exponential) -> Tensor:
    ratio = q.rate / p.rate
    return -ratio.log() + ratio - 1


@register_kl(Gamma, Gamma)
def _(p: Gamma, q: Gamma) -> Tensor:
    return (q.concentration * (p.rate / q.rate).log() + q.concentration.lgamma() - p.concentration.lgamma()
            + (p.concentration - q.concentration) * p.concentration.digamma()
            + (q.rate - p.rate) * (p.concentration / p.rate))


@register_kl(Dirichlet, Dirichlet)
def _(p: Dirichlet, q: Dirichlet) -> Tensor:
    a, b = p.concentration, q.concentration
    means = a.digamma() - a.sum(-1, keepdim=True).digamma()
    return (a.sum(-1).lgamma() - b.sum(-1).lgamma() - (a.lgamma() - b.lgamma()).sum(-1)
            + ((a - b) * means).sum(-1))


@register_kl(Beta, Beta)
def _(p: Beta, q: Beta) -> Tensor:
    return kl_divergence(p._dirichlet, q._dirichlet)


@register_kl(Bernoulli, Bernoulli)
def _(p: Bernoulli, q: Bernoulli) -> Tensor:
    def side(probs: Tensor, others: Tensor, sign: int) -> Tensor:
        value = probs * (softplus(-sign * q.logits, threshold=50.0) - softplus(-sign * p.logits, threshold=50.0))
        return where(probs == 0, 0.0, where(others == 0, math.inf, value))

    return side(p.probs, q.probs, 1) + side(1 - p.probs, 1 - q.probs, -1)


@register_kl(Categorical, Categorical)
@register_kl(OneHotCategorical, OneHotCategorical)
def _(p: Categorical | OneHotCategorical, q: Categorical | OneHotCategorical) -> Tensor:
    value = p.probs * (p.logits - q.logits)
    return where(p.probs == 0, 0.0, where(q.probs == 0, math.inf, value)).sum(-1)


@register_kl(Independent, Independent)
def _(p: Independent, q: Independent) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError("kl_divergence: Independent distributions with different reinterpreted_batch_ndims")
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


@register_kl(Normal, Uniform)
@register_kl(Laplace, Uniform)
@register_kl(Exponential, Uniform)
@register_kl(Gamma, Uniform)
def _(p: Normal | Laplace | Exponential | Gamma, q: Uniform) -> Tensor:
    return p.mean * 0 + q.low * 0 + math.inf  # values outside of the bounds are possible


@register_kl(Uniform, Normal)
def _(p: Uniform, q: Normal) -> Tensor:
    width = p.high - p.low
    middle = (p.high + p.low - 2 * q.loc) / 2
    return (math.sqrt(2 * math.pi) * q.scale / width).log() + (width**2 / 12 + middle**2) / (2 * q.scale**2)


@register_kl(Exponential, Gamma)
def _(p: Exponential, q: Gamma) -> Tensor:
    ratio = q.rate / p.rate
    return (-q.concentration * ratio.log() + ratio + q.concentration.lgamma()
            + q.concentration * _EULER - (1 + _EULER))


@register_kl(Gamma, Exponential)
def _(p: Gamma, q: Exponential) -> Tensor:
    return -p.entropy() - q.rate.log() + q.rate * p.concentration / p.rate
