"""Which kinds of attention a program allows. gpunet has one, and uses it whatever is allowed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum

__all__ = ["SDPBackend", "sdpa_kernel"]


class SDPBackend(IntEnum):
    """PyTorch's kinds of scaled dot-product attention.

    Args:
        value: the kind's number.

    Examples:
        >>> from gpunet.nn.attention import SDPBackend
        >>> SDPBackend.FLASH_ATTENTION.name
        'FLASH_ATTENTION'
    """

    ERROR, MATH, FLASH_ATTENTION, EFFICIENT_ATTENTION, CUDNN_ATTENTION, OVERRIDEABLE = range(-1, 5)


allowed = dict.fromkeys((SDPBackend.MATH, SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION,
                         SDPBackend.CUDNN_ATTENTION), True)


@contextmanager
def sdpa_kernel(backends: SDPBackend | Sequence[SDPBackend], set_priority: bool = False) -> Iterator[None]:
    """Which kinds of attention are allowed inside a `with` block. The result is that of gpunet's kind, to rounding.

    Args:
        backends: a kind, or several.
        set_priority: accepted as in PyTorch.

    Raises:
        AssertionError: it is something else.

    Examples:
        >>> from gpunet.nn.attention import SDPBackend, sdpa_kernel
        >>> query = gpunet.ones(1, 2, 3)
        >>> with sdpa_kernel(SDPBackend.MATH):
        ...     F.scaled_dot_product_attention(query, query, query).shape
        gpunet.Size([1, 2, 3])
    """
    chosen = [backends] if isinstance(backends, SDPBackend) else list(backends)
    if not all(isinstance(each, SDPBackend) for each in chosen):
        raise AssertionError(f"Backend must be an instance of SDPBackend or a list of them, got {backends!r}")
    before = dict(allowed)
    allowed.update({kind: kind in chosen for kind in allowed})
    try:
        yield
    finally:
        allowed.update(before)
