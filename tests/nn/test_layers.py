"""Layers against PyTorch: values, gradients, text, and the numbers they start from."""

import math

import numpy as np
import pytest

import gpunet
from gpunet import nn
from gpunet.nn import dropout
from gpunet.nn import functional as F

# Arguments -> (class name, input shape)
LAYERS = [
    ("Identity", (), {}, (3, 4)),
    ("Linear", (4, 5), {}, (3, 4)),
    ("Linear", (4, 5), {"bias": False}, (2, 3, 4)),
    ("Linear", (4, 1), {}, (4,)),
    ("Linear", (0, 3), {}, (2, 0)),
    ("ReLU", (), {}, (3, 4)),
    ("ReLU", (True,), {}, (3, 4)),
    ("GELU", (), {}, (3, 4)),
    ("GELU", ("tanh",), {}, (3, 4)),
    ("Tanh", (), {}, (3, 4)),
    ("Sigmoid", (), {}, (3, 4)),
    ("SiLU", (), {}, (3, 4)),
    ("SiLU", (True,), {}, (3, 4)),
    ("Softplus", (), {}, (3, 4)),
    ("Softplus", (2.0, 1.0), {}, (3, 4)),
    ("Softmax", (1,), {}, (3, 4)),
    ("LogSoftmax", (-1,), {}, (3, 4)),
    ("Dropout", (0.0,), {}, (3, 4)),
    ("Dropout", (), {"p": 0.3, "inplace": True}, None),
    ("Flatten", (), {}, (2, 3, 4)),
    ("Flatten", (0, 1), {}, (2, 3, 4)),
    ("Unflatten", (1, (2, -1)), {}, (3, 4)),
    ("CrossMapLRN2d", (4, 0.5, 0.6, 2.0), {}, (2, 2, 2, 3)),
    ("CrossMapLRN2d", (3,), {}, None),
    ("FractionalMaxPool2d", (2,), {"output_ratio": 0.5}, None),
    ("FractionalMaxPool3d", (2,), {"output_size": (2, 3, 2)}, None),
    ("AdaptiveLogSoftmaxWithLoss", (8, 20, [4, 10]), {"head_bias": True, "div_value": 2.0}, None),
    ("MSELoss", (), {}, None),
    ("CrossEntropyLoss", (), {}, None),
]


def pair(name, args, kwargs):
    """The layer of both libraries, with the same parameters."""
    torch = pytest.importorskip("torch")
    ours, theirs = getattr(nn, name)(*args, **kwargs).double(), getattr(torch.nn, name)(*args, **kwargs).double()
    theirs.load_state_dict({k: torch.from_numpy(v.numpy()) for k, v in ours.state_dict().items()})
    return ours, theirs


@pytest.mark.filterwarnings("ignore:Initializing zero-element")
@pytest.mark.parametrize("name, args, kwargs, shape", LAYERS, ids=lambda x: str(x).replace(" ", ""))
@pytest.mark.needs("torch")
def test_layer_is_pytorchs(name, args, kwargs, shape):
    import torch

    ours, theirs = pair(name, args, kwargs)
    assert repr(ours) == repr(theirs)
    if shape is None:
        return
    values = np.random.default_rng(0).normal(size=shape)
    x, y = gpunet.tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
    a, b = ours(x * 1), theirs(y * 1)
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-12, atol=1e-12)
    (a * a).sum().backward()
    (b * b).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=1e-9, atol=1e-12)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.needs("torch")
def test_losses_are_pytorchs(reduction):
    import torch

    rng = np.random.default_rng(1)
    logits, other = rng.normal(size=(2, 6, 5))
    target, weight = np.array([0, 4, -100, 2, 1, 4]), rng.random(5)
    ours, theirs = nn.MSELoss(reduction=reduction), torch.nn.MSELoss(reduction=reduction)
    np.testing.assert_allclose(ours(gpunet.tensor(logits), gpunet.tensor(other)).numpy(),
                               theirs(torch.tensor(logits), torch.tensor(other)).numpy(), rtol=1e-12)
    for options in ({}, {"label_smoothing": 0.1}, {"weight": weight}, {"ignore_index": 4}):
        kwargs = {**options, "reduction": reduction}
        if "ignore_index" in options:
            target = np.where(target == -100, 4, target)
        a = nn.CrossEntropyLoss(**{k: gpunet.tensor(v) if k == "weight" else v for k, v in kwargs.items()})
        b = torch.nn.CrossEntropyLoss(**{k: torch.tensor(v) if k == "weight" else v for k, v in kwargs.items()})
        assert list(a.state_dict()) == list(b.state_dict())
        np.testing.assert_allclose(a(gpunet.tensor(logits), gpunet.tensor(target)).numpy(),
                                   b(torch.tensor(logits), torch.tensor(target)).numpy(), rtol=1e-12)


