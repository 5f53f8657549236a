"""`gpunet kernel`: write, check, compile and time CUDA kernels."""

from __future__ import annotations

import click

from gpunet.cli.kernel.bench import bench
from gpunet.cli.kernel.check import check
from gpunet.cli.kernel.compile import compile
from gpunet.cli.kernel.new import new


@click.group()
def kernel() -> None:
    """Write CUDA kernels, find their bugs, see what they take and how fast they are; only `bench` needs a GPU."""


for command in (new, check, compile, bench):
    kernel.add_command(command)
