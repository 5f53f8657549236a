"""Finds modules by PyTorch's paths, and names that are imported when they are asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from gpunet._names.absent import reason
from gpunet._names.paths import NAMES, ON_DEMAND, PATHS

_PACKAGES = {path[:end] for path in PATHS for end in range(len(path)) if path[end] == "."}


class Forwarding(ModuleType):
    """A module at one of PyTorch's paths: its names are those of other modules."""

    _sources: Sequence[str] = ()
    _single: dict[str, tuple[str, str]] = {}

    def __getattr__(self, name: str) -> Any:
        if name in self._single:
            module, attribute = self._single[name]
            return getattr(import_module(module), attribute)
        path = f"{self.__name__.removeprefix('gpunet.')}.{name}"
        if path in PATHS:
            return import_module(f"gpunet.{path}")
        if name == "__all__":
            return sorted(name for name in dir(self) if not name.startswith("_"))
        for source in self._sources if not name.startswith("__") else ():
            found = getattr(import_module(source), name, None)
            if found is not None and not isinstance(found, ModuleType):
                return found
        raise AttributeError(reason(path) or f"module '{self.__name__}' has no attribute '{name}'")

    def __dir__(self) -> list[str]:
        names = {*super().__dir__(), *self._single}
        for source in self._sources:
            module = import_module(source)
            names |= {name for name in getattr(module, "__all__", dir(module))
                      if not name.startswith("_") and not _is_module(module, name)}
        return sorted(names)


def _is_module(place: ModuleType, name: str) -> bool:
    try:
        return isinstance(getattr(place, name), ModuleType)
    except ImportError:  # of a name that needs a package that is missing
        return False


class _Forward:
    """Makes such a module."""

    def __init__(self, given: str) -> None:
        self.given = given.split()

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return Forwarding(spec.name)

    def exec_module(self, module: Any) -> None:
        pairs = [entry.split("=") for entry in self.given if "=" in entry]
        module._single = {name: ("gpunet." + place.split(":")[0], place.split(":")[1]) for name, place in pairs}
        module._sources = [f"gpunet.{entry}" for entry in self.given if "=" not in entry] or ["gpunet"]
        sources = [import_module(source) for source in module._sources]
        module.__doc__ = sources[0].__doc__
        if len(sources) == 1 and not module._single and not hasattr(module, "__path__") and not hasattr(
                sources[0], "__path__"):  # the same module under another path: what is set in one, the other has
            sys.modules[module.__name__] = sources[0]


class Finder:
    """Python asks it last. A name that is known to be absent is an error that says what to use instead."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """The module at one of PyTorch's paths.

        Args:
            fullname: the path, with `gpunet.` before it.
            path: where the package's files are; not used.
            target: the module to reload; not used.
        """
        package, _, name = fullname.partition(".")
        if package != "gpunet":
            return None
        if name in PATHS:
            return ModuleSpec(fullname, _Forward(PATHS[name]),  # pyright: ignore[reportArgumentType]
                              is_package=name in _PACKAGES)
        why = reason(name)
        if why is not None:
            raise ModuleNotFoundError(why)  # without its `name`, or `from gpunet import` would leave the sentence out
        return None


def find() -> None:
    """Has Python find the paths. Called once, by `gpunet/__init__.py`."""
    if not any(isinstance(finder, Finder) for finder in sys.meta_path):
        sys.meta_path.append(Finder())  # pyright: ignore[reportArgumentType]  # importlib.abc takes time to import


def attributes_of(package: str) -> Callable[[str], Any]:
    """The `__getattr__` of a package: it imports what is there on demand, and explains what is not there.

    Args:
        package: the package's name, its `__name__`.
    """
    def __getattr__(name: str) -> Any:
        path = f"{package}.{name}".removeprefix("gpunet.")
        if path in ON_DEMAND or path in PATHS:
            return import_module(f"gpunet.{path}")
        if path in NAMES:
            module, _, attribute = NAMES[path].partition(":")
            return getattr(import_module(f"gpunet.{module}"), attribute)
        raise AttributeError(reason(path) or f"module '{package}' has no attribute '{name}'", name=name)

    return __getattr__
