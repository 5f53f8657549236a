"""Settings of matrix products and attention on NVIDIA GPUs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gpunet.backends.cuda import matmul
from gpunet.nn.attention_kinds import SDPBackend, allowed
from gpunet.nn.attention_kinds import sdpa_kernel as choose

__all__ = ["cudnn_sdp_enabled", "enable_cudnn_sdp",
           "enable_flash_sdp", "enable_math_sdp", "enable_mem_efficient_sdp", "flash_sdp_enabled", "is_built",
           "is_flash_attention_available", "math_sdp_enabled", "matmul", "mem_efficient_sdp_enabled", "sdp_kernel"]


def is_built() -> bool:
    """Whether gpunet has kernels for NVIDIA GPUs; `gpunet.cuda.is_available` says whether there is a GPU.

    Returns:
        True.

    Examples:
        >>> built = gpunet.backends.cuda.is_built()
    """
    return True


def flash_sdp_enabled() -> bool:
    """Whether flash attention is allowed. There is one implementation of attention, whatever is allowed.

    Examples:
        >>> gpunet.backends.cuda.flash_sdp_enabled()
        True
    """
    return allowed[SDPBackend.FLASH_ATTENTION]


def enable_flash_sdp(enabled: bool) -> None:
    """Sets whether flash attention is allowed: only the answer of `flash_sdp_enabled` changes.

    Args:
        enabled: the answer.

    Examples:
        >>> gpunet.backends.cuda.enable_flash_sdp(True)
    """
    allowed[SDPBackend.FLASH_ATTENTION] = bool(enabled)


def math_sdp_enabled() -> bool:
    """Whether attention by matrix products is allowed. There is one implementation of attention, whatever is allowed.

    Examples:
        >>> gpunet.backends.cuda.math_sdp_enabled()
        True
    """
    return allowed[SDPBackend.MATH]


def enable_math_sdp(enabled: bool) -> None:
    """Sets whether attention by matrix products is allowed: only the answer of `math_sdp_enabled` changes.

    Args:
        enabled: the answer.

    Examples:
        >>> gpunet.backends.cuda.enable_math_sdp(True)
    """
    allowed[SDPBackend.MATH] = bool(enabled)


def mem_efficient_sdp_enabled() -> bool:
    """Whether memory-efficient attention is allowed. There is one implementation of attention, whatever is allowed.

    Examples:
        >>> gpunet.backends.cuda.mem_efficient_sdp_enabled()
        True
    """
    return allowed[SDPBackend.EFFICIENT_ATTENTION]


def enable_mem_efficient_sdp(enabled: bool) -> None:
    """Sets whether memory-efficient attention is allowed: only the answer of `mem_efficient_sdp_enabled` changes.

    Args:
        enabled: the answer.

    Examples:
        >>> gpunet.backends.cuda.enable_mem_efficient_sdp(True)
    """
    allowed[SDPBackend.EFFICIENT_ATTENTION] = bool(enabled)


def cudnn_sdp_enabled() -> bool:
    """Whether cuDNN's attention is allowed. There is one implementation of attention, whatever is allowed.

    Examples:
        >>> gpunet.backends.cuda.cudnn_sdp_enabled()
        True
    """
    return allowed[SDPBackend.CUDNN_ATTENTION]


def enable_cudnn_sdp(enabled: bool) -> None:
    """Sets whether cuDNN's attention is allowed: only the answer of `cudnn_sdp_enabled` changes.

    Args:
        enabled: the answer.

    Examples:
        >>> gpunet.backends.cuda.enable_cudnn_sdp(True)
    """
    allowed[SDPBackend.CUDNN_ATTENTION] = bool(enabled)


def is_flash_attention_available() -> bool:
    """Whether the library flash-attention is there.

    Returns:
        False.

    Examples:
        >>> gpunet.backends.cuda.is_flash_attention_available()
        False
    """
    return False


@contextmanager
def sdp_kernel(enable_flash: bool = True, enable_math: bool = True, enable_mem_efficient: bool = True,
               enable_cudnn: bool = True) -> Iterator[None]:
    """Which kinds of attention are allowed inside a `with` block; the older form of `gpunet.nn.attention.sdpa_kernel`.

    Args:
        enable_flash: allow flash attention.
        enable_math: allow attention by matrix products.
        enable_mem_efficient: allow memory-efficient attention.
        enable_cudnn: allow cuDNN's attention.

    Examples:
        >>> with gpunet.backends.cuda.sdp_kernel(enable_flash=False):
        ...     gpunet.backends.cuda.flash_sdp_enabled()
        False
    """
    wanted = {SDPBackend.FLASH_ATTENTION: enable_flash, SDPBackend.MATH: enable_math,
              SDPBackend.EFFICIENT_ATTENTION: enable_mem_efficient, SDPBackend.CUDNN_ATTENTION: enable_cudnn}
    with choose([kind for kind, enabled in wanted.items() if enabled]):
        yield
