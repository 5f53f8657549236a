"""Activation functions of integers and bools: each type is refused, or gives the same values, on every device."""

import pytest

import gpunet
import gpunet.nn.functional as F
from tests.here import is_installed

TYPES = ("bool", "uint8", "int32", "int64")
AS_GIVEN, TO_FLOAT, REFUSED = ("not bool", "the input's type"), ("all", "float32"), ("none", "")
ANSWERS = {  # "not bool": the signed and unsigned integers
    "relu": AS_GIVEN, "relu6": AS_GIVEN, "threshold": AS_GIVEN,
    "sigmoid": TO_FLOAT, "tanh": TO_FLOAT, "softsign": ("not bool", "float32"), "tanhshrink": ("not bool", "float32"),
    "leaky_relu": REFUSED, "elu": REFUSED, "selu": REFUSED, "celu": REFUSED, "gelu": REFUSED, "silu": REFUSED,
    "mish": REFUSED, "hardswish": REFUSED, "hardsigmoid": REFUSED, "softplus": REFUSED, "softshrink": REFUSED,
    "hardshrink": REFUSED, "logsigmoid": REFUSED, "rrelu": REFUSED,
}


def answer(library, functional, name, type_name, **options):
    """The type and the values of the function; no values where it refuses."""
    x = library.tensor([0, 1, 5], dtype=getattr(library, type_name), **options)
    try:
        y = getattr(functional, name)(x, *((2, 7) if name == "threshold" else ()))
    except (RuntimeError, NotImplementedError) as error:
        assert library is not gpunet or str(error).startswith(f"{name}: ") and (
            "defined for" in str(error) and ".float()" in str(error))
        return "", []
    return str(y.dtype).partition(".")[2], y.tolist()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("type_name", TYPES)
@pytest.mark.parametrize("name", ANSWERS)
def test_activations_of_integers(name, type_name, device):
    types, result = ANSWERS[name]
    refused = types == "none" or types == "not bool" and type_name == "bool"
    found, values = answer(gpunet, F, name, type_name, device=device)
    assert found == ("" if refused else type_name if result == "the input's type" else result)
    assert values == pytest.approx(answer(gpunet, F, name, type_name)[1], rel=1e-6)  # as on the cpu
    if is_installed("torch"):
        import torch

        expected, their_values = answer(torch, torch.nn.functional, name, type_name)
        assert found == expected and values == pytest.approx(their_values, rel=1e-6)


@pytest.mark.parametrize("name", ["relu", "threshold"])
def test_in_place_forms_refuse_bools_as_well(name, device):
    x = gpunet.tensor([True, False], device=device)
    with pytest.raises(RuntimeError, match=f"{name}: not defined for bool tensors; convert them with"):
        getattr(F, f"{name}_")(x, *((0.1, 20) if name == "threshold" else ()))
    assert x.tolist() == [True, False]
