"""`torch._dynamo.config` and `torch._inductor.config`: settings of PyTorch's compiler, which is not here.

Any can be set, and changes nothing; one that was not set is None.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any


def patch(*args: Any, **kwargs: Any) -> AbstractContextManager[None]:
    """A context manager that changes nothing."""
    return nullcontext()


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return None
