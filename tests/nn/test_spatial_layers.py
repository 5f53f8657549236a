"""Layers for images and sequences against PyTorch's of the same name: values, gradients, text, state, first values."""

import math

import numpy as np
import pytest

import gpunet
from gpunet import nn

# (class, arguments, options, shapes of the input). Two steps are taken in training mode, then one in evaluation.
LAYERS = [
    ("Conv1d", (4, 6, 3), {}, (2, 4, 7)),
    ("Conv1d", (4, 6, 2), {"stride": 2, "padding": 1, "dilation": 2, "groups": 2, "bias": False}, (4, 7)),
    ("Conv1d", (4, 3, 4), {"padding": "same", "padding_mode": "circular"}, (2, 4, 7)),
    ("Conv2d", (3, 4, (3, 2)), {"stride": (2, 1), "padding": (1, 2)}, (2, 3, 5, 6)),
    ("Conv2d", (2, 4, 3), {"padding": (1, 2), "padding_mode": "reflect", "groups": 2}, (2, 2, 5, 6)),
    ("Conv2d", (2, 4, 2), {"padding": "same", "padding_mode": "replicate", "dilation": (1, 3)}, (2, 5, 6)),
    ("Conv2d", (2, 4, 2), {"padding": "valid", "padding_mode": "circular"}, (2, 2, 5, 6)),
    ("ConvTranspose1d", (4, 6, 3), {"stride": 2, "output_padding": 1, "groups": 2}, (2, 4, 5)),
    ("ConvTranspose2d", (3, 4, (4, 3)), {"stride": 2, "padding": 1, "bias": False}, (2, 3, 4, 5)),
    ("ConvTranspose2d", (3, 4, 3), {"dilation": 2, "output_padding": 1}, (3, 4, 5)),
    ("Conv3d", (2, 4, (2, 3, 1)), {"stride": (1, 2, 1), "padding": (1, 0, 2), "groups": 2}, (2, 2, 3, 4, 3)),
    ("Conv3d", (2, 3, 2), {"padding": "same", "padding_mode": "replicate", "bias": False}, (2, 3, 4, 3)),
    ("ConvTranspose3d", (2, 3, (2, 3, 2)), {"stride": 2, "padding": 1, "output_padding": 1}, (2, 2, 3, 2, 3)),
    ("MaxPool1d", (3,), {"stride": 2, "padding": 1}, (2, 3, 8)),
    ("MaxPool2d", (2,), {"ceil_mode": True}, (2, 3, 5, 7)),
    ("MaxPool2d", ((3, 2), (2, 1)), {"dilation": 2, "return_indices": True}, (3, 6, 7)),
    ("MaxPool3d", ((1, 2, 2),), {"stride": 2, "return_indices": True}, (2, 2, 3, 4, 5)),
    ("AvgPool3d", (2, 1, 1), {"count_include_pad": False}, (2, 2, 3, 4, 3)),
    ("AdaptiveAvgPool3d", ((2, None, 1),), {}, (2, 2, 3, 4, 5)),
    ("AdaptiveMaxPool3d", (2,), {"return_indices": True}, (2, 3, 4, 5)),
    ("LPPool3d", (2, 2), {}, (1, 2, 2, 4, 4)),
    ("AvgPool1d", (3,), {"padding": 1, "count_include_pad": False}, (2, 3, 8)),
    ("AvgPool2d", (3, 2), {"padding": 1, "ceil_mode": True}, (2, 3, 6, 7)),
    ("AvgPool2d", ((2, 3),), {"divisor_override": 5}, (2, 3, 6, 7)),
    ("AdaptiveAvgPool1d", (3,), {}, (2, 3, 7)),
    ("AdaptiveAvgPool2d", ((None, 4),), {}, (2, 3, 6, 7)),
    ("AdaptiveMaxPool1d", (3,), {}, (2, 3, 7)),
    ("AdaptiveMaxPool2d", ((2, 3),), {"return_indices": True}, (2, 3, 6, 7)),
    ("LPPool1d", (2, 3), {"stride": 2}, (2, 3, 7)),
    ("LPPool2d", (2, (2, 3)), {"ceil_mode": True}, (2, 3, 5, 7)),
    ("BatchNorm1d", (4,), {}, (5, 4)),
    ("BatchNorm1d", (4,), {"momentum": None}, (5, 4, 3)),
    ("BatchNorm2d", (4, 1e-3, 0.3), {}, (2, 4, 3, 2)),
    ("BatchNorm2d", (4,), {"affine": False}, (2, 4, 3, 2)),
    ("BatchNorm2d", (4,), {"bias": False}, (2, 4, 3, 2)),
    ("BatchNorm2d", (4,), {"track_running_stats": False}, (2, 4, 3, 2)),
    ("BatchNorm3d", (4,), {}, (2, 4, 2, 3, 2)),
    ("InstanceNorm3d", (4,), {"affine": True}, (2, 4, 2, 3, 2)),
    ("InstanceNorm1d", (4,), {}, (4, 5)),
    ("InstanceNorm1d", (4,), {"affine": True, "track_running_stats": True}, (3, 4, 5)),
    ("InstanceNorm2d", (4,), {"track_running_stats": True, "momentum": 0.3}, (3, 4, 2, 3)),
    ("GroupNorm", (2, 4), {}, (3, 4, 5)),
    ("GroupNorm", (4, 4, 0.1), {"affine": False}, (3, 4)),
    ("LayerNorm", (4,), {}, (3, 4)),
    ("LayerNorm", ([3, 4], 0.1), {"bias": False}, (2, 3, 4)),
    ("LayerNorm", (4,), {"elementwise_affine": False}, (2, 3, 4)),
    ("RMSNorm", (4,), {}, (3, 4)),
    ("RMSNorm", ((3, 4), 0.1, False), {}, (2, 3, 4)),
    ("LocalResponseNorm", (3,), {"alpha": 0.1, "k": 2.0}, (2, 4, 5)),
    ("ConstantPad1d", (2, 3.5), {}, (2, 3)),
    ("ConstantPad2d", ((1, -1, 0, 2), -1.0), {}, (2, 3, 4)),
    ("ZeroPad1d", ((1, 0),), {}, (2, 3)),
    ("ZeroPad2d", (1,), {}, (2, 3, 4)),
    ("ReflectionPad1d", (2,), {}, (2, 3)),
    ("ReflectionPad2d", ((1, 0, 2, 1),), {}, (2, 3, 4)),
    ("ReplicationPad1d", ((1, 2),), {}, (2, 3)),
    ("ReplicationPad2d", (2,), {}, (1, 2, 3, 4)),
    ("CircularPad1d", ((1, 2),), {}, (2, 3)),
    ("CircularPad2d", ((1, 2, 0, 1),), {}, (1, 2, 3, 4)),
    ("ConstantPad3d", ((1, 0, 0, 2, 1, -1), 2.5), {}, (1, 2, 3, 2, 3)),
    ("ZeroPad3d", (1,), {}, (2, 2, 2, 3)),
    ("ReflectionPad3d", (1,), {}, (1, 2, 3, 2, 3)),
    ("ReplicationPad3d", ((1, 2, 0, 1, 1, 0),), {}, (2, 3, 2, 3)),
    ("CircularPad3d", ((1, 0, 1, 1, 0, 2),), {}, (1, 2, 3, 2, 3)),
    ("Upsample", (), {"scale_factor": 2, "mode": "trilinear"}, (1, 2, 2, 3, 2)),
    ("Upsample", (), {"scale_factor": 2}, (2, 3, 4)),
    ("Upsample", ((3, 5), None, "bilinear", True), {}, (2, 3, 4, 2)),
    ("Upsample", (), {"scale_factor": (1.5, 2.0), "mode": "bicubic", "recompute_scale_factor": True}, (2, 3, 4, 3)),
    ("UpsamplingNearest2d", ((3, 5),), {}, (2, 3, 4, 2)),
    ("UpsamplingBilinear2d", (), {"scale_factor": 2}, (2, 3, 4, 2)),
    ("PixelShuffle", (2,), {}, (2, 8, 3, 2)),
    ("PixelUnshuffle", (2,), {}, (3, 4, 2)),
    ("ChannelShuffle", (2,), {}, (2, 6, 3, 2)),
    ("Unfold", ((2, 3),), {"padding": 1}, (2, 3, 4, 5)),
    ("Fold", ((4, 5), 2), {"stride": (2, 1)}, (2, 8, 8)),
]


