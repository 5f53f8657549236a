"""Functions of functions, as `torch.func` has them: gradients, Jacobians, batches; modules as functions."""

import typing

from gpunet._names import attributes_of as _attributes_of
from gpunet.func.batching import vmap
from gpunet.func.calls import functional_call, stack_module_state
from gpunet.func.transforms import grad, grad_and_value, hessian, jacfwd, jacrev, jvp, linearize, vjp

__all__ = ["functional_call", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "linearize",
           "stack_module_state", "vjp", "vmap"]

if not typing.TYPE_CHECKING:
    __getattr__ = _attributes_of(__name__)
