"""`gpunet kernel`: write, check, compile and time CUDA kernels."""

from __future__ import annotations

import click

from gpunet.cli.kernel_commands.bench import bench
from gpunet.cli.kernel_commands.check import check
from gpunet.cli.kernel_commands.compile import compile
from gpunet.cli.kernel_commands.new import new
from gpunet.cli.kernel_commands.profile import profile


class _InOrder(click.Group):
    """Lists its commands as they are added: in the order of their use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=_InOrder)
def kernel() -> None:
    """Write CUDA kernels, find their bugs, see what they take and how fast they are; only `bench` needs a GPU."""


for command in (new, check, profile, compile, bench):
    kernel.add_command(command)
