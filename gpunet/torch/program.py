"""A program of PyTorch's as Python runs programs, with gpunet under the name `torch`.

Processes that the program starts by "spawn" load its main module again: `child.py` does so, with the alias in place.
"""

from __future__ import annotations

import io
import os
import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from gpunet.torch.alias import install

USAGE = """\
usage: python -m gpunet.torch [-h] (SCRIPT.py | -m MODULE) [ARGUMENT ...]

Runs a program that is written for PyTorch, with gpunet under the name `torch`.
"""

# Where the processes of "spawn" find what to load: "script PATH" or "module NAME".
MAIN = "GPUNET_TORCH_MAIN"


def run(arguments: list[str]) -> int:
    """Runs a program. Returns 2 if there is none; a program's own exit is raised."""
    if arguments[:1] in (["-h"], ["--help"]):
        print(USAGE, end="")
        return 0
    is_module = arguments[:1] == ["-m"]
    given = arguments[is_module:]
    if not given or given[0].startswith("-"):
        print(USAGE, end="", file=sys.stderr)
        return 2
    install()
    try:
        code, path, package = _module(given[0]) if is_module else _script(given[0])
    except OSError as error:
        print(f"gpunet.torch: cannot read the program {given[0]}: {error.strerror}", file=sys.stderr)
        return 2
    except ImportError as error:
        print(f"gpunet.torch: cannot run the module {given[0]}: {error}", file=sys.stderr)
        return 2
    os.environ[MAIN] = f"{'module' if is_module else 'script'} {given[0] if is_module else os.path.abspath(path)}"
    sys.argv[:] = [path, *given[1:]]
    main = ModuleType("__main__")
    main.__file__, main.__package__, main.__spec__ = path, package, _Child(package)
    sys.modules["__main__"] = main
    exec(code, main.__dict__)
    return 0


class _Child(ModuleSpec):
    """What multiprocessing loads in a process of "spawn", with the package of the program's relative imports."""

    def __init__(self, package: str) -> None:
        super().__init__("gpunet.torch.child", None)
        self._package = package

    @property
    def parent(self) -> str:
        return self._package


def _script(path: str) -> tuple[Any, str, str]:
    """The code of a file, or of the `__main__.py` of a folder."""
    file = os.path.join(path, "__main__.py") if os.path.isdir(path) else path
    with io.open_code(os.path.abspath(file)) as opened:
        source = opened.read()
    sys.path[0] = os.path.dirname(os.path.abspath(file))
    return compile(source, file, "exec"), file, ""


def _module(name: str) -> tuple[Any, str, str]:
    """The code of a module, or of the `__main__` of a package."""
    sys.path[0] = os.getcwd()
    spec = find_spec(name)
    if spec is not None and spec.submodule_search_locations is not None:
        spec = find_spec(f"{name}.__main__")
    code = spec and spec.loader and spec.loader.get_code(spec.name)  # pyright: ignore[reportAttributeAccessIssue]
    if spec is None or code is None:
        raise ImportError(f"there is no Python module {name}, or no {name}.__main__")
    return code, spec.origin or name, spec.parent or ""
