"""Memory formats, beside PyTorch: strides, what `is_contiguous` says, values, and errors."""

import copy
import io
import itertools
import pickle

import numpy as np
import pytest

import gpunet
from gpunet import nn
from gpunet._channels_last import lies_last

IMAGES = 2, 3, 4, 5
VOLUMES = 2, 3, 2, 4, 5

# What is asked of x, in row-major order, y, the same in channels last, m, a matrix, v, of 5 dimensions, and L, the
# library.
TABLE = """
x.to(memory_format=L.channels_last)
m.to(memory_format=L.channels_last)
v.to(memory_format=L.channels_last)
x.to(memory_format=L.channels_last_3d)
v.to(memory_format=L.channels_last_3d)
v.to(memory_format=L.channels_last_3d).double()
y.to(memory_format=L.contiguous_format)
y.to(memory_format=L.preserve_format)
y.to(memory_format=None)
y.to(memory_format=L.channels_last) is y
x.to(memory_format=L.contiguous_format) is x
m.t().to(memory_format=L.contiguous_format).is_contiguous()
y.to("cpu", copy=True)
y.to("meta")
y.to(L.float64)
y.to(L.float64, memory_format=L.contiguous_format)
m.to(L.float64, memory_format=L.channels_last)
x.to(L.float64, memory_format=L.channels_last)
x.to(memory_format="channels_last")
m.contiguous(memory_format=L.channels_last)
x.contiguous(memory_format=L.channels_last)
y.contiguous(memory_format=L.channels_last) is y
y.contiguous()
y.contiguous(memory_format=L.preserve_format)
x.contiguous(memory_format=L.preserve_format)
x.contiguous(memory_format=None)
x.contiguous(memory_format="channels_last")
y.clone()
y.clone(memory_format=L.contiguous_format)
y.clone(memory_format=L.preserve_format)
x.clone(memory_format=L.channels_last)
m.clone(memory_format=L.channels_last)
m.is_contiguous(memory_format=L.channels_last)
y.is_contiguous(memory_format=L.channels_last_3d)
y.is_contiguous(memory_format=L.preserve_format)
x.is_contiguous(memory_format=L.preserve_format)
y.is_contiguous(memory_format=None)
y.is_contiguous(L.channels_last)
y.half()
y.half(memory_format=L.contiguous_format)
y.float(memory_format=L.contiguous_format)
x.float(memory_format=L.channels_last)
x.double(memory_format=L.channels_last)
y.cpu()
x.cpu(memory_format=L.channels_last)
y.detach()
y.mul_(2)
x.clone().copy_(y)
y.clone().copy_(x)
y.new_empty(2, 3, 4, 5).stride()
y.new_zeros(2, 3, 4, 5)
y.reshape(2, -1)
y.flatten(1)
y.view(2, -1)
y.permute(0, 2, 3, 1).view(-1, 3)
y[:1].contiguous(memory_format=L.channels_last)
y[:, :2].clone()
y[:, :2].double()
y[:, :, 1:].clone()
y[:, :2].contiguous()
y[:, :2].is_contiguous(memory_format=L.channels_last)
L.empty_like(y[:, 1:]).stride()
L.empty(2, 3, 4, 5, memory_format=L.channels_last).stride()
L.empty(2, 3, memory_format=L.channels_last)
L.empty(2, 3, 4, 5, memory_format=L.preserve_format)
L.empty(2, memory_format=None).stride()
L.empty_like(y).stride()
L.empty_like(y, memory_format=L.contiguous_format).stride()
L.empty_like(x, memory_format=L.channels_last).stride()
L.empty_like(m, memory_format=L.channels_last)
L.zeros_like(y)
L.zeros_like(y, dtype=L.int64)
L.ones_like(y, memory_format=L.contiguous_format)
L.full_like(x, 2.0, memory_format=L.channels_last)
L.rand_like(y).stride()
L.randn_like(y).stride()
L.randn_like(y, memory_format=L.contiguous_format).stride()
L.randint_like(y, 5).stride()
L.tensor(y.tolist()).stride()
L.ones(1).resize_(2, 3, 4, 5, memory_format=L.channels_last).stride()
L.ones(1).resize_(2, 3, memory_format=L.channels_last)
L.ones(1).resize_(2, 3, memory_format=L.preserve_format)
L.arange(120.0).resize_(2, 3, 4, 5, memory_format=L.channels_last)
y.clone().resize_(2, 3, 4, 5)
y.clone().resize_(120)
y.clone().resize_(2, 3, 5, 4)
L.ones(1).resize_as_(y).stride()
L.ones(1).resize_as_(y, memory_format=L.preserve_format).stride()
L.ones(1).resize_as_(y, memory_format=L.contiguous_format).stride()
x[:, :1].contiguous().to(memory_format=L.channels_last)
x[:, :1].contiguous().contiguous(memory_format=L.channels_last)
x[:, :1].contiguous().is_contiguous(memory_format=L.channels_last)
x[:, :, :1, :1].contiguous().to(memory_format=L.channels_last)
x[:, :, :1, :1].contiguous().to(memory_format=L.channels_last).clone()
x[:, :1].contiguous().to(memory_format=L.channels_last).double()
x[:1].to(memory_format=L.channels_last)
x[:, :1, :1, :1].contiguous().to(memory_format=L.channels_last)
L.nn.Conv2d(3, 4, 3).to(memory_format=L.channels_last).weight.stride()
L.nn.Conv2d(1, 4, 3).to(memory_format=L.channels_last).weight.stride()
L.nn.Conv2d(3, 4, 1).to(memory_format=L.channels_last).weight.stride()
L.nn.Linear(3, 4).to(memory_format=L.channels_last).weight.stride()
L.nn.Conv3d(3, 4, 3).to(memory_format=L.channels_last)
L.nn.Conv3d(3, 4, 3).to(memory_format=L.channels_last_3d).weight.stride()
L.nn.Conv2d(3, 4, 3).to(memory_format=L.channels_last_3d)
L.nn.Conv2d(3, 4, 3).to(memory_format=L.channels_last).half().weight.stride()
L.nn.Conv2d(3, 4, 3).to(memory_format=L.channels_last).double().bias.stride()
L.nn.Conv2d(3, 4, 3).to(memory_format=L.channels_last).to(memory_format=L.contiguous_format).weight.stride()
L.nn.Conv2d(3, 4, 3).to(memory_format=L.preserve_format).weight.stride()
L.nn.Conv2d(3, 4, 3).to(memory_format="channels_last")
L.nn.Conv2d(3, 4, 3).to(memory_format=L.channels_last).to_empty(device="cpu").weight.stride()
copy.deepcopy(y)
copy.deepcopy(L.nn.Conv2d(3, 4, 3).to(memory_format=L.channels_last)).weight.stride()
pickle.loads(pickle.dumps(y))
loaded(L, y)
""".strip().splitlines()


