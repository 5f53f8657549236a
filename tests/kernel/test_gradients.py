"""The kernels of all gradients at once on the simulator: norms of pieces in any number, clipping, the loss scale."""

import numpy as np
import pytest

from gpunet.ops import gradients as ops

SHAPES = [(), (3,), (4096,), (9001,), (0,), (17, 5)]


def arrays(cuda, dtype="float32", most=1024):
    random = np.random.default_rng(0)
    host = [(random.standard_normal(shape) * most / 1024).astype(dtype) for shape in SHAPES]
    return host, [cuda(x) for x in host]


@pytest.mark.parametrize("order", ops.ORDERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_norm_and_clipping(cuda, order, dtype):
    host, device = arrays(cuda, dtype)
    expected = np.linalg.norm(np.concatenate([x.reshape(-1).astype("float64") for x in host]), order)
    norm = cuda.empty((), dtype)
    ops.total_norm.op.launch(cuda, norm, *device, order=order)
    np.testing.assert_allclose(norm.get(), expected, rtol=1e-5)
    ops.clip_all.op.launch(cuda, *device, norm, most=expected / 4, order=order)
    np.testing.assert_allclose(norm.get(), expected, rtol=1e-5)
    for x, y in zip(host, device, strict=True):
        np.testing.assert_allclose(y.get(), x / 4, rtol=1e-4)


def test_a_small_norm_is_left_and_nan_spreads(cuda):
    host, device = arrays(cuda)
    norm = cuda.empty((), "float32")
    ops.clip_all.op.launch(cuda, *device, norm, most=1e9, order=2.0)
    for x, y in zip(host, device, strict=True):
        np.testing.assert_array_equal(y.get(), x)
    device[1][0] = np.nan
    for order in ops.ORDERS:
        ops.total_norm.op.launch(cuda, norm, *device, order=order)
        assert np.isnan(norm.get())


@pytest.mark.parametrize("bad", [None, np.inf, -np.inf, np.nan])
def test_unscaling(cuda, bad):
    host, device = arrays(cuda)
    if bad is not None:
        device[3][8765] = bad
    found, scale = cuda.empty((), "float32"), cuda(np.array(8.0, "float32"))
    ops.unscale_all.op.launch(cuda, *device, found, scale)
    assert found.get() == (bad is not None)
    np.testing.assert_array_equal(device[2].get(), host[2] / 8)


@pytest.mark.parametrize("found, good, scale, expected", [(0, 0, 8, (8, 1)), (0, 2, 8, (16, 0)), (1, 2, 8, (4, 0)),
                                                          (0, 2, 3e38, (3e38, 0))])
def test_the_loss_scale_moves(cuda, found, good, scale, expected):
    for run in (lambda *a, **o: ops.move_loss_scale.op.launch(cuda, *a, **o),
                lambda *a, **o: ops.move_loss_scale.op.body(cuda.xp, *a, **o)):
        factor, steps = cuda(np.array(scale, "float32")), cuda(np.array(good, "int32"))
        run(factor, steps, cuda(np.array(found, "float32")), growth=2.0, backoff=0.5, interval=3)
        assert (factor.get(), steps.get()) == (np.float32(expected[0]), expected[1])
