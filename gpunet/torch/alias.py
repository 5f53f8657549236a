"""The modules `torch` and `torchvision`, and how Python finds them."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import gpunet
from gpunet._names.shown import shown
from gpunet.compat.version import PYTORCH, TorchVersion

__all__ = ["install", "installed", "uninstall"]

TORCHVISION = "0.28.0"  # the version that belongs to PYTORCH

# Where torchvision's modules are looked for, by the part of the path after `torchvision.`
_VISION: dict[str, tuple[str, ...]] = {"models": ("gpunet.models",)}
_VISION_PLACES = ("gpunet.vision", "gpunet.data")


def _version(of: str) -> TorchVersion:
    return TorchVersion(f"{of}+gpunet.{gpunet.__version__}")


def _as_it_is(model: Any = None, **settings: Any) -> Any:
    """The function or module as it is; without one, a decorator that changes nothing."""
    return (lambda model: model) if model is None else model


class _Torch(ModuleType):
    """What `import torch` gives: gpunet's names, with PyTorch's version and without a compiler."""

    def __getattr__(self, name: str) -> Any:
        return getattr(gpunet, name)

    def __dir__(self) -> list[str]:
        return dir(gpunet)


class _Torchvision(ModuleType):
    """What `import torchvision` gives: the modules that gpunet has for it, when they are asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or _place(f"torchvision.{name}") is None:
            raise AttributeError(f"module 'torchvision' has no attribute '{name}'")
        return import_module(f"torchvision.{name}")


def _place(name: str) -> str | None:
    """The module of gpunet that stands for one of torch or torchvision; None if there is none. Raises
    ModuleNotFoundError, with what to use instead, where that is known."""
    library, _, rest = name.partition(".")
    first, _, below = rest.partition(".")
    if library == "torch":
        candidates = [f"gpunet.{rest}"]
    else:
        heads = _VISION.get(first) or [f"{place}.{first}" for place in _VISION_PLACES]
        candidates = [f"{head}.{below}" if below else head for head in heads]
    for candidate in candidates:
        try:
            if find_spec(candidate) is not None:
                return candidate
        except ModuleNotFoundError as error:  # a parent is missing, or no package; or it says what to use instead
            if error.name is None:
                raise
    return None


class _Alias(Loader):
    """Loads a module by giving another one, under its own name too."""

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return {"torch": _Torch, "torchvision": _Torchvision}.get(spec.name, ModuleType)(spec.name)

    def exec_module(self, module: Any) -> None:
        if module.__name__ == "torch":
            names = {name: value for name, value in vars(gpunet).items() if not name.startswith("_")}
            module.__dict__.update(names, compile=_as_it_is, __version__=_version(PYTORCH), __file__=gpunet.__file__,
                                   __doc__=gpunet.__doc__, __all__=gpunet.__all__)
        elif module.__name__ == "torchvision":
            module.__dict__.update(__version__=_version(TORCHVISION), __file__=gpunet.__file__)
        else:
            place = _place(module.__name__)
            assert place is not None
            sys.modules[module.__name__] = import_module(place)


class _Finder(MetaPathFinder):
    """Python asks it first, before it looks for the real libraries."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname.partition(".")[0] not in ("torch", "torchvision"):
            return None
        if "." in fullname and _place(fullname) is None:
            return None
        return ModuleSpec(fullname, _Alias(), is_package=True)


_finder = _Finder()


def installed() -> bool:
    """Whether `import torch` gives gpunet.

    Examples:
        >>> import gpunet.torch
        >>> gpunet.torch.installed()
        False
    """
    return _finder in sys.meta_path


def install() -> None:
    """From now on `import torch` and `import torchvision` give gpunet.

    Raises:
        RuntimeError: PyTorch has been imported already.

    Examples:
        >>> import gpunet.torch
        >>> gpunet.torch.install()                              # doctest: +SKIP
        >>> import torch                                        # doctest: +SKIP
        >>> torch.ones(2).dtype                                 # doctest: +SKIP
        torch.float32
    """
    if installed():
        return
    real = [name for name in ("torch", "torchvision") if name in sys.modules]
    if real:
        raise RuntimeError(f"gpunet.torch: the real {real[0]} is already imported in this process; install the alias "
                           "before that, or run the program by `python -m gpunet.torch program.py`")
    sys.meta_path.insert(0, _finder)
    shown.library = "torch"


def uninstall() -> None:
    """From now on `import torch` looks for PyTorch again. What has been imported stays where it is in use.

    Examples:
        >>> import gpunet.torch
        >>> gpunet.torch.uninstall()
    """
    if not installed():
        return
    sys.meta_path.remove(_finder)
    shown.library = "gpunet"
    for name in [name for name in sys.modules if name.partition(".")[0] in ("torch", "torchvision")]:
        del sys.modules[name]