def loaded(library, tensor):
    file = io.BytesIO()
    library.save(tensor, file)
    file.seek(0)
    return library.load(file)


def answer(library, expression, device="cpu"):
    drawn = {name: np.random.default_rng(0).normal(size=shape).astype(np.float32)
             for name, shape in (("x", IMAGES), ("m", (2, 3)), ("v", VOLUMES))}
    names = {name: library.tensor(array, device=device) for name, array in drawn.items()}
    names |= {"L": library, "y": names["x"].to(memory_format=library.channels_last), "copy": copy, "pickle": pickle,
              "loaded": loaded}
    try:
        found = eval(expression, names)
    except (RuntimeError, TypeError) as error:
        return type(error).__name__
    if not hasattr(found, "requires_grad"):
        return found
    values = None if str(found.device) == "meta" else found.cpu().tolist()
    return found.stride(), found.is_contiguous(), found.is_contiguous(memory_format=library.channels_last), values


@pytest.mark.needs("torch")
@pytest.mark.parametrize("expression", TABLE)
def test_as_pytorch(expression):
    import torch

    assert answer(gpunet, expression) == answer(torch, expression)


@pytest.mark.parametrize("expression", [each for each in TABLE if "L.ones(1)" not in each])
def test_on_all_devices(expression, device):
    with gpunet.device(device):
        assert answer(gpunet, expression, device) == answer(gpunet, expression)


