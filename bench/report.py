"""The tables of a result: on a terminal, or as Markdown.

    python -m bench.report bench/results/X.json [--only dispatch,training]
    python -m bench.report bench/results/X.json --roofline roofline.svg
    python -m bench.report --page                  docs/gpu.md and its picture, from the newest result of a GPU
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.environment import ROOT, save_text
from bench.measure import overheads, ratio
from gpunet.benchmark.roofline import draw, limits_of
from gpunet.benchmark.words import rate_in_words, seconds


@dataclass
class Table:
    stage: str
    title: str
    header: list[str]
    rows: list[list[str]]


def microseconds(value: float) -> str:
    return f"{value * 1e6:.2f}"


def tables(content: dict[str, Any]) -> Iterator[Table]:
    """All tables of a result."""
    for name, stage in content["stages"].items():
        findings = stage["findings"]
        measured = [finding for finding in findings if "samples" in finding]
        if name == "environment":
            yield from _environment(content, findings)
        elif name in ("tests", "ptx"):
            counts = ["selected", "passed", "failed", "skipped"]
            rows = [[f.get("part", "1/1"), *(str(f.get(key, "")) for key in counts), f"{f['seconds']:.0f}"]
                    for f in findings if "seconds" in f]
            yield Table(name, f"{name} on {content['device']}", ["part", *counts, "s"], rows)
            if failures := [failure for f in findings for failure in f.get("failures", [])]:
                rows = [[failure["test"], failure["message"]] for failure in failures[:40]]
                yield Table(name, "Failed tests", ["test", "message"], rows)
        elif name == "parity":
            yield _parity(content, findings)
        elif name == "train":
            rows = [[f["what"], f"{f['test_accuracy']:.4f}", f"{f['seconds']:.1f}"] for f in findings if "seconds" in f]
            yield Table(name, "End to end", ["command", "test accuracy", "s"], rows)
        elif name == "recipes":
            rows = [[f["name"], f["measure"], f"{f['gpunet']:.4f}",
                     ", ".join(f"{peer} {value:.4f}" for peer, value in f.get("baselines", {}).items()),
                     f"{f['seconds']:.0f}"] for f in findings]
            yield Table(name, "Recipes", ["data", "measure", "gpunet", "baselines", "s"], rows)
        elif name == "sanitizer":
            rows = [[f["tool"], str(f.get("errors")), f.get("note", "")] for f in findings if "tool" in f]
            yield Table(name, "The kernels' tests under tools", ["tool", "errors", "note"], rows)
            kernels = [kernel for f in findings for kernel in f.get("kernels", [])]
            if rows := [[k["kernel"], str(k["compute-sanitizer"]), str(k["checker"])] for k in kernels]:
                yield Table(name, "Complaints by kernel", ["kernel", "compute-sanitizer", "checker"], rows)
        elif name == "smoke":
            rows = [[f["check"], f.get("failed", "right"), f"{f['seconds']:.1f}"] for f in findings if "check" in f]
            yield Table(name, f"Smoke run on {content['device']}", ["check", "result", "s"], rows)
        else:
            if failures := [[finding["failed"]] for finding in findings if "failed" in finding]:
                yield Table(name, "Failed cases", ["case: reason"], failures)
            yield from _dispatch(name, [each for each in measured if each["group"] in ("op", "pass")])
            yield from _contests(name, [each for each in measured if each["group"] not in ("op", "pass")])


def _environment(content, findings) -> Iterator[Table]:
    machine = content["environment"]
    rows = [["date", machine["date"]], ["commit", str(machine["commit"])], ["processor", machine["processor"]],
            ["cores", str(machine["cores"])], ["Python", machine["python"]], ["BLAS", machine["blas"]],
            ["versions", ", ".join(f"{name} {version}" for name, version in machine["versions"].items())]]
    for gpu in (finding["gpu"] for finding in findings if "gpu" in finding):
        rows += [["GPU", f"{gpu['name']}, {gpu['multiprocessors']} multiprocessors, {gpu['memory'] / 2**30:.0f} GiB"],
                 ["driver", f"{gpu['driver']}, NVRTC {gpu['nvrtc']}, {gpu['architecture']}"]]
    yield Table("environment", "Measured on", ["what", ""], rows)


def _parity(content, findings) -> Table:
    """The rows nearest to their bound."""
    found = []
    for finding in findings:
        for part in ("value", "gradient"):
            if part in finding:
                found.append((finding[part]["of_bound"], finding["case"], part, finding[part]))
    found.sort(key=lambda each: -each[0])
    rows = [[case, part, f"{d['abs']:.1e}", f"{d['rel']:.1e}", f"{share:.2f}"] for share, case, part, d in found[:10]]
    rows += [[finding["case"], finding["error"], "", "", ""] for finding in findings if "error" in finding]
    count = sum("case" in finding for finding in findings)
    same = sum(share == 0 for share, *_ in found)
    title = (f"{content['device']} against cpu: {count} rows, {same} of {len(found)} results bit-identical; the "
             "largest shares of the bound")
    return Table("parity", title, ["row", "of", "abs", "rel", "share"], rows)


def _dispatch(stage, measured) -> Iterator[Table]:
    ours, theirs = ("gpunet", "gpunet with gradient"), ("PyTorch", "PyTorch with gradient")
    ops, rows = [each for each in measured if each["group"] == "op"], []
    peers = [name for name in theirs if any(name in each["samples"] for each in ops)]
    for each in ops:
        over = overheads(each["samples"])
        rows.append([each["name"], _microseconds(each, "NumPy"),
                     *(cell for name in ours for cell in (_microseconds(each, name), microseconds(over[name]))),
                     *(_microseconds(each, name) for name in peers)])
    if rows:
        for title, of in (("**median**", statistics.median), ("**median, fastest timings alone**", min)):
            middle = [statistics.median([overheads(each["samples"], of)[name] for each in ops]) for name in ours]
            rows.append([title, "", *(cell for value in middle for cell in ("", microseconds(value))),
                         *[""] * len(peers)])
        yield Table(stage, "Time of one call on tiny tensors, µs; `above`: what gpunet's Python adds to NumPy's call",
                    ["op", "NumPy", "gpunet", "above", "with gradient", "above",
                     *(name.replace("PyTorch with", "with") for name in peers)], rows)
    passes = [each for each in measured if each["group"] == "pass"]
    names = list(dict.fromkeys(name for each in passes for name in each["samples"]))
    if passes:
        yield Table(stage, "Forward and backward together, µs", ["", *names],
                    [[each["name"], *(_microseconds(each, name) for name in names)] for each in passes])


_UNITS = {"bytes": "B/s", "operations": "FLOP/s", "half_operations": "FLOP/s", "tf32_operations": "FLOP/s"}
_TIMES_ONLY = ("import", "host time per call")  # groups whose columns are no competitors


def _contests(stage, measured) -> Iterator[Table]:
    """A table a group: gpunet's time and rate, its share of the limit, and how many times as fast as each peer it is.
    The limit is the best copy's rate or the best product's, whichever holds a case back; a row says by its unit which.
    What a row does not tell, such as an amount, leaves its cells empty."""
    limits = limits_of(measured)
    for group in dict.fromkeys(each["group"] for each in measured):
        members = [each for each in measured if each["group"] == group]
        names = list(dict.fromkeys(name for each in members for name in each["samples"]))
        if group in _TIMES_ONLY:
            rows = [[each["name"], *(_time(each, name) for name in names)] for each in members]
            yield Table(stage, group, ["", *names], rows)
        elif group == "checker":
            rows = [[each["name"], *(_time(each, name) for name in names), seconds(goal) if goal else "",
                     f"{statistics.median(each['samples']['fast']) / goal:.2f}x" if goal else "",
                     *(_faster(each, name, "check") for name in names[:2]),
                     *(_faster(each, "check", name) for name in names[3:])]
                    for each in members for goal in [each["amounts"].get("goal")]]
            yield Table(stage, "The simulator: fast mode and its goal, and how many times as long the checker takes",
                        ["", *names, "goal", "fast is", *(f"check is, of {name}" for name in names[:2]),
                         *("PTX is" for _ in names[3:])], rows)
        elif group in ("lanes apart", "tiny launch"):
            rows = [[each["name"], *(_time(each, name) for name in names),
                     *(_faster(each, "C++", name) for name in names[1:])] for each in members]
            yield Table(stage, f"{group}: processor seconds of the simulator's engines, and how many times as long as "
                        "C++ PTX takes", ["", *names, *(f"{name} is" for name in names[1:])], rows)
        elif group == "training step":
            ours = [name for name in names if name.startswith("gpunet")]
            rows = [[each["name"], *(_time(each, name) for name in names),
                     *(_faster(each, name, "PyTorch") for name in ours)] for each in members]
            yield Table(stage, "One training step; and how many times as fast as PyTorch's eager step ours is",
                        ["", *names, *(f"{name} is" for name in ours)], rows)
        elif group == "trainer":
            rows = [[each["name"], *(_time(each, name) for name in names), _faster(each, "by hand", "Trainer")]
                    for each in members]
            yield Table(stage, "One training step; and how many times as long the Trainer's takes",
                        ["", *names, "the Trainer's is"], rows)
        elif "gpunet" not in names:
            rows = [[each["name"], *(_rate(limits, each, name) for name in names)] for each in members]
            yield Table(stage, f"{group}: rates", ["", *names], rows)
        else:
            peers = [name for name in names if name != "gpunet"]
            rows = [[each["name"], _time(each, "gpunet"), _rate(limits, each, "gpunet"), _share(limits, each),
                     *(_faster(each, "gpunet", name) for name in peers)] for each in members]
            yield Table(stage, f"{group}: gpunet's time and rate, its share of the limit, and how many times as fast "
                        "as each peer it is", ["", "gpunet", "rate", "of the limit", *peers], rows)
    notes = dict.fromkeys(note for each in measured for note in each.get("notes", []))
    if notes:
        yield Table(stage, "Notes", ["note"], [[note] for note in notes])


def _microseconds(each, name) -> str:
    return microseconds(statistics.median(each["samples"][name])) if name in each["samples"] else ""


def _rate(limits, each, name) -> str:
    """A competitor's rate in the amount that holds the case back."""
    amount = limits.binding(each["amounts"])
    if name not in each["samples"] or amount is None:
        return ""
    time = statistics.median(each["samples"][name])
    return rate_in_words(each["amounts"][amount] / time, _UNITS[amount]) if time else ""


