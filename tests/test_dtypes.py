"""Data types: promotion and conversion are PyTorch's, for every pair of types."""

import itertools
import pickle
import warnings

import numpy as np
import pytest

import gpunet
from gpunet import dtypes

TYPES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64")
UNSIGNED = ("uint16", "uint32", "uint64")
OPERATIONS = {
    "+": lambda a, b: a + b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "<": lambda a, b: a < b,
    "==": lambda a, b: a == b,
    "maximum": lambda a, b: (gpunet if isinstance(a, gpunet.Tensor) else pytest.importorskip("torch")).maximum(a, b),
}
IN_PLACE = {"+=": "__iadd__", "*=": "__imul__", "/=": "__itruediv__"}
SCALARS = (True, 3, 2.5, -1)


def operand(library, kind, shape):
    return library.ones(shape, dtype=getattr(library, kind))


def type_of(compute, *operands):
    """The result's type by name, or the class of the error."""
    try:
        return str(compute(*operands).dtype).split(".")[1]
    except Exception as error:
        return RuntimeError if isinstance(error, RuntimeError) else type(error)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("left", TYPES)
@pytest.mark.needs("torch")
def test_result_types(left, operation):
    import torch

    apply = OPERATIONS[operation]
    for right, left_shape, right_shape in itertools.product(TYPES, [(2,), ()], [(2,), ()]):
        ours, theirs = (type_of(apply, operand(lib, left, left_shape), operand(lib, right, right_shape))
                        for lib in (gpunet, torch))
        assert ours == theirs, f"{left}{left_shape} {operation} {right}{right_shape}"
    if operation == "maximum":
        return
    for scalar, shape in itertools.product(SCALARS, [(2,), ()]):
        for flip in (False, True):
            ours, theirs = (type_of(apply, *((scalar, x) if flip else (x, scalar)))
                            for x in (operand(gpunet, left, shape), operand(torch, left, shape)))
            assert ours == theirs, f"{left}{shape} {operation} {scalar!r}{' reflected' if flip else ''}"


@pytest.mark.parametrize("operation", IN_PLACE)
@pytest.mark.parametrize("left", TYPES)
@pytest.mark.needs("torch")
def test_in_place_keeps_the_type_or_raises(left, operation):
    import torch

    for right, shape in itertools.product([*TYPES, *SCALARS], [(2,), ()]):
        ours, theirs = (type_of(getattr(operand(lib, left, (2,)), IN_PLACE[operation]),
                                operand(lib, right, shape) if isinstance(right, str) else right)
                        for lib in (gpunet, torch))
        assert ours == theirs, f"{left} {operation} {right}{shape}"


def test_unsigned_and_signed_have_no_common_type():
    with pytest.raises(TypeError, match="no promotion between gpunet.uint16 and gpunet.int32: convert one"):
        gpunet.promote_types(gpunet.uint16, gpunet.int32)


@pytest.mark.needs("torch")
def test_promote_types():
    import torch

    for a, b in itertools.product((*TYPES, *UNSIGNED), repeat=2):
        try:
            expected = str(torch.promote_types(getattr(torch, a), getattr(torch, b))).split(".")[1]
        except RuntimeError:
            continue  # PyTorch promotes its newest unsigned types with few others; we with all but signed integers
        else:
            assert gpunet.promote_types(getattr(gpunet, a), getattr(gpunet, b)).name == expected, (a, b)


@pytest.mark.parametrize("source", TYPES)
@pytest.mark.needs("torch")
def test_conversions(source):
    import torch

    values = [0, 1, 2, 100] if source != "bool" else [0, 1]
    if source in ("float16", "bfloat16", "float32", "float64"):
        values = [0.0, 1.5, -1.5, 100.25, 3.9999]
    for target in TYPES:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if target == "uint8" and min(values) < 0:
                continue  # a negative float as an unsigned integer is what the processor makes of it
            ours = gpunet.tensor(values, dtype=getattr(gpunet, source)).to(getattr(gpunet, target))
            theirs = torch.tensor(values, dtype=getattr(torch, source)).to(getattr(torch, target))
        assert ours.dtype.name == target and ours.tolist() == theirs.tolist(), target


@pytest.mark.parametrize(("data", "expected"), [
    (1, "int64"), (1.0, "float32"), (True, "bool"), ([1, 2], "int64"), ([1, 2.5], "float32"), ([True, False], "bool"),
    ([True, 2], "int64"), ([], "float32"), ([[]], "float32"), (np.float64(1), "float64"), (np.int16(3), "int16"),
    (np.array([1.0]), "float64"), (np.array([1], np.int8), "int8"), ([np.float64(1.0)], "float64"), ((1, 2), "int64"),
    (range(3), "int64"),
])
@pytest.mark.needs("torch")
def test_types_of_data(data, expected):
    import torch

    assert gpunet.tensor(data).dtype.name == expected
    if not isinstance(data, range):
        assert str(torch.tensor(data).dtype).split(".")[1] == expected


def test_default_dtype():
    assert gpunet.get_default_dtype() is gpunet.float32
    gpunet.set_default_dtype(gpunet.float64)
    assert gpunet.tensor([1.0]).dtype is gpunet.zeros(1).dtype is gpunet.rand(1).dtype is gpunet.float64
    assert (gpunet.tensor([1]) / 2).dtype is (gpunet.tensor([1]) + 0.5).dtype is gpunet.float64
    with pytest.raises(TypeError, match="only floating-point types can be the default, got gpunet.int64"):
        gpunet.set_default_dtype(gpunet.int64)


def test_dtype_objects():
    assert gpunet.float is gpunet.float32 and gpunet.long is gpunet.int64 and gpunet.half is gpunet.float16
    assert repr(gpunet.bfloat16) == "gpunet.bfloat16" and gpunet.bfloat16.itemsize == 2
    assert gpunet.float16.is_floating_point and not gpunet.bool.is_signed and not gpunet.uint8.is_signed
    assert gpunet.int8.is_signed and pickle.loads(pickle.dumps(gpunet.int8)) is gpunet.int8
    for name in (*TYPES, *UNSIGNED):
        assert dtypes.public(dtypes.as_numpy(getattr(gpunet, name))) is getattr(gpunet, name)


def test_types_may_be_given_as_numpys_or_pythons():
    assert gpunet.zeros(1, dtype=np.int8).dtype is gpunet.int8
    assert gpunet.zeros(1, dtype="float16").dtype is gpunet.float16
    assert gpunet.zeros(1, dtype=float).dtype is gpunet.float64 and gpunet.zeros(1, dtype=int).dtype is gpunet.int64
    with pytest.raises(TypeError, match="complex64 is not a gpunet data type; there are bool, uint8"):
        gpunet.zeros(1, dtype=np.complex64)


@pytest.mark.needs("torch")
def test_integers_wrap_around():
    import torch

    for dtype, number in (("uint8", -1), ("uint8", 300), ("int8", 200), ("int32", 2**31)):
        ours = gpunet.ones(2, dtype=getattr(gpunet, dtype)) + number
        assert ours.tolist() == (torch.ones(2, dtype=getattr(torch, dtype)) + number).tolist()


def test_half_types_sum_in_float32():
    for dtype in (gpunet.float16, gpunet.bfloat16):
        ones = gpunet.ones(4099, dtype=dtype)
        exact = gpunet.tensor(4099.0).to(dtype).item()
        assert ones.sum().item() == exact and (ones.reshape(1, -1) @ ones.reshape(-1, 1)).item() == exact
        assert ones.mean().item() == 1.0
