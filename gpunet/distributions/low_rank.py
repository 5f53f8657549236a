"""LowRankMultivariateNormal: normal vectors whose covariance is of low rank, but for a diagonal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gpunet.distributions import constraints
from gpunet.distributions.distribution import Distribution
from gpunet.distributions.kl import register_kl
from gpunet.distributions.multivariate_normal import MultivariateNormal, distance_of, half_log_det
from gpunet.ops.creation import eye
from gpunet.ops.decompose import cholesky
from gpunet.ops.diagonal import diag_embed
from gpunet.ops.join import cat
from gpunet.ops.linalg import solve_triangular
from gpunet.ops.random import randn
from gpunet.tensor import Tensor


class LowRankMultivariateNormal(Distribution):
    """The normal distribution of vectors of n numbers whose covariance matrix is C = W W' + D, with W of few columns
    and a diagonal D.

    log_prob and entropy are those of `MultivariateNormal`, by Woodbury's identity and the determinant lemma: only a
    matrix as small as W' W is factored.

    Source: Petersen and Pedersen, "The Matrix Cookbook", 2012, section 3.2.

    Args:
        loc: mean [..., n].
        cov_factor: W [..., n, m].
        cov_diag: the diagonal of D, positive [..., n].
        validate_args: whether parameters and values are checked; None: the default, see `Distribution`.

    Raises:
        ValueError: the shapes do not fit each other, or a parameter is not allowed.

    Examples:
        >>> normal = distributions.LowRankMultivariateNormal(gpunet.zeros(2), gpunet.ones(2, 1), gpunet.ones(2))
        >>> normal.log_prob(gpunet.zeros(2))
        tensor(-2.3872)
    """

    arg_constraints = {"loc": constraints.real_vector, "cov_factor": constraints.independent(constraints.real, 2),
                       "cov_diag": constraints.independent(constraints.positive, 1)}
    support = constraints.real_vector
    has_rsample = True
    loc: Tensor
    cov_factor: Tensor
    cov_diag: Tensor

    def __init__(self, loc: Tensor, cov_factor: Tensor, cov_diag: Tensor, validate_args: bool | None = None) -> None:
        if loc.ndim < 1:
            raise ValueError("loc must be at least one-dimensional.")
        if cov_factor.ndim < 2:
            raise ValueError("cov_factor must be at least two-dimensional, with optional leading batch dimensions")
        n = loc.shape[-1]
        if cov_factor.shape[-2] != n:
            raise ValueError(f"cov_factor must be a batch of matrices with shape {n} x m")
        if tuple(cov_diag.shape[-1:]) != (n,):
            raise ValueError(f"cov_diag must be a batch of vectors with shape {loc.shape[-1:]}")
        try:
            batch = np.broadcast_shapes(tuple(loc.shape[:-1]), tuple(cov_factor.shape[:-2]), tuple(cov_diag.shape[:-1]))
        except ValueError as error:
            raise ValueError(f"Incompatible batch shapes: loc {loc.shape}, cov_factor {cov_factor.shape}, cov_diag "
                             f"{cov_diag.shape}") from error
        self.loc, self.cov_diag = loc.expand(*batch, n), cov_diag.expand(*batch, n)
        self.cov_factor = cov_factor.expand(*batch, n, cov_factor.shape[-1])
        self._w, self._d = cov_factor, cov_diag
        weighted = cov_factor.mT / cov_diag.unsqueeze(-2)
        inner = weighted @ cov_factor
        self._tril = cholesky(inner + eye(inner.shape[-1], dtype=inner.dtype, device=inner.device))
        super().__init__(batch, (n,), validate_args)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return ((self._w**2).sum(-1) + self._d).expand(*self._batch_shape, *self._event_shape)

    def _matrix(self, matrix: Tensor) -> Tensor:
        return matrix.expand(*self._batch_shape, *self._event_shape, *self._event_shape)

    @property
    def covariance_matrix(self) -> Tensor:
        """C."""
        return self._matrix(self._w @ self._w.mT + diag_embed(self._d))

    @property
    def precision_matrix(self) -> Tensor:
        """The inverse of C."""
        half = self._whitened()
        return self._matrix(diag_embed(self._d.reciprocal()) - half.mT @ half)

    @property
    def scale_tril(self) -> Tensor:
        """The lower triangular L with L L' = C."""
        return self._matrix(cholesky(self._w @ self._w.mT + diag_embed(self._d)))

    def _whitened(self) -> Tensor:
        """L^-1 W' D^-1, with L L' = I + W' D^-1 W."""
        return solve_triangular(self._tril, self._w.mT / self._d.unsqueeze(-2), upper=False)

    def _log_det(self) -> Tensor:
        return 2 * half_log_det(self._tril) + self._d.log().sum(-1)

    def _distance(self, difference: Tensor) -> Tensor:
        """difference' C^-1 difference."""
        inner = ((self._w.mT / self._d.unsqueeze(-2)) @ difference.unsqueeze(-1)).squeeze(-1)
        return (difference**2 / self._d).sum(-1) - distance_of(self._tril, inner)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        options: Any = {"dtype": self.loc.dtype, "device": self.loc.device}
        low, own = randn((*shape[:-1], self.cov_factor.shape[-1]), **options), randn(shape, **options)
        return self.loc + (self._w @ low.unsqueeze(-1)).squeeze(-1) + self._d.sqrt() * own

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        n = self._event_shape[0]
        return -0.5 * (n * math.log(2 * math.pi) + self._log_det() + self._distance(value - self.loc))

    def entropy(self) -> Tensor:
        n = self._event_shape[0]
        return (0.5 * (n * (1 + math.log(2 * math.pi)) + self._log_det())).expand(*self._batch_shape)


Normals = MultivariateNormal | LowRankMultivariateNormal


def _parts(p: Any) -> tuple[Tensor, Tensor]:
    """log(det(C)), and a matrix S [..., n, k] with S S' = C."""
    if isinstance(p, MultivariateNormal):
        return 2 * half_log_det(p._tril), p._tril
    return p._log_det(), cat([p.cov_factor, diag_embed(p.cov_diag.sqrt())], -1)


@register_kl(LowRankMultivariateNormal, LowRankMultivariateNormal)
@register_kl(MultivariateNormal, LowRankMultivariateNormal)
@register_kl(LowRankMultivariateNormal, MultivariateNormal)
def _(p: Normals, q: Normals) -> Tensor:
    """(log(det(Q) / det(P)) + trace(Q^-1 P) + (m - l)' Q^-1 (m - l) - n) / 2."""
    if p.event_shape != q.event_shape:
        raise ValueError("KL-divergence between two (Low Rank) Multivariate Normals with different event shapes cannot "
                         "be computed")
    log_det, columns = _parts(p)
    shape = np.broadcast_shapes(tuple(p.batch_shape), tuple(q.batch_shape))
    columns = columns.expand(*shape, *columns.shape[-2:])
    difference = q.loc - p.loc
    if isinstance(q, MultivariateNormal):
        n = q.event_shape[0]
        solved = solve_triangular(q._tril.expand(*shape, n, n), columns, upper=False)
        trace, distance = (solved**2).sum((-2, -1)), distance_of(q._tril, difference)
    else:
        trace = (columns**2 / q._d.unsqueeze(-1)).sum((-2, -1)) - ((q._whitened() @ columns) ** 2).sum((-2, -1))
        distance = q._distance(difference)
    return 0.5 * (_parts(q)[0] - log_det + trace + distance - p.event_shape[0])
