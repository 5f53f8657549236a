"""The way into the `gpunet` command.

It stands outside the package: what runs a kernel on the CPU needs `gpunet.sim` and its like alone, and importing the
whole of gpunet, with its networks, would take longer than the check of a small kernel. For these commands the package
is there without its content, which comes when something asks for it.
"""

import importlib.util
import sys
from types import ModuleType
from typing import Any

_KERNELS_ALONE = {("kernel", "check"), ("kernel", "profile")}
_PARTS = {"cli", "files", "kernel", "ptx", "sim"}  # which need nothing of the rest


class _Package(ModuleType):
    """gpunet before its __init__.py has run, which the first name that it does not have makes run."""

    def __getattr__(self, name: str) -> Any:
        if name in _PARTS:
            return importlib.import_module(f"{self.__name__}.{name}")
        self.__class__ = ModuleType  # pyright: ignore[reportAttributeAccessIssue]
        assert self.__spec__ is not None and self.__spec__.loader is not None
        self.__spec__.loader.exec_module(self)
        return getattr(self, name)


def main() -> None:
    """The command."""
    spec = importlib.util.find_spec("gpunet")
    if tuple(sys.argv[1:3]) in _KERNELS_ALONE and "gpunet" not in sys.modules and spec is not None:
        package = sys.modules["gpunet"] = importlib.util.module_from_spec(spec)
        package.__class__ = _Package
    from gpunet.cli import main as command

    command()
