"""The top level has the public names and no others."""

import ast
import importlib
import inspect
import types
from pathlib import Path

import gpunet
from gpunet._names.paths import NAMES


def test_all_is_complete():
    """What `gpunet/__init__.py` imports, defines or has on demand is what `__all__` says, but for the modules of the
    inside."""
    names = {name for name, value in vars(gpunet).items()
             if not name.startswith("_") and not isinstance(value, types.ModuleType)}
    names |= NAMES.keys() & set(gpunet.__all__)
    listed = [name for name in gpunet.__all__ if not isinstance(getattr(gpunet, name), types.ModuleType)]
    assert names == set(listed), f"add to __all__ of gpunet/__init__.py: {names - set(listed)}; " \
                                 f"take out: {set(listed) - names}"
    assert gpunet.__all__ == sorted(set(gpunet.__all__)), "__all__ of gpunet/__init__.py is not sorted"


def test_dir_shows_the_public_names():
    assert [name for name in dir(gpunet) if not name.startswith("_")] == gpunet.__all__
    names: dict = {}
    exec("from gpunet import *", names)
    assert {name for name in names if not name.startswith("__")} == set(gpunet.__all__)


def test_public_modules_are_imported_by_name():
    """A module is public if `gpunet/__init__.py` names it, or is `random`, whose functions the top level has."""
    tree = ast.parse(Path(gpunet.__file__).read_text())
    named = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "gpunet"
             for alias in node.names}
    assert {name for name in gpunet.__all__ if inspect.ismodule(getattr(gpunet, name))} == named | {"random"}


def test_inner_modules_can_still_be_imported():
    for name in ("creation", "shape"):
        assert name not in gpunet.__all__ and not hasattr(gpunet, name)
        assert importlib.import_module(f"gpunet.ops.{name}")
