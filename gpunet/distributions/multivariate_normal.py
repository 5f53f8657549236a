"""MultivariateNormal: normal vectors with correlated elements."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from gpunet.distributions import constraints
from gpunet.distributions.distribution import Distribution, sum_rightmost
from gpunet.distributions.kl import register_kl
from gpunet.ops.creation import eye
from gpunet.ops.decompose import cholesky
from gpunet.ops.linalg import solve_triangular
from gpunet.ops.random import randn
from gpunet.ops.reorder import flip
from gpunet.tensor import Tensor


class MultivariateNormal(Distribution):
    """The normal distribution of vectors of n numbers. With m = loc and C the covariance matrix:

    log_prob(x) = -(x - m)' C^-1 (x - m) / 2 - log(det(C)) / 2 - n log(2 pi) / 2, and entropy = n (1 + log(2 pi)) / 2 +
    log(det(C)) / 2. C is given by one of three matrices; `scale_tril` is the fastest, as no matrix is then factored.

    Source: Bishop, "Pattern Recognition and Machine Learning", 2006, section 2.3.

    Args:
        loc: mean [..., n].
        covariance_matrix: C, symmetric and positive definite [..., n, n].
        precision_matrix: inverse of C, likewise.
        scale_tril: lower triangular L with a positive diagonal and L L' = C [..., n, n].
        validate_args: whether parameters and values are checked; None: the default, see `Distribution`.

    Raises:
        ValueError: not exactly one matrix is given, or a parameter is not allowed.

    Examples:
        >>> normal = distributions.MultivariateNormal(gpunet.zeros(2), gpunet.eye(2))
        >>> normal.log_prob(gpunet.zeros(2))
        tensor(-1.8379)
    """

    arg_constraints = {"loc": constraints.real_vector, "covariance_matrix": constraints.positive_definite,
                       "precision_matrix": constraints.positive_definite, "scale_tril": constraints.lower_cholesky}
    support = constraints.real_vector
    has_rsample = True
    loc: Tensor
    covariance_matrix: Tensor
    precision_matrix: Tensor
    scale_tril: Tensor

    def __init__(self, loc: Tensor, covariance_matrix: Tensor | None = None, precision_matrix: Tensor | None = None,
                 scale_tril: Tensor | None = None, validate_args: bool | None = None) -> None:
        if loc.ndim < 1:
            raise ValueError("loc must be at least one-dimensional.")
        given = {name: matrix for name, matrix in (("covariance_matrix", covariance_matrix),
                                                   ("precision_matrix", precision_matrix),
                                                   ("scale_tril", scale_tril)) if matrix is not None}
        if len(given) != 1:
            raise ValueError("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
        (name, matrix), = given.items()
        if matrix.ndim < 2:
            raise ValueError(f"{name} must be at least two-dimensional, with optional leading batch dimensions")
        n, batch_shape = loc.shape[-1], np.broadcast_shapes(tuple(matrix.shape[:-2]), tuple(loc.shape[:-1]))
        self.loc = loc.expand(*batch_shape, n)
        self.__dict__[name] = matrix.expand(*batch_shape, n, n)
        super().__init__(batch_shape, (n,), validate_args)
        self._tril = matrix if name == "scale_tril" else _FACTOR[name](matrix)

    def __getattr__(self, name: str) -> Tensor:
        if name in _MATRIX and "_tril" in self.__dict__:
            return _MATRIX[name](self._tril).expand(*self._batch_shape, *self._event_shape, *self._event_shape)
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'", name=name, obj=self)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return (self._tril**2).sum(-1).expand(*self._batch_shape, *self._event_shape)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        noise = randn(self._extended_shape(sample_shape), dtype=self.loc.dtype, device=self.loc.device)
        return self.loc + (self._tril @ noise.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        n = self._event_shape[0]
        return -0.5 * (n * math.log(2 * math.pi) + distance_of(self._tril, value - self.loc)) - half_log_det(self._tril)

    def entropy(self) -> Tensor:
        n = self._event_shape[0]
        return (0.5 * n * (1 + math.log(2 * math.pi)) + half_log_det(self._tril)).expand(*self._batch_shape)


def _identity(matrix: Tensor) -> Tensor:
    return eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device).expand(*matrix.shape)


def _inverse(tril: Tensor) -> Tensor:
    return solve_triangular(tril, _identity(tril), upper=False)


def _of_precision(matrix: Tensor) -> Tensor:
    """The lower factor of the inverse: P = U U' with U upper, so that P^-1 = (U^-1)' U^-1."""
    upper = flip(cholesky(flip(matrix, (-2, -1))), (-2, -1))
    return _inverse(upper.mT)


def _inverse_product(tril: Tensor) -> Tensor:
    inverse = _inverse(tril)
    return inverse.mT @ inverse


_FACTOR: dict[str, Callable[[Tensor], Tensor]] = {"covariance_matrix": cholesky, "precision_matrix": _of_precision}
_MATRIX: dict[str, Callable[[Tensor], Tensor]] = {
    "covariance_matrix": lambda tril: tril @ tril.mT, "precision_matrix": _inverse_product,
    "scale_tril": lambda tril: tril}


def half_log_det(tril: Tensor) -> Tensor:
    return tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def distance_of(tril: Tensor, difference: Tensor) -> Tensor:
    """difference' (L L')^-1 difference."""
    shape = np.broadcast_shapes(tuple(tril.shape[:-2]), tuple(difference.shape[:-1]))
    n = tril.shape[-1]
    solved = solve_triangular(tril.expand(*shape, n, n), difference.expand(*shape, n).unsqueeze(-1), upper=False)
    return (solved * solved).sum((-2, -1))


@register_kl(MultivariateNormal, MultivariateNormal)
def _(p: MultivariateNormal, q: MultivariateNormal) -> Tensor:
    if p.event_shape != q.event_shape:
        raise ValueError("KL-divergence between two Multivariate Normals with different event shapes cannot be "
                         "computed")
    n = p.event_shape[0]
    shape = np.broadcast_shapes(tuple(p.batch_shape), tuple(q.batch_shape))
    mixed = solve_triangular(q._tril.expand(*shape, n, n), p._tril.expand(*shape, n, n), upper=False)
    spread = sum_rightmost(mixed * mixed, 2) + distance_of(q._tril, q.loc - p.loc)
    return half_log_det(q._tril) - half_log_det(p._tril) + 0.5 * (spread - n)
