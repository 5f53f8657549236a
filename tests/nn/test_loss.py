"""Losses as modules: their options reach the functions. Values are in tests/cases/losses.py."""

import pickle

import pytest

import gpunet
from gpunet import nn

LOSSES = [getattr(nn, name) for name in nn.loss.__all__]


@pytest.mark.parametrize("cls", LOSSES, ids=lambda cls: cls.__name__)
@pytest.mark.needs("torch")
def test_text_and_options(cls):
    import torch

    if cls is not nn.TripletMarginWithDistanceLoss:  # there PyTorch's default is a module, and shown
        assert repr(cls()) == repr(getattr(torch.nn, cls.__name__)())
    assert isinstance(pickle.loads(pickle.dumps(cls())), cls)
    with pytest.raises(ValueError, match=f"{cls.__name__}: reduction must be one of none, mean, sum"):
        cls(reduction="median")


def test_options_reach_the_function():
    x, y = gpunet.tensor([0.0, 2.0]), gpunet.tensor([1.0, 0.0])
    assert nn.HuberLoss("sum", 0.5)(x, y).item() == pytest.approx(0.5 * (1 - 0.25) + 0.5 * (2 - 0.25))
    assert nn.L1Loss(reduction="none")(x, y).tolist() == [1, 2]
    assert nn.TripletMarginLoss(2.0, eps=0.0)(x, x, y).item() == 0


@pytest.mark.parametrize("size_average, reduce, meant", [
    (True, None, "mean"), (False, None, "sum"), (None, False, "none"), (False, False, "none"), (None, True, "mean")])
@pytest.mark.needs("torch")
def test_the_older_names_of_reduction(size_average, reduce, meant):
    with pytest.warns(UserWarning, match=f"size_average and reduce are deprecated; use reduction='{meant}'"):
        assert nn.L1Loss(size_average, reduce).reduction == meant
    import torch

    with pytest.warns(UserWarning):
        assert torch.nn.L1Loss(size_average, reduce).reduction == meant


def test_weights_are_buffers():
    loss = nn.BCEWithLogitsLoss(pos_weight=gpunet.tensor([2.0]))
    assert list(loss.state_dict()) == ["pos_weight"]
    assert loss(gpunet.zeros(1), gpunet.ones(1)).item() == pytest.approx(2 * 0.6931472)
    assert nn.CrossEntropyLoss(gpunet.ones(3)).double().weight.dtype == gpunet.float64


@pytest.mark.parametrize("call, error, words", [
    (lambda F, x: F.binary_cross_entropy(x + 2, x), RuntimeError, "must lie between 0 and 1"),
    (lambda F, x: F.binary_cross_entropy(x, x[0]), ValueError, r"shape \(2, 3\), the target \(3,\)"),
    (lambda F, x: F.huber_loss(x, x, delta=0), RuntimeError, "delta must be positive"),
    (lambda F, x: F.smooth_l1_loss(x, x, beta=-1), RuntimeError, "beta must not be negative"),
    (lambda F, x: F.gaussian_nll_loss(x, x, gpunet.ones(2, 2)), ValueError, r"variance of shape \(2, 2\)"),
    (lambda F, x: F.nll_loss(x, gpunet.tensor([0, 3])), IndexError, "row 1.*3.*3 classes"),
    (lambda F, x: F.nll_loss(x, gpunet.tensor([0.0, 1.0])), RuntimeError, "nll_loss: class indices must be an int64"),
    (lambda F, x: F.triplet_margin_loss(x, x, x, margin=0), ValueError, "margin must be positive"),
    (lambda F, x: F.multi_margin_loss(x, gpunet.tensor([0, 1]), p=3), ValueError, "p must be 1 or 2"),
    (lambda F, x: F.ctc_loss(x, gpunet.tensor([[1]]), [2], [1]), RuntimeError,
     r"targets must have shape \(sum of lengths,\), got \(1, 1\)"),
    (lambda F, x: F.cosine_embedding_loss(x, x, x), RuntimeError, r"inputs \[batch, features\]"),
])
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call(nn.functional, gpunet.zeros(2, 3))