def _share(limits, each) -> str:
    if "gpunet" not in each["samples"]:
        return ""
    share = limits.share(each["amounts"], statistics.median(each["samples"]["gpunet"]))
    return "" if share is None else f"{share:.2f}"


def _time(each, name) -> str:
    return seconds(statistics.median(each["samples"][name])) if name in each["samples"] else ""


def _faster(each, ours, peer) -> str:
    return f"{ratio(each['samples'], ours, peer):.2f}x" if {ours, peer} <= set(each["samples"]) else ""


def markdown(content: dict[str, Any], only: list[str] | None = None) -> str:
    """The tables as Markdown, the machine first."""
    parts = []
    if content.get("quick"):
        parts.append("*A rehearsal with tiny sizes: the figures say nothing.*\n")
    for table in tables(content):
        if only and table.stage not in only:
            continue
        lines = [f"**{table.title}**", "", "| " + " | ".join(table.header) + " |", "|" + "---|" * len(table.header)]
        lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in table.rows]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def draw_roofline(content: dict[str, Any], path: Path) -> None:
    """The kernels' rates under the limits, as a picture that names the device and the day."""
    findings = [finding for stage in content["stages"].values() for finding in stage["findings"]]
    device = next((finding["gpu"]["name"] for finding in findings if "gpu" in finding), content["device"])
    title = f"{device}, {content['environment']['date'][:10]}" + (" (a rehearsal)" if content.get("quick") else "")
    draw([finding for finding in findings if "samples" in finding], title, path)


