"""Quantization: observers and rounding against their formulas and PyTorch's, layers against floats, models whole."""

import numpy as np
import pytest

import gpunet
import gpunet.nn.functional as F
from gpunet import compress, nn, optim
from gpunet.data.datasets import Digits

try:
    import torch
except ImportError:
    torch = None


def rows(*shape, seed=0, scale=1.0):
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(np.float32)


def network(seed=0):
    gpunet.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 12, 3, 2, groups=2),
                         nn.ReLU(), nn.Flatten(), nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 10))


def test_every_value_of_the_range_is_near_an_integers():
    for low, high in [(-1.0, 3.0), (0.5, 2.0), (-4.0, -1.0), (0.0, 0.0)]:
        observer = compress.MinMaxObserver()
        x = gpunet.linspace(low, high, 1000)
        observer(x)
        scale, zero_point = observer.calculate_qparams()
        assert abs(compress.fake_quantize(x, scale, zero_point) - x).max() <= scale * 0.51
        assert compress.fake_quantize(gpunet.zeros(1), scale, zero_point).item() == 0
        assert zero_point == zero_point.round() and -128 <= zero_point <= 127


def test_observers_by_channel_are_those_of_each_channel():
    x = rows(4, 5, 6)
    whole = compress.MinMaxObserver(symmetric=True, ch_axis=1)
    whole(gpunet.tensor(x))
    scale, zero_point = whole.calculate_qparams()
    np.testing.assert_allclose(scale.numpy(), abs(x).max((0, 2)) / 127, rtol=1e-6)
    assert not zero_point.any()


@pytest.mark.skipif(torch is None, reason="PyTorch is the oracle")
def test_min_and_max_give_pytorchs_parameters():
    from torch.ao.quantization import MinMaxObserver, MovingAverageMinMaxObserver
    pairs = [(compress.MinMaxObserver(), MinMaxObserver(dtype=torch.qint8)),
             (compress.MovingAverageMinMaxObserver(0.1), MovingAverageMinMaxObserver(0.1, dtype=torch.qint8))]
    for ours, theirs in pairs:
        for seed in range(3):
            x = rows(50, seed=seed) + seed
            ours(gpunet.tensor(x))
            theirs(torch.tensor(x))
        for found, expected in zip(ours.calculate_qparams(), theirs.calculate_qparams(), strict=True):
            np.testing.assert_allclose(found.numpy(), expected.numpy().item(), rtol=1e-6)


@pytest.mark.skipif(torch is None, reason="PyTorch is the oracle")
def test_rounding_and_its_gradient_are_pytorchs():
    x = rows(7, 9, scale=3.0)
    for scale, zero_point in [(0.02, 5), (0.05, -128)]:
        ours, theirs = gpunet.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
        y = compress.fake_quantize(ours, gpunet.tensor(scale), gpunet.tensor(float(zero_point)))
        z = torch.fake_quantize_per_tensor_affine(theirs, scale, zero_point, -128, 127)
        (y * y).sum().backward()
        (z * z).sum().backward()
        np.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), atol=1e-6)
        np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), atol=1e-5)


def test_the_histogram_leaves_outliers_out():
    x = np.concatenate([rows(20_000), [300.0, -250.0]]).astype(np.float32)

    def error(observer):
        for part in np.array_split(x, 4):  # the range grows with the last
            observer(gpunet.tensor(part))
        scale, zero_point = observer.calculate_qparams()
        inside = x[:-2]
        return float(((compress.fake_quantize(gpunet.tensor(inside), scale, zero_point).numpy() - inside) ** 2).mean())

    plain = error(compress.MinMaxObserver())
    # One bin of a range of 550 is a fifth of a unit: of the bulk few bins are left, but the ends are cut.
    assert error(compress.HistogramObserver(percentile=99.9)) < plain / 100
    assert error(compress.HistogramObserver(bins=8192)) < plain


@pytest.mark.parametrize("percentile", [99.0, 90.0])
def test_percentiles_are_numpys(percentile):
    for x in (rows(5000), abs(rows(5000)), -abs(rows(5000))):
        observer = compress.HistogramObserver(percentile=percentile)
        observer(gpunet.tensor(x))
        scale, zero_point = observer.calculate_qparams()
        low, high = (-128 - zero_point) * scale, (127 - zero_point) * scale
        out = 100 - percentile
        ends = [out / 2, 100 - out / 2] if x.min() < 0 < x.max() else [0, percentile] if x.min() >= 0 else [out, 100]
        wanted = np.percentile(x, ends)
        np.testing.assert_allclose([low.item(), high.item()], [min(wanted[0], 0), max(wanted[1], 0)], atol=0.03)


@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": (1, 2)}, {"dilation": 2, "bias": False},
                                     {"kernel_size": 1}, {"kernel_size": (2, 3), "groups": 2}])
