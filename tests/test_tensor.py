"""What a user expects of a Tensor beside its mathematics."""

import copy
import operator
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest

import gpunet


def t(*values, **options):
    return gpunet.tensor(list(values), **options)


# ---- printing

REPR = [
    "tensor(1.)", "tensor(1.5000)", "tensor(3)", "tensor(True)", "tensor([])", "tensor([1., 2.])", "tensor([1, 2, 3])",
    "tensor([True, False])", "tensor([[1, 2], [3, 4]])", "tensor([1.0, 2.5])", "tensor([1e-8, 1.0])",
    "tensor([1e8, 1.0])",
    "zeros(2, 0)", "zeros(0, dtype=int64)", "zeros(2, dtype=float64)", "ones(2, dtype=int32)", "ones(2, dtype=uint8)",
    "tensor([1.0, 2.0], requires_grad=True)", "tensor([1.0, float('nan'), float('inf'), -float('inf')])",
    "zeros(3, 2, 2)",
    "ones(2, dtype=float16)", "tensor([0.1, -0.25], dtype=bfloat16)", "arange(2000)", "arange(0, 1, 0.0005)",
    "zeros(40, 40)",
    "tensor([-1.5, 20.25])", "tensor([123456.0, 0.001])", "tensor(-0.0)", "tensor([[1.5, -2.0]])",
    "tensor([100000, 1])",
    "tensor(float('nan'))", "tensor([12345.6, 1.0])", "tensor(1e-10)", "tensor(1e10)", "tensor([0.0001, 0.0002])",
]


@pytest.mark.parametrize("expression", REPR)
@pytest.mark.needs("torch")
def test_repr(expression):
    """PyTorch's conventions: the same text up to white space."""
    import torch

    ours, theirs = (re.sub(r"\s+", " ", repr(eval(expression,
        {n: getattr(lib, n) for n in dir(lib)} | {"float": float})))
                    for lib in (gpunet, torch))
    assert ours.replace("gpunet.", "torch.") == theirs


def test_repr_of_computed_tensors_names_the_op():
    x = t(1.0, requires_grad=True)
    assert repr(x * 2) == "tensor([2.], grad_fn=<MulBackward0>)"
    assert str(x) == repr(x)


def test_format():
    assert f"{gpunet.tensor(3.14159):.2f}" == "3.14" and f"{gpunet.tensor(7):03d}" == "007"
    assert f"{t(1.0)}" == "tensor([1.])" and f"{gpunet.tensor(2.5)}" == "2.5"
    with pytest.raises(TypeError):
        f"{t(1.0, 2.0):.2f}"


# ---- Python's protocols


def test_numbers():
    x = gpunet.tensor(2.5)
    assert float(x) == 2.5 and int(x) == 2 and bool(x) and x.item() == 2.5 and float(t(3)) == 3
    assert operator.index(gpunet.tensor(3)) == 3 and [10,
        20][gpunet.tensor(1)] == 20 and list(range(gpunet.tensor(2))) == [0, 1]
    assert not gpunet.tensor(0.0) and not t(0)
    assert round(float(gpunet.tensor(2.567)), 1) == 2.6
    with pytest.raises(TypeError, match="only .*integer tensors"):
        operator.index(x)
    for empty_or_many in (gpunet.zeros(0), gpunet.zeros(2)):
        with pytest.raises(RuntimeError, match="truth of a tensor"):
            bool(empty_or_many)
    with pytest.raises((RuntimeError, ValueError), match="one|scalar"):
        float(gpunet.zeros(2))


def test_sequences():
    x = gpunet.arange(6).reshape(2, 3)
    assert len(x) == 2 and [r.tolist() for r in x] == [[0, 1, 2], [3, 4, 5]]
    a, b = x
    assert b.tolist() == [3, 4, 5] and a.data_ptr() == x.data_ptr()
    assert 4 in x and 7 not in x and x.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert [v.item() for v in x[0]] == [0, 1, 2] and list(reversed([1])) == [1]
    assert dict(zip(["a", "b"], x, strict=True))["b"].tolist() == [3, 4, 5]
    assert gpunet.tensor(5).tolist() == 5 and gpunet.zeros(2, 0).tolist() == [[], []]


