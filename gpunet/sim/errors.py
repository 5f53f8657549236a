"""What the simulator raises."""


class KernelError(RuntimeError):
    """A kernel did something that CUDA forbids, or was launched in a way that CUDA refuses.

    in_kernel: it was the kernel, while it ran.
    """

    in_kernel = False


class ArgumentError(KernelError, TypeError):
    """A kernel was launched with arguments that do not fit its parameters."""


class CompileError(RuntimeError):
    """A kernel does not compile for the simulator; the text is the compiler's."""


class CompilerMissingError(RuntimeError):
    """This machine cannot build kernels for the simulator; the text says what to install."""