def both(name, args, options):
    """The layer of each library. Weights move there and back: ours start, PyTorch's are changed and loaded."""
    torch = pytest.importorskip("torch")
    ours, theirs = getattr(nn, name)(*args, **options).double(), getattr(torch.nn, name)(*args, **options).double()
    theirs.load_state_dict({k: torch.from_numpy(np.array(v.numpy())) for k, v in ours.state_dict().items()})
    with torch.no_grad():
        for value in theirs.state_dict().values():
            if value.is_floating_point():
                value.mul_(1.25).add_(0.1)
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    return torch, ours, theirs


def check_state(ours, theirs):
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for (name, a), b in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-9, atol=1e-12, err_msg=name)


def check_step(torch, ours, theirs, *values):
    """Output and gradients of a call."""
    x, y = [gpunet.tensor(v, requires_grad=True) for v in values], [torch.tensor(v, requires_grad=True) for v in values]
    a, b = ours(*x), theirs(*y)
    if isinstance(b, tuple):
        np.testing.assert_array_equal(a[1].numpy(), b[1].numpy())
        a, b = a[0], b[0]
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-9, atol=1e-12)
    ours.zero_grad(), theirs.zero_grad()
    (a * a).sum().backward()
    (b * b).sum().backward()
    for p, q in zip([*x, *ours.parameters()], [*y, *theirs.parameters()], strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-8, atol=1e-10)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name, args, options, shape", LAYERS, ids=lambda x: str(x).replace(" ", ""))
