"""Further formulas of the Kullback-Leibler divergence: of the rarer distributions, and between two kinds."""

from __future__ import annotations

import math
from typing import Any

from gpunet.distributions.continuous import Exponential, Laplace, Normal, Uniform
from gpunet.distributions.counts import Binomial, Geometric, Poisson
from gpunet.distributions.discrete import Bernoulli
from gpunet.distributions.gamma import Beta, Gamma
from gpunet.distributions.heavy_tailed import Cauchy, HalfCauchy, HalfNormal, Pareto
from gpunet.distributions.kl import kl_divergence, register_kl
from gpunet.distributions.powers import EULER, Gumbel, InverseGamma
from gpunet.distributions.transformed_distribution import TransformedDistribution
from gpunet.ops.compare import where
from gpunet.ops.creation import full_like
from gpunet.ops.special import xlogy
from gpunet.tensor import Tensor

_LOG_2_PI = math.log(2 * math.pi)


# ---- of one kind


@register_kl(Binomial, Binomial)
def _(p: Binomial, q: Binomial) -> Tensor:
    if bool((p.total_count < q.total_count).any()):
        raise NotImplementedError("KL between Binomials where q.total_count > p.total_count is not implemented")
    found = p.total_count * (p.probs * (p.logits - q.logits) + (-p.probs).log1p() - (-q.probs).log1p())
    return where(p.total_count > q.total_count, math.inf, found)


@register_kl(Gumbel, Gumbel)
def _(p: Gumbel, q: Gumbel) -> Tensor:
    ratio, distance = p.scale / q.scale, (q.loc - p.loc) / q.scale
    return -ratio.log() - distance + ratio * EULER + (distance + (1 + ratio).lgamma()).exp() - (1 + EULER)


@register_kl(Geometric, Geometric)
def _(p: Geometric, q: Geometric) -> Tensor:
    return -p.entropy() - (-q.probs).log1p() / p.probs - q.logits


@register_kl(HalfNormal, HalfNormal)
@register_kl(HalfCauchy, HalfCauchy)
@register_kl(InverseGamma, InverseGamma)
def _(p: HalfNormal | HalfCauchy | InverseGamma, q: HalfNormal | HalfCauchy | InverseGamma) -> Tensor:
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(Pareto, Pareto)
def _(p: Pareto, q: Pareto) -> Tensor:
    ratio = q.alpha / p.alpha
    return where(p.scale < q.scale, math.inf, q.alpha * (p.scale / q.scale).log() - ratio.log() + ratio - 1)


@register_kl(Poisson, Poisson)
def _(p: Poisson, q: Poisson) -> Tensor:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Cauchy, Cauchy)
def _(p: Cauchy, q: Cauchy) -> Tensor:
    return ((p.scale + q.scale) ** 2 + (p.loc - q.loc) ** 2).log() - (4 * p.scale * q.scale).log()


@register_kl(TransformedDistribution, TransformedDistribution)
def _(p: TransformedDistribution, q: TransformedDistribution) -> Tensor:
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError("kl_divergence: TransformedDistributions of different transforms or event shapes")
    return kl_divergence(p.base_dist, q.base_dist)


# ---- of two kinds: infinite where q has no values that p has


def _infinite(p: Any, q: Any) -> Tensor:
    return full_like(p.mean, math.inf)


for _wide, _narrow in (((Normal, Laplace), (Beta, Exponential, Gamma, Pareto)), ((Exponential, Gamma), (Beta, Pareto)),
                       ((Gumbel,), (Beta, Exponential, Gamma, Pareto, Uniform)), ((Pareto,), (Beta, Uniform)),
                       ((Beta,), (Pareto,)), ((Poisson,), (Bernoulli, Binomial))):
    for _p in _wide:
        for _q in _narrow:
            register_kl(_p, _q)(_infinite)


def _beside_gamma(mean: Tensor, mean_log: Tensor, q: Gamma) -> Tensor:
    """-E[log q(x)], from E[x] and E[log x]."""
    a = q.concentration
    return a.lgamma() - a * q.rate.log() - (a - 1) * mean_log + q.rate * mean


def _beside_normal(mean: Tensor, variance: Tensor, q: Normal) -> Tensor:
    """-E[log q(x)], from E[x] and the variance."""
    return 0.5 * _LOG_2_PI + q.scale.log() + (variance + (mean - q.loc) ** 2) / (2 * q.scale**2)


@register_kl(Bernoulli, Poisson)
def _(p: Bernoulli, q: Poisson) -> Tensor:
    return -p.entropy() - (p.probs * q.rate.log() - q.rate)


@register_kl(Beta, Exponential)
@register_kl(Uniform, Exponential)
def _(p: Beta | Uniform, q: Exponential) -> Tensor:
    found = -p.entropy() - q.rate.log() + q.rate * p.mean
    return where(p.low < 0, math.inf, found) if isinstance(p, Uniform) else found