def test_hash_and_equality():
    x, y = t(1.0), t(1.0)
    assert hash(x) != hash(y) and len({x, y, x}) == 2 and {x: 1}[x] == 1
    assert (x == y).tolist() == [True] and (x != y).tolist() == [False]
    assert (x == None) is False and (x != None) is True and (x == "a") is False and x != [1.0]  # noqa: E711
    assert any(v is x for v in [y, x])


def test_reflected_and_bitwise_operators():
    x = t(1, 2, 3)
    assert (10 - x).tolist() == [9, 8, 7] and (2**x).tolist() == [2, 4, 8] and (7 // x).tolist() == [7, 3, 2]
    assert (7 % x).tolist() == [0, 1, 1] and (6 / x).tolist() == [6, 3, 2] and (~x).tolist() == [-2, -3, -4]
    assert (x & 1).tolist() == [1, 0, 1] and (x | 4).tolist() == [5, 6, 7] and (1 ^ x).tolist() == [0, 3, 2]
    assert divmod(7, 2) == (3, 1) and (+x) is x and abs(-x).tolist() == [1, 2, 3]


def test_numpy_scalars_are_numbers():
    x = gpunet.ones(2)
    for number in (np.float64(2), np.float32(2), np.int64(2), np.bool_(True)):
        for result in (x * number, number * x, x + number):
            assert isinstance(result, gpunet.Tensor) and result.dtype is gpunet.float32


# ---- copies


def test_pickle():
    for dtype in (gpunet.float32, gpunet.bfloat16, gpunet.int8, gpunet.bool):
        x = gpunet.ones(2, 3).to(dtype)
        y = pickle.loads(pickle.dumps(x))
        assert y.dtype is dtype and y.tolist() == x.tolist()
    x = gpunet.ones(3, requires_grad=True)
    assert pickle.loads(pickle.dumps(x)).requires_grad
    view = gpunet.arange(1000)[:2]
    assert len(pickle.dumps(view)) < 1000


def test_deepcopy():
    x = gpunet.ones(2, requires_grad=True)
    (x * 3).sum().backward()
    y, again = copy.deepcopy([x, x])
    assert y is again and y is not x and y.requires_grad and y.is_leaf and y.grad.tolist() == [3, 3]
    with gpunet.no_grad():
        y += 1
    y.grad.zero_()
    assert x.tolist() == [1, 1] and x.grad.tolist() == [3, 3]
    with pytest.raises(RuntimeError, match="deepcopy: only leaf tensors can be copied deeply; use clone"):
        copy.deepcopy(x * 2)


def test_subclasses_survive_copies():
    class Named(gpunet.Tensor):
        pass

    x = Named([1.0, 2.0])
    assert type(copy.deepcopy(x)) is Named and x.tolist() == [1, 2] and isinstance(x * 2, gpunet.Tensor)


# ---- NumPy


def test_numpy_and_back():
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    x = gpunet.from_numpy(array)
    x[0, 0] = 100
    array[1, 2] = -1
    assert array[0, 0] == 100 and x[1, 2].item() == -1 and x.numpy() is not None
    x.numpy()[0, 1] = 7
    assert array[0, 1] == 7 and np.shares_memory(x.numpy(), array)
    assert np.asarray(x).dtype == np.float32 and np.array(x, dtype=np.float64).dtype == np.float64
    assert np.sum(np.asarray(x)) == x.sum().item() and np.array(x) is not x.numpy()
    copied = gpunet.tensor(array)
    array[:] = 0
    assert copied[1, 2].item() == -1
    assert gpunet.as_tensor(array).data_ptr() == array.ctypes.data and gpunet.as_tensor(x) is x
    assert gpunet.from_numpy(array.T).shape == (3, 2) and gpunet.from_numpy(array[:, ::2]).stride() == (3, 2)


def test_numpy_errors():
    x = gpunet.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError,
                       match=r"requires gradients, which NumPy cannot follow; use tensor.detach\(\).numpy\(\)"):
        x.numpy()
    with pytest.raises(RuntimeError, match="requires gradients"):
        np.asarray(x)
    assert x.numpy(force=True).tolist() == x.detach().numpy().tolist() == [1, 1]
    with pytest.raises(TypeError, match="from_numpy: expected a NumPy array, got list"):
        gpunet.from_numpy([1])
    with pytest.raises(TypeError, match="complex128 is not a gpunet data type"):
        gpunet.from_numpy(np.zeros(2, complex))
    with pytest.raises(ValueError, match="byte order is not this machine's"):
        gpunet.from_numpy(np.zeros(2, ">f4"))
    frozen = np.zeros(2)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="read-only.*copy"):
        gpunet.from_numpy(frozen)
    assert gpunet.tensor(np.arange(3, dtype=">i4")).tolist() == [0, 1, 2]


