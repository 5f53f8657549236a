"""Products of which blocks share k: into how many parts, and the launch of kernels/matmul.cu that adds up what these
give, each result from the first part to the last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gpunet.dtypes import FLOAT32_NP, HALF_TYPES
from gpunet.kernel import Kernel
from gpunet.ops.epilogue import OPTIONS
from gpunet.ops.launching import THREADS, blocks_of

if TYPE_CHECKING:
    from gpunet.ops.matmul_launch import Product

_BLOCKS = 256  # that should share a product
_LEAST_SPLITS = 4

_matmul_join = Kernel("matmul.cu", "matmul_join", OPTIONS, instances=lambda: ((d,) for d in (FLOAT32_NP, *HALF_TYPES)))


def splits_of(m: int, n: int, k: int, batch: int, least: int) -> int:
    """How many blocks share the sums of a tile of 64 x 64; 1 where it does not pay."""
    blocks = blocks_of(m, 64) * blocks_of(n, 64) * batch
    splits = min(_BLOCKS // max(1, blocks), k // least)
    return splits if splits >= _LEAST_SPLITS else 1


def room_for(cuda: Any, x: Product, parts: int) -> Any:
    """Where the parts' sums go; None where there is one part."""
    return cuda.empty((parts, x.batch, x.m, x.n), FLOAT32_NP) if parts > 1 else None


def join(cuda: Any, x: Product, partial: Any) -> None:
    """The result from the parts' sums, with its epilogue; nothing where `partial` is None."""
    if partial is not None:
        launch = _matmul_join.on(cuda, x.out.dtype)
        launch(blocks_of(x.out.size, THREADS), THREADS, x.out, partial, x.bias, x.onto, x.kept, x.activation, x.n,
               len(partial), x.out.size)