@pytest.mark.parametrize("static", [False, True])
def test_convolutions_are_those_of_the_rounded_numbers(options, static):
    gpunet.manual_seed(0)
    layer = nn.Conv2d(4, 6, **{"kernel_size": 3, **options})
    x = gpunet.tensor(rows(2, 4, 9, 8))
    observer = compress.MinMaxObserver()
    observer(x)
    made = compress.QuantizedConv2d.from_float(layer, observer.calculate_qparams() if static else None)
    expected = F.conv2d(compress.fake_quantize(x, *observer.calculate_qparams()), made.dequantized_weight(), layer.bias,
                        layer.stride, layer.padding, layer.dilation, layer.groups)
    np.testing.assert_allclose(made(x).numpy(), expected.detach().numpy(), atol=2e-5)
    assert abs(made(x) - layer(x)).max() < 0.1 * abs(layer(x)).max()


def test_models_stay_near_the_float_one():
    model, x = network().eval(), gpunet.tensor(rows(40, 1, 7, 7))
    expected = model(x).detach()
    dynamic = compress.quantize_dynamic(model)
    prepared = compress.prepare(model)
    prepared(x)
    static = compress.convert(prepared)
    by_histogram = compress.convert(compress_after(compress.prepare(model, compress.HistogramObserver), x))
    for made in (dynamic, static, by_histogram):
        assert abs(made(x) - expected).max() < 0.05 * abs(expected).max()
    assert [type(layer).__name__ for layer in dynamic if hasattr(layer, "weight")] == [
        "Conv2d", "Conv2d", "QuantizedLinear", "QuantizedLinear"]
    assert [type(layer).__name__ for layer in static if hasattr(layer, "weight")] == [
        "QuantizedConv2d", "QuantizedConv2d", "QuantizedLinear", "QuantizedLinear"]
    assert type(model[0]) is nn.Conv2d and not model[0]._forward_pre_hooks and (model(x) == expected).all()
    kept = compress.convert(compress_after(compress.prepare(model, skip=["8", "0"]), x))
    assert type(kept[0]) is nn.Conv2d and type(kept[8]) is nn.Linear and type(kept[6]) is compress.QuantizedLinear


def compress_after(prepared, x):
    with gpunet.no_grad():
        prepared(x)
    return prepared


@pytest.mark.parametrize("kind", ["dynamic", "static"])
def test_a_saved_model_loads_again(kind, tmp_path):
    x = gpunet.tensor(rows(3, 1, 7, 7))
    model = network()
    made = compress.quantize_dynamic(model) if kind == "dynamic" else compress.convert(
        compress_after(compress.prepare(model), x))
    gpunet.save(made.state_dict(), tmp_path / "model.pt")
    gpunet.save_file(made.state_dict(), tmp_path / "model.safetensors")
    for state in (gpunet.load(tmp_path / "model.pt"), gpunet.load_file(tmp_path / "model.safetensors")):
        assert (compress.load_quantized(network(seed=9), state)(x) == made(x)).all()
    assert compress.size_of(compress.quantize_dynamic(nn.Linear(100, 100))) == 100 * 100 + 2 * 400
    with pytest.raises(ValueError, match="has no layer for it"):
        compress.load_quantized(network(), network().state_dict())


def test_training_with_the_rounding():
    """The layer that trains gives what the converted one gives, and the loss falls."""
    gpunet.manual_seed(0)
    data = Digits(train=True)
    x, y = gpunet.tensor(np.array(data.data)).float().reshape(-1, 64)[:600] / 16, gpunet.tensor(data.targets)[:600]
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    qat = compress.prepare_qat(model)
    optimizer = optim.Adam(qat.parameters(), lr=0.01)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = F.cross_entropy(qat(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    qat(x)  # the weights' ranges of now
    made = compress.convert(qat)
    np.testing.assert_allclose(made(x).numpy(), qat.eval()(x).detach().numpy(), atol=1e-3)
    assert (made(x).argmax(1) == y).float().mean() > 0.9
    convolutions = compress.prepare_qat(network())
    convolutions(gpunet.tensor(rows(2, 1, 7, 7))).sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in convolutions.parameters())


def test_errors_say_what_is_wrong():
    model = nn.Sequential(nn.Linear(3, 2))
    with pytest.raises(ValueError, match="has no layer for it"):
        compress.quantize_dynamic(nn.Sequential(nn.ReLU()))
    with pytest.raises(ValueError, match="has no layer 7"):
        compress.prepare(model, skip="7")
    with pytest.raises(RuntimeError, match="no values yet"):
        compress.convert(compress.prepare(model))
    with pytest.raises(ValueError, match="prepare or prepare_qat"):
        compress.convert(model)
    with pytest.raises(TypeError, match="must make an observer"):
        compress.prepare(model, observer=nn.ReLU)
    with pytest.raises(ValueError, match="percentile"):
        compress.HistogramObserver(percentile=10)
