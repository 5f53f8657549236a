"""What the simulator raises. To users these are names of gpunet.sim, which tracebacks show."""

from gpunet._environment import SettingError

__all__ = ["ArgumentError", "CompileError", "CompilerMissingError", "KernelError", "SettingError", "SimulatorLimit"]


class KernelError(RuntimeError):
    """A kernel did something that CUDA forbids, or was launched in a way that CUDA refuses.

    Attributes:
        in_kernel: the kernel did it, while it ran.

    Examples:
        >>> text = '__global__ void stop() { __trap(); }'
        >>> try:
        ...     gpunet.sim.Module(text).get_function("stop")((1,), (1,), ())
        ... except gpunet.sim.KernelError as error:
        ...     print(error)
        kernel stop of kernel.cu, grid (1, 1, 1), block (1, 1, 1):
        kernel.cu:1: __trap() [block (0,0,0), thread (0,0,0)]
    """

    in_kernel = False


class ArgumentError(KernelError, TypeError):
    """A kernel was launched with arguments that do not fit its parameters.

    Examples:
        >>> text = '__global__ void fill(float* y, float value) { y[threadIdx.x] = value; }'
        >>> fill = gpunet.sim.Module(text).get_function("fill")
        >>> fill((1,), (32,), (gpunet.sim.cupy.empty(32, numpy.float32), 1.0))
        Traceback (most recent call last):
            ...
        gpunet.sim.ArgumentError: fill: argument 1: the Python float 1.0 given, the parameter is a floating-point \
number of 4 bytes
    """


class SimulatorLimit(KernelError):
    """A launch that a device would take and the simulator does not: no fault of the kernel's.

    Examples:
        >>> nothing = gpunet.sim.Module('__global__ void nothing() {}').get_function("nothing")
        >>> nothing((2**20, 2**12), (1,), ())
        Traceback (most recent call last):
            ...
        gpunet.sim.SimulatorLimit: nothing: grid (1048576, 4096): more blocks than the simulator counts
    """


class CompileError(RuntimeError):
    """A kernel does not compile for the simulator; the text is the compiler's.

    Examples:
        >>> gpunet.sim.Module('__global__ void wrong(int n) { m = n; }').compile()
        Traceback (most recent call last):
            ...
        gpunet.sim.CompileError: kernel.cu: In function 'void wrong(int)':
            ...
    """


class CompilerMissingError(RuntimeError):
    """This machine cannot build kernels for the simulator; the text says what to install.

    Examples:
        >>> gpunet.sim.cupy.cuda.is_available()  # whether it would be raised
        True
    """


for _error in (KernelError, ArgumentError, SimulatorLimit, CompileError, SettingError, CompilerMissingError):
    _error.__module__ = "gpunet.sim"