def test_shapes_that_would_be_broadcast():
    with pytest.warns(UserWarning, match=r"the input has shape \(4, 1\), the target \(4,\): they will be broadcast"):
        F.mse_loss(gpunet.ones(4, 1), gpunet.ones(4))


def test_unknown_reduction():
    with pytest.raises(ValueError, match="reduction must be one of none, mean, sum, got 'avg'"):
        nn.CrossEntropyLoss(reduction="avg")


def test_dropout(device):
    layer = nn.Dropout(0.25)
    x = gpunet.ones(100, 100, device=device, requires_grad=True)
    y = layer(x)
    kept = (y != 0).to(gpunet.float32)
    assert abs(kept.mean().item() - 0.75) < 0.02
    np.testing.assert_allclose(y.detach().cpu().numpy(), kept.cpu().numpy() / 0.75, rtol=1e-6)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.cpu().numpy(), y.detach().cpu().numpy())
    assert layer.eval()(x) is x
    with pytest.raises(ValueError, match="dropout probability has to be between 0 and 1, but got 1.5"):
        nn.Dropout(1.5)


@pytest.mark.parametrize("dtype", [gpunet.float32, gpunet.bfloat16, gpunet.float64], ids=str)
def test_dropout_around_which_there_is_a_residual_connection(device, dtype):
    """In one pass, with the bits of two: values and gradients."""
    found = []
    for add in (dropout.added, lambda drop, y, x: x + drop(y)):
        gpunet.manual_seed(2)
        y, x = (gpunet.randn(5, 203, device=device).to(dtype).requires_grad_() for _ in range(2))
        result = add(nn.Dropout(0.3), y, x)
        result.backward(gpunet.arange(203, device=device).to(dtype).expand(5, 203))
        found.append([each.detach().cpu().double().numpy() for each in (result, y.grad, x.grad)])
    assert all(np.array_equal(a, b) for a, b in zip(*found, strict=True))


def test_what_dropout_does_around_a_residual_connection():
    """Other types are promoted, shapes broadcast; not in evaluation; a hooked or an in-place layer is called."""
    x = gpunet.ones(2, 3)
    assert dropout.added(nn.Dropout(1.0), x.to(gpunet.bfloat16), x).dtype == gpunet.float32
    assert dropout.added(nn.Dropout(0.5), x, gpunet.ones(4, 2, 3)).shape == (4, 2, 3)
    assert (dropout.added(nn.Dropout(0.5).eval(), x, x) == 2).all()
    drop, called = nn.Dropout(1.0), []
    drop.register_forward_hook(lambda *_: called.append(1))
    assert (dropout.added(drop, x, x) == 1).all() and called
    assert (dropout.added(nn.Dropout(1.0, inplace=True), x, gpunet.ones(2, 3)) == 1).all() and (x == 0).all()


def test_first_values_of_linear():
    """Uniform in +-1/sqrt(in_features), weight and bias, as PyTorch's layer begins."""
    for parameter in nn.Linear(100, 500).parameters():
        values = parameter.detach().numpy()
        assert values.dtype == np.float32 and values.min() >= -0.1 and values.max() <= 0.1
        assert abs(values.max() - 0.1) < 0.002 and abs(values.min() + 0.1) < 0.002
        assert values.std() == pytest.approx(0.1 / math.sqrt(3), rel=0.1)  # of 500 values: 5 standard errors


def test_same_start_on_every_device(gpu):
    gpunet.manual_seed(3)
    host = nn.Linear(13, 7)
    gpunet.manual_seed(3)
    on_device = nn.Linear(13, 7, device=gpu)
    assert str(on_device.weight.device).startswith(gpu)
    for a, b in zip(host.parameters(), on_device.parameters(), strict=True):
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().cpu().numpy())


def test_linear_in_another_type():
    layer = nn.Linear(3, 2, dtype=gpunet.float64)
    assert layer.weight.dtype is layer.bias.dtype is gpunet.float64


