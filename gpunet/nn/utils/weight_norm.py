"""Weights that are computed from other parameters before each call of a layer."""

from __future__ import annotations

from typing import Any, TypeVar

from gpunet.engine.modes import no_grad
from gpunet.nn import init
from gpunet.nn.conv import ConvTranspose1d, ConvTranspose2d
from gpunet.nn.module import Module
from gpunet.nn.parameter import Parameter
from gpunet.ops import creation
from gpunet.ops.distance import normalize
from gpunet.ops.matmul import matmul
from gpunet.tensor import Tensor

M = TypeVar("M", bound=Module)


class _Recomputed:
    """A forward pre-hook that sets a layer's weight; `compute(module)` gives it."""

    suffixes: tuple[str, ...]

    def __init__(self, name: str) -> None:
        self.name = name

    def compute(self, module: Module) -> Tensor:
        """The weight, from the parameters that stand for it."""
        raise NotImplementedError

    def attach(self, module: M) -> M:
        for hook in (module._forward_pre_hooks).values():
            if isinstance(hook, type(self)) and hook.name == self.name:
                raise RuntimeError(f"Cannot register two {type(self).__name__} hooks on the same parameter {self.name}")
        self.handle = module.register_forward_pre_hook(self)
        return module

    @classmethod
    def detach(cls, module: M, name: str) -> M:
        """Makes the weight a plain parameter again."""
        for hook in list((module._forward_pre_hooks).values()):
            if isinstance(hook, cls) and hook.name == name:
                with no_grad():
                    weight = hook.compute(module).detach().clone()
                hook.handle.remove()
                delattr(module, name)
                for suffix in hook.suffixes:
                    delattr(module, name + suffix)
                module.register_parameter(name, Parameter(weight))
                return module
        raise ValueError(f"{cls.__name__} of '{name}' not found in {module}")

    def __call__(self, module: Module, args: Any) -> None:
        setattr(module, self.name, self.compute(module))


def norm_except(v: Tensor, dim: int | None) -> Tensor:
    """The norms of the slices along a dimension, ready to broadcast; of the whole tensor for None."""
    dims = tuple(i for i in range(v.ndim) if i != dim)
    squares = (v * v).sum(dims, keepdim=dim is not None) if dims else v * v
    return squares.sqrt()


class WeightNorm(_Recomputed):
    """The hook of `weight_norm`."""

    suffixes = "_g", "_v"

    def __init__(self, name: str, dim: int | None) -> None:
        super().__init__(name)
        self.dim = dim

    def compute(self, module: Module) -> Tensor:
        g, v = getattr(module, self.name + "_g"), getattr(module, self.name + "_v")
        return v * (g / norm_except(v, self.dim))


def weight_norm(module: M, name: str = "weight", dim: int | None = 0) -> M:
    """Splits a parameter into length and direction: `weight = g * v / |v|`, computed before each call of the layer.

    The layer then has parameters `weight_g` and `weight_v` in place of `weight`.

    Source: Salimans and Kingma, "Weight Normalization", 2016.

    Args:
        module: the layer, which is changed.
        name: the parameter's name.
        dim: the dimension whose slices have a length each; None for one length of the whole tensor.

    Returns:
        The layer.

    Raises:
        RuntimeError: the parameter has a weight norm already.

    Examples:
        >>> layer = nn.utils.weight_norm(nn.Linear(3, 2))
        >>> sorted(name for name, _ in layer.named_parameters())
        ['bias', 'weight_g', 'weight_v']
    """
    weight = getattr(module, name)
    dim = dim + weight.ndim if dim is not None and dim < 0 else dim
    hook = WeightNorm(name, None if dim == -1 else dim)
    hook.attach(module)
    del module._parameters[name]
    module.register_parameter(name + "_g", Parameter(norm_except(weight.detach(), hook.dim)))
    module.register_parameter(name + "_v", Parameter(weight.detach()))
    hook(module, ())
    return module


