"""`gpunet devices`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gpunet.cli.common import make_console

if TYPE_CHECKING:
    from rich.text import Text

    from gpunet.cli.probe import Finding


@click.command()
def devices() -> None:
    """Show what this machine has, which devices work here, and what to install for those that do not."""
    from rich.table import Table
    from rich.text import Text

    from gpunet.cli.probe import probe

    console = make_console()
    found = probe()

    machine = Table(show_header=False)
    machine.add_column(style="bold", no_wrap=True)
    machine.add_column(overflow="fold")
    for name, finding in found.items():
        machine.add_row(name, Text(finding.text, style="" if finding.ok else "yellow"))
        if name == "NVIDIA driver":
            for index, gpu in enumerate(finding.details.get("gpus", [])):
                machine.add_row(
                    f"GPU cuda:{index}",
                    f"{gpu['name']}, {gpu['memory'] / 2**30:.0f} GiB, {gpu['multiprocessors']} multiprocessors, "
                    f"compute capability {gpu['major']}.{gpu['minor']}",
                )
    console.print(machine)

    table = Table("device", "works", "what it is", "what is missing")
    kernels = found["CPU kernels"]
    table.add_row("cpu", _yes(True), "native kernels beside NumPy" if kernels.ok else "NumPy", Text(kernels.remedy))
    for name, what, missing in (
        ("sim", "the CUDA kernels, run on the CPU", sim_missing(found)),
        ("cuda", "the CUDA kernels, run on the GPU", cuda_missing(found)),
    ):
        table.add_row(name, _yes(not missing), what, Text("\n".join(missing)))
    console.print(table)


def _yes(works: bool) -> Text:
    from rich.text import Text

    return Text("yes", "green") if works else Text("no", "yellow")


def sim_missing(found: dict[str, Finding]) -> list[str]:
    """What the sim device lacks here; empty where it works."""
    return [each.remedy or each.text for each in (found["engine of sim"], found["kernel cache"]) if not each.ok]


def cuda_missing(found: dict[str, Finding]) -> list[str]:
    """What the cuda device lacks here, in the order to put it right; empty where it works."""
    driver, cupy, nvrtc = found["NVIDIA driver"], found["CuPy"], found["NVRTC"]
    missing = []
    if not driver.ok:
        missing.append(driver.remedy or driver.text)
    elif not driver.details["gpus"]:
        missing.append("the driver finds no GPU; see nvidia-smi and CUDA_VISIBLE_DEVICES")
    newest = driver.details.get("cuda", [13])[0]
    extra = "cuda13" if newest >= 13 else "cuda12"
    if not cupy.ok:
        missing.append(cupy.remedy or f'pip install "gpunet[{extra}]"')
    elif (cupy.details["major"] or 0) > newest:
        major = cupy.details["major"]
        missing.append(
            f"CuPy is built for CUDA {major}, the driver supports {newest} at most: "
            f'pip uninstall cupy-cuda{major}x, then pip install "gpunet[{extra}]"; or a newer driver'
        )
    if not nvrtc.ok and cupy.ok:
        missing.append(nvrtc.remedy or nvrtc.text)
    if not found["kernel cache"].ok:
        missing.append(found["kernel cache"].text)
    return missing
