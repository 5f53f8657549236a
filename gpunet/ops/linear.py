"""The linear layer: a matrix product with bias and ReLU fused in."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gpunet.dispatch import op
from gpunet.dtypes import HALF_TYPES, public
from gpunet.kernel import Kernel
from gpunet.native import Native
from gpunet.ops.activation import relu_op
from gpunet.ops.epilogue import BY_FUNCTION, NONE, RELU, served
from gpunet.ops.launching import (
    KERNEL_TYPES,
    THREADS,
    blocks_of,
    by_type,
    by_type_and_pack,
    in_a_piece,
    pack_of,
    spread,
)
from gpunet.ops.matmul import matmul, matmul_op, native_product, product_into, product_types
from gpunet.ops.matmul_launch import Product, operand, pair, product
from gpunet.ops.out import deliver
from gpunet.ops.rules import accumulator

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

_reduce_sum = Native("reduce.cpp", "reduce_sum")
_native_bias_relu_grad = Native("reduce.cpp", "bias_relu_grad")


def _layer(x, weight, bias):
    shape, wanted, dtype = x.shape, weight.shape, x.dtype
    if len(wanted) != 2 or not shape or shape[-1] != wanted[1]:
        raise RuntimeError(f"linear: an input of shape {shape} does not fit a weight of shape {wanted} "
                           "[out_features, in_features]: the input's last size must be in_features")
    if dtype != weight.dtype:
        raise RuntimeError(f"linear: input type {public(dtype)} and weight type {public(weight.dtype)} differ; "
                           "convert one with .to(dtype)")
    if bias is not None and (bias.shape != wanted[:1] or bias.dtype != dtype):
        raise RuntimeError(f"linear: expected a bias of shape {wanted[:1]} and type {public(dtype)}, got "
                           f"{bias.shape} and {public(bias.dtype)}")
    return (*shape[:-1], wanted[0]), dtype


@op(_layer, strided=True)
def linear_op(xp, out, x, weight, bias):
    """x W^T + b: on the GPU one kernel, the bias in its epilogue."""
    product_into(xp, out, x, weight.T, bias)


@op(_layer, strided=True)
def linear_relu(xp, out, x, weight, bias):
    """max(x W^T + b, 0): on the GPU one kernel, bias and ReLU in its epilogue."""
    linear_op.op.body(xp, out, x, weight, bias)
    xp.maximum(out, 0, out=out)


@linear_op.cpu(strided=True, types=product_types)
def _(out, x, weight, bias):
    if not out.flags.c_contiguous or bias is not None and not bias.flags.c_contiguous:
        return NotImplemented
    native_product(out, x, weight, bias, False, True, NONE)
    return None


@linear_relu.cpu(strided=True, types=product_types)
def _(out, x, weight, bias):
    if not out.flags.c_contiguous or bias is not None and not bias.flags.c_contiguous:
        return NotImplemented
    native_product(out, x, weight, bias, False, True, RELU)
    return None


def _as_rows(x):
    """A tensor of any number of leading dimensions as a matrix. (A -1 could not be resolved for rows of size 0.)"""
    shape = x._array.shape
    return x if len(shape) == 2 else x.reshape(math.prod(shape[:-1]), shape[-1])


def _layer_gradient(g, x, weight, bias_gradient, joint):
    """The gradients of the product; g, x may have any number of leading dimensions."""
    if joint is not None and joint.wanted[0] and joint.wanted[1] and x._array.size:
        rows, onto = _as_rows(x), joint.onto.pop(0, None)
        sums = joint.wanted[2] and callable(bias_gradient)
        dx, dw, db = linear_grad(_as_rows(g), rows, weight, None if onto is None else _as_rows(onto),
                                 joint.onto.pop(1, None), sums=sums)
        return dx if rows is x else dx.reshape(x._array.shape), dw, db if sums else bias_gradient
    return (lambda: matmul_op(g, weight) if g._array.ndim > 1 else matmul(g, weight),
            lambda: matmul_op(_as_rows(g), _as_rows(x), ta=True, tb=False),
            bias_gradient)


@linear_op.gradient(needs=("weight", "x", ""), joint=True)
def _(g, _, x, weight, *, joint=None):
    return _layer_gradient(g, x, weight, lambda: column_sum(_as_rows(g)), joint)


@linear_relu.gradient(joint=True)
def _(g, y, x, weight, bias, *, joint=None):
    dx, db = bias_relu_grad(_as_rows(g), _as_rows(y))
    return _layer_gradient(dx.reshape(y._array.shape), x, weight, db, joint)


def _layer_gradients(g, x, weight, *_, sums):
    return (x.shape, x.dtype), (weight.shape, x.dtype), ((weight.shape[:1] if sums else (0,)), x.dtype)


@op(_layer_gradients, outputs=3, differentiable=False, strided=True)
def linear_grad(xp, dx, dw, db, g, x, weight, onto_x, onto_w, *, sums):
    """The gradients of a layer by a matrix x, by the weight and, if `sums`, by the bias; the first two are added to
    what is given for them. On the GPU one kernel where they are small."""
    product_into(xp, dx, g, weight)
    product_into(xp, dw, g.T, x)
    for out, onto in ((dx, onto_x), (dw, onto_w)):
        if onto is not None:
            out += onto
    if sums:
        _sum_rows(xp, db, g)


@linear_op.composition(second=False)
def _plain(x, weight, bias):
    y = matmul(x, weight.t())
    return y if bias is None else y + bias


@linear_relu.composition
def _(x, weight, bias):
    return relu_op(_plain(x, weight, bias))


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None, *, out: Tensor | None = None) -> Tensor:
    """Linear layer: y = input weight^T + bias.

    Args:
        input: tensor [..., in_features].
        weight: matrix [out_features, in_features] of the input's type.
        bias: vector [out_features] of the input's type.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor [..., out_features].

    Raises:
        RuntimeError: the shapes do not fit each other, or the types differ.

    Example:
        >>> weight = gpunet.tensor([[1.0, 2.0], [0.0, 1.0], [1.0, 0.0]])
        >>> F.linear(gpunet.tensor([3.0, 4.0]), weight, gpunet.tensor([0.0, 0.0, 10.0]))
        tensor([11.,  4., 13.])
    """
    return deliver(linear_op(input, weight, bias), out, "linear", exact=True)


# ---- bias and ReLU -------------------------------------------------------------------------------------------------


def _biased(x, bias):
    if bias.ndim != 1 or x.ndim == 0 or x.shape[-1] != bias.shape[0] or x.dtype != bias.dtype:
        raise RuntimeError(f"bias_relu: a bias of shape {bias.shape} and type {public(bias.dtype)} does not fit an "
                           f"input of shape {x.shape} and type {public(x.dtype)}: it must have the input's last size "
                           "and type")
    return x.shape, x.dtype


@op(_biased)
def bias_relu(xp, out, x, bias):
    """max(x + bias, 0) with the bias along the last dimension: one pass over memory."""
    xp.add(x, bias, out)
    xp.maximum(out, 0, out=out)


@bias_relu.gradient
def _(g, y):
    dx, db = bias_relu_grad(_as_rows(g), _as_rows(y))
    return dx.reshape(y._array.shape), db


@bias_relu.composition
def _(x, bias):
    return relu_op(x + bias)


@op(lambda g, y: ((g.shape, g.dtype), (g.shape[-1:], g.dtype)), outputs=2, differentiable=False)
def bias_relu_grad(xp, dx, db, g, y):
    """The gradient through ReLU (0 where y <= 0, else g), and its column sums, in one pass and in a fixed order."""
    xp.copyto(dx, g)
    xp.copyto(dx, 0, where=y <= 0)
    _sum_rows(xp, db, dx)


@bias_relu_grad.cpu
def _(dx, db, g, y):
    _native_bias_relu_grad(dx, db, g, y, *g.shape)


def _sum_rows(xp, out, g):
    if out.dtype in HALF_TYPES:
        xp.copyto(out, xp.sum(g, axis=0, dtype="float32"), casting="unsafe")
    else:
        xp.sum(g, axis=0, out=out)


@op(lambda g: (g.shape[-1:], g.dtype))
def column_sum(xp, out, g):
    """The sum over the rows of a matrix: the gradient of a bias."""
    _sum_rows(xp, out, g)


@column_sum.cpu
def _(out, g):
    _reduce_sum(out, g, 1, *g.shape, 1.0)


@column_sum.gradient
def _(gg, _y, g_meta):
    return (gg.expand(g_meta.shape),)


# ---- launches: the layer ---------------------------------------------------------------------------------------------


def _layer_product(cuda, out, x, weight, bias, activation, onto=None, kept=None):
    if out.dtype not in KERNEL_TYPES or not served(out.dtype, activation):
        return NotImplemented
    if not out.size:
        return None
    features, depth = weight.shape
    if x.ndim != 2:
        x = cuda.xp.ascontiguousarray(x).reshape(out.size // features, depth)
    left, right = operand(cuda, x, False), operand(cuda, weight, True)
    product(cuda, Product(out, left, right, len(x), features, depth, bias=in_a_piece(cuda, bias), activation=activation,
                          onto=in_a_piece(cuda, onto), kept=kept))
    return None


@linear_grad.kernel
def _(cuda, dx, dw, db, g, x, weight, onto_x, onto_w, *, sums):
    if dx.dtype not in KERNEL_TYPES or not g.size or not x.size:
        return NotImplemented
    (rows, depth), features = x.shape, len(weight)
    left = Product(dx, operand(cuda, g, False), operand(cuda, weight, False), rows, depth, features,
                   onto=in_a_piece(cuda, onto_x))
    right = Product(dw, operand(cuda, g, True), operand(cuda, x, False), features, depth, rows,
                    onto=in_a_piece(cuda, onto_w))
    if pair(cuda, left, right, db if sums else None):
        return None
    product(cuda, left)
    product(cuda, right)
    if sums:
        sum_columns(cuda, _column_sum, db, (), (cuda.xp.ascontiguousarray(g),))
    return None


@linear_op.kernel
def _(cuda, out, x, weight, bias):
    return _layer_product(cuda, out, x, weight, bias, NONE)


@linear_op.finishes(keeps=True)
def _(cuda, out, arrays, attrs, ending):
    x, weight, bias = arrays
    return _layer_product(cuda, out, x, weight, bias, BY_FUNCTION[ending.activation], ending.onto, ending.kept)


@linear_relu.kernel
def _(cuda, out, x, weight, bias):
    return _layer_product(cuda, out, x, weight, bias, RELU)


# ---- launches: bias and ReLU ------------------------------------------------------------------------------------

_bias_relu = Kernel("bias_act.cu", "bias_relu", instances=by_type_and_pack)
_bias_relu_backward = Kernel("bias_act.cu", "bias_relu_backward", instances=by_type_and_pack)
_column_sum = Kernel("bias_act.cu", "column_sum", instances=by_type_and_pack)
_column_sum_finish = Kernel("bias_act.cu", "column_sum_finish", instances=by_type)


@bias_relu.kernel
def _(cuda, out, x, bias):
    pack = pack_of(x.dtype, x, out)
    launch = _bias_relu.on(cuda, x.dtype, accumulator(x.dtype), pack)
    launch(spread(cuda, blocks_of(x.size, pack)), THREADS, out, x, bias, x.size, bias.size)


def sum_columns(cuda, kernel, sums, outputs, inputs):
    """Column sums in one launch, or in two where the rows must be split to give enough blocks. The split follows from
    the shape alone, so that results do not depend on the device."""
    rows, columns = inputs[0].shape
    dtype, wide = sums.dtype, accumulator(sums.dtype)
    if not rows or not columns:
        sums.fill(0)
        return
    pack = pack_of(dtype, *outputs, *inputs) if columns % (16 // dtype.itemsize) == 0 else 1
    strips = blocks_of(columns, 32 * pack)
    ranges = max(1, min(blocks_of(rows, 64), 512 // strips))
    each = blocks_of(rows, ranges)
    ranges = blocks_of(rows, each)
    direct = ranges == 1 and dtype == wide
    partial = sums if direct else cuda.empty((ranges, columns), wide)
    kernel.on(cuda, dtype, wide, pack)((strips, ranges), THREADS, *outputs, partial, *inputs, rows, columns, each)
    if not direct:
        add_ranges(cuda, sums, partial)


def add_ranges(cuda, sums, partial):
    """sums[...] = partial[0] + partial[1] + ..., in this order."""
    launch = _column_sum_finish.on(cuda, sums.dtype, partial.dtype)
    launch(blocks_of(sums.size, THREADS), THREADS, sums, partial, len(partial), sums.size)


@bias_relu_grad.kernel
def _(cuda, dx, db, g, y):
    sum_columns(cuda, _bias_relu_backward, db, (dx,), (g, y))


@column_sum.kernel
def _(cuda, out, g):
    sum_columns(cuda, _column_sum, out, (), (g,))
