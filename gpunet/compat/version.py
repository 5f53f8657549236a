"""`torch.version`, and the version of PyTorch whose names gpunet follows."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["TorchVersion", "debug", "git_version", "hip", "xpu"]

PYTORCH = "2.13.0"  # the version against which the tests compare


class TorchVersion(str):
    """A version as text, which compares with texts and tuples number by number: "2.13" > "2.9"."""

    def _numbers(self, other: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
        mine, theirs = ([*map(int, re.match(r"\d+(\.\d+)*", str(v))[0].split("."))] if isinstance(v, str)  # type: ignore
                        else [int(n) for n in v] for v in (str(self), other))
        for numbers in (mine, theirs):
            while len(numbers) > 1 and numbers[-1] == 0:
                numbers.pop()
        return tuple(mine), tuple(theirs)

    def __lt__(self, other: Any) -> bool:
        mine, theirs = self._numbers(other)
        return mine < theirs

    def __le__(self, other: Any) -> bool:
        mine, theirs = self._numbers(other)
        return mine <= theirs

    def __gt__(self, other: Any) -> bool:
        return not self <= other

    def __ge__(self, other: Any) -> bool:
        return not self < other

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (str, tuple, list)):
            return NotImplemented
        try:
            mine, theirs = self._numbers(other)
        except (TypeError, ValueError):
            return str(self) == other
        return mine == theirs

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__


hip = xpu = git_version = None
debug = False


def __getattr__(name: str) -> Any:
    """`cuda`: the version of CUDA that CuPy has, None without a GPU. `__version__`: see PYTORCH."""
    if name == "cuda":
        from gpunet.cuda.gpus import gpu, is_available

        if not is_available():
            return None
        number = gpu().xp.cuda.runtime.runtimeGetVersion()
        return f"{number // 1000}.{number % 1000 // 10}"
    if name == "__version__":
        from gpunet import __version__

        return TorchVersion(f"{PYTORCH}+gpunet.{__version__}")
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
