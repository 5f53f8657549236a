"""PyTorch's names and paths: each that scripts use is here or explained; what is here has its meaning."""

import importlib
import subprocess
import sys

import pytest

import gpunet
from gpunet._names.absent import ABSENT, reason
from gpunet._names.paths import NAMES, PATHS
from tests.compat.names import ROOT, listed


def find(library, name):
    """What a dotted name stands for; raises AttributeError or ImportError."""
    found, path = library, library.__name__
    for part in name.split("."):
        path += f".{part}"
        try:
            found = getattr(found, part)
        except AttributeError:
            if type(found).__name__ not in ("module", "Forwarding"):
                raise
            found = importlib.import_module(path)
    return found


@pytest.mark.parametrize("name", listed())
def test_a_name_of_scripts_is_here_or_explained(name):
    try:
        find(gpunet, name)
    except (AttributeError, ImportError) as error:
        assert reason(name) is not None and str(error) == reason(name)


@pytest.mark.needs("torch")
def test_the_list_is_pytorchs():
    import torch

    gone = {"func.vmap"}  # written here as scripts would look for it
    for name in listed():
        if name not in gone:
            find(torch, name)


@pytest.mark.parametrize("name", sorted(ABSENT))
def test_what_is_said_to_be_absent_is_absent(name):
    """By attribute, by import, and by `from ... import`: each says the same sentence."""
    parent, _, last = f"gpunet.{name}".rpartition(".")
    try:
        package = importlib.import_module(parent)
    except ModuleNotFoundError:  # a part of the path is absent too
        assert reason(name.rpartition(".")[0])
        return
    with pytest.raises(AttributeError, match="does not exist: "):
        getattr(package, last)
    with pytest.raises(ModuleNotFoundError) as raised:
        importlib.import_module(f"gpunet.{name}")
    assert str(raised.value) == reason(name)
    if hasattr(package, "__path__"):
        with pytest.raises(ImportError) as raised:
            exec(f"from {parent} import {last}")
        assert str(raised.value) == reason(name)


@pytest.mark.parametrize("path", sorted(PATHS))
def test_a_path_leads_to_names(path):
    module = importlib.import_module(f"gpunet.{path}")
    assert [name for name in dir(module) if not name.startswith("__")]
    for name in getattr(module, "__all__", []) if "tensorboard" not in path else []:  # it needs tensorboardX
        assert hasattr(module, name), name
    assert getattr(module, "no_such_name", None) is None  # a module of settings has any name


@pytest.mark.needs("torch")
def test_paths_are_pytorchs():
    """Each path is one of PyTorch's; where a name there is gpunet's too, both can be called, or none."""
    slow = {"_inductor", "_inductor.config", "_dynamo", "_dynamo.config"}
    for path in PATHS:
        if path in slow or path.startswith(("onnx", "utils.tensorboard")):  # these need packages
            continue
        theirs = importlib.import_module(f"torch.{path}")
        ours = importlib.import_module(f"gpunet.{path}")
        for name in getattr(theirs, "__all__", []):
            if hasattr(ours, name) and name not in ("Device", "Number"):  # types for annotations
                assert callable(getattr(ours, name)) == callable(getattr(theirs, name)), f"{path}.{name}"


def test_a_path_takes_no_names_away():
    """A path's last part is no function or class of the package before it."""
    for path in PATHS:
        parent, _, last = f"gpunet.{path}".rpartition(".")
        package = importlib.import_module(parent)
        for module in (package, *map(importlib.import_module, getattr(package, "_sources", ()))):
            assert type(vars(module).get(last)).__name__ in ("NoneType", "module", "Forwarding", "_Feature"), path


def test_one_object_by_all_paths():
    from gpunet.nn.modules.conv import Conv2d
    from gpunet.utils.data.dataloader import DataLoader

    assert Conv2d is gpunet.nn.Conv2d and DataLoader is gpunet.data.DataLoader
    assert gpunet.utils.data.DataLoader is gpunet.data.DataLoader
    assert isinstance(gpunet.nn.BatchNorm2d(2), importlib.import_module("gpunet.nn.modules.batchnorm")._BatchNorm)
    assert gpunet.jit is importlib.import_module("gpunet.jit")


@pytest.mark.parametrize("name", sorted(NAMES))
def test_single_names(name):
    assert callable(find(gpunet, name))


def test_names_on_demand_are_not_imported_before():
    program = ("import sys, gpunet; asked = [m for m in sys.modules if m.startswith(('gpunet.cuda', 'gpunet.compat', "
               "'gpunet.backends', 'gpunet.accelerator', 'gpunet.torch', 'multiprocessing.reduction'))]; print(asked)")
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
