"""Ready parametrizations: weight norm, spectral norm, orthogonal matrices."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from gpunet.dispatch import host_read
from gpunet.engine.modes import no_grad
from gpunet.nn import init
from gpunet.nn.functional import normalize
from gpunet.nn.module import Module
from gpunet.nn.utils.parametrize import register_parametrization
from gpunet.nn.utils.weight_norm import norm_except
from gpunet.ops import creation
from gpunet.ops.diagonal import tril
from gpunet.ops.inverse import solve
from gpunet.ops.join import cat
from gpunet.ops.matmul import matmul
from gpunet.tensor import Tensor

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]

M = TypeVar("M", bound=Module)


class _WeightNorm(Module):
    """The weight as length and direction."""

    def __init__(self, dim: int | None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return weight_v * (weight_g / norm_except(weight_v, self.dim))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return norm_except(weight, self.dim), weight.clone()


def weight_norm(module: M, name: str = "weight", dim: int | None = 0) -> M:
    """Splits a parameter into length and direction: `weight = g * v / |v|`.

    g is `module.parametrizations.weight.original0`, v is `original1`. The state dictionary of the older
    `nn.utils.weight_norm`, with `weight_g` and `weight_v`, can be loaded.

    Source: Salimans and Kingma, "Weight Normalization", 2016.

    Args:
        module: the layer, which is changed.
        name: the parameter's name.
        dim: the dimension whose slices have a length each; None for one length of the whole tensor.

    Returns:
        The layer.

    Examples:
        >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))
        >>> sorted(layer.state_dict())
        ['bias', 'parametrizations.weight.original0', 'parametrizations.weight.original1']
    """
    weight = getattr(module, name)
    dim = dim + weight.ndim if dim is not None and dim < -1 else None if dim == -1 else dim
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def from_older(state_dict: dict[str, Any], prefix: str, *_: Any) -> None:
        for old, new in ((f"{prefix}{name}_g", "original0"), (f"{prefix}{name}_v", "original1")):
            if old in state_dict:
                state_dict[f"{prefix}parametrizations.{name}.{new}"] = state_dict.pop(old)

    module._register_load_state_dict_pre_hook(from_older)
    return module


class _SpectralNorm(Module):
    """The weight divided by its largest singular value, by power iteration."""

    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        if not -weight.ndim <= dim < weight.ndim:
            raise IndexError(f"spectral_norm: the weight of {weight.ndim} dimensions has no dimension {dim}")
        if n_power_iterations <= 0:
            raise ValueError("Expected n_power_iterations to be positive, but got "
                             f"n_power_iterations={n_power_iterations}")
        self.dim, self.eps = dim % weight.ndim, eps
        if weight.ndim > 1:
            self.n_power_iterations = n_power_iterations
            matrix = self._matrix(weight.detach())
            for name, size in zip(("_u", "_v"), matrix.shape, strict=True):
                start = init.normal_(creation.empty(size, dtype=weight.dtype, device=weight.device))
                self.register_buffer(name, normalize(start, dim=0, eps=eps))
            self._iterate(matrix, 15)

    def _matrix(self, weight: Tensor) -> Tensor:
        rows = weight.movedim(self.dim, 0)
        return rows.reshape(rows.shape[0], -1)

    def _iterate(self, matrix: Tensor, steps: int) -> None:
        with no_grad():
            for _ in range(steps):
                self._u.copy_(normalize(matmul(matrix, self._v), dim=0, eps=self.eps))
                self._v.copy_(normalize(matmul(matrix.t(), self._u), dim=0, eps=self.eps))

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return normalize(weight, dim=0, eps=self.eps)
        matrix = self._matrix(weight)
        if self.training:
            self._iterate(matrix.detach(), self.n_power_iterations)
        u, v = self._u.clone(), self._v.clone()  # the next call changes them, and the gradient needs these
        return weight / matmul(u, matmul(matrix, v))

    def right_inverse(self, value: Tensor) -> Tensor:
        return value  # it is taken as it is, though its largest singular value may not be 1


def spectral_norm(module: M, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12,
                  dim: int | None = None) -> M:
    """Divides a parameter by its largest singular value, `weight / (u^T W v)`, where u and v come from power iteration,
    of which each reading in training mode takes some steps.

    Source: Miyato et al., "Spectral Normalization for Generative Adversarial Networks", 2018.

    Args:
        module: the layer, which is changed.
        name: the parameter's name.
        n_power_iterations: steps of power iteration in each reading.
        eps: the least norm of u and v, which avoids a division by 0.
        dim: the dimension that gives the matrix's rows; None for 1 in transposed convolutions, else 0.

    Returns:
        The layer.

    Raises:
        ValueError: the module has no such parameter, or n_power_iterations is not positive.

    Examples:
        >>> layer = nn.utils.parametrizations.spectral_norm(nn.Linear(3, 2), n_power_iterations=30)
        >>> round(gpunet.linalg.svdvals(layer.weight).max().item(), 3)
        1.0
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    dim = int(getattr(module, "transposed", False)) if dim is None else dim
    return register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))