SIZES = ((2, 3, 4, 5), (2, 1, 4, 5), (2, 3, 1, 1), (1, 3, 4, 5), (1, 3, 1, 5), (2, 3, 4, 1), (1, 1, 4, 5), (1, 1, 1, 1),
         (2, 1, 1, 1), (2, 1, 1, 5), (2, 1, 4, 1), (1, 3, 1, 1))


@pytest.mark.needs("torch")
@pytest.mark.parametrize("shape", SIZES, ids=str)
def test_the_format_of_a_sum_is_that_of_pytorch(shape, gpu):
    """Of two operands in all formats, of which the second may be broadcast."""
    import torch

    n, c, h, w = shape

    def found(library, device, other, formats):
        x, y = [library.ones(size, device=device) for size in (shape, other)]
        x, y = [t.to(memory_format=library.channels_last) if last else t
                for t, last in zip((x, y), formats, strict=True)]
        z = x + y
        return z.is_contiguous(), z.is_contiguous(memory_format=library.channels_last)

    for other in {shape, (1, c, 1, 1), (n, c, 1, 1), (1, 1, h, w), (n, 1, h, w), (1, 1, 1, 1)}:
        for formats in itertools.product((False, True), repeat=2):
            assert found(gpunet, gpu, other, formats) == found(torch, "cpu", other, formats), (other, formats)


def test_gradients_flow_through_formats(device):
    x = gpunet.rand(*IMAGES, device=device, requires_grad=True)
    weights = gpunet.rand(*IMAGES, device=device)
    y = x.to(memory_format=gpunet.channels_last).double().contiguous().clone(memory_format=gpunet.channels_last)
    (y * weights).sum().backward()
    np.testing.assert_array_equal(x.grad.tolist(), weights.tolist())
    assert x.grad.is_contiguous()


def test_a_gradient_lies_as_its_leaf(device):
    for shape, last in ((IMAGES, gpunet.channels_last), (VOLUMES, gpunet.channels_last_3d)):
        x = gpunet.rand(*shape, device=device).to(memory_format=last).requires_grad_()
        weights = gpunet.rand(*shape, device=device)
        for count in (1, 2):
            (x * weights).sum().backward()
            assert x.grad.is_contiguous(memory_format=last)
            np.testing.assert_array_equal(x.grad.tolist(), (weights * count).tolist())


def test_between_devices(device):
    x = gpunet.rand(*IMAGES).to(memory_format=gpunet.channels_last)
    there = x.to(device)
    assert there.stride() == x.stride()
    assert there.cpu().stride() == x.stride()
    np.testing.assert_array_equal(there.cpu().numpy(), x.numpy())
    assert there.contiguous().cpu().is_contiguous()


def test_numpy_and_dlpack_share_the_memory():
    x = gpunet.rand(*IMAGES).to(memory_format=gpunet.channels_last)
    for array in (x.numpy(), np.from_dlpack(x)):
        assert array.strides == x.numpy().strides
        array[0, 1, 2, 3] += 1
        assert x[0, 1, 2, 3].item() == array[0, 1, 2, 3]
    assert gpunet.from_numpy(x.numpy()).stride() == gpunet.from_dlpack(x.numpy()).stride() == x.stride()
    assert gpunet.tensor(x.numpy()).stride() == x.stride()


def test_copies_of_views_share_their_copied_memory(device):
    x = gpunet.rand(*IMAGES, device=device).to(memory_format=gpunet.channels_last)
    whole, part = copy.deepcopy((x, x[0]))
    part.add_(1)
    np.testing.assert_array_equal(whole[0].tolist(), part.tolist())
    np.testing.assert_array_equal(whole[1].tolist(), x[1].tolist())
    assert whole.stride() == x.stride()


def test_state_dicts_have_the_values(tmp_path, device):
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).to(device).to(memory_format=gpunet.channels_last)
    gpunet.save(model.state_dict(), tmp_path / "state.pt")
    other = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).to(device)
    other.load_state_dict(gpunet.load(tmp_path / "state.pt"))
    np.testing.assert_array_equal(other[0].weight.tolist(), model[0].weight.tolist())
    assert other[0].weight.is_contiguous()
    model.load_state_dict(other.state_dict())
    assert lies_last(model[0].weight._array)
