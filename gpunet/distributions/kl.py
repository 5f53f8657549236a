"""The Kullback-Leibler divergence, and a registry of its formulas."""

from __future__ import annotations

import math
from collections.abc import Callable

from gpunet.distributions.continuous import Exponential, Laplace, LogNormal, Normal, Uniform
from gpunet.distributions.discrete import Bernoulli, Categorical, OneHotCategorical
from gpunet.distributions.distribution import Distribution, sum_rightmost
from gpunet.distributions.gamma import Beta, Dirichlet, Gamma
from gpunet.distributions.independent import Independent
from gpunet.ops.compare import where
from gpunet.ops.sigmoids import softplus
from gpunet.tensor import Tensor

_formulas: dict[tuple[type, type], Callable] = {}


def register_kl(type_p: type, type_q: type) -> Callable:
    """Decorator: fun(p, q) computes `kl_divergence` of distributions of these types and their subclasses."""
    for kind in (type_p, type_q):
        if not (isinstance(kind, type) and issubclass(kind, Distribution)):
            raise TypeError(f"Expected type_p and type_q to be Distribution subclasses but got {kind}")

    def register(fun):
        _formulas[type_p, type_q] = fun
        return fun

    return register


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """The mean under p of log(p(x) / q(x)), of shape batch_shape. NotImplementedError where no formula is registered
    for the types; the one for the nearest bases is taken."""
    for a in type(p).__mro__:
        for b in type(q).__mro__:
            if (a, b) in _formulas:
                return _formulas[a, b](p, q)
    raise NotImplementedError(f"No KL(p || q) is implemented for p type {type(p).__name__} and q type "
                              f"{type(q).__name__}")


@register_kl(Normal, Normal)
@register_kl(LogNormal, LogNormal)
def _(p, q):
    ratio = (p.scale / q.scale) ** 2
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale) ** 2 - 1 - ratio.log())


@register_kl(Laplace, Laplace)
def _(p, q):
    ratio, distance = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + distance / q.scale + ratio * (-distance / p.scale).exp() - 1


@register_kl(Uniform, Uniform)
def _(p, q):
    outside = (q.low > p.low) | (q.high < p.high)
    return where(outside, math.inf, ((q.high - q.low) / (p.high - p.low)).log())


@register_kl(Exponential, Exponential)
def _(p, q):
    ratio = q.rate / p.rate
    return -ratio.log() + ratio - 1


@register_kl(Gamma, Gamma)
def _(p, q):
    return (q.concentration * (p.rate / q.rate).log() + q.concentration.lgamma() - p.concentration.lgamma()
            + (p.concentration - q.concentration) * p.concentration.digamma()
            + (q.rate - p.rate) * (p.concentration / p.rate))


@register_kl(Dirichlet, Dirichlet)
def _(p, q):
    a, b = p.concentration, q.concentration
    means = a.digamma() - a.sum(-1, keepdim=True).digamma()
    return (a.sum(-1).lgamma() - b.sum(-1).lgamma() - (a.lgamma() - b.lgamma()).sum(-1)
            + ((a - b) * means).sum(-1))


@register_kl(Beta, Beta)
def _(p, q):
    return kl_divergence(p._dirichlet, q._dirichlet)


@register_kl(Bernoulli, Bernoulli)
def _(p, q):
    def side(probs, others, sign):
        value = probs * (softplus(-sign * q.logits, threshold=50.0) - softplus(-sign * p.logits, threshold=50.0))
        return where(probs == 0, 0.0, where(others == 0, math.inf, value))

    return side(p.probs, q.probs, 1) + side(1 - p.probs, 1 - q.probs, -1)


@register_kl(Categorical, Categorical)
@register_kl(OneHotCategorical, OneHotCategorical)
def _(p, q):
    value = p.probs * (p.logits - q.logits)
    return where(p.probs == 0, 0.0, where(q.probs == 0, math.inf, value)).sum(-1)


@register_kl(Independent, Independent)
def _(p, q):
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError("kl_divergence: Independent distributions with different reinterpreted_batch_ndims")
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


@register_kl(Normal, Uniform)
@register_kl(Laplace, Uniform)
@register_kl(Exponential, Uniform)
@register_kl(Gamma, Uniform)
def _(p, q):
    return p.mean * 0 + q.low * 0 + math.inf  # values outside of the bounds are possible


@register_kl(Uniform, Normal)
def _(p, q):
    width = p.high - p.low
    middle = (p.high + p.low - 2 * q.loc) / 2
    return (math.sqrt(2 * math.pi) * q.scale / width).log() + (width**2 / 12 + middle**2) / (2 * q.scale**2)


@register_kl(Exponential, Gamma)
def _(p, q):
    ratio = q.rate / p.rate
    return (-q.concentration * ratio.log() + ratio + q.concentration.lgamma()
            + q.concentration * _EULER - (1 + _EULER))


@register_kl(Gamma, Exponential)
def _(p, q):
    return -p.entropy() - q.rate.log() + q.rate * p.concentration / p.rate


_EULER = 0.57721566490153286060
