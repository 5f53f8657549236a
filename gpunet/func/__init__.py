"""Modules as functions of their parameters, as `torch.func` has them: `functional_call`, `stack_module_state`."""

import typing

from gpunet._names import attributes_of as _attributes_of
from gpunet.func.calls import functional_call, stack_module_state

__all__ = ["functional_call", "stack_module_state"]

if not typing.TYPE_CHECKING:
    __getattr__ = _attributes_of(__name__)
