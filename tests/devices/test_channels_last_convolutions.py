"""Networks of convolutions and norms in channels last: forward and backward without a copy between layers."""

import numpy as np
import pytest

import gpunet
import gpunet.nn.functional as F
from gpunet import devices, nn
from gpunet._channels_last import is_channels_last
from gpunet.kernel import Launcher


def last(tensor):
    return tensor.contiguous(memory_format=gpunet.channels_last)


def stays(tensor):
    return is_channels_last(tensor._array)


class Block(nn.Module):
    """A residual block with a stride, without norms."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(16, 32, 3, 2, 1), nn.Conv2d(32, 32, 3, padding=1, bias=False)
        self.shortcut, self.last = nn.Conv2d(16, 32, 1, 2), nn.Conv2d(32, 16, 1)

    def forward(self, x):
        return self.last(F.relu(self.second(F.relu(self.first(x))) + self.shortcut(x)))


@pytest.fixture(params=["bfloat16", "tf32"])
def dtype(request):
    if request.param == "tf32":
        gpunet.set_float32_matmul_precision("high")
    yield gpunet.float32 if request.param == "tf32" else gpunet.bfloat16
    gpunet.set_float32_matmul_precision("highest")


@pytest.fixture
def launched(monkeypatch):
    """The names of the kernels that run, and "copy" where an array is copied beside these."""
    names, call, xp = [], Launcher.__call__, devices.get("sim").xp
    copied = xp.ascontiguousarray

    def launch(self, *args, **options):
        names.append(self.name.partition("<")[0])
        call(self, *args, **options)

    def copy(array, *args):
        if not array.flags.c_contiguous:
            names.append("copy")
        return copied(array, *args)

    monkeypatch.setattr(Launcher, "__call__", launch)
    monkeypatch.setattr(xp, "ascontiguousarray", copy)
    return names


def gradients(model, x, g):
    """The result and all gradients."""
    x = x.detach().requires_grad_()
    y = model(x)
    y.backward(g)
    found = [y, x.grad, *[p.grad for p in model.parameters()]]
    model.zero_grad()
    return found


def test_a_residual_block_copies_nothing(dtype, launched):
    gpunet.manual_seed(0)
    model = Block().to("sim", dtype)
    x, g = (gpunet.randn(2, 16, *size, device="sim").to(dtype) for size in ((9, 8), (5, 4)))
    expected = gradients(model, x, g)
    assert not any(map(stays, expected))
    model, x, g = model.to(memory_format=gpunet.channels_last), last(x), last(g)
    launched.clear()
    found = gradients(model, x, g)
    assert set(launched) <= {"conv_channels", "conv_channels_weight", "matmul_tensor", "unary", "binary",
                             "reduce_columns", "column_sum_finish"}
    assert launched.count("conv_channels_weight") == 3 and launched.count("conv_channels") == 3 + 4 + 1 + 1
    for one, other in zip(found, expected, strict=True):
        one, other = (np.asarray(each.detach().cpu().float().numpy(), float) for each in (one, other))
        assert np.linalg.norm(one - other) < 0.05 * np.linalg.norm(other)
    for each in found:
        assert stays(each) or each.ndim != 4 or each.shape[2:] == (1, 1)  # where both formats are one


@pytest.mark.parametrize("kernel, groups, channels", [(3, 1, 16), (3, 1, 3), (3, 4, 24), (1, 2, 16)])
@pytest.mark.parametrize("dtype", [gpunet.float32, gpunet.float16,
                                   pytest.param(gpunet.float64, marks=pytest.mark.slow)], ids=str)
def test_where_tensor_cores_do_not_serve_nothing_is_copied_to_planes(kernel, groups, channels, dtype, launched):
    """float32 in its own precision, double, and groups of few channels; against PyTorch's results and strides."""
    torch = pytest.importorskip("torch")
    options = dict(padding=kernel // 2, stride=2, groups=groups)
    layers = [nn.Conv2d(channels, 24, kernel, **options), torch.nn.Conv2d(channels, 24, kernel, **options)]
    x = torch.randn(2, channels, 9, 8).contiguous(memory_format=torch.channels_last)
    layers[0].load_state_dict({name: gpunet.tensor(p.numpy()) for name, p in layers[1].state_dict().items()})
    layers[0].to("sim", dtype).to(memory_format=gpunet.channels_last)
    layers[1].to(memory_format=torch.channels_last)
    images = last(gpunet.tensor(x.numpy(), device="sim").to(dtype)).requires_grad_()
    x.requires_grad_()
    g = torch.randn(2, 24, 5, 4).contiguous(memory_format=torch.channels_last)
    gradient = last(gpunet.tensor(g.numpy(), device="sim").to(dtype))
    launched.clear()
    y, expected = layers[0](images), layers[1](x)
    y.backward(gradient)
    expected.backward(g)
    assert "copy" not in launched
    # Of tensor cores' whole chunks the weight's gradient is cut out.
    assert launched.count("copy_strided") == (dtype == gpunet.float16 and groups == 1 and channels == 3)
    tolerance = 5e-3 if dtype == gpunet.float16 else 1e-5
    for one, other in [(y, expected), (images.grad, x.grad), (layers[0].weight.grad, layers[1].weight.grad),
                       (layers[0].bias.grad, layers[1].bias.grad)]:
        one, other = one.detach(), other.detach()
        assert one.ndim < 4 or one.stride() == other.stride()
        one, other = one.cpu().to(gpunet.float64).numpy(), other.double().numpy()
        assert np.linalg.norm(one - other) < tolerance * np.linalg.norm(other)


@pytest.mark.parametrize("x_last, w_last", [(True, False), (False, True)])
def test_one_operand_in_channels_last_is_enough(x_last, w_last):
    x, w = (gpunet.randn(*shape, device="sim").bfloat16() for shape in ((2, 3, 6, 5), (8, 3, 3, 3)))
    expected = F.conv2d(x, w).float()
    y = F.conv2d(last(x) if x_last else x, last(w) if w_last else w)
    assert stays(y)
    np.testing.assert_allclose(y.cpu().float().numpy(), expected.cpu().numpy(), atol=0.05)


def test_a_recording_joins_what_follows(launched):
    """The same values as eager, from one launch for the convolution, the residual and the activation."""
    x, w = (last(gpunet.randn(*shape, device="sim").half()) for shape in ((2, 16, 6, 5), (16, 16, 3, 3)))
    step = gpunet.compile(lambda: F.relu(F.conv2d(x, w, padding=1) + x))
    expected = F.relu(F.conv2d(x, w, padding=1) + x)
    for _ in range(3):
        launched.clear()
        y = step()
    assert launched == ["conv_channels"]
    assert stays(y)
    np.testing.assert_array_equal(y.cpu().numpy(), expected.cpu().numpy())


@pytest.mark.parametrize("name", ["sum", "mean"])
@pytest.mark.parametrize("keepdim", [False, True])
def test_sums_that_leave_an_order_copy_nothing(name, keepdim, launched):
    """The gradient of a bias, and global pooling; where channels and places are left, values are right all the same."""
    x = gpunet.randn(3, 5, 4, 6, device="sim")
    turned = last(x)
    for dim in ((0, 2, 3), (2, 3), (1,), (0, 1), (-3, -1), (0,), (2,), (0, 3)):
        expected = getattr(x, name)(dim, keepdim)
        launched.clear()
        found = getattr(turned, name)(dim, keepdim)
        np.testing.assert_allclose(found.cpu().numpy(), expected.cpu().numpy(), rtol=1e-5, atol=1e-6)
        assert ("copy" in launched) == (dim in ((0,), (2,), (0, 3)))


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("dtype", [gpunet.float16, pytest.param(gpunet.bfloat16, marks=pytest.mark.slow)])
def test_batch_norm_and_what_follows_in_evaluation(kernel, dtype):
    """Eager and recorded, of one's own code and as layers: the same bits, near to planes."""
    gpunet.manual_seed(0)
    conv, norm = nn.Conv2d(16, 16, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(16)
    nn.init.uniform_(norm.weight, 0.5, 2)
    layers = nn.Sequential(conv, norm, nn.ReLU()).to("sim", dtype).eval()
    x = gpunet.randn(2, 16, 6, 5, device="sim").to(dtype)

    def own(x):
        return F.relu(norm(conv(x)) + x)

    with gpunet.no_grad():
        planes = [layers(x).float().cpu().numpy(), own(x).float().cpu().numpy()]
        layers.to(memory_format=gpunet.channels_last)
        x = last(x)
        found = [layers(x), own(x)]
        step = gpunet.compile(lambda: (layers(x), own(x)))
        for _ in range(3):
            recorded = step()
    assert stays(found[0])
    for expected, eager, other in zip(planes, found, recorded, strict=True):
        np.testing.assert_allclose(eager.float().cpu().numpy(), expected, atol=0.1)
        np.testing.assert_array_equal(eager.float().cpu().numpy(), other.float().cpu().numpy())


NORMS = {"group": lambda library: library.GroupNorm(4, 16), "instance": lambda library: library.InstanceNorm2d(16),
         "instance with weights": lambda library: library.InstanceNorm2d(16, affine=True, track_running_stats=True)}


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("kernel, stride", [(7, 1), (3, 2)])
def test_depthwise_and_norms_of_groups_copy_nothing(norm, kernel, stride, launched):
    """Results, gradients and strides are PyTorch's; so are the running statistics."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    own, theirs = (library.Sequential(library.Conv2d(16, 16, kernel, stride, kernel // 2, groups=16),
                                      NORMS[norm](library), library.Conv2d(16, 8, 1)) for library in (nn, torch.nn))
    own.load_state_dict({name: gpunet.tensor(p.numpy()) for name, p in theirs.state_dict().items()})
    own.to("sim").to(memory_format=gpunet.channels_last)
    theirs.to(memory_format=torch.channels_last)
    x = torch.randn(2, 16, 9, 8).contiguous(memory_format=torch.channels_last)
    images = last(gpunet.tensor(x.numpy(), device="sim")).requires_grad_()
    expected = theirs(x.requires_grad_())
    g = torch.randn_like(expected).contiguous(memory_format=torch.channels_last)
    launched.clear()
    y = own(images)
    y.backward(last(gpunet.tensor(g.numpy(), device="sim")))
    expected.backward(g)
    assert not {"copy", "copy_strided"} & set(launched)
    pairs = [(y, expected), (images.grad, x.grad)]
    pairs += [(p.grad, q.grad) for p, q in zip(own.parameters(), theirs.parameters(), strict=True)]
    pairs += [(own.state_dict()[name], value) for name, value in theirs.state_dict().items() if "running" in name]
    for one, other in pairs:
        one, other = one.detach(), other.detach()
        assert one.ndim < 4 or 1 in one.shape or one.stride() == other.stride()
        np.testing.assert_allclose(one.cpu().numpy(), other.numpy(), rtol=1e-4, atol=2e-5)


def test_a_norm_of_groups_is_differentiated_twice_and_recorded():
    x, w, b = last(gpunet.randn(2, 6, 3, 4, device="sim")), *(gpunet.randn(6, device="sim") for _ in range(2))

    def second(x, w, b):
        x, w = x.detach().requires_grad_(), w.detach().requires_grad_()
        first, = gpunet.autograd.grad(F.group_norm(x, 2, w, b).square().sum(), x, create_graph=True)
        return gpunet.autograd.grad(first.square().sum(), (x, w))

    for one, other in zip(second(x, w, b), second(x.contiguous(), w, b), strict=True):
        np.testing.assert_allclose(one.cpu().numpy(), other.cpu().numpy(), rtol=1e-3, atol=1e-4)
    step = gpunet.compile(lambda: F.relu(F.group_norm(x, 2, w, b)))
    for _ in range(3):
        found = step()
    assert stays(found)
    np.testing.assert_array_equal(found.cpu().numpy(), F.relu(F.group_norm(x, 2, w, b)).cpu().numpy())