def test_layer_is_pytorchs(name, args, options, shape):
    torch, ours, theirs = both(name, args, options)
    assert repr(ours) == repr(theirs)
    rng = np.random.default_rng(0)
    for _ in range(2):
        check_step(torch, ours, theirs, rng.normal(size=shape))
        check_state(ours, theirs)
    ours.eval(), theirs.eval()
    check_step(torch, ours, theirs, rng.normal(size=shape))
    check_state(ours, theirs)
    if hasattr(ours, "reset_running_stats"):
        ours.reset_running_stats(), theirs.reset_running_stats()
        check_state(ours, theirs)


@pytest.mark.parametrize("bias", [True, False])
def test_bilinear(bias):
    torch, ours, theirs = both("Bilinear", (3, 4, 5), {"bias": bias})
    assert repr(ours) == repr(theirs)
    rng = np.random.default_rng(0)
    for lead in ((2,), (2, 3), ()):
        check_step(torch, ours, theirs, rng.normal(size=(*lead, 3)), rng.normal(size=(*lead, 4)))


def test_size_of_a_transposed_convolution():
    torch, ours, theirs = both("ConvTranspose2d", (2, 3, 3), {"stride": 2, "padding": 1})
    values = np.random.default_rng(0).normal(size=(1, 2, 4, 4))
    for size in ([8, 7], (1, 3, 7, 8)):
        a, b = (layer(t(values), output_size=size) for layer, t in ((ours, gpunet.tensor), (theirs, torch.tensor)))
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-9)
    with pytest.raises(ValueError, match=r"requested an output size of \[9, 7\], but valid sizes range from \[7, 7\]"):
        ours(gpunet.tensor(values), output_size=[9, 7])


@pytest.mark.parametrize("name, args, fan_in", [("Conv1d", (3, 500, 5), 15), ("Conv2d", (3, 500, (3, 2)), 18),
                                                ("ConvTranspose2d", (500, 500, 1), 500)])
def test_first_values(name, args, fan_in):
    """Uniform in +-1/sqrt(fan_in), weight and bias, as PyTorch's layers begin."""
    for parameter in getattr(nn, name)(*args).parameters():
        values = parameter.detach().numpy() * math.sqrt(fan_in)
        assert 0.95 < abs(values).max() <= 1 + 1e-6
        assert values.std() == pytest.approx(1 / math.sqrt(3), rel=0.1)  # of 500 values: 5 standard errors


def test_cumulative_mean_of_batches():
    layer = nn.BatchNorm1d(2, momentum=None)
    batches = np.random.default_rng(0).normal(size=(3, 4, 2)).astype(np.float32)
    for batch in batches:
        layer(gpunet.tensor(batch))
    np.testing.assert_allclose(layer.running_mean.numpy(), batches.mean((0, 1)), rtol=1e-5)
    assert layer.num_batches_tracked.item() == 3


def test_batch_norm_of_no_images_learns_nothing():
    layer = nn.BatchNorm2d(3)
    assert layer(gpunet.ones(0, 3, 2, 2)).shape == (0, 3, 2, 2)
    assert layer.running_var.tolist() == [1, 1, 1] and layer.running_mean.tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="BatchNorm2d: eps must be positive, got 0"):
        nn.BatchNorm2d(3, eps=0)


MODEL = {"features": lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.BatchNorm2d(5))}


@pytest.mark.parametrize("shape, sentence, layer", [
    ((8, 1, 28, 28), r"conv2d: expected an input of shape \(N, 3, H, W\) or \(3, H, W\), got \(8, 1, 28, 28\)",
     r"in Conv2d\(3, 4, .*\), layer 'features.0' of ModuleDict|in Conv2d\(3, 4, .*\), layer '0' of Sequential"),
    ((8, 3, 2, 2), r"conv2d: a kernel of \(3, 3\) taps.*does not fit in an input of \(2, 2\)", "in Conv2d"),
    ((8, 3, 3, 3), r"max_pool2d: a window of \(2, 2\) does not fit in an input of \(1, 1\)", "in MaxPool2d"),
    ((8, 3, 8, 8), r"batch_norm: running_mean should have one element for each channel of an input of shape "
                   r"\(8, 4, 3, 3\), got shape \(5,\)", "in BatchNorm2d"),
])
def test_a_wrong_shape_names_the_layer(shape, sentence, layer):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.features = MODEL["features"]()

        def forward(self, x):
            return self.features(x)

    with pytest.raises(RuntimeError, match=sentence) as caught:
        Net()(gpunet.ones(*shape))
    (note,) = caught.value.__notes__
    assert note.startswith(layer[:5]) and "layer 'features." in note and "of Net" in note


@pytest.mark.parametrize("build", [
    lambda nn: nn.Conv2d(3, 4, 3, groups=2), lambda nn: nn.Conv2d(4, 4, 3, padding="no"),
    lambda nn: nn.Conv2d(4, 4, 3, padding="same", stride=2), lambda nn: nn.Conv2d(4, 4, 3, padding_mode="no"),
    lambda nn: nn.ConvTranspose2d(4, 4, 3, padding_mode="reflect"), lambda nn: nn.GroupNorm(3, 4),
    lambda nn: nn.Bilinear(0, 1, 1)])
@pytest.mark.needs("torch")
def test_options_that_cannot_be(build):
    import torch

    for library in (nn, torch.nn):
        with pytest.raises(ValueError):
            build(library)