# ---- init ----------------------------------------------------------------------------------------------------------

FANS = (60, 40, 3)  # fan_in 120, fan_out 180


@pytest.mark.parametrize("fill, bound, std", [
    (lambda t: nn.init.uniform_(t, -2, 3), (-2, 3), 5 / math.sqrt(12)),
    (lambda t: nn.init.normal_(t, 1, 0.5), None, 0.5),
    (lambda t: nn.init.xavier_uniform_(t, gain=2), math.sqrt(6 / 300) * 2, math.sqrt(2 / 300) * 2),
    (lambda t: nn.init.xavier_normal_(t), None, math.sqrt(2 / 300)),
    (lambda t: nn.init.kaiming_uniform_(t), math.sqrt(6 / 120), math.sqrt(2 / 120)),
    (lambda t: nn.init.kaiming_uniform_(t, mode="fan_out", nonlinearity="relu"), math.sqrt(6 / 180),
     math.sqrt(2 / 180)),
    (lambda t: nn.init.kaiming_normal_(t, a=0.5), None, math.sqrt(2 / 1.25 / 120)),
    (lambda t: nn.init.kaiming_normal_(t, nonlinearity="tanh"), None, 5 / 3 / math.sqrt(120)),
])
def test_init_distribution(fill, bound, std):
    p = nn.Parameter(gpunet.empty(*FANS))
    assert fill(p) is p and p.is_leaf and p.requires_grad
    values = p.detach().numpy()
    assert values.std() == pytest.approx(std, rel=0.03)
    if bound is not None:
        low, high = bound if isinstance(bound, tuple) else (-bound, bound)
        assert low <= values.min() < low + 0.02 * (high - low) and high - 0.02 * (high - low) < values.max() <= high


def test_init_constants_and_generator():
    p = nn.Parameter(gpunet.empty(2, 3))
    np.testing.assert_array_equal(nn.init.eye_(p).detach().numpy(), np.eye(2, 3))
    assert nn.init.constant_(p, 2.5).detach().tolist() == [[2.5] * 3] * 2
    assert nn.init.zeros_(p).sum().item() == 0 and nn.init.ones_(p).sum().item() == 6
    first = nn.init.xavier_normal_(p, generator=gpunet.Generator().manual_seed(5)).tolist()
    assert nn.init.xavier_normal_(p, generator=gpunet.Generator().manual_seed(5)).tolist() == first
    with pytest.raises(ValueError, match=r"fewer than 2 dimensions; this one has shape \(3,\)"):
        nn.init.kaiming_uniform_(gpunet.empty(3))
    with pytest.raises(ValueError, match="Mode fan not supported"):
        nn.init.kaiming_normal_(p, mode="fan")


@pytest.mark.parametrize("name", ["linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"])
@pytest.mark.needs("torch")
def test_gain_is_pytorchs(name):
    import torch

    assert nn.init.calculate_gain(name) == torch.nn.init.calculate_gain(name)
    assert nn.init.calculate_gain("leaky_relu", 0.2) == torch.nn.init.calculate_gain("leaky_relu", 0.2)


def test_functional_signatures():
    """PyTorch's argument names work."""
    x = gpunet.randn(3, 4)
    weight = gpunet.randn(2, 4)
    assert F.linear(input=x, weight=weight, bias=None).shape == (3, 2)
    assert F.dropout(x, p=0.5, training=False) is x
    for y in (F.relu(x, inplace=False), F.gelu(x, approximate="tanh"), F.softmax(x, dim=1), F.log_softmax(x, dim=1),
              F.silu(x), F.softplus(x, beta=1, threshold=20), F.sigmoid(x), F.tanh(x)):
        assert y.shape == x.shape
    assert F.mse_loss(x, x, reduction="sum").item() == 0
    F.relu_(x)
    assert x.min().item() == 0


