"""The in-place forms: each stores in the tensor what PyTorch's does. Their gradients are in tests/autograd."""

import numpy as np
import pytest

import gpunet
from tests.recorded import ops_called

X = np.array([[0.7, 0.2, 0.5], [0.9, 0.4, 0.1]])
Y = np.array([0.6, 0.3, 0.8])
INTS = np.array([[5, 12, 3], [8, 1, 0]])

# The name of a form, and its arguments; those in ON_INTEGERS work on integers.
FLOATS = [(name, ()) for name in """
    abs absolute acos arccos arccosh arcsin arcsinh arctan arctanh asin asinh atan atanh ceil cos cosh deg2rad digamma
    erf erfc erfinv exp exp2 expm1 fix floor frac lgamma log log10 log1p log2 logit nan_to_num neg negative rad2deg
    reciprocal relu round rsqrt sigmoid sign sin sinc sinh sqrt square tan tanh trunc""".split()]
FLOATS += [(name, (Y,)) for name in """
    atan2 arctan2 copysign div divide eq floor_divide fmod ge greater greater_equal gt hypot le less less_equal lt mul
    multiply ne not_equal pow remainder sub subtract true_divide xlogy clamp_min clamp_max""".split()]
SIGNED = """abs arctan asinh atan ceil cos deg2rad erf exp expm1 fix floor frac nan_to_num neg rad2deg reciprocal relu
    round sigmoid sign sin sinc sinh square tan tanh trunc"""
FLOATS += [("acosh", ()), ("add", (Y,)), ("addcdiv", (Y, Y)), ("addcmul", (Y, Y)), ("clamp", (0.3, 0.6)),
           ("clip", (0.3, 0.6)), ("lerp", (Y * np.ones((2, 1)), 0.3)), ("cumsum", (1,)), ("cumprod", (0,)),
           ("polygamma", (1,)), ("logical_and", (Y,)), ("logical_not", ()), ("masked_fill", (X > 0.3, 2.0))]
ON_INTEGERS = [("bitwise_and", (6,)), ("bitwise_or", (6,)), ("bitwise_xor", (6,)), ("bitwise_not", ()),
               ("bitwise_left_shift", (2,)), ("bitwise_right_shift", (1,)), ("fmod", (3,)), ("cumsum", (0,)),
               ("clamp_max", (4,))]


@pytest.mark.parametrize(("name", "arguments", "values"),
                         [(*row, X) for row in FLOATS] + [(*row, INTS) for row in ON_INTEGERS]
                         + [(name, (), X * [-1, 2, -3]) for name in SIGNED.split()],
                         ids=[name for name, _ in FLOATS] + [name + " int" for name, _ in ON_INTEGERS]
                         + [name + " signed" for name in SIGNED.split()])
@pytest.mark.needs("torch")
def test_form_is_pytorchs(name, arguments, values):
    import torch

    values = values + 1 if name in ("acosh", "arccosh") else values
    results = []
    for make in (gpunet.tensor, torch.tensor):
        x = make(values)
        answer = getattr(x, name + "_")(*(make(a) if isinstance(a, np.ndarray) else a for a in arguments))
        assert answer is x
        results.append(x.numpy())
    assert results[0].dtype == results[1].dtype
    np.testing.assert_allclose(*results, rtol=1e-9, atol=1e-12)


def test_integers_cannot_hold_what_is_no_integer():
    for call in (lambda x: x.exp_(), lambda x: x.atan2_(x), lambda x: x.float_power_(2)):
        with pytest.raises(RuntimeError, match="cannot be cast to the tensor's type gpunet.int64"):
            call(gpunet.tensor([1, 2]))


@pytest.mark.parametrize("dtype", [gpunet.float32, gpunet.float64, gpunet.float16, gpunet.bfloat16], ids=str)
@pytest.mark.parametrize("tracked", [False, True])
def test_they_work_in_the_memory_that_is_there(dtype, tracked):
    """Without a copy of what was there, where the gradient does not need it."""
    x = gpunet.randn(3, 4, dtype=dtype, requires_grad=tracked).abs()
    assert ops_called(x.relu_) == ["relu"]
    if not tracked:
        assert ops_called(lambda: x.add_(x)) == ["add"]
