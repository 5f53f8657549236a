"""Every public function and method takes its arguments by PyTorch's names, in its order, with its defaults."""

import inspect
import warnings

import numpy as np
import pytest

import gpunet
from tests.face.pytorch import MISSING, forms
from tests.face.table import DRAWN, EXCEPTIONS, FUNCTIONS, T, made, own_sample, sample

FUNCTIONS_AND_METHODS = pytest.mark.parametrize("public", FUNCTIONS, ids=str)


def without_exceptions(public, forms):
    return [[p for p in form if f"{public.path}.{p.name}" not in EXCEPTIONS] for form in forms]


def values_of(public, form):
    """A value for each parameter of a form: a sample of its own, its default, or a sample for the parameter's name."""
    values = {}
    for p in form:
        try:
            chosen = p.default is MISSING or own_sample(public.name, p.name)
            values[p.name] = sample(public.name, p.name, p.kind) if chosen else p.default
        except KeyError:
            pytest.fail(f"tests/face/table.py has no sample for {public.name}.{p.name}")
    if not any(isinstance(value, T) for value in values.values()) and form:
        values[form[0].name] = sample(public.name, form[0].name)
    return values


def called(library, public, form, values, *, by_name):
    """The result in a library, the arguments given by name or, as far as possible, by place. A method's tensor is
    always given by place."""
    given = {p.name: made(values[p.name], library) for p in form}
    many = [each for p in form if p.many for each in given.pop(p.name)]
    form = [p for p in form if not p.many]
    places = [p.name for i, p in enumerate(form) if public.place == "Tensor" and i == 0 or not (by_name or p.by_name)]
    arguments = [*(given.pop(name) for name in places), *many]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return public.of(library)(*arguments, **given)


def arrays(result):
    if isinstance(result, (tuple, list)):
        return [array for each in result for array in arrays(each)]
    return [np.asarray(result.tolist() if hasattr(result, "tolist") else result)]


def type_name(result):
    if isinstance(result, tuple):  # the fields of a named tuple
        return tuple(getattr(result, "_fields", getattr(type(result), "__match_args__", ())))
    return str(result.dtype).split(".")[-1] if hasattr(result, "dtype") else type(result).__name__


def as_written(default):
    """A default as functions have it: schemas write None as [], and one number for all dimensions as [1, 1]."""
    if not isinstance(default, (list, tuple)):
        return default
    return (default[0] if len(set(default)) == 1 else list(default)) if default else None


@FUNCTIONS_AND_METHODS
@pytest.mark.needs("torch")
def test_is_called_as_in_pytorch(public):
    import torch

    theirs = public.of(torch)
    if theirs is None or public.path in EXCEPTIONS:
        assert public.path in EXCEPTIONS, f"PyTorch has no {public.path}; say in EXCEPTIONS why we do"
        return
    reached = 0
    lists = without_exceptions(public, forms(torch, theirs, public.place == "Tensor"))
    for form in lists:
        values = values_of(public, form)
        for by_name in (True, False):
            try:
                expected = called(torch, public, form, values, by_name=by_name)
            except TypeError:
                continue  # an overload that Python cannot reach, or not in this way
            reached += 1
            result = called(gpunet, public, form, values, by_name=by_name)
            assert type_name(result) == type_name(expected)
            for ours, right in zip(arrays(result), arrays(expected), strict=True):
                if public.module in DRAWN:
                    assert ours.shape == right.shape
                else:
                    np.testing.assert_allclose(ours, right, rtol=2e-6, atol=1e-7)
    ours = inspect.signature(public.of(gpunet)).parameters
    for name in {p.name for form in lists for p in form if p.default is not MISSING and not p.many}:
        theirs = [as_written(p.default) for form in lists for p in form if p.name == name]  # overloads may differ
        assert as_written(ours[name].default) in theirs, f"{public.path}: the default of {name} is {theirs[-1]!r}"
    assert reached, f"no call of torch.{public.path} with the samples works; give others in SAMPLES"


@FUNCTIONS_AND_METHODS
@pytest.mark.filterwarnings("ignore")  # PyTorch, of names and calls that it is about to drop
@pytest.mark.needs("torch")
def test_takes_out_where_pytorch_does(public):
    import torch

    theirs = public.of(torch)
    if public.place == "Tensor" or theirs is None or f"{public.path}.out" in EXCEPTIONS:
        return
    answers = set()
    for form in without_exceptions(public, forms(torch, theirs, False)):
        values = {p.name: made(value, torch) for p, value in zip(form, values_of(public, form).values(), strict=True)}
        try:
            expected = theirs(**values)
            if not isinstance(expected, (torch.Tensor, tuple)):
                continue
            empty = [torch.empty(0, dtype=each.dtype) for each in expected] if isinstance(expected, tuple) else None
            theirs(**values, out=tuple(empty) if empty else torch.empty(0, dtype=expected.dtype))
            answers.add(True)
        except TypeError:
            answers.add(False)
    assert ("out" in inspect.signature(public.of(gpunet)).parameters) == (True in answers)


@FUNCTIONS_AND_METHODS
def test_is_a_plain_function(public):
    function = public.of(gpunet)
    parameters = inspect.signature(function).parameters.values()
    assert not hasattr(function, "op"), "an op: write the function that users call"
    assert function.__doc__ and function.__name__.isidentifier()
    if not public.name.endswith("_"):
        assert all(p.annotation is not p.empty for p in parameters), "a parameter has no annotation"


@FUNCTIONS_AND_METHODS
def test_refuses_an_unknown_keyword(public):
    function = public.of(gpunet)
    required = [p.name for p in inspect.signature(function).parameters.values() if p.default is p.empty
                and p.kind is p.POSITIONAL_OR_KEYWORD]
    arguments = [made(sample(public.name, "input" if name == "self" else name), gpunet) for name in required]
    with pytest.raises(TypeError, match=rf"{function.__name__}\(\) got an unexpected keyword argument 'nonsense'"):
        function(*arguments, nonsense=1)


def test_every_exception_is_needed():
    paths = {function.path for function in FUNCTIONS}
    assert all(key in paths or key.rpartition(".")[0] in paths for key in EXCEPTIONS)
