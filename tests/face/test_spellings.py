"""Other spellings that PyTorch takes: `axis` for `dim`, sizes by name, layouts and memory formats."""

import pytest

import gpunet

X = [[1.0, 2.0], [3.0, 4.0]]
AXIS = {
    "cat": lambda lib, x, **dim: lib.cat([x, x], **dim), "concat": lambda lib, x, **dim: lib.concat([x, x], **dim),
    "stack": lambda lib, x, **dim: lib.stack([x, x], **dim), "squeeze": lambda lib, x, **dim: x[None].squeeze(**dim),
    "unsqueeze": lambda lib, x, **dim: lib.unsqueeze(x, **dim), "chunk": lambda lib, x, **dim: x.chunk(2, **dim),
    "unbind": lambda lib, x, **dim: x.unbind(**dim), "tensor_split": lambda lib, x, **dim: x.tensor_split(2, **dim),
    "split_with_sizes": lambda lib, x, **dim: x.split_with_sizes([1, 1], **dim),
    "repeat_interleave": lambda lib, x, **dim: x.repeat_interleave(2, **dim),
    "slice_scatter": lambda lib, x, **dim: x.slice_scatter(x[:, :1], start=1, **dim),
}


def lists(result):
    return [lists(each) for each in result] if isinstance(result, (tuple, list)) else result.tolist()


@pytest.mark.parametrize("name", AXIS)
def test_axis_is_dim(name):
    call = AXIS[name]
    result = lists(call(gpunet, gpunet.tensor(X), axis=1))
    assert result == lists(call(gpunet, gpunet.tensor(X), dim=1))
    with pytest.raises(TypeError, match=r"got both 'dim' and 'axis'"):
        call(gpunet, gpunet.tensor(X), dim=1, axis=1)
    torch = pytest.importorskip("torch")
    assert result == lists(call(torch, torch.tensor(X), axis=1))


def test_a_dimension_that_is_missing():
    with pytest.raises(TypeError, match=r"unsqueeze\(\) missing 1 required argument: 'dim'"):
        gpunet.unsqueeze(gpunet.tensor(X))


@pytest.mark.parametrize("make", [gpunet.zeros, gpunet.ones, gpunet.empty, gpunet.tensor(X).new_zeros,
                                  gpunet.tensor(X).new_ones, gpunet.tensor(X).new_empty])
def test_sizes_by_place_and_by_name(make):
    assert make(2, 3).shape == make((2, 3)).shape == make(size=(2, 3)).shape == (2, 3)
    with pytest.raises(TypeError, match="got sizes by place and as 'size'"):
        make(2, size=(3,))


def test_layouts_and_memory_formats():
    made = gpunet.zeros(2, layout=gpunet.strided, pin_memory=False)
    copy = made.clone(memory_format=gpunet.preserve_format)
    assert copy.contiguous(memory_format=gpunet.contiguous_format) is copy
    with pytest.raises(RuntimeError, match=r"row-major order, so memory_format cannot be gpunet\.channels_last"):
        made.contiguous(memory_format=gpunet.channels_last)
    with pytest.raises(TypeError, match=r"zeros: layout must be a gpunet\.layout, got str"):
        gpunet.zeros(2, layout="strided")


def test_the_type_of_out_holds():
    out = gpunet.empty(0, dtype=gpunet.float64)
    assert gpunet.arange(3, out=out).dtype == gpunet.float64
    with pytest.raises(RuntimeError, match=r"zeros: dtype is gpunet\.int64, but out is of gpunet\.float64"):
        gpunet.zeros(3, dtype=gpunet.int64, out=out)
