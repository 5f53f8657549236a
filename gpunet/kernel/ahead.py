"""Kernels compiled before they are needed, several at once: for `gpunet build`, and for what times launches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from gpunet.kernel import nvrtc, source
from gpunet.kernel.launch import Kernel
from gpunet.kernel.occupancy import capability_of

__all__ = ["build", "planned"]


def planned(kernels: Sequence[Kernel], architectures: Sequence[str]) -> list[tuple[Kernel, str, str]]:
    """What there is to compile.

    Args:
        kernels: for example `Kernel.ours`.
        architectures: what to compile for, such as "sm_90a".

    Returns:
        Each instance of a kernel with each architecture that it is written for: kernel, architecture, name expression.

    Examples:
        >>> from gpunet.kernel import Kernel, ahead
        >>> fill = Kernel("/fill.cu", "fill", instances=lambda: [(2,), (3,)], capabilities=(90,))
        >>> ahead.planned([fill], ["sm_80", "sm_90a"])
        [(Kernel('/fill.cu', 'fill'), 'sm_90a', 'fill<2>'), (Kernel('/fill.cu', 'fill'), 'sm_90a', 'fill<3>')]
    """
    def is_for(kernel: Kernel, architecture: str) -> bool:
        return kernel.capabilities is None or capability_of(architecture) in kernel.capabilities

    return [(kernel, architecture, expression) for architecture in architectures for kernel in kernels
            if is_for(kernel, architecture) for expression in kernel.expressions()]


def build(kernels: Sequence[Kernel], architectures: Sequence[str], jobs: int) -> Iterator[Path]:
    """Compile every instance of some kernels with NVRTC; those in the cache are not compiled again.

    Args:
        kernels: for example `Kernel.ours`.
        architectures: what to compile for, such as "sm_90a".
        jobs: how many compilers run at a time.

    Yields:
        The path of each compiled file, as it is done.

    Raises:
        gpunet.kernel.nvrtc.NvrtcError: the first error; what has not begun by then is not begun.

    Examples:
        >>> from gpunet.kernel import ahead
        >>> list(ahead.build([], ["sm_90a"], jobs=2))
        []
    """
    calls = [(source.read(kernel.file), architecture, expression, kernel.options)
             for kernel, architecture, expression in planned(kernels, architectures)]
    with ThreadPoolExecutor(jobs) as pool:
        running = [pool.submit(nvrtc.build, *call) for call in calls]
        try:
            for done in as_completed(running):
                yield done.result()[0]
        except BaseException:  # Ctrl-C and a caller who wants no more, too
            pool.shutdown(wait=False, cancel_futures=True)
            raise

