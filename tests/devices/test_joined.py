"""Products, convolutions and norms of a recording that take in what follows them, and what precedes: the same bits, and
nothing that is seen is left unwritten."""

import pytest

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, sim
from tests.devices.test_chains import launches

DTYPES = [gpunet.float32, pytest.param(gpunet.bfloat16, marks=pytest.mark.slow),
          pytest.param(gpunet.float64, marks=pytest.mark.slow)]


@pytest.fixture
def normal():
    gpunet.manual_seed(0)
    return lambda *shape, dtype=gpunet.float32: gpunet.randn(*shape, device="sim").to(dtype)


def replayed(step, *arguments):
    """The names of what a replay runs; its results have the bits of the eager step's."""
    (first, _, again), names = launches(step, *arguments)
    for one, other in zip(first, again, strict=True) if isinstance(first, tuple) else [(first, again)]:
        assert (one == other).all()
    return names


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_feed_forward_part(normal, dtype):
    x, first, second, bias = (normal(*shape, dtype=dtype) for shape in ((3, 4, 8), (24, 8), (8, 24), (24,)))
    names = replayed(lambda x: x + F.linear(F.gelu(F.linear(x, first, bias)), second), x)
    double = dtype == gpunet.float64  # of which kernels have no GELU
    assert names == (["linear", "gelu", "linear + add"] if double else ["linear + gelu", "linear + add"])


@pytest.mark.parametrize("activation", [F.relu, F.gelu, lambda x: F.gelu(x, approximate="tanh"), F.silu])
def test_in_training_both_are_written(normal, activation):
    """The activation's gradient needs the value before it, the next layer's gradient the one after it."""
    x, first, second = normal(5, 8), normal(12, 8).requires_grad_(), normal(8, 12).requires_grad_()

    def step(x):
        first.grad = second.grad = None
        loss = (x + F.linear(activation(F.linear(x, first)), second)).square().sum()
        loss.backward()
        return loss.detach(), first.grad, second.grad

    names = replayed(step, x)
    assert names[0].startswith("linear + ") and names[1] == "linear + add"


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_residual_block_in_evaluation(normal, dtype):
    layers = nn.ModuleList([nn.Conv2d(6, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU(inplace=True),
                            nn.Conv2d(6, 6, 3, padding=1, groups=6), nn.BatchNorm2d(6, affine=False)])
    for norm in (layers[1], layers[4]):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    layers = layers.to("sim").to(dtype).eval()

    @gpunet.no_grad()
    def step(x):
        y = layers[2](layers[1](layers[0](x)))
        y = layers[4](layers[3](y))
        y += x
        return layers[2](y)

    assert replayed(step, normal(2, 6, 5, 8, dtype=dtype)) == ["conv + running_norm + relu",
                                                               "conv + running_norm + add + relu"]


@pytest.mark.parametrize("formats", [gpunet.contiguous_format, gpunet.channels_last], ids=str)
def test_norms_in_float32_after_convolutions_in_half_types(normal, formats):
    """As under autocast: layers' norms keep their vectors in float32."""
    layers = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
                           nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.BatchNorm2d(8), nn.SiLU())
    for norm in (layers[1], layers[4]):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    layers = layers.to("sim").to(memory_format=formats).eval()

    @gpunet.no_grad()
    def step(x):
        with gpunet.autocast("sim", gpunet.float16):
            return layers(x)

    x = normal(2, 8, 5, 8, dtype=gpunet.float16).contiguous(memory_format=formats)
    names = replayed(step, x)
    assert [name for name in names if name != "cast"] == ["conv + running_norm + relu", "conv + running_norm + silu"]


def test_a_norm_that_no_convolution_is_before(normal):
    vectors = [gpunet.rand(4, device="sim") + 0.5 for _ in range(4)]
    names = replayed(lambda x, y: F.silu(F.batch_norm(x, *vectors) + y), normal(3, 4, 7), normal(3, 4, 7))
    assert names == ["running_norm + add + silu"]


