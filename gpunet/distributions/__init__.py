"""Probability distributions: samples (with gradients, where there are any), densities, entropies, divergences.

Names, arguments and meanings are those of torch.distributions. Random numbers come from gpunet's generator, so they are
the same on every device.
"""

import typing

from gpunet._names import attributes_of as _attributes_of
from gpunet.distributions import constraints
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

__all__ = ["Bernoulli", "Beta", "Categorical", "Chi2", "Dirichlet", "Distribution", "Exponential", "Gamma",
           "Independent", "Laplace", "LogNormal", "MultivariateNormal", "Normal", "OneHotCategorical",
           "OneHotCategoricalStraightThrough", "Uniform", "constraints", "kl_divergence", "register_kl"]

if not typing.TYPE_CHECKING:
    __getattr__ = _attributes_of(__name__)