def test_device_tensors_do_not_become_arrays_silently(gpu):
    x = gpunet.ones(2, device=gpu)
    with pytest.raises(TypeError, match=rf"the tensor is on {gpu}.*tensor.cpu\(\).numpy\(\)"):
        x.numpy()
    assert x.cpu().numpy().tolist() == x.tolist() == [1, 1] and x.sum().item() == 2 and bool(x[0] == 1)
    assert f"device='{gpu}" in repr(x) and pickle.loads(pickle.dumps(x)).device.type == gpu
    assert copy.deepcopy(x).device.type == gpu


@pytest.mark.parametrize("data", [[[1, 2], [3]], [[1.0], 2.0]])
def test_ragged_lists(data):
    with pytest.raises(ValueError, match=r"tensor\(\): the lists are not rectangular"):
        gpunet.tensor(data)


def test_what_is_no_data():
    for data in ("text", None, object(), [None], ["a"], {"a": 1}, 1j):
        with pytest.raises((TypeError, ValueError)):
            gpunet.tensor(data)


def test_lists_of_tensors():
    assert gpunet.tensor([gpunet.tensor(1.0), gpunet.tensor(2.0)]).tolist() == [1, 2]
    assert gpunet.tensor([np.array([1, 2]), np.array([3, 4])]).dtype is gpunet.int64


# ---- shapes and memory


def test_shape_and_strides():
    x = gpunet.zeros(2, 3, 4)
    assert x.shape == (2, 3, 4) == x.size() and x.size(1) == x.size(-2) == 3 and x.shape.numel() == x.numel() == 24
    assert repr(x.shape) == "gpunet.Size([2, 3, 4])" and x.ndim == x.dim() == 3 and isinstance(x.shape, tuple)
    assert x.stride() == (12, 4, 1) and x.stride(0) == 12 and x.transpose(0, 2).stride() == (1, 4, 12)
    assert x.is_contiguous() and not x.mT.is_contiguous() and x.mT.contiguous().is_contiguous()
    assert x.contiguous() is x and x.element_size() == 4 and x.nbytes == 96
    assert x.shape[1:] == (3, 4) and isinstance(x.shape[1:], tuple)


def test_transposes():
    x = gpunet.arange(6).reshape(2, 3)
    assert x.T.tolist() == x.t().tolist() == x.mT.tolist() == [[0, 3], [1, 4], [2, 5]]
    assert gpunet.zeros(2, 3, 4).mT.shape == (2, 4, 3)
    assert gpunet.zeros(3).T.shape == (3,)


