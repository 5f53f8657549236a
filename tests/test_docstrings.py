"""Docstrings of the packages above the operations: complete, and their examples run, here and in PyTorch.

Names in examples: NAMES below.
"""

import ast
import doctest
import importlib
import inspect
import pickle
import pkgutil
import re

import numpy
import pytest

import gpunet
from gpunet import (
    amp,
    benchmark,
    cli,
    data,
    devices,
    distributions,
    dtypes,
    files,
    models,
    nn,
    optim,
    random,
    record,
    serialization,
    size,
    train,
    utils,
)
from gpunet.data import datasets, transforms

NAMES = {"gpunet": gpunet, "nn": nn, "F": nn.functional, "optim": optim, "data": data, "transforms": transforms,
         "datasets": datasets, "distributions": distributions, "amp": amp, "models": models, "train": train,
         "benchmark": benchmark, "numpy": numpy}

PACKAGES = nn, optim, data, distributions, amp, utils, train, models, benchmark, devices, cli
SINGLE = dtypes, files, random, record, serialization, size
MODULES = sorted({*(package.__name__ for package in PACKAGES), *(module.__name__ for module in SINGLE),
                  *(name for package in PACKAGES
                    for _, name, _ in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
                    if not name.endswith(".triton_peers"))})  # it needs Triton

# Where the public names are.
FACES = [nn, nn.init, nn.utils, nn.utils.rnn, optim, optim.lr_scheduler, optim.swa_utils, data, transforms, datasets,
         distributions, distributions.constraints, amp, utils.checkpoint, train, models, benchmark, devices, dtypes,
         random, record, serialization, size]


def is_ours(member) -> bool:
    module = getattr(member, "__module__", None) or ""
    return (inspect.isclass(member) or inspect.isfunction(member)) and module in MODULES


PUBLIC = {f"{member.__module__}.{name}": member for face in (*FACES, nn.functional)
          for name in face.__all__ if is_ours(member := getattr(face, name))}


def own_methods(cls):
    """The public methods that a class defines itself, with their functions."""
    for name, member in vars(cls).items():
        function = inspect.unwrap(getattr(member, "__func__", member))
        if inspect.isfunction(function) and not name.startswith("_") and not hasattr(function, "op"):  # no op
            yield name, function


def parameters_of(function) -> list[str]:
    try:
        names = inspect.signature(function).parameters
    except ValueError:  # an exception without parameters of its own
        return []
    return [name for name in names if name not in ("self", "cls") and not name.startswith("_")]


def undocumented(function, names) -> list[str]:
    """The parameters without a line of their own under "Args:"."""
    text = inspect.getdoc(function) or ""
    section = re.search(r"^Args:\n((?:    .*\n|\n)*)", text + "\n", re.M)
    given = re.findall(r"^    (\w+): \S", section[1], re.M) if section else []
    return [name for name in names if name not in given]


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_says_everything(name):
    """Its own name, which pickle finds; a docstring with an example and a line for each parameter."""
    member = PUBLIC[name]
    assert member.__name__ == name.rpartition(".")[2] and pickle.loads(pickle.dumps(member)) is member
    assert member.__doc__ and ">>> " in member.__doc__, "an example is missing"
    if inspect.isclass(member):
        assert vars(member).get("__doc__"), "the docstring is inherited"
    assert not undocumented(member, parameters_of(member))


@pytest.mark.parametrize("name", [name for name, member in PUBLIC.items() if inspect.isclass(member)])
def test_methods_say_everything(name):
    for method, function in own_methods(PUBLIC[name]):
        inherited = inspect.getdoc(getattr(PUBLIC[name], method))  # an override may leave its docstring out
        assert method == "forward" or inherited, f"{method} has no docstring"
        assert not function.__doc__ or not undocumented(function, parameters_of(function)), method


@pytest.mark.parametrize("module", MODULES)
def test_everything_is_annotated(module):
    """Every parameter and result, of private functions too."""
    missing = []
    for function in ast.walk(ast.parse(inspect.getsource(importlib.import_module(module)))):
        if isinstance(function, ast.FunctionDef):
            given = function.args
            every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
            missing += [f"{function.name}: {a.arg}" for a in every
                        if a is not None and a.annotation is None and a.arg not in ("self", "cls")]
            missing += [f"{function.name}: its result"] * (function.returns is None)
    assert not missing


def examples_of(module) -> list[doctest.DocTest]:
    found = doctest.DocTestFinder(exclude_empty=True).find(module, module.__name__)
    return [test for test in found if test.examples]


def run(tests, names, checker=None):
    failures = []
    runner = doctest.DocTestRunner(checker, optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in tests:
        names["gpunet"].manual_seed(0)
        test.globs = dict(names)
        runner.run(test, out=failures.append)
    assert not failures, "".join(failures)


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    run(examples_of(importlib.import_module(name)), NAMES)


class Names(doctest.OutputChecker):
    """PyTorch's output under gpunet's names."""

    def check_output(self, want, got, optionflags):
        return super().check_output(want, got.replace("torch.", "gpunet."), optionflags)


# Modules with a twin in PyTorch, as they begin; and examples in them of what PyTorch does not have, or not there.
TWINS = tuple(f"gpunet.{name}" for name in ("nn", "optim", "data", "distributions", "amp", "utils", "devices", "dtypes",
                                            "random", "size"))
OWN = {"gpunet.optim.newton.NewtonCG", "gpunet.amp.autocasting.get_autocast_dtype",
       "gpunet.amp.autocasting.is_autocast_cache_enabled"}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith(TWINS)
                                  and not name.startswith(("gpunet.data.transforms", "gpunet.data.datasets"))])
def test_examples_give_the_same_in_pytorch(name):
    torch = pytest.importorskip("torch")
    tests = [test for test in examples_of(importlib.import_module(name)) if test.name not in OWN]
    run(tests, {"gpunet": torch, "nn": torch.nn, "F": torch.nn.functional, "optim": torch.optim,
                "data": torch.utils.data, "distributions": torch.distributions, "amp": torch.amp, "numpy": numpy},
        Names())
