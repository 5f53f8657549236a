"""`out=` of every function that has it: the value is there, the tensor is resized, wrong ones are refused."""

import inspect
import warnings

import numpy as np
import pytest

import gpunet
from tests.face.table import DRAWN, EXCEPTIONS, FUNCTIONS, READ_ON_HOST, made, own_sample, sample

WITH_OUT = [f for f in FUNCTIONS if f.place != "Tensor" and f"{f.path}.out" not in EXCEPTIONS
            and "out" in inspect.signature(f.of(gpunet)).parameters]
pytestmark = pytest.mark.parametrize("public", WITH_OUT, ids=str)
DTYPES = ("float64", "float32", "float16", "int64", "bool")


def arguments(public, library=gpunet, **options):
    """The required arguments by name."""
    names = [p.name for p in required(public)]
    return {name: made(sample(public.name, name), library, **options) for name in names}


def required(public):
    """The parameters that must be given, and others of which the function has a sample of its own."""
    return [p for p in inspect.signature(public.of(gpunet)).parameters.values()
            if p.default is p.empty and p.kind is not p.VAR_POSITIONAL
            or own_sample(public.name, p.name)]


def creates(public) -> bool:
    """Whether it makes a tensor from nothing: it has no tensors, and takes a device."""
    return "device" in inspect.signature(public.of(gpunet)).parameters


def seeded(public):
    """The function, called with the same random numbers each time."""
    function = public.of(gpunet)

    def call(**arguments):
        gpunet.manual_seed(0)
        return function(**arguments)

    return call


def each(result):
    return result if isinstance(result, tuple) else (result,)


def buffers(result, library=gpunet, shape=None, dtype=None, device="cpu"):
    """Tensors for the results, as `out` takes them: of their shapes and types, if no others are given."""
    made = [library.full(tuple(r.shape) if shape is None else shape, 1, dtype=dtype or r.dtype, device=device)
            for r in each(result)]
    return tuple(made) if isinstance(result, tuple) else made[0]


def check(public, out, returned, expected):
    assert isinstance(returned, tuple) == isinstance(expected, tuple)
    for target, back, right in zip(each(out), each(returned), each(expected), strict=True):
        assert back is target and target.shape == right.shape
        np.testing.assert_array_equal(target.cpu().numpy(), right.to(target.dtype).cpu().numpy())


@pytest.mark.parametrize("device", ["cpu", "sim"])
def test_result_is_in_it(public, device):
    function, given = seeded(public), arguments(public, device=device)
    if creates(public):
        given["device"] = device
    expected = function(**given)
    out = buffers(expected, device=device)
    memory = [target.data_ptr() for target in each(out)]
    check(public, out, function(**given, out=out), expected)
    assert [target.data_ptr() for target in each(out)] == memory


def test_it_is_resized(public):
    function, given = seeded(public), arguments(public)
    expected = function(**given)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # an empty tensor is resized in silence
        empty = buffers(expected, shape=(0,))
        check(public, empty, function(**given, out=empty), expected)
    other = buffers(expected, shape=(2, 5))
    with pytest.warns(UserWarning, match=r"out has shape \(2, 5\) and was resized") as caught:
        check(public, other, function(**given, out=other), expected)
    assert caught[0].filename == __file__


@pytest.mark.filterwarnings("ignore")  # PyTorch, of names and calls that it is about to drop
@pytest.mark.needs("torch")
def test_types_are_cast_as_in_pytorch(public):
    import torch

    function, theirs = seeded(public), public.of(torch)
    expected = function(**arguments(public))
    for dtype in DTYPES:
        out = buffers(expected, dtype=getattr(gpunet, dtype))
        right = buffers(theirs(**arguments(public, torch)), torch, dtype=getattr(torch, dtype))
        try:
            theirs(**arguments(public, torch), out=right)
        except (RuntimeError, TypeError):
            with pytest.raises(RuntimeError, match=rf"cannot be cast to gpunet\.{dtype}|expected out of type"):
                function(**arguments(public), out=out)
            continue
        function(**arguments(public), out=out)
        for ours, them in zip(each(out), each(right), strict=True):
            assert str(ours.dtype).split(".")[-1] == dtype
            if public.module in DRAWN:
                continue
            np.testing.assert_allclose(ours.numpy(), them.numpy(), rtol=2e-3 if dtype == "float16" else 2e-6)


def test_it_must_be_on_the_inputs_device(public):
    function, given = seeded(public), arguments(public)
    out = buffers(function(**given), device="sim")
    if creates(public):  # where out is, if no device is given
        assert function(**given, out=out) is out
        given["device"] = "cpu"
    with pytest.raises(RuntimeError, match="expected out on cpu, where the inputs are, but it is on sim"):
        function(**given, out=out)


def test_it_has_no_gradient(public):
    function, given = seeded(public), arguments(public)
    expected = function(**given)
    leaves = arguments(public, requires_grad=True)
    if any(r.requires_grad for r in each(function(**leaves))):
        with pytest.raises(RuntimeError, match="out= do not support automatic differentiation"):
            function(**leaves, out=buffers(expected))
        with gpunet.no_grad():
            out = buffers(expected)
            check(public, out, function(**leaves, out=out), expected)
    if all(r.is_floating_point() for r in each(expected)):
        with pytest.raises(RuntimeError, match="out= do not support automatic differentiation"):
            out = [target.requires_grad_() for target in each(buffers(expected))]
            function(**given, out=tuple(out) if isinstance(expected, tuple) else out[0])


def test_it_is_recorded(public):
    function, given = public.of(gpunet), arguments(public)
    expected = seeded(public)(**given)
    out = buffers(expected)

    @gpunet.compile
    def step(tensors):
        function(**tensors, out=out)

    if public.name in READ_ON_HOST:
        with pytest.raises(RuntimeError, match="recorded"):  # the first call only runs
            for _ in range(3):
                step(given)
        return
    for _ in range(3):
        for target in each(out):
            target.zero_()
        gpunet.manual_seed(0)
        step(given)
        check(public, out, out, expected)
