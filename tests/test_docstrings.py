"""Docstrings: complete, and their examples run, those of PyTorch's names also there.

Names in examples: NAMES below.
"""

import ast
import doctest
import importlib
import inspect
import pickle
import pkgutil
import re
import sys
from enum import Enum

import numpy
import pytest

import gpunet
import gpunet.kernel.ahead
import gpunet.kernel.launch
import gpunet.kernel.tensor_map
from gpunet import (
    _tensor_text,
    accelerator,
    amp,
    autograd,
    backends,
    benchmark,
    cli,
    compress,
    cuda,
    data,
    devices,
    distributions,
    dtypes,
    files,
    interpret,
    keras,
    kernel,
    legacy_tensors,
    metrics,
    models,
    nn,
    number_types,
    optim,
    privacy,
    profiler,
    random,
    record,
    serialization,
    settings,
    sim,
    size,
    sklearn,
    train,
    utils,
    vision,
)
from gpunet.data import datasets, transforms
from gpunet.data.transforms import v2
from gpunet.engine import graph, modes
from gpunet.kernel import arguments, cache, nvrtc, occupancy, signature, source
from gpunet.models import bert, convnext, efficientnet, mobilenet, squeezenet, vision_transformer
from gpunet.torch import alias as torch_alias
from gpunet.vision import ops as vision_ops
from gpunet.vision import utils as vision_utils

NAMES = {"gpunet": gpunet, "nn": nn, "F": nn.functional, "optim": optim, "data": data, "transforms": transforms,
         "datasets": datasets, "distributions": distributions, "amp": amp, "models": models, "train": train,
         "metrics": metrics, "benchmark": benchmark, "numpy": numpy, "vision": vision, "keras": keras}


def modules_of(*packages) -> list[str]:
    """Not gpunet.sim.cupy: its names are CuPy's, and so are their docstrings. Not triton_peers: it needs Triton."""
    inside = {name for package in packages if hasattr(package, "__path__")
              for _, name, _ in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
              if not name.startswith("gpunet.sim.cupy") and not name.endswith(".triton_peers")}
    return sorted({*inside, *(package.__name__ for package in packages)})


OF_PYTORCH = modules_of(nn, optim, data, distributions, amp, autograd, graph, modes, utils, devices, dtypes, random,
                        size, cuda, accelerator, backends, settings, number_types, legacy_tensors)
MODULES = OF_PYTORCH + modules_of(vision, kernel, sim, train, metrics, keras, sklearn, models, benchmark, cli, files,
                                  interpret, privacy, compress, profiler, record, serialization, torch_alias)

# Where the public names are.
FACES = [nn, nn.init, nn.utils, nn.utils.rnn, optim, optim.lr_scheduler, optim.swa_utils, data, transforms, datasets,
         transforms.functional, v2, vision_utils, vision_ops,
         distributions, distributions.constraints, amp, autograd, autograd.functional, utils.checkpoint, train, metrics,
         keras, keras.layers, keras.models, keras.losses, keras.metrics, keras.optimizers, keras.optimizers.schedules,
         keras.callbacks, keras.initializers, keras.activations, keras.utils, keras.datasets, sklearn,
         models, bert, convnext, efficientnet, mobilenet, squeezenet, vision_transformer,
         benchmark, devices, dtypes, profiler, random, record, serialization, size, sim, kernel.launch, arguments,
         signature, source, nvrtc, cache, occupancy, kernel.ahead, kernel.tensor_map, cuda, cuda.amp, cuda.nvtx,
         accelerator,
         backends.cpu, backends.cuda, backends.cudnn, backends.mkl, backends.mkldnn, backends.mps, backends.openmp,
         settings, number_types, legacy_tensors, devices.precision, _tensor_text, nn.attention, nn.parallel,
         torch_alias, interpret, privacy, compress]


def is_ours(member) -> bool:
    """Whether a member is a class or function of these packages; of the errors of sim the home is the package."""
    module = getattr(member, "__module__", None) or ""
    return (inspect.isclass(member) or inspect.isfunction(member)) and module in (*MODULES, sim.__name__)


PUBLIC = {f"{member.__module__}.{name}": member for face in (*FACES, nn.functional)
          for name in face.__all__ if is_ours(member := getattr(face, name))}


def own_methods(cls):
    """The public methods that a class defines itself, with their functions."""
    for name, member in vars(cls).items():
        function = inspect.unwrap(getattr(member, "__func__", member))
        if inspect.isfunction(function) and not name.startswith("_") and not hasattr(function, "op"):  # no op
            yield name, function