def _moved(step, norm):
    """The same from the running statistics that it began with."""
    begin = [each.clone() for each in norm.buffers()]

    def again(*arguments):
        with gpunet.no_grad():
            for each, value in zip(norm.buffers(), begin, strict=True):
                each.copy_(value)
        return *step(*arguments), *[each.clone() for each in norm.buffers()]

    return again


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_batch_norm_in_training(normal, dtype, last):
    """Of code of one's own, forward and backward. The gradient before the ReLU is the residual's, so it is written."""
    norm, image, residual = nn.BatchNorm2d(6), normal(2, 6, 5, 8, dtype=dtype), normal(2, 6, 5, 8, dtype=dtype)
    norm = norm.to("sim", dtype=gpunet.float64 if dtype == gpunet.float64 else gpunet.float32)
    if last:
        image, residual = (each.to(memory_format=gpunet.channels_last) for each in (image, residual))
    image.requires_grad_(), residual.requires_grad_()

    def step(image, residual):
        image.grad = residual.grad = norm.weight.grad = norm.bias.grad = None
        y = F.relu(norm(image) + residual)
        y.backward(gpunet.ones_like(y))
        return y.detach(), image.grad, residual.grad, norm.weight.grad, norm.bias.grad

    names = replayed(_moved(step, norm), image, residual)
    assert "normalize_moving + add + relu" in names and "relu_grad + normalize_grad" in names
    assert not {"relu", "relu_grad", "add"} & set(names)


def test_a_sum_before_a_norm_of_rows(normal):
    x, other, weight, bias = normal(9, 24), normal(9, 24), normal(24), normal(24)
    assert replayed(lambda x, y: F.layer_norm(x + y, (24,), weight, bias), x, other) == ["add + normalize"]

    def before_norm(x, y):
        total = x + y
        return total, F.rms_norm(total, (24,), weight), total * 2

    assert replayed(before_norm, x, other)[0] == "add + normalize"
    assert replayed(lambda x, y: F.relu(x + F.layer_norm(y, (24,))), x, other) == ["normalize + add + relu"]
    through_a_view = replayed(lambda x, y: F.group_norm((x + y)[..., None], 3), x, other)
    assert through_a_view == ["add", "normalize"]

    def changes(x, y):
        x = x * 1
        total = x + y
        x.add_(1)
        return F.layer_norm(total, (24,)), x

    assert "normalize" in replayed(changes, x, other)


def test_products_of_a_batch(normal):
    names = replayed(lambda x, y: F.relu(y + x @ x.mT), normal(2, 5, 3), normal(2, 5, 5))
    assert names == ["matmul + add + relu"]


def test_what_is_seen_is_written(normal):
    x, weight, held = normal(6, 8), normal(8, 8), []

    def through_a_view(x):
        h = F.linear(x, weight)
        return F.gelu(h), h[1:].clone()

    def outside(x):
        held[:] = [F.linear(x, weight)]
        return held[0] + x

    def later(x):
        h = F.linear(x, weight)
        return h + x, h * 2

    def of_a_convolution(image):
        h = F.conv2d(image, weight[:1, :2].reshape(1, 1, 1, 2))
        return h.relu(), h.sum()

    assert replayed(through_a_view, x) == ["linear + gelu", "clone"]
    assert replayed(outside, x)[0] == "linear"
    assert (held[0] == F.linear(x, weight)).all()
    assert replayed(later, x)[0] == "linear"
    assert replayed(of_a_convolution, normal(1, 1, 4, 5))[0] == "conv"


def test_nothing_is_moved_over_what_changes_it(normal):
    weight = normal(8, 8)

    def input_changes(x):
        x = x * 1
        h = F.linear(x, weight)
        x.add_(1)
        return h + x

    def residual_is_overwritten(x):
        x = x * 1
        x += F.linear(x, weight)
        return x

    def input_is_overwritten(x):
        x, y = x * 1, x * 2
        gpunet.add(F.linear(x, weight), y, out=x)
        return x

    def broadcast(x):
        return F.linear(x, weight) + x[0]

    for step in (input_changes, residual_is_overwritten, broadcast):
        assert "linear" in replayed(step, normal(4, 8))
    replayed(input_is_overwritten, normal(4, 8))


@pytest.mark.slow
def test_the_checker_finds_nothing(normal):
    weight = normal(8, 8)
    step = gpunet.compile(lambda x: x + F.linear(F.silu(F.linear(x, weight)), weight))
    x = normal(6, 8)
    with sim.checked() as findings:
        for _ in range(3):
            step(x)
    assert not findings