# ---- orthogonal ----------------------------------------------------------------------------------------------------


def _matrix_exp(a: Tensor) -> Tensor:
    """The exponential of a matrix: Taylor's sum of a / 2^s, squared s times."""
    size = float(host_read(a.detach().abs().sum(-1).max(), "orthogonal"))
    squarings = max(0, int(np.ceil(np.log2(size))) + 2) if size > 0 else 0
    small = a / 2.0**squarings
    total = term = creation.eye(a.shape[-1], dtype=a.dtype, device=a.device) + small * 0
    for k in range(1, 19):  # the norm is 1/4 at most: (1/4)^19 / 19! is far below float64's precision
        term = matmul(term, small) / k
        total = total + term
    for _ in range(squarings):
        total = matmul(total, total)
    return total


def _reflected(v: Tensor, tau: Tensor) -> Tensor:
    """The first columns of the product of the reflections 1 - tau_i v_i v_i^T, v having 1 on its diagonal."""
    n, k = v.shape[-2:]
    eye = creation.eye(n, k, dtype=v.dtype, device=v.device)
    v = tril(v, -1) + eye
    q = eye + v * 0
    for i in reversed(range(k)):
        column = v[..., i : i + 1]
        q = q - tau[..., i : i + 1].unsqueeze(-1) * matmul(column, matmul(column.mT, q))
    return q


def _factored(a: Tensor) -> tuple[Tensor, Tensor]:
    """LAPACK's geqrf: R above the diagonal, the reflections below, and their factors."""
    values = host_read(a, "orthogonal")
    matrices = values.reshape(-1, *values.shape[-2:])
    found = [np.linalg.qr(each.astype(np.float64), mode="raw") for each in matrices]
    packed = np.stack([h.T for h, _ in found]).reshape(values.shape)
    tau = np.stack([t for _, t in found]).reshape(*values.shape[:-2], -1)
    return a.new_tensor(packed, dtype=a.dtype), a.new_tensor(tau, dtype=a.dtype)