def parameters_of(function) -> list[str]:
    if isinstance(function, type) and issubclass(function, (Exception, Enum)):  # made from a message, or not at all
        return []
    return [name for name in inspect.signature(function).parameters
            if name not in ("self", "cls") and not name.startswith("_")]


def undocumented(function, names) -> list[str]:
    """The parameters without a line of their own under "Args:"."""
    text = inspect.getdoc(function) or ""
    section = re.search(r"^Args:\n((?:    .*\n|\n)*)", text + "\n", re.M)
    given = re.findall(r"^    \*{0,2}(\w+): \S", section[1], re.M) if section else []
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
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = finder.find(module, module.__name__)
    for member in vars(module).values():  # classes that tracebacks show as the package's
        if inspect.isclass(member) and member.__module__ != module.__name__ and module.__name__.endswith(".errors"):
            found += finder.find(member, f"{member.__module__}.{member.__name__}", module=False)
    return [test for test in found if test.examples]


def run(tests, names, checker=None, flags=0):
    failures = []
    runner = doctest.DocTestRunner(checker, optionflags=doctest.NORMALIZE_WHITESPACE | flags)
    for test in tests:
        names["gpunet"].manual_seed(0)
        test.globs = dict(names)
        runner.run(test, out=failures.append)
    assert not failures, "".join(failures)


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    run(examples_of(importlib.import_module(name)), NAMES, flags=0 if name in OF_PYTORCH else doctest.ELLIPSIS)


class Names(doctest.OutputChecker):
    """PyTorch's output under gpunet's names."""

    def check_output(self, want, got, optionflags):
        return super().check_output(want, got.replace("torch.", "gpunet."), optionflags)


# Examples of what PyTorch does not have, or not there.
OWN = {*(f"gpunet.nn.boxes.{name}" for name in ("box_area", "box_convert", "box_iou", "generalized_box_iou")),
       "gpunet.nn.matching.HungarianMatcher", "gpunet.nn.matching.SetCriterion",
       "gpunet.optim.newton.NewtonCG", "gpunet.amp.autocasting.get_autocast_dtype",
       "gpunet.amp.autocasting.is_autocast_cache_enabled", "gpunet.autograd.anomaly.detect_anomaly",
       "gpunet.autograd.anomaly.is_anomaly_enabled", "gpunet.autograd.anomaly.is_anomaly_check_nan_enabled",
       "gpunet.data.dataloader.DataLoader.iterate", "gpunet.nn.lazy.LazyModuleMixin",
       "gpunet.nn.parallel.data_parallel.data_parallel",
       "gpunet.nn.parallel.distributed.DistributedDataParallel",
       *(f"gpunet.nn.hooks.register_module_{kind}_hook" for kind in ("forward_pre", "forward", "full_backward_pre",
                                                                     "full_backward")),
       "gpunet.cuda.streams.is_current_stream_capturing", "gpunet.cuda.nvtx.mark", "gpunet.cuda.nvtx.range",
       "gpunet.cuda.nvtx.range_pop", "gpunet.cuda.nvtx.range_push"}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name in OF_PYTORCH
                                  if not name.startswith(("gpunet.data.transforms", "gpunet.data.datasets"))])
@pytest.mark.needs("torch")
def test_examples_give_the_same_in_pytorch(name):
    import torch

    importlib.import_module("torch.nn.utils.prune")  # which PyTorch does not import itself
    tests = [test for test in examples_of(importlib.import_module(name)) if test.name not in OWN]
    try:
        run(tests, {"gpunet": torch, "nn": torch.nn, "F": torch.nn.functional, "optim": torch.optim,
                    "data": torch.utils.data, "distributions": torch.distributions, "amp": torch.amp, "numpy": numpy},
            Names())
    finally:  # what examples set is PyTorch's own state, which others compare with
        torch.set_flush_denormal(False)
        torch.set_default_device(None)
        torch.set_default_dtype(torch.float32)
        torch.set_grad_enabled(True)
        torch.use_deterministic_algorithms(False)


def test_dir_lists_every_public_name():
    """Also names that are imported when they are asked for: editors and notebooks complete by dir()."""
    importlib.import_module("gpunet.utils.tensorboard")
    modules = [module for name, module in sys.modules.items() if name.startswith("gpunet") and "._" not in name]
    assert len(modules) > 200
    missing = {module.__name__: names for module in modules
               if (names := {*getattr(module, "__all__", [])} - {*dir(module)})}
    assert missing == {}