def remove_weight_norm(module: M, name: str = "weight") -> M:
    """Makes a parameter that `weight_norm` has split a plain one again.

    Args:
        module: the layer, which is changed.
        name: the parameter's name.

    Returns:
        The layer.

    Raises:
        ValueError: the parameter has no weight norm.

    Examples:
        >>> layer = nn.utils.remove_weight_norm(nn.utils.weight_norm(nn.Linear(3, 2)))
        >>> sorted(name for name, _ in layer.named_parameters())
        ['bias', 'weight']
    """
    return WeightNorm.detach(module, name)


class SpectralNorm(_Recomputed):
    """The hook of `spectral_norm`."""

    suffixes = "_u", "_v", "_orig"

    def __init__(self, name: str, iterations: int, dim: int, eps: float) -> None:
        super().__init__(name)
        if iterations <= 0:
            raise ValueError(f"Expected n_power_iterations to be positive, but got n_power_iterations={iterations}")
        self.iterations, self.dim, self.eps = iterations, dim, eps

    def matrix(self, weight: Tensor) -> Tensor:
        rows = weight.movedim(self.dim, 0)
        return rows.reshape(rows.shape[0], -1)

    def compute(self, module: Module, iterations: int = 0) -> Tensor:
        weight, u, v = (getattr(module, self.name + end) for end in ("_orig", "_u", "_v"))
        matrix = self.matrix(weight)
        with no_grad():
            for _ in range(iterations):
                v.copy_(normalize(matmul(matrix.t(), u), dim=0, eps=self.eps))
                u.copy_(normalize(matmul(matrix, v), dim=0, eps=self.eps))
            u, v = u.clone(), v.clone()  # the next call changes them, and the gradient needs these
        return weight / matmul(u, matmul(matrix, v))

    def __call__(self, module: Module, args: Any) -> None:
        setattr(module, self.name, self.compute(module, self.iterations if module.training else 0))


def spectral_norm(module: M, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12,
                  dim: int | None = None) -> M:
    """Divides a parameter by its largest singular value, computed before each call of the layer: `weight / (u^T W v)`,
    where u and v come from power iteration, of which each call in training mode takes some steps.

    The layer then has the parameter `weight_orig` and the buffers `weight_u` and `weight_v`.

    Source: Miyato et al., "Spectral Normalization for Generative Adversarial Networks", 2018.

    Args:
        module: the layer, which is changed.
        name: the parameter's name.
        n_power_iterations: steps of power iteration in each call.
        eps: the least norm of u and v, which avoids a division by 0.
        dim: the dimension that gives the matrix's rows; None for 1 in transposed convolutions, else 0.

    Returns:
        The layer.

    Raises:
        RuntimeError: the parameter has a spectral norm already.
        ValueError: n_power_iterations is not positive.

    Examples:
        >>> layer = nn.utils.spectral_norm(nn.Linear(3, 2))
        >>> sorted(layer.state_dict())
        ['bias', 'weight_orig', 'weight_u', 'weight_v']
    """
    dim = int(isinstance(module, (ConvTranspose1d, ConvTranspose2d))) if dim is None else dim
    hook = SpectralNorm(name, n_power_iterations, dim, eps)
    hook.attach(module)
    weight = module._parameters[name]
    del module._parameters[name]
    module.register_parameter(name + "_orig", weight)
    object.__setattr__(module, name, weight.detach())
    with no_grad():
        for end, size in zip(("_u", "_v"), hook.matrix(weight).shape, strict=True):
            start = init.normal_(creation.empty(size, dtype=weight.dtype, device=weight.device))
            module.register_buffer(name + end, normalize(start, dim=0, eps=eps))
    return module


def remove_spectral_norm(module: M, name: str = "weight") -> M:
    """Makes a parameter under `spectral_norm` a plain one again.

    Args:
        module: the layer, which is changed.
        name: the parameter's name.

    Returns:
        The layer.

    Raises:
        ValueError: the parameter has no spectral norm.

    Examples:
        >>> layer = nn.utils.remove_spectral_norm(nn.utils.spectral_norm(nn.Linear(3, 2)))
        >>> sorted(layer.state_dict())
        ['bias', 'weight']
    """
    return SpectralNorm.detach(module, name)
