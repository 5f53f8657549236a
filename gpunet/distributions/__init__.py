"""Probability distributions: samples (with gradients, where there are any), densities, entropies, divergences.

Names, arguments and meanings are those of torch.distributions. Random numbers come from gpunet's generator, so they are
the same on every device.
"""

import typing

from gpunet._names import attributes_of as _attributes_of
from gpunet.distributions import constraints, transforms
from gpunet.distributions.continuous import Exponential, Laplace, LogNormal, Normal, Uniform
from gpunet.distributions.discrete import (
    Bernoulli,
    Categorical,
    OneHotCategorical,
    OneHotCategoricalStraightThrough,
)
from gpunet.distributions.distribution import Distribution
from gpunet.distributions.gamma import Beta, Chi2, Dirichlet, Gamma
from gpunet.distributions.independent import Independent
from gpunet.distributions.kl import kl_divergence, register_kl
from gpunet.distributions.multivariate_normal import MultivariateNormal
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

__all__ = ["AffineTransform", "Bernoulli", "Beta", "Categorical", "Chi2", "ComposeTransform", "Dirichlet",
           "Distribution", "ExpTransform", "Exponential", "Gamma", "Independent", "IndependentTransform", "Laplace", "LogNormal",
           "MultivariateNormal", "Normal", "OneHotCategorical", "OneHotCategoricalStraightThrough", "PowerTransform",
           "SigmoidTransform", "SoftplusTransform", "StickBreakingTransform", "TanhTransform", "Transform",
           "TransformedDistribution", "Uniform", "constraints", "identity_transform", "kl_divergence", "register_kl",
           "transforms"]

if not typing.TYPE_CHECKING:
    __getattr__ = _attributes_of(__name__)
