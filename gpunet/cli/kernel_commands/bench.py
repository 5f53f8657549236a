"""`gpunet kernel bench`."""

from __future__ import annotations

import importlib.util
import json
import math
import statistics
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpunet.cli.common import DeviceName, UserError, make_console, open_device

if TYPE_CHECKING:
    from gpunet.benchmark import Case


@click.command(short_help="Measure a kernel on a GPU, against limits and other libraries.")
@click.argument("name")
@click.option("--device", type=DeviceName(), default="cuda", metavar="cuda[:N]|cpu|sim",
              help="The GPU to measure on; cpu and sim are rehearsals with tiny sizes.")
@click.option("--picture", type=click.Path(path_type=Path), metavar="FILE", show_default="NAME-roofline.svg",
              help="The roofline picture, .svg or .png.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON with all timings; draw only if --picture is given.")
def bench(name: str, device: str, picture: Path | None, as_json: bool) -> None:
    """Measure a kernel on a GPU: time, bandwidth and arithmetic, its share of what the GPU can do, and how it stands to
    the libraries that are installed (CuPy, PyTorch, Triton).

    NAME is a kernel of gpunet's (matmul, bias_relu, softmax_ce) or one made by `gpunet kernel new`: its folder, or its
    name where you are in that folder or beside it.
    """
    cases_for = _find(name)  # before the device: a wrong name needs no GPU to be told
    tiny = not device.startswith("cuda")
    open_device(device)
    from gpunet.benchmark import Lab, WrongResult
    from gpunet.benchmark.kernels import limits

    rows: list[dict[str, Any]] = []
    try:
        lab = Lab(device)
        own = [*cases_for(tiny)]
        if not own:
            raise UserError(f"The benchmark of {name} gives no cases to measure.")
        cases = [*limits("tiny" if tiny else "gpu"), *own]
        for case in {(case.group, case.name): case for case in cases}.values():
            rows.append(_measure(lab, case, rounds=3 if tiny else 11, quiet=as_json))
    except WrongResult as error:
        raise click.ClickException(f"{error}; a wrong result has no time.") from error
    group = rows[-1]["group"]
    if as_json:
        click.echo(json.dumps({"kernel": name, "device": _device_name(lab), "tiny": tiny, "results": rows}, indent=2))
    else:
        _show(rows, group, _device_name(lab), tiny)
    if picture or not as_json:
        title = f"{Path(name).name} on {_device_name(lab)}" + " (a rehearsal)" * tiny
        try:
            _draw(rows, title, picture or Path(f"{Path(name).stem}-roofline.svg"))
        except UserError as error:
            if picture:
                raise
            click.echo(error.message, err=True)  # nobody asked for it: the figures stand


def _find(name: str) -> Callable[[bool], Iterable[Case]]:
    """What gives the cases of a kernel, tiny or not."""
    from gpunet.benchmark.kernels import KERNELS

    if name in KERNELS:
        return lambda tiny: KERNELS[name]("tiny" if tiny else "gpu")
    place = Path(name)
    file = f"bench_{place.name}.py"
    for path in (place / file, place.with_name(file)):
        if path.is_file():
            return _load(path)
    raise UserError(f"There is no kernel {name!r}: it is {', '.join(KERNELS)}, or one of yours with its {file}, as "
                    "`gpunet kernel new` makes it.")


def _load(path: Path) -> Callable[[bool], Iterable[Case]]:
    """The function `cases` of a user's benchmark, which finds the modules beside it."""
    sys.path.insert(0, str(path.parent.resolve()))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None  # its name ends with .py
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise UserError(f"{path} does not run: {type(error).__name__}: {error} ({place.filename}:{place.lineno})."
                        ) from error
    if not callable(getattr(module, "cases", None)):
        raise UserError(f"{path} has no function cases(tiny), which gives the cases to measure.")
    return module.cases


def _measure(lab: Any, case: Case, rounds: int, quiet: bool) -> dict[str, Any]:
    from gpunet.benchmark import measure

    if not quiet:
        click.echo(f"{case.group} {case.name} ...", err=True)
    row = asdict(measure(lab, case, rounds, seconds=10.0))
    lab.free()
    return row


def _device_name(lab: Any) -> str:
    if not lab.on_gpu:
        return lab.type
    properties = lab.xp.cuda.runtime.getDeviceProperties(lab.device.index or 0)
    return properties["name"].decode()


def _show(rows: list[dict[str, Any]], group: str, device: str, tiny: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    from gpunet.benchmark.measure import ratio
    from gpunet.benchmark.roofline import OURS, limits_of
    from gpunet.benchmark.words import rate_in_words, seconds

    limits = limits_of(rows)
    members = [row for row in rows if row["group"] == group and OURS in row["samples"]]
    peers = list(dict.fromkeys(peer for row in members for peer in row["samples"] if peer != OURS))
    table = Table(title=f"{group} on {device}" + " (a rehearsal: the figures say nothing)" * tiny, title_justify="left")
    table.add_column(group)
    for heading in ("time", "bandwidth", "arithmetic", "of the limit", *(f"× {peer}" for peer in peers)):
        table.add_column(heading, justify="right")
    table.add_column("limit")
    for row in members:
        amounts, time = row["amounts"], statistics.median(row["samples"][OURS]) or math.nan
        share = limits.share(amounts, time)
        table.add_row(
            row["name"], seconds(time),
            rate_in_words(amounts["bytes"] / time, "B/s") if "bytes" in amounts else "",
            rate_in_words(amounts["operations"] / time, "FLOP/s") if "operations" in amounts else "",
            "" if share is None else f"{share:.0%}",
            *(Text(f"{ratio(row['samples'], OURS, peer):.2f}", style=_style(ratio(row["samples"], OURS, peer)))
              if peer in row["samples"] else "" for peer in peers),
            {"bytes": "copy", "operations": "product", None: ""}[limits.binding(amounts)],
        )
    console = make_console()
    console.print(table)
    if limits.bytes and limits.operations:
        console.print(Text(f"Limits measured here: copy {rate_in_words(limits.bytes, 'B/s')}, best matrix product "
                           f"{rate_in_words(limits.operations, 'FLOP/s')}. × CuPy 1.20: 1.2 times as fast as CuPy.",
                           style="dim"))
    for note in dict.fromkeys(note for row in rows for note in row["notes"]):
        console.print(Text(note, style="dim"))


def _style(times: float) -> str:
    return "green" if times >= 1 else "yellow"


def _draw(rows: list[dict[str, Any]], title: str, path: Path) -> None:
    from gpunet.benchmark.roofline import draw

    try:
        draw(rows, title, path)
    except (ValueError, RuntimeError, OSError) as error:
        raise UserError(f"No picture: {error}.") from error
    click.echo(f"Drawn: {path}", err=True)
