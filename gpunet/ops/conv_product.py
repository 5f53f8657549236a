"""Convolutions of 1 x 1, and their gradients by the input, as matrix products: on the devices cuda and sim.

With one tap and steps of 1 an image's result is the weight, [features, channels], times the image, [channels, area]:
nothing is gathered, and both operands are read where they lie. `serves` says where that is taken:

- Where a product's tiles are filled. A convolution's tiles run over the positions of all images, a product's over those
  of one, so that areas below a tile's width are left to conv.cu.
- On tensor cores, where the rows of both are whole chunks of 16 bytes. Of a large tile 32 deep a product then takes 512
  cycles of an A100's tensor cores, of which conv_tensor.cu needs 768 for its gathering; on GPUs of compute capability
  9.0 the product is wgmma's. In float32 conv.cu's loop has 0.55 of products, matmul.cu's at least 0.84.
- Where neither a bias nor a batch norm comes after it: a product's belong to columns, a convolution's to rows.
"""

from __future__ import annotations

from math import prod
from typing import Any

from gpunet.dtypes import FLOAT32_NP
from gpunet.ops.epilogue import NONE
from gpunet.ops.launching import aligned, blocks_of
from gpunet.ops.matmul_launch import Product, has_tensor_cores, operand, product
from gpunet.ops.windows import Windows

_TILE, _FILLED = 64, 0.75  # width of a small tile, and the least part of tiles' columns that has positions


def serves(cuda: Any, source: Any, w: Any, at: Windows, groups: int) -> bool:
    """Whether a convolution of `source`, or its gradient by the input, is such a product."""
    if groups != 1 or at.area != 1 or at.out != at.size or at.is_padded or any([step != 1 for step in at.stride]):
        return False
    dtype, area = source.dtype, prod(at.size)
    if area < _FILLED * _TILE * blocks_of(area, _TILE):
        return False
    if has_tensor_cores(cuda, dtype):
        each = 16 // dtype.itemsize
        return not (area % each or w.shape[0] % each or w.shape[1] % each) and aligned(source, w)
    return dtype == FLOAT32_NP and not cuda.tf32x3


def forward(cuda: Any, out: Any, x: Any, w: Any, onto: Any, activation: int) -> None:
    """out = activation(the weight times each image + onto)."""
    _product(cuda, out, x, w, False, onto, activation)


def by_input(cuda: Any, out: Any, g: Any, w: Any) -> None:
    """The weight, turned, times each image's gradient."""
    _product(cuda, out, g, w, True)


def _product(cuda: Any, out: Any, source: Any, w: Any, turned: bool, onto: Any = None, activation: int = NONE
             ) -> None:
    images, planes, area = len(source), source.shape[1], prod(source.shape[2:])
    left = operand(cuda, w.reshape(w.shape[:2]), turned)
    right = operand(cuda, source.reshape(images, planes, area), False, (images,))
    product(cuda, Product(out, left, right, out.shape[1], area, planes, images, images, onto=onto,
                          activation=activation))
