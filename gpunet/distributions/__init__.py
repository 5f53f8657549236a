"""Probability distributions: samples (with gradients, where there are any), densities, entropies, divergences.

Names, arguments and meanings are those of torch.distributions. Random numbers come from gpunet's generator, so they are
the same on every device.
"""

import typing

from gpunet._names import attributes_of as _attributes_of
from gpunet.distributions import constraints, divergences, transforms
from gpunet.distributions.continuous import Exponential, Laplace, LogNormal, Normal, Uniform
from gpunet.distributions.counts import Binomial, Geometric, Multinomial, NegativeBinomial, Poisson
from gpunet.distributions.discrete import (
    Bernoulli,
    Categorical,
    OneHotCategorical,
    OneHotCategoricalStraightThrough,
)
from gpunet.distributions.distribution import Distribution
from gpunet.distributions.gamma import Beta, Chi2, Dirichlet, Gamma
from gpunet.distributions.heavy_tailed import Cauchy, FisherSnedecor, HalfCauchy, HalfNormal, Pareto, StudentT
from gpunet.distributions.independent import Independent
from gpunet.distributions.kl import kl_divergence, register_kl
from gpunet.distributions.low_rank import LowRankMultivariateNormal
from gpunet.distributions.mixture import MixtureSameFamily
from gpunet.distributions.multivariate_normal import MultivariateNormal
from gpunet.distributions.powers import Gumbel, InverseGamma, Kumaraswamy, Weibull
from gpunet.distributions.relaxed import RelaxedBernoulli, RelaxedOneHotCategorical
from gpunet.distributions.transformed_distribution import TransformedDistribution
from gpunet.distributions.transforms import (
    AffineTransform,
    ComposeTransform,
    ExpTransform,
    IndependentTransform,
    PowerTransform,
    SigmoidTransform,
    SoftplusTransform,
    StickBreakingTransform,
    TanhTransform,
    Transform,
    identity_transform,
)

__all__ = ["AffineTransform", "Bernoulli", "Beta", "Binomial", "Categorical", "Cauchy", "Chi2", "ComposeTransform",
           "Dirichlet", "Distribution", "ExpTransform", "Exponential", "FisherSnedecor", "Gamma", "Geometric", "Gumbel",
           "HalfCauchy", "HalfNormal", "Independent", "IndependentTransform", "InverseGamma", "Kumaraswamy", "Laplace",
           "LogNormal", "LowRankMultivariateNormal", "MixtureSameFamily", "Multinomial", "MultivariateNormal",
           "NegativeBinomial", "Normal", "OneHotCategorical", "OneHotCategoricalStraightThrough", "Pareto", "Poisson",
           "PowerTransform", "RelaxedBernoulli", "RelaxedOneHotCategorical", "SigmoidTransform", "SoftplusTransform",
           "StickBreakingTransform", "StudentT", "TanhTransform", "Transform", "TransformedDistribution", "Uniform",
           "Weibull", "constraints", "identity_transform", "kl_divergence", "register_kl", "transforms"]

if not typing.TYPE_CHECKING:
    __getattr__ = _attributes_of(__name__)
