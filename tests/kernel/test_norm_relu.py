"""Norms with what stands beside them: batch norm with a residual and ReLU, forward and backward; the sum before rows.
The bits of the separate kernels, in planes, in channels last and in rows; and the formula in float64."""

import numpy as np
import pytest
from test_norm import BFLOAT16, EPS, TOLERANCE, distance, numbers, reference
from test_norm_channels import empty_last, last

from gpunet.devices.joined import Epilogue
from gpunet.ops import norm_columns_launch as launches
from gpunet.ops import norm_relu as ops
from gpunet.ops import normalization
from gpunet.ops.activation import relu_grad_op, relu_op
from gpunet.ops.arithmetic import add_op

TYPES = [("float32", "float32"), ("float64", "float64"), ("float16", "float16"), (BFLOAT16, "float32")]
# Planes and channels of whole packs and of single elements; a range of rows and several; rows [N, C].
SHAPES = [(2, 5, 3, 3), (3, 8, 4, 6), (2, 72, 23, 23), (700, 24)]


def separately(cuda, empty, operation, *arrays):
    """The result of an element-wise op."""
    found = empty()
    cuda.run(operation.op, (found,), arrays, {})
    return found


@pytest.mark.parametrize("dtype, weights", TYPES, ids=lambda each: np.dtype(each).name)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
@pytest.mark.parametrize("in_last", [False, True])
def test_batch_norm(cuda, shape, dtype, weights, in_last):
    if in_last and len(shape) < 4:
        pytest.skip("images alone are in channels last")
    axes = (0, *range(2, len(shape)))
    of_channels = (1, shape[1], *[1] * len(axes[1:]))
    x, g, residual, onto = (numbers(shape, dtype, i, offset=0.5 * (i == 0)) for i in range(4))
    weight, bias = (numbers(of_channels, weights, i) for i in (4, 5))
    wide, options = "float64" if dtype == "float64" else "float32", dict(axes=axes, eps=EPS)
    place = last if in_last else lambda cuda, array: cuda(array)
    empty = (lambda: empty_last(cuda, shape, dtype)) if in_last else lambda: cuda.empty(shape, dtype)
    vectors = lambda dtype: cuda.empty(of_channels, dtype)  # noqa: E731
    scale, shift, images, gradient = cuda(weight), cuda(bias), place(cuda, x), place(cuda, g)
    plain = [empty(), vectors(wide), vectors(wide)]
    normalization.normalize.op.launch(cuda, *plain, images, scale, shift, **options, centred=True)
    mean, variance, exact = plain[1], plain[2], reference(x, g, weight, bias, axes, True)[0]
    for there, around in ((None, None), (place(cuda, residual), None), (place(cuda, residual), place(cuda, onto))):
        y = plain[0] if there is None else separately(cuda, empty, add_op, plain[0], there)
        y = separately(cuda, empty, relu_op, y)
        found = empty(), vectors(wide), vectors(wide)
        assert ops.normalize_relu.op.launch(cuda, *found, images, scale, shift, there, **options) is not NotImplemented
        for ours, theirs in zip(found, (y, mean, variance), strict=True):
            np.testing.assert_array_equal(ours.get(), theirs.get())
        values = np.maximum(exact + (0 if there is None else residual.astype(float)), 0)
        assert distance(y, values) < 2 * TOLERANCE[np.dtype(dtype).name]
        before = separately(cuda, empty, relu_grad_op, gradient, y)
        expected = [empty(), vectors(weights), vectors(weights)]
        normalization.normalize_grad.op.launch(cuda, *expected, before, images, mean, variance, scale, around,
                                               **options, centred=True)
        through = empty()
        found = empty(), vectors(weights), vectors(weights), through
        wanted = there is not None
        assert ops.normalize_relu_grad.op.launch(cuda, *found, gradient, y, images, mean, variance, scale, around,
                                                 **options, residual=wanted) is not NotImplemented
        for ours, theirs in zip(found[: 3 + wanted], [*expected, before], strict=False):
            np.testing.assert_array_equal(ours.get(), theirs.get())


@pytest.mark.parametrize("dtype, weights", TYPES, ids=lambda each: np.dtype(each).name)
@pytest.mark.parametrize("shape, weighted", [((9, 24), True), ((5, 33), False), ((700, 64), True), ((3, 2048), True)])
def test_rows(cuda, shape, dtype, weights, weighted):
    """The sum before layer norm, and the residual and ReLU after it, of products that nothing else rounds, too."""
    x, around, onto = (numbers(shape, dtype, i) for i in range(3))
    weight, bias = (cuda(numbers(shape[1:], weights, i)) if weighted else None for i in (3, 4))
    wide, options = "float64" if dtype == "float64" else "float32", dict(axes=(1,), eps=EPS, centred=True)
    empty, column = lambda: cuda.empty(shape, dtype), lambda: cuda.empty((shape[0], 1), wide)
    total = separately(cuda, empty, add_op, cuda(x), cuda(around))
    expected = empty(), column(), column()
    normalization.normalize.op.launch(cuda, *expected, total, weight, bias, **options)
    for kept in (None, empty()):
        found = empty(), column(), column()
        launches.after_sum(cuda, found, (cuda(x), weight, bias), options, cuda(around), kept)
        for ours, theirs in zip((*found, *([] if kept is None else [kept])), (*expected, total), strict=False):
            np.testing.assert_array_equal(ours.get(), theirs.get())
    expected[0].fill(7)
    launches.finished(cuda, expected[0], (total, weight, bias), options, Epilogue(onto=cuda(onto), activation="Relu"),
                      *expected[1:])
    after = separately(cuda, empty, relu_op, separately(cuda, empty, add_op, found[0], cuda(onto)))
    np.testing.assert_array_equal(expected[0].get(), after.get())