def test_views_share_memory():
    x = gpunet.zeros(2, 6)
    views = [x.reshape(3, 4), x.view(12), x.t(), x[0], x[:, ::2], x.permute(1, 0), x.unsqueeze(0), x.squeeze(),
             x.expand(2, 2, 6),
             x.flatten(), x.narrow(1, 1, 2), x.select(0, 1), x.unflatten(1, (2, 3)), x.detach(), x.split(3, 1)[1],
             x.unbind(0)[1],
             x.chunk(2)[0], x.movedim(0, 1), x[None], x[...], x.T, x.mT, x.swapaxes(0, 1), x.ravel(), x.view_as(x),
             x.data]
    copies = [x.clone(), x[[0]], x[x == 0], x.t().reshape(12), x.flip(0), x + 0, x.contiguous().clone(),
              gpunet.cat([x])]
    x.fill_(1)
    assert all((v == 1).all() for v in views) and all((c == 0).all() for c in copies)
    assert all(np.shares_memory(v.numpy(), x.numpy()) for v in views)


def test_writing_through_a_view():
    x = gpunet.zeros(2, 3)
    x[0].fill_(1)
    x.t()[2] = 5
    x.view(-1)[3] += 7
    assert x.tolist() == [[1, 1, 5], [7, 0, 5]]
    with pytest.raises(RuntimeError,
                       match="add_: the tensor is expanded: several elements share one place in memory.*clone"):
        gpunet.zeros(1).expand(3).add_(1)
    with pytest.raises(RuntimeError, match="expanded"):
        gpunet.zeros(1).expand(3)[:2] = 1


