"""`gpunet kernel`: write, check, compile and time CUDA kernels."""

from __future__ import annotations

import click


@click.group()
def kernel() -> None:
    """Write CUDA kernels, find their bugs, see what they take and how fast they are; only `bench` needs a GPU."""


from gpunet.cli.kernel.check import check  # noqa: E402
from gpunet.cli.kernel.compile import compile  # noqa: E402

kernel.add_command(check)
kernel.add_command(compile)
