"""Dispatch: ops, and the one path by which every call of them goes.

- declare.py: how an op is declared, `@op(rule)`, and what the declaration holds (`Op`).
- operands.py: numbers and tensors of several types and devices, brought to arrays of one type on one device.
- call.py: the path itself: check the inputs, compute, wrap the result, record it for gradients.

To add an op, see "Add an op" in CONTRIBUTING.md: the declaration goes into a family's file in `ops/`, and beside it the
function that users call. An op's body fills `out` with functions of `xp` (NumPy, CuPy or the simulator's), so that one
body serves all devices:

    @op(same, promotes="float")                 # rule: shape and type of the result, and all checks
    def cube_op(xp, out, x):
        xp.multiply(x, x, out)
        xp.multiply(out, x, out)

`cube_op` is then a plain function of tensors, and `cube_op.op` its declaration. Everything that happens in a call
happens in `call.perform`: the device computes, the array becomes a tensor, the graph gets a node. What higher floors
add to it, such as recording for gpunet.compile, is in `engine/extensions.py`.
"""

from gpunet._promotion import NUMBERS, promote
from gpunet.dispatch.call import bind, execute, into, perform, perform_into, record
from gpunet.dispatch.declare import Op, OpFunction, op, view
from gpunet.dispatch.operands import Mismatch, host_read, prepare
from gpunet.engine.tensors import is_tensor, wrap

__all__ = ["NUMBERS", "Mismatch", "Op", "OpFunction", "bind", "execute", "host_read", "into", "is_tensor",
           "op", "perform", "perform_into", "prepare", "promote", "record", "view", "wrap"]
