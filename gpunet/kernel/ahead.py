"""Kernels compiled before they are needed, several at once: for `gpunet build`, and for what times launches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from gpunet.kernel import nvrtc, source
from gpunet.kernel.launch import Kernel

__all__ = ["build"]


def build(kernels: Sequence[Kernel], architectures: Sequence[str], jobs: int) -> Iterator[Path]:
    """Compile every instance of some kernels with NVRTC; those in the cache are not compiled again.

    Args:
        kernels: for example `Kernel.ours`; those for another architecture alone are left out.
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
             for architecture in architectures for kernel in kernels if _is_for(kernel, architecture)
             for expression in kernel.expressions()]
    with ThreadPoolExecutor(jobs) as pool:
        running = [pool.submit(nvrtc.build, *call) for call in calls]
        try:
            for done in as_completed(running):
                yield done.result()[0]
        except BaseException:  # Ctrl-C and a caller who wants no more, too
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _is_for(kernel: Kernel, architecture: str) -> bool:
    number = int(architecture.removeprefix("sm_").rstrip("af"))
    return kernel.capabilities is None or number in kernel.capabilities