@pytest.mark.needs("torch")
def test_reshape_makes_views_exactly_where_pytorch_does():
    import torch

    rng = np.random.default_rng(0)
    for _ in range(300):
        shape = tuple(rng.integers(1, 4, rng.integers(1, 4)).tolist())
        order = tuple(rng.permutation(len(shape)).tolist())
        base = np.zeros(shape, np.float32)
        size = base.size
        divisors = [d for d in range(1, size + 1) if size % d == 0]
        first = int(rng.choice(divisors))
        target = (first, size // first) if rng.random() < 0.5 else (first, -1, 1)
        ours, theirs = gpunet.from_numpy(base.copy()).permute(order), torch.from_numpy(base.copy()).permute(order)
        if rng.random() < 0.4:
            ours, theirs = ours[::2], theirs[::2]
            target = (-1,)
        viewable = True
        try:
            theirs.view(target)
        except RuntimeError:
            viewable = False
        if viewable:
            assert ours.view(target).shape == theirs.view(target).shape
            assert np.shares_memory(ours.reshape(target).numpy(), ours.numpy()) or ours.numel() == 0
        else:
            with pytest.raises(RuntimeError, match="view: shape .* is not compatible with the strides"):
                ours.view(target)
            assert not np.shares_memory(ours.reshape(target).numpy(), ours.numpy())


# ---- to(), new_*, creation


def test_to():
    x = gpunet.ones(2)
    assert x.to("cpu") is x and x.to(gpunet.float32) is x and x.cpu() is x and x.float() is x
    assert x.to(gpunet.float64).dtype is x.to(dtype=gpunet.float64).dtype is x.to("cpu",
        gpunet.float64).dtype is gpunet.float64
    assert x.to(gpunet.device("cpu"), gpunet.int64).dtype is gpunet.int64
    assert x.to(gpunet.zeros(1, dtype=gpunet.int8)).dtype is gpunet.int8
    assert x.to("cpu", copy=True) is not x and x.to(gpunet.float32, copy=True).tolist() == [1, 1]
    assert x.to("cpu", gpunet.half, non_blocking=True).dtype is gpunet.float16 and x.to(None,
        gpunet.half).dtype is gpunet.half
    assert x.type_as(gpunet.zeros(1, dtype=gpunet.int16)).dtype is gpunet.int16
    for name, expected in dict(float="float32", double="float64", half="float16", bfloat16="bfloat16", long="int64",
                               int="int32",
                               short="int16", char="int8", byte="uint8", bool="bool").items():
        assert getattr(x, name)().dtype.name == expected
    with pytest.raises((RuntimeError, TypeError)):
        x.to("nowhere")


def test_to_moves_gradients(gpu):
    x = gpunet.ones(2, requires_grad=True)
    y = x.to(gpu).to(gpunet.float64) * 3
    assert y.device.type == gpu and y.requires_grad
    y.sum().backward()
    assert x.grad.device.type == "cpu" and x.grad.dtype is gpunet.float32 and x.grad.tolist() == [3, 3]


def test_new_tensors():
    x = gpunet.zeros(2, dtype=gpunet.float64)
    assert x.new_tensor([1, 2]).dtype is x.new_tensor(1).dtype is gpunet.float64 and x.new_tensor(1.5).shape == ()
    assert gpunet.arange(2).new_tensor([1.5]).tolist() == [1]
    for made, value in ((x.new_zeros(2, 3), 0), (x.new_ones((2, 3)), 1), (x.new_full((2, 3), 7), 7)):
        assert made.shape == (2, 3) and made.dtype is gpunet.float64 and (made == value).all()
    assert x.new_empty(2, 3).shape == (2, 3) and x.new_zeros(1, dtype=gpunet.int8).dtype is gpunet.int8
    assert x.new_ones(1, requires_grad=True).requires_grad


CREATION = ["zeros(2, 3)", "ones((2, 3))", "zeros([2])", "full((2,), 7)", "full((2,), 7.5)", "full((), True)",
            "arange(5)",
            "arange(2, 5)", "arange(1, 2, 0.25)", "arange(5, 0, -2)", "arange(3.0)", "linspace(0, 1, 5)",
            "linspace(3, -2, 1)",
            "linspace(0, 1, 0)", "eye(3)", "eye(2, 3)", "eye(0)", "zeros(())", "ones(2, dtype=int8)",
            "arange(3, dtype=float16)",
            "arange(0)", "zeros_like(ones(2, dtype=int8))", "ones_like(zeros(2), dtype=float64)",
            "full_like(zeros(2), 3)",
            "zeros(0, 3)", "arange(1, 10, 3)", "arange(0.0, 1.0, 0.1)", "tensor([[1, 2], [3, 4]])", "tensor(5)",
            "tensor(True)",
            "tensor([1, 2.5])", "tensor([1.5], dtype=int64)", "tensor([0, 3], dtype=bool)",
            "linspace(0, 1, 7, dtype=float64)",
            "as_tensor([1.0, 2.0])", "empty(2, 0)", "eye(2, dtype=int64)", "ones(2, dtype=bfloat16)",
            "logspace(-1, 2, 4)", "logspace(0, 3, 4, base=2.0, dtype=float64)", "logspace(0, 1, 0)",
            "full((2,), True)", "full((2, 1), 3, dtype=float16)", "full_like(ones(2), 7, dtype=int64)",
            "zeros(2).new_full((1, 2), 3)", "ones(2, dtype=int32).new_ones(2)", "ones(2).new_zeros((2, 2), dtype=bool)",
            "zeros_like(ones(2, 3).T)"]


@pytest.mark.parametrize("expression", CREATION)
@pytest.mark.needs("torch")
def test_creation(expression):
    import torch

    ours, theirs = (eval(expression, vars(lib)) for lib in (gpunet, torch))
    assert ours.dtype.name == str(theirs.dtype).split(".")[1] and ours.shape == tuple(theirs.shape)
    np.testing.assert_allclose(np.array(ours.tolist()), np.array(theirs.tolist()), rtol=1e-6)


def test_attributes_can_be_set_on_tensors():
    x = gpunet.ones(1)
    x.tag = "mine"
    assert x.tag == "mine"


# ---- importing


def test_import_brings_in_nothing_heavy():
    heavy = ["cupy", "cupyx", "rich", "matplotlib", "scipy", "torch", "PIL", "sklearn", "safetensors.numpy",
             "gpunet.sim.cupy"]
    code = f"import sys, gpunet; gpunet.ones(2); print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
