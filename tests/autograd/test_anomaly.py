"""Anomaly detection: the message names the operation, the line of the user's program and the module."""

import pytest

import gpunet
from gpunet import nn
from gpunet.autograd import detect_anomaly, is_anomaly_enabled, set_detect_anomaly
from gpunet.engine.extensions import extensions


class Root(nn.Module):
    def forward(self, x):
        return x.sqrt()  # the derivative at 0 is infinite, and 0 * inf is NaN


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(2, 2), Root())

    def forward(self, x):
        return self.encoder(x)


def notes(error):
    return "\n".join(error.value.__notes__)


def test_backward(device):
    x = gpunet.zeros(3, device=device).requires_grad_()
    with detect_anomaly():
        y = x.sqrt()
        loss = (y * gpunet.zeros(3, device=device)).sum()
        with pytest.raises(RuntimeError, match=r"'SqrtBackward0' returned nan values in its 0th output.*\(3,\)") as e:
            loss.backward()
    assert "sqrt was called in the forward pass, here:" in notes(e)
    assert "test_anomaly.py" in notes(e) and "y = x.sqrt()" in notes(e)
    assert "gpunet/tensor.py" not in notes(e)


def test_module():
    """The path in the model, in both passes."""
    model, x = Model(), gpunet.ones(1, 2)
    with gpunet.no_grad():
        model.encoder[0].weight.zero_()
        model.encoder[0].bias.zero_()
    with detect_anomaly():
        loss = (model(x) * 0).sum()
        with pytest.raises(RuntimeError, match="Function 'SqrtBackward0' returned nan") as e:
            loss.backward()
        assert "of Root, layer 'encoder.1' of Model, here:" in notes(e) and "return x.sqrt()" in notes(e)
        with gpunet.no_grad():
            model.encoder[0].bias.fill_(-1)
        with pytest.raises(RuntimeError, match=r"sqrt: returned nan values in its 0th output, of shape \(1, 2\)") as e:
            model(x)
    assert "in Root(), layer 'encoder.1' of Model" in notes(e)


def test_what_is_not_an_anomaly():
    """A NaN that was given, an infinity, and everything outside."""
    x = gpunet.tensor([0.0, float("nan")]).requires_grad_()
    with detect_anomaly():
        assert (x * 2).isnan().any()
        assert gpunet.ones(2).masked_fill(gpunet.tensor([True, False]), float("nan")).isnan().any()
        gpunet.zeros(2).log()
        gpunet.zeros(2).requires_grad_().log().sum().backward()
    gpunet.tensor([-1.0]).requires_grad_().sqrt().backward()


def test_infinity():
    with detect_anomaly(check_inf=True):
        with pytest.raises(RuntimeError, match="log: returned inf values"):
            gpunet.zeros(2).log()
        x = gpunet.full((1,), 1e-30).requires_grad_()
        with pytest.raises(RuntimeError, match="Function 'ReciprocalBackward0' returned inf values|returned inf"):
            x.reciprocal().sum().backward()


def test_forward_outside():
    y = gpunet.zeros(1).requires_grad_().sqrt() * 0
    with detect_anomaly(), pytest.raises(RuntimeError, match="'SqrtBackward0' returned nan") as e:
        y.backward()
    assert "outside of detect_anomaly" in notes(e)


def test_errors_say_where_they_come_from():
    """Also without a look at the values."""
    x = gpunet.ones(2).requires_grad_()
    with detect_anomaly(check_nan=False):
        y = x.exp()
        z = y.sum()
        y.mul_(2)
        with pytest.raises(RuntimeError) as e:
            z.backward()
            y.sum().backward()
            (x * float("nan")).sum().backward()
            raise RuntimeError("no error")
    assert "y = x.exp()" in notes(e) or "no error" in str(e.value)


def test_is_off_afterwards():
    with detect_anomaly():
        assert is_anomaly_enabled()
        with set_detect_anomaly(False):
            assert not is_anomaly_enabled() and extensions.watch is None and not extensions.observed
        assert extensions.watch is not None and extensions.observed
    assert extensions.watch is None and not extensions.observed
    set_detect_anomaly(True)
    assert is_anomaly_enabled()
    set_detect_anomaly(False)
    assert not is_anomaly_enabled()