_RESULTS, _PAGE = ROOT / "bench" / "results", ROOT / "docs" / "gpu.md"
_NOTHING = """# On a GPU

No GPU has been measured yet. This page is written from the results in `bench/results/`, by

    python -m bench.gpu --stages kernels,training --out bench/results
    python -m bench.report --page

on a machine that has one; `bench/README.md` says what that takes. Until then, what is known of the kernels without a
GPU is what the tests show: their results and races on the simulator, and for each architecture their registers
(`tests/kernel/budgets.py`) and the instructions of their machine code (`tests/kernel/designs.py`).
"""
_MEASURED = """# On a GPU

Written by `python -m bench.report --page`. Ratios are of medians in one run; the limit is the best copy or the best
product that any library reached in it.

![achieved against limit](roofline.svg)

"""


def newest(folder: Path = _RESULTS) -> dict[str, Any] | None:
    """The latest result of a GPU in a folder, rehearsals left out, in which our kernels were measured."""
    found = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    found = [each for each in found if each["device"].startswith("cuda") and not each.get("quick")
             and any("samples" in finding for finding in each["stages"].get("kernels", {}).get("findings", []))]
    return max(found, key=lambda each: each["environment"]["date"], default=None)


def write_page(path: Path = _PAGE, folder: Path = _RESULTS) -> None:
    """The page of the documentation with the newest result's tables, and its roofline beside it."""
    content = newest(folder)
    if content is None:
        save_text(path, _NOTHING)
        return
    draw_roofline(content, path.with_name("roofline.svg"))
    save_text(path, _MEASURED + markdown(content))


def show(content: dict[str, Any]) -> None:
    """Prints the tables."""
    try:
        import rich  # noqa: F401
    except ImportError:
        print(markdown(content))
        return
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=150)
    for table in tables(content):
        view = RichTable(title=table.title, title_justify="left")
        for number, name in enumerate(table.header):  # what the rows are called stays on one line
            least = 0 if number else min(45, max([len(row[0]) for row in table.rows], default=0))
            view.add_column(name, justify="right" if number else "left", overflow="fold", min_width=least)
        for row in table.rows:
            view.add_row(*(Text(cell.replace("**", "")) for cell in row))
        console.print(view)
    summary = RichTable("stage", "status", "s", "message")
    for name, stage in content["stages"].items():
        summary.add_row(name, stage["status"], f"{stage.get('seconds', 0):.0f}", Text(stage.get("message", "")))
    if len(content["stages"]) > 1:
        console.print(summary)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.report", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--page", action="store_true", help="write docs/gpu.md from the newest result of a GPU")
    parser.add_argument("--only", help="tables of these stages, with commas between them")
    parser.add_argument("--roofline", type=Path, metavar="PICTURE", help="draw achieved against limit, as .svg or .png")
    arguments = parser.parse_args()
    if arguments.page:
        write_page()
        print(f"Written to {_PAGE}.")
        return
    if arguments.file is None:
        parser.error("name a result, or give --page")
    content = json.loads(arguments.file.read_text())
    if arguments.roofline:
        draw_roofline(content, arguments.roofline)
        print(f"Drawn to {arguments.roofline}.")
    else:
        print(markdown(content, arguments.only.split(",") if arguments.only else None))


if __name__ == "__main__":
    main()
