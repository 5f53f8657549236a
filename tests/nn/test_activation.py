"""Activation layers against PyTorch, and what randomness they have."""

import copy
import pickle

import numpy as np
import pytest

import gpunet
from gpunet import nn
from gpunet.nn import functional as F
from tests.nn.test_layers import test_layer_is_pytorchs as check_layer

LAYERS = [("CELU", ()), ("ELU", (2.0,)), ("ELU", (1.0, True)), ("GLU", (0,)), ("Hardshrink", ()),
          ("Hardshrink", (0.3,)), ("Hardswish", ()), ("Hardtanh", (-0.5, 2.0)), ("LeakyReLU", (0.2, True)),
          ("LogSigmoid", ()), ("Mish", ()), ("PReLU", ()), ("PReLU", (4, 0.1)), ("ReLU6", (True,)), ("SELU", ()),
          ("Softmin", (1,)), ("Softshrink", ()), ("Softsign", ()), ("Tanhshrink", ()), ("Threshold", (0.1, 20.0)),
          ("AlphaDropout", (0.0,)), ("FeatureAlphaDropout", (0.0,)), ("Dropout1d", (0.0,)), ("Dropout2d", (1.0,))]


@pytest.mark.filterwarnings("ignore:.*dropout2d", "ignore:.*feature_dropout")
@pytest.mark.parametrize("name, args", LAYERS, ids=lambda x: str(x).replace(" ", ""))
@pytest.mark.needs("torch")
def test_layer_is_pytorchs(name, args):
    check_layer(name, args, {}, (2, 3, 4) if name.endswith("d") else (6, 4))


@pytest.mark.needs("torch")
def test_softmax2d_is_pytorchs():
    check_layer("Softmax2d", (), {}, (2, 3, 2, 2))
    check_layer("Softmax2d", (), {}, (3, 2, 2))
    with pytest.raises(ValueError, match=r"Softmax2d: expected an input of 3 or 4 dimensions, got shape \(2, 2\)"):
        nn.Softmax2d()(gpunet.ones(2, 2))


@pytest.mark.parametrize("name", ["ReLU", "ELU", "Softmax", "Threshold", "Softmax2d", "Dropout2d", "RReLU"])
def test_layers_can_be_copied(name):
    kind = getattr(nn, name)
    layer = kind(0.5, 0.25) if name == "Threshold" else kind()
    for twin in (pickle.loads(pickle.dumps(layer)), copy.deepcopy(layer)):
        assert type(twin) is kind and repr(twin) == repr(layer)


def test_a_wrong_option_names_the_layer():
    with pytest.raises(TypeError, match=r"Threshold.*missing 1 required positional argument: 'value'"):
        nn.Threshold(1.0)
    with pytest.raises(TypeError, match=r"ELU.*unexpected keyword argument 'beta'"):
        nn.ELU(beta=1.0)


def test_rrelu(device):
    x = gpunet.full((1000,), -1.0, device=device)
    slopes = -nn.RReLU(0.2, 0.6)(x).cpu().numpy()
    assert slopes.min() >= 0.2 and slopes.max() < 0.6 and abs(slopes.mean() - 0.4) < 0.02
    assert np.allclose(nn.RReLU(0.2, 0.6).eval()(x).cpu().numpy(), -0.4)


@pytest.mark.parametrize("function", [F.dropout1d, F.dropout2d, F.dropout3d, F.feature_alpha_dropout])
def test_channels_drop_as_a_whole(function, device):
    x = gpunet.ones(200, 10, *[3] * (3 if function is F.feature_alpha_dropout else int(function.__name__[-2])),
                    device=device)
    y = function(x, 0.25, True).cpu().numpy().reshape(200, 10, -1)
    assert np.ptp(y, axis=2).max() == 0
    kept = y[..., 0].max()
    assert abs((y[..., 0] == kept).mean() - 0.75) < 0.04
    if function is not F.feature_alpha_dropout:
        assert np.allclose(np.unique(y), [0, 1 / 0.75])


def test_alpha_dropout_keeps_mean_and_variance(device):
    x = gpunet.randn(20000, device=device)
    y = F.alpha_dropout(x, 0.3, True).cpu().numpy()
    assert abs(y.mean()) < 0.03 and abs(y.std() - 1) < 0.03
    values, counts = np.unique(y, return_counts=True)
    assert abs(counts.max() / len(y) - 0.3) < 0.02 and values[counts.argmax()] < -1  # the dropped ones share one value


def test_dropout_of_one_sample_without_its_dimension():
    x = gpunet.ones(50, 4)
    y = F.dropout1d(x, 0.5).numpy()
    assert set(np.unique(y.sum(1))) == {0.0, 8.0}


def test_gumbel_softmax(device):
    logits = gpunet.tensor([[0.0, 1.0, 2.0]], device=device).expand(6000, 3)
    hard = F.gumbel_softmax(logits, hard=True).cpu().numpy()
    assert np.allclose(hard.mean(0), np.exp([0, 1, 2]) / np.exp([0, 1, 2]).sum(), atol=0.03)
    x = gpunet.zeros(2, 3, device=device, requires_grad=True)
    (F.gumbel_softmax(x, tau=0.5, dim=0, hard=True) * gpunet.randn(2, 3, device=device)).sum().backward()
    assert (x.grad.cpu().numpy() != 0).any()


def test_softmax_without_a_dimension_warns():
    with pytest.warns(UserWarning, match="softmax: dim should be given"):
        assert np.allclose(nn.Softmax()(gpunet.ones(2, 4)).numpy(), 0.25)
