"""What modules about libraries that are not here share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any


@contextmanager
def settings_of(module: Any, given: dict[str, Any]) -> Iterator[None]:
    """Inside, the module's settings have other values; None leaves one as it is."""
    before = {name: getattr(module, name) for name, value in given.items() if value is not None}
    try:
        for name in before:
            setattr(module, name, given[name])
        yield
    finally:
        for name, value in before.items():
            setattr(module, name, value)


class WithTf32(ModuleType):
    """A module whose `allow_tf32` and `fp32_precision` are the setting of the precision of float32 products."""

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), "allow_tf32", "fp32_precision"})

    @property
    def allow_tf32(self) -> bool:
        """Whether TF32 is allowed."""
        from gpunet.devices.precision import get_float32_matmul_precision

        return get_float32_matmul_precision() in ("high", "medium")

    @allow_tf32.setter
    def allow_tf32(self, allowed: bool) -> None:
        from gpunet.devices.precision import set_float32_matmul_precision

        set_float32_matmul_precision("high" if allowed else "highest")

    @property
    def fp32_precision(self) -> str:
        """ "tf32" if TF32 is allowed, else "ieee"."""
        return "tf32" if self.allow_tf32 else "ieee"

    @fp32_precision.setter
    def fp32_precision(self, precision: str) -> None:
        if precision not in ("tf32", "ieee", "none"):
            raise RuntimeError(f"fp32_precision: expected 'tf32', 'ieee' or 'none', got {precision!r}")
        self.allow_tf32 = precision == "tf32"
