"""The softmax cross-entropy kernels on the simulator against NumPy in float64."""

import ml_dtypes
import numpy as np
import pytest

from gpunet.ops import cross_entropy as losses_of
from gpunet.ops import cross_entropy_launch
from gpunet.ops.cross_entropy_launch import softmax_rows

softmax_ce = losses_of.softmax_ce.op.launch

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
TOLERANCE = {"float64": 1e-12, "float32": 2e-6, "float16": 2e-3, "bfloat16": 2e-2}


def reference(x, target, ignore_index, smoothing, reduction):
    x = x.astype(np.float64)
    rows, classes = x.shape
    valid = target != ignore_index
    shifted = x - x.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    wanted = np.zeros_like(x)
    wanted[np.arange(rows), np.where(valid, target, 0)] = 1
    smooth = (1 - smoothing) * wanted + smoothing / classes
    loss = np.where(valid, -(smooth * log_p).sum(axis=1) if smoothing else -log_p[wanted == 1], 0)
    gradient = (np.exp(log_p) - smooth) * valid[:, None]
    count = valid.sum()
    if reduction == "mean":
        return loss.sum() / count, gradient / count
    return (loss.sum() if reduction == "sum" else loss), gradient


# Each kernel variant, and sizes that fill its rows, its vectors and its blocks only in part.
@pytest.mark.parametrize("rows, classes", [(1, 1), (37, 2), (5, 10), (300, 16), (40, 15), (1030, 3), (33, 64), (9, 65),
                                           (3, 256), (7, 257), (2, 1024), (3, 1025), (2, 1031), (2, 4096), (1, 16385),
                                           (1, 32768), (1, 40000)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", BFLOAT16], ids=str)
def test_loss_and_gradient(cuda, rows, classes, dtype):
    random = np.random.default_rng(classes)
    x = (random.standard_normal((rows, classes)) * 3).astype(dtype)
    target = random.integers(0, classes, rows)
    target[rows // 2] = -100 if rows > 1 else target[0]
    reduction = ("mean", "sum", "none")[classes % 3]
    loss = cuda.empty((rows,) if reduction == "none" else (), x.dtype)
    gradient = cuda.empty(x.shape, x.dtype)
    smoothing = 0.1 if classes % 2 else 0.0
    softmax_ce(cuda, loss, gradient, cuda(x), cuda(target), ignore_index=-100, label_smoothing=smoothing,
               reduction=reduction, with_gradient=True)
    expected_loss, expected_gradient = reference(x, target, -100, smoothing, reduction)
    tolerance = TOLERANCE[x.dtype.name]
    np.testing.assert_allclose(loss.get().astype(float), expected_loss, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(gradient.get().astype(float), expected_gradient, rtol=tolerance,
                               atol=tolerance * np.abs(expected_gradient).max())
    assert not cuda.errors.get().any()


@pytest.mark.parametrize("classes", [10, 200, 1000, 3000, 40000])
def test_outliers_stay_finite(cuda, classes):
    """Large, very negative and infinite logits: the maximum is subtracted before anything is raised to a power."""
    random = np.random.default_rng(0)
    x = random.standard_normal((6, classes)).astype(np.float32)
    x[0] += 1e4
    x[1] -= 1e4
    x[2, 1] = 3e38
    x[3, 2:] = -np.inf
    x[4, :-1] = -3e38
    x[5, : classes // 2] = -np.inf
    target = np.array([1, 1, 1, 0, classes - 1, classes - 1])
    losses, gradient = cuda.empty((6,), x.dtype), cuda.empty(x.shape, x.dtype)
    softmax_rows(cuda, losses, gradient, cuda(x), cuda(target), None, -100, 0.0)
    with np.errstate(all="ignore"):
        expected_loss, expected_gradient = reference(x, target, -100, 0.0, "none")
    np.testing.assert_allclose(losses.get(), expected_loss, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(gradient.get(), expected_gradient, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("classes", [10, 200, 3000, 40000])
def test_all_infinite_row_is_nan_and_leaves_others(cuda, classes):
    x = np.zeros((3, classes), np.float32)
    x[1] = -np.inf
    losses = cuda.empty((3,), x.dtype)
    softmax_rows(cuda, losses, None, cuda(x), cuda(np.zeros(3, np.int64)), None, -100, 0.0)
    np.testing.assert_allclose(losses.get(), [np.log(classes), np.nan, np.log(classes)], rtol=1e-5)


@pytest.mark.parametrize("classes", [10, 3000, 40000])
@pytest.mark.parametrize("wrong", [-1, 40000, 2**62])
def test_target_out_of_range_is_recorded(cuda, classes, wrong):
    x = np.zeros((3, classes), np.float32)
    target = np.array([0, wrong, classes - 1])
    losses, gradient = cuda.empty((3,), x.dtype), cuda.empty(x.shape, x.dtype)
    softmax_rows(cuda, losses, gradient, cuda(x), cuda(target), None, -100, 0.0)
    assert cuda.errors.get().tolist() == [1, 1, wrong, classes]
    cuda.errors.fill(0)
    assert np.isnan(losses.get()).tolist() == [False, True, False]
    assert not gradient.get()[1].any()


@pytest.mark.parametrize("classes", [10, 3001, 40000])
def test_gradient_may_overwrite_logits(cuda, classes):
    random = np.random.default_rng(0)
    x, target = random.standard_normal((3, classes)).astype(np.float32), random.integers(0, classes, 3)
    losses, logits = cuda.empty((3,), x.dtype), cuda(x)
    softmax_rows(cuda, losses, logits, logits, cuda(target), None, -100, 0.1)
    expected_loss, expected_gradient = reference(x, target, -100, 0.1, "none")
    np.testing.assert_allclose(losses.get(), expected_loss, rtol=1e-5)
    np.testing.assert_allclose(logits.get(), expected_gradient, rtol=1e-5, atol=1e-7)


def test_without_valid_targets_the_mean_is_nan(cuda):
    loss = cuda.empty((), np.float32)
    softmax_ce(cuda, loss, None, cuda(np.zeros((2, 3), np.float32)), cuda(np.full(2, -100)), ignore_index=-100,
               label_smoothing=0.0, reduction="mean", with_gradient=False)
    assert np.isnan(loss.get())


@pytest.mark.parametrize("memory, threads", [(227 * 1024, 512), (100 * 1024, 1024), (48 * 1024, 1024)])
def test_rows_that_fit_half_of_the_shared_memory_have_two_blocks(cuda, monkeypatch, memory, threads):
    """Rows kept whole by two blocks or by one, or read again in part, give the same losses and gradients."""
    monkeypatch.setattr(cuda, "shared_memory", memory)
    monkeypatch.setattr(cross_entropy_launch._softmax_ce_long, "_launchers", {})
    x = np.random.default_rng(0).standard_normal((2, 35_000)).astype("float16")
    loss, gradient = cuda.empty((2,), x.dtype), cuda.empty(x.shape, x.dtype)
    softmax_ce(cuda, loss, gradient, cuda(x), cuda(np.array([7, 34_999])), ignore_index=-100, label_smoothing=0.1,
               reduction="none", with_gradient=True)
    expected_loss, expected = reference(x, np.array([7, 34_999]), -100, 0.1, "none")
    np.testing.assert_allclose(loss.get().astype(float), expected_loss, rtol=2e-3)
    np.testing.assert_allclose(gradient.get().astype(float), expected, rtol=2e-3, atol=2e-3 * np.abs(expected).max())
    assert cross_entropy_launch._softmax_ce_long.used() == {f"softmax_ce_long<__half,float,8,{threads}>"}