@register_kl(Beta, Gamma)
def _(p: Beta, q: Gamma) -> Tensor:
    mean_log = p.concentration1.digamma() - (p.concentration1 + p.concentration0).digamma()
    return -p.entropy() + _beside_gamma(p.mean, mean_log, q)


@register_kl(Beta, Normal)
@register_kl(Exponential, Normal)
@register_kl(Gamma, Normal)
@register_kl(Laplace, Normal)
@register_kl(Gumbel, Normal)
def _(p: Beta | Exponential | Gamma | Laplace | Gumbel, q: Normal) -> Tensor:
    return -p.entropy() + _beside_normal(p.mean, p.variance, q)


@register_kl(Beta, Uniform)
def _(p: Beta, q: Uniform) -> Tensor:
    return where((q.low > 0) | (q.high < 1), math.inf, -p.entropy() + (q.high - q.low).log())


@register_kl(Exponential, Gumbel)
def _(p: Exponential, q: Gumbel) -> Tensor:
    product, place = p.rate * q.scale, q.loc / q.scale
    return product.log() - 1 - place + place.exp() * product / (product + 1) + product.reciprocal()


@register_kl(Gamma, Gumbel)
def _(p: Gamma, q: Gumbel) -> Tensor:
    product, place = p.rate * q.scale, q.loc / q.scale
    a = p.concentration
    own = (a - 1) * a.digamma() - a.lgamma() - a
    return own + product.log() + a / product + place.exp() * (1 + product.reciprocal()) ** -a - place


@register_kl(Normal, Gumbel)
def _(p: Normal, q: Gumbel) -> Tensor:
    distance, ratio = (p.loc - q.loc) / q.scale, (p.scale / q.scale) ** 2
    return -0.5 * ratio.log() + distance + (-distance + 0.5 * ratio).exp() - 0.5 * (1 + _LOG_2_PI)


@register_kl(Uniform, Gumbel)
def _(p: Uniform, q: Gumbel) -> Tensor:
    width, high, low = q.scale / (p.high - p.low), (p.high - q.loc) / q.scale, (p.low - q.loc) / q.scale
    return width.log() + 0.5 * (high + low) - width * ((-high).exp() - (-low).exp())


@register_kl(Normal, Laplace)
def _(p: Normal, q: Laplace) -> Tensor:
    difference = p.loc - q.loc
    ratio = difference / p.scale
    distance = (math.sqrt(2 / math.pi) * p.scale * (-0.5 * ratio**2).exp()
                + difference * (math.sqrt(0.5) * ratio).erf())
    return -(p.scale / q.scale).log() + distance / q.scale - 0.5 * (1 + math.log(0.5 * math.pi))


@register_kl(Pareto, Exponential)
def _(p: Pareto, q: Exponential) -> Tensor:
    product = p.scale * q.rate
    found = (p.alpha / product).log() - p.alpha.reciprocal() + p.alpha * product / (p.alpha - 1) - 1
    return where(p.alpha <= 1, math.inf, found)


@register_kl(Pareto, Gamma)
def _(p: Pareto, q: Gamma) -> Tensor:
    mean_log = p.scale.log() + p.alpha.reciprocal()
    found = -p.entropy() + _beside_gamma(p.alpha * p.scale / (p.alpha - 1), mean_log, q)
    return where(p.alpha <= 1, math.inf, found)


@register_kl(Pareto, Normal)
def _(p: Pareto, q: Normal) -> Tensor:
    part = p.scale / (p.alpha - 1)
    found = -p.entropy() + _beside_normal(p.alpha * part, p.alpha * part**2 / (p.alpha - 2), q)
    return where(p.alpha <= 2, math.inf, found)


def _mean_log(p: Uniform) -> Tensor:
    """E[log x]."""
    return (xlogy(p.high, p.high) - xlogy(p.low, p.low)) / (p.high - p.low) - 1


@register_kl(Uniform, Beta)
def _(p: Uniform, q: Beta) -> Tensor:
    a, b = q.concentration1, q.concentration0
    other = Uniform(1 - p.high, 1 - p.low, validate_args=False)
    found = (-p.entropy() + a.lgamma() + b.lgamma() - (a + b).lgamma() - (a - 1) * _mean_log(p)
             - (b - 1) * _mean_log(other))
    return where((p.high > 1) | (p.low < 0), math.inf, found)


@register_kl(Uniform, Gamma)
def _(p: Uniform, q: Gamma) -> Tensor:
    return where(p.low < 0, math.inf, -p.entropy() + _beside_gamma(p.mean, _mean_log(p), q))


@register_kl(Uniform, Pareto)
def _(p: Uniform, q: Pareto) -> Tensor:
    found = -p.entropy() - q.alpha.log() - q.alpha * q.scale.log() + (q.alpha + 1) * _mean_log(p)
    return where(p.low < q.scale, math.inf, found)