class _Orthogonal(Module):
    """A matrix with orthonormal columns (or rows, if it is wide), from a matrix without a constraint."""

    base: Tensor | None

    def __init__(self, weight: Tensor, orthogonal_map: str, use_trivialization: bool) -> None:
        super().__init__()
        self.shape, self.orthogonal_map, self.trivialized = weight.shape, orthogonal_map, use_trivialization
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, x: Tensor) -> Tensor:
        wide = x.shape[-2] < x.shape[-1]
        x = x.mT if wide else x
        n, k = x.shape[-2:]
        if self.orthogonal_map == "householder":
            below = tril(x, -1)
            q = _reflected(below, 2.0 / (1.0 + (below * below).sum(-2)))
            q = q * x.detach().diagonal(dim1=-2, dim2=-1).trunc().unsqueeze(-2)  # 1 or -1
        else:
            x = tril(x)
            if n != k:
                x = cat([x, x.new_zeros((*x.shape[:-1], n - k))], -1)
            skew = x - x.mT
            if self.orthogonal_map == "matrix_exp":
                q = _matrix_exp(skew)
            else:
                eye = creation.eye(n, dtype=x.dtype, device=x.device)
                q = solve(eye - skew * 0.5, eye + skew * 0.5)
            q = q[..., :k]
        if self.trivialized and self.base is not None:
            q = matmul(self.base, q)
        return q.mT if wide else q

    def right_inverse(self, value: Tensor) -> Tensor:
        if value.shape != self.shape:
            raise ValueError(f"orthogonal: expected a value of shape {tuple(self.shape)}, got {tuple(value.shape)}")
        wide = value.shape[-2] < value.shape[-1]
        q = value.mT if wide else value
        n, k = q.shape[-2:]
        if not self.trivialized:
            if self.orthogonal_map != "householder":
                raise NotImplementedError(f"orthogonal: {self.orthogonal_map} cannot be inverted without "
                                          "trivialization; use orthogonal_map='householder' or use_trivialization=True")
            packed, tau = _factored(q)
            # Where tau is 0 the reflection is the identity, whose sign in R the diagonal keeps.
            sign = packed.diagonal(dim1=-2, dim2=-1).sign() * (1 - 2.0 * (tau == 0).to(q.dtype))
            diagonal = sign - packed.diagonal(dim1=-2, dim2=-1)
            start = packed + creation.eye(n, k, dtype=q.dtype, device=q.device) * diagonal.unsqueeze(-2)
            return start.mT if wide else start
        if n == k:
            off = matmul(q.mT, q) - creation.eye(k, dtype=q.dtype, device=q.device)
            base = q.clone() if float(off.abs().max()) < 10 * k * _precision(q) else _nearest(q)
        else:
            noise = init.normal_(creation.empty((*q.shape[:-2], n, n - k), dtype=q.dtype, device=q.device))
            base = _nearest(cat([q, noise], -1))
        self.base = base
        # Reflections 1 - 2 e_i e_i^T, whose signs those of the diagonal undo; of the other maps it is the identity too.
        start = q * 0 - creation.eye(n, k, dtype=q.dtype, device=q.device)
        return start.mT if wide else start


def _precision(x: Tensor) -> float:
    return 2.0**-52 if x.dtype.itemsize == 8 else 2.0**-23


def _nearest(x: Tensor) -> Tensor:
    """The factor Q of x = Q R, with a positive diagonal of R."""
    packed, tau = _factored(x)
    return _reflected(packed, tau) * packed.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2)


def orthogonal(module: M, name: str = "weight", orthogonal_map: str | None = None, *,
               use_trivialization: bool = True) -> M:
    """Keeps a parameter orthogonal: its columns (its rows, if it is wide) stay orthonormal whatever an optimizer does.

    Source: Lezcano-Casado, "Trivializations for Gradient-Based Optimization on Manifolds", 2019.

    Args:
        module: the layer, which is changed.
        name: the name of a parameter of at least 2 dimensions; of more, its matrices are made orthogonal.
        orthogonal_map: how the matrix is computed: "matrix_exp", "cayley" or "householder". None: "matrix_exp" if the
            matrix is square, else "householder".
        use_trivialization: whether the matrix is a product with a fixed orthogonal one, from which it starts.

    Returns:
        The layer.

    Raises:
        ValueError: the module has no such parameter, it has less than 2 dimensions, or the map is unknown.

    Examples:
        >>> layer = nn.utils.parametrizations.orthogonal(nn.Linear(4, 2))
        >>> gpunet.allclose(layer.weight @ layer.weight.T, gpunet.eye(2), atol=1e-5)
        True
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    if weight.ndim < 2:
        raise ValueError(f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} dimensions.")
    if orthogonal_map is None:
        orthogonal_map = "matrix_exp" if weight.shape[-2] == weight.shape[-1] else "householder"
    if orthogonal_map not in ("matrix_exp", "cayley", "householder"):
        raise ValueError("orthogonal_map has to be one of \"matrix_exp\", \"cayley\", \"householder\". Got: "
                         f"{orthogonal_map}")
    return register_parametrization(module, name, _Orthogonal(weight, orthogonal_map, use_trivialization), unsafe=True)
