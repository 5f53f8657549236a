"""my_kernel: x / (1 + |x|) for every element, computed by the CUDA kernel in my_kernel.cu."""

from pathlib import Path

from gpunet.dispatch import op
from gpunet.kernel import Kernel
from gpunet.ops.rules import same

_THREADS = 256  # of a block: the kernel's __launch_bounds__

_kernel = Kernel(Path(__file__).with_name("my_kernel.cu"), "my_kernel")


@op(same)  # the result has the input's shape and type; a rule of your own is a function that returns (shape, dtype)
def my_kernel(xp, out, x):
    """x / (1 + |x|), element by element."""
    xp.divide(x, 1 + xp.abs(x), out)  # on cpu, by NumPy; elsewhere for the types that the kernel does not do


@my_kernel.kernel
def _(cuda, out, x):
    """The launch: the same code on cuda (a GPU) and on sim (the kernel run on the CPU)."""
    if x.dtype.name not in ("float32", "float64"):
        return NotImplemented
    blocks = min(-(-x.size // _THREADS), 16 * cuda.sm_count)
    _kernel.on(cuda, x.dtype)(blocks, _THREADS, out, x, x.size)  # my_kernel<float> or my_kernel<double>
    return None


@my_kernel.gradient
def _(g, _, x):
    """In tensor operations, so that it has a gradient itself. `_` is the output, which is not needed."""
    return (g / (1 + x.abs()) ** 2,)
