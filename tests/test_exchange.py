"""Tensors among other libraries' arrays: NumPy's functions and operators, and memory shared by DLPack."""

import numpy as np
import pytest

import gpunet
from tests.both import same_in_both


@pytest.mark.filterwarnings("ignore:__array_wrap__")
def test_numpys_functions_and_arrays_give_tensors_as_in_pytorch():
    def program(library):
        x, n = library.tensor([4.0, 9.0]), library.tensor([3, 4])
        return [np.sqrt(x), np.add(x, x), np.isnan(x), np.floor(x / 2), x * np.ones(2), x - np.array([1, 2]),
                n + np.array([1.5, 2.5]), n == np.array([3, 5]), np.float64(2) * x, np.float32(2) * x, np.int64(2) + n,
                np.asarray(x).tolist(), np.asarray(n).dtype.name, np.stack([x, x]).tolist()]

    same_in_both(program)


def test_numpy_sees_no_gradients():
    w = gpunet.ones(2, requires_grad=True)
    for ask in (lambda: np.sqrt(w), lambda: np.asarray(w)):
        with pytest.raises(RuntimeError, match=r"use tensor.detach\(\).numpy\(\)"):
            ask()
    (np.float64(3) * w * np.array([1.0, 2.0])).sum().backward()
    assert w.grad.tolist() == [3.0, 6.0]


def test_memory_is_shared_with_numpy():
    array = np.arange(6.0).reshape(2, 3).T
    x = gpunet.from_dlpack(array)
    assert x.stride() == (1, 3) and x.dtype is gpunet.float64
    array[0, 0] = 7
    x[1, 0] = 8
    assert x[0, 0].item() == 7 and array[1, 0] == 8
    back = np.from_dlpack(x)
    back[2, 1] = 9
    assert x[2, 1].item() == 9 and gpunet.from_dlpack(array, copy=True).data_ptr() != x.data_ptr()
    assert gpunet.from_dlpack(gpunet.utils.dlpack.to_dlpack(x)).data_ptr() == x.data_ptr()
    assert gpunet.from_dlpack(array.astype(np.float32), device="sim").device.type == "sim"


@pytest.mark.needs("torch")
def test_memory_is_shared_with_pytorch():
    import torch

    for kind in ("float32", "float64", "float16", "int64", "int32", "uint8", "bool"):
        theirs = torch.ones(2, 3, dtype=getattr(torch, kind))
        ours = gpunet.from_dlpack(theirs)
        again = torch.from_dlpack(ours)
        ours[0, 1] = 0
        assert theirs[0, 1] == 0 and again[0, 1] == 0 and ours.data_ptr() == theirs.data_ptr() == again.data_ptr()
        assert str(ours.dtype).split(".")[1] == kind


@pytest.mark.parametrize("ask, error, message", [
    (lambda: np.from_dlpack(gpunet.ones(2, requires_grad=True)), BufferError, "tensor.detach"),
    (lambda: np.from_dlpack(gpunet.ones(2, device="sim")), BufferError, r"device sim .* use \.cpu"),
    (lambda: gpunet.ones(2, dtype=gpunet.bfloat16).__dlpack__(), BufferError, r"bfloat16; convert it with \.float"),
    (lambda: gpunet.from_dlpack(np.ones(2, np.complex64)), BufferError, "type complex64 is not one"),
    (lambda: gpunet.from_dlpack([1.0]), TypeError, "__dlpack_device__, got list"),
    (lambda: gpunet.from_dlpack(np.ones(2), device="sim", copy=False), ValueError, "leave out copy=False"),
])
def test_what_cannot_be_shared_is_said(ask, error, message):
    with pytest.raises(error, match=message):
        ask()
