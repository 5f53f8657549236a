"""What the simulator raises."""


class KernelError(RuntimeError):
    """A kernel did something that CUDA forbids, or was launched in a way that CUDA refuses.

    in_kernel: it was the kernel, while it ran.
    """

    in_kernel = False


class ArgumentError(KernelError, TypeError):
    """A kernel was launched with arguments that do not fit its parameters."""


class SimulatorLimit(KernelError):
    """A launch that a device would take and the simulator does not: no fault of the kernel's."""


class CompileError(RuntimeError):
    """A kernel does not compile for the simulator; the text is the compiler's."""


class SettingError(ValueError):
    """An environment variable of the simulator's is set to something that it cannot mean."""


class CompilerMissingError(RuntimeError):
    """This machine cannot build kernels for the simulator; the text says what to install."""
