"""Kernels compiled before they are needed, several at once: for `gpunet build`, and for what times launches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from gpunet.kernel import nvrtc, source
from gpunet.kernel.launch import Kernel


def build(kernels: Sequence[Kernel], architectures: Sequence[str], jobs: int) -> Iterator[Path]:
    """The compiled file of every instance of these kernels, as each is done; those in the cache are not compiled again.
    The first error is raised, and what has not begun by then is not begun."""
    calls = [(source.read(kernel.file), architecture, expression, kernel.options)
             for architecture in architectures for kernel in kernels for expression in kernel.expressions()]
    with ThreadPoolExecutor(jobs) as pool:
        running = [pool.submit(nvrtc.build, *call) for call in calls]
        try:
            for done in as_completed(running):
                yield done.result()[0]
        except BaseException:  # Ctrl-C and a caller who wants no more, too
            pool.shutdown(wait=False, cancel_futures=True)
            raise
