"""The negative log-likelihood on the simulator against the NumPy body in float64."""

import ml_dtypes
import numpy as np
import pytest

from gpunet.ops.nll import nll_grad, nll_op

TOLERANCE = {"float32": 1e-6, "float64": 1e-14, "bfloat16": 1e-2}


@pytest.mark.parametrize("dtype", ["float32", "float64", np.dtype(ml_dtypes.bfloat16)], ids=str)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("rows, classes, weighted", [(1, 1, False), (37, 5, True), (1500, 3, False), (1500, 3, True)])
def test_loss_and_gradient(cuda, rows, classes, weighted, reduction, dtype):
    rng = np.random.default_rng(0)
    log_p = rng.standard_normal((rows, classes)).astype(dtype)
    weight = rng.random(classes).astype(dtype) if weighted else None
    target, shape = rng.integers(0, classes, rows), (rows,) if reduction == "none" else ()
    target[1:2] = -100
    g = rng.standard_normal(shape).astype(dtype) if shape else np.asarray(1.5, dtype)
    options = dict(ignore_index=-100, reduction=reduction)
    right, scale, gradient = np.empty(shape), np.empty(()), np.empty(log_p.shape)
    wide = None if weight is None else weight.astype(float)
    nll_op.op.body(np, right, scale, log_p.astype(float), target, wide, **options)
    nll_grad.op.body(np, gradient, g.astype(float), target, wide, scale, classes=classes, ignore_index=-100)
    on = [cuda(log_p), cuda(target), None if weight is None else cuda(weight)]
    loss, factor = cuda.empty(shape, dtype), cuda.empty((), "float64" if dtype == "float64" else "float32")
    nll_op.op.launch(cuda, loss, factor, *on, **options)
    found = cuda.empty(log_p.shape, dtype)
    nll_grad.op.launch(cuda, found, cuda(g), *on[1:], factor, classes=classes, ignore_index=-100)
    for ours, theirs in ((loss, right), (found, gradient)):
        apart = np.linalg.norm(ours.get().astype(float) - theirs)
        assert apart <= TOLERANCE[np.dtype(dtype).name] * max(np.linalg.norm(theirs), 1e-3)


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_a_target_that_is_no_class_is_recorded(cuda, reduction):
    loss, factor = cuda.empty((3,) if reduction == "none" else (), "float32"), cuda.empty((), "float32")
    nll_op.op.launch(cuda, loss, factor, cuda(np.zeros((3, 4), "float32")), cuda(np.array([0, 4, 1])), None,
                     ignore_index=-100, reduction=reduction)
    assert cuda.errors.get().tolist() == [1, 1, 4, 4]
    cuda.errors.fill(0)
    assert np.isnan(loss.get()).any()
