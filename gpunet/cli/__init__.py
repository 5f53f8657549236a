"""The `gpunet` command. Each subcommand imports what it needs when it runs, so that `--help` is quick."""

from __future__ import annotations

import click

from gpunet.cli.edge import Edge


def _version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        import gpunet

        click.echo(f"gpunet {gpunet.__version__}")
        context.exit()


@click.group(cls=Edge, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Print it.")
def main() -> None:
    """Train and run neural networks on cpu, on NVIDIA GPUs, or with the GPU's kernels on a machine without one."""


from gpunet.cli.build import build  # noqa: E402
from gpunet.cli.devices import devices  # noqa: E402
from gpunet.cli.evaluate import evaluate  # noqa: E402
from gpunet.cli.kernel_commands import kernel  # noqa: E402
from gpunet.cli.predict import predict  # noqa: E402
from gpunet.cli.profile import profile  # noqa: E402
from gpunet.cli.ptx_commands import ptx  # noqa: E402
from gpunet.cli.report import report  # noqa: E402
from gpunet.cli.runs import runs  # noqa: E402
from gpunet.cli.summary import summary  # noqa: E402
from gpunet.cli.train import resume, train  # noqa: E402
from gpunet.cli.tune import tune  # noqa: E402

main.add_command(train)
main.add_command(resume)
main.add_command(evaluate)
main.add_command(predict)
main.add_command(runs)
main.add_command(report)
main.add_command(summary)
main.add_command(profile)
main.add_command(tune)
main.add_command(devices)
main.add_command(build)
main.add_command(kernel)
main.add_command(ptx)