@pytest.mark.parametrize("rank, shape, kernel, options", [
    (2, (2, 3, 7, 9), 2, {"output_size": (4, 5)}), (2, (3, 8, 6), (3, 2), {"output_ratio": (0.5, 0.7)}),
    (2, (1, 1, 5, 5), 2, {"output_size": 1}), (2, (1, 2, 4, 4), 2, {"output_size": (3, 1)}),
    (3, (2, 2, 5, 6, 7), 2, {"output_size": (3, 2, 4)}), (3, (2, 6, 6, 6), (1, 2, 3), {"output_ratio": 0.5}),
])
@pytest.mark.needs("torch")
def test_fractional_pooling_is_pytorchs(rank, shape, kernel, options):
    import torch

    rng = np.random.default_rng(0)
    values = rng.permutation(math.prod(shape)).astype("float64").reshape(shape)
    samples = rng.random((*(shape if len(shape) == rank + 2 else (1, *shape))[:2], rank))
    found = []
    for library, functional in ((gpunet, F), (torch, torch.nn.functional)):
        x = library.tensor(values, requires_grad=True)
        y, places = getattr(functional, f"fractional_max_pool{rank}d")(
            x, kernel, return_indices=True, _random_samples=library.tensor(samples), **options)
        (y * y).sum().backward()
        found.append([each.detach().numpy() for each in (y, places, x.grad)])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_fractional_pooling_draws(device):
    layer = nn.FractionalMaxPool2d(2, output_ratio=(0.5, 0.25))
    x = gpunet.arange(2 * 3 * 9 * 9, device=device, dtype=gpunet.float32).reshape(2, 3, 9, 9)
    assert layer(x).shape == (2, 3, 4, 2) and layer(x[0]).shape == (3, 4, 2)
    assert any((layer(x) != layer(x)).any().item() for _ in range(5))
    for arguments in ((2,), (2, 3, 0.5), (2, None, 1.5), (0, 3)):
        with pytest.raises(ValueError):
            nn.FractionalMaxPool3d(*arguments)
    with pytest.raises(RuntimeError, match=r"windows of size \(5, 5\) do not give an output of size \(6, 6\)"):
        F.fractional_max_pool2d(x, 5, 6)


@pytest.mark.needs("torch")
def test_adaptive_softmax_is_pytorchs():
    import torch

    ours, theirs = pair("AdaptiveLogSoftmaxWithLoss", (8, 20, [4, 10, 11]),
                        {"head_bias": True, "div_value": 2.0})
    x = np.random.default_rng(0).normal(size=(7, 8))
    for target in (np.array([0, 3, 4, 9, 19, 10, 12]), np.array([0, 1, 2, 3, 0, 0, 0]), np.array(15)):
        values = x if target.ndim else x[0]
        found = []
        for layer, library in ((ours, gpunet), (theirs, torch)):
            layer.zero_grad()
            y = library.tensor(values, requires_grad=True)
            output, loss = layer(y, library.tensor(target))
            loss.backward()
            found.append([each.detach().numpy() for each in (output, loss, y.grad, *(
                p.grad for p in layer.parameters() if p.grad is not None and p.grad.abs().sum() > 0))])
        for a, b in zip(*found, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(ours.log_prob(gpunet.tensor(x)).detach().numpy(),
                               theirs.log_prob(torch.tensor(x)).detach().numpy(), rtol=1e-9)
    assert ours.predict(gpunet.tensor(x)).tolist() == theirs.predict(torch.tensor(x)).tolist()
    for wrong in (np.array([0, 20]), np.array([[0, 1]]), np.array(3), np.array([1, 2, 3])):
        with pytest.raises(RuntimeError) as expected:
            theirs(torch.tensor(x[:2]), torch.tensor(wrong))
        with pytest.raises(RuntimeError) as error:
            ours(gpunet.tensor(x[:2]), gpunet.tensor(wrong))
        assert str(error.value)[:40] == str(expected.value)[:40]
    with pytest.raises(ValueError, match="unique, positive"):
        nn.AdaptiveLogSoftmaxWithLoss(8, 20, [4, 4])


@pytest.mark.parametrize("size", [1, 2, 3, 5, 6])
def test_cross_map_normalization(size):
    x = np.random.default_rng(0).normal(size=(2, 7, 3, 2))
    reach = (size - 1) // 2
    sums = np.stack([(x[:, max(c - reach, 0) : c + reach + 1] ** 2).sum(1) for c in range(7)], 1)
    found = nn.CrossMapLRN2d(size, 0.5, 0.6, 2.0)(gpunet.tensor(x))
    np.testing.assert_allclose(found.numpy(), x / (2 + 0.5 / size * sums) ** 0.6, rtol=1e-12)
    with pytest.raises(ValueError, match="Expected input to be 4D, got 3D instead"):
        nn.CrossMapLRN2d(size)(gpunet.ones(2, 3, 4))
