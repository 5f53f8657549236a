"""NumPy's names `axis` and `keepdims`, which PyTorch takes for `dim` and `keepdim`."""

import inspect
from dataclasses import replace

import numpy as np
import pytest

import gpunet
from tests.face.pytorch import forms
from tests.face.table import EXCEPTIONS, FUNCTIONS
from tests.face.test_signatures import arrays, called, values_of

NAMES = {"dim": "axis", "keepdim": "keepdims"}
REDUCING = [f for f in FUNCTIONS if "dim" in inspect.signature(f.of(gpunet)).parameters and f.path not in EXCEPTIONS]


def with_numpys_names(library, public, form, values):
    given = {NAMES.get(p.name, p.name): values[p.name] for p in form}
    renamed = [replace(p, name=NAMES.get(p.name, p.name), by_name=True) for p in form]
    return called(library, public, renamed, given, by_name=True)


@pytest.mark.parametrize("public", REDUCING, ids=str)
@pytest.mark.needs("torch")
def test_are_taken_where_pytorch_takes_them(public):
    import torch

    for form in forms(torch, public.of(torch), public.place == "Tensor"):
        values = values_of(public, form) | {p.name: True for p in form if p.name == "keepdim"}
        if not any(p.name == "dim" for p in form):
            continue
        values["dim"] = 0
        try:
            expected = with_numpys_names(torch, public, form, values)
        except TypeError:
            continue
        result = with_numpys_names(gpunet, public, form, values)
        for ours, right in zip(arrays(result), arrays(expected), strict=True):
            np.testing.assert_allclose(ours, right, rtol=2e-6, atol=1e-7)


def test_one_argument_has_one_value():
    x = gpunet.ones(2, 3)
    for call in (lambda: x.sum(1, axis=0), lambda: x.max(dim=1, axis=0), lambda: x.sort(0, axis=1),
                 lambda: x.mean(0, keepdim=True, keepdims=False), lambda: x.max(0, other=x)):
        with pytest.raises(TypeError, match="got both"):
            call()
    with pytest.raises(TypeError, match="multiple values for argument 'dim'"):
        x.gather(1, axis=0, index=x.long())
    with pytest.raises(TypeError, match="unbiased and correction"):
        x.var(0, unbiased=False, correction=1)
