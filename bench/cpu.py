"""Training steps on the CPU, gpunet's against PyTorch's and JAX's: an MLP, a CNN, a ResNet, an LSTM and a GPT; beside
PyTorch alone the ResNet and the GPT under autocast to bfloat16.

    python -m bench.cpu [--threads 1 2] [--only CNN GPT] [--rounds N] [--compiled] [--out FILE.json] [--chart FILE.svg]
    python -m bench.cpu --layers [conv LSTM]       # single layers at one thread, those with such a word: cpu_layers.py
    python -m bench.cpu --profile CNN              # where gpunet's time goes, op by op

--neighbours N measures once more beside N programs that compute all the time, --read FILE.json draws the chart of
earlier results.

Each library works in a process of its own, in turn, one timing after the other, from the same weights and data; the
losses of the first steps must agree. Of each timing the processor time (all threads) and the wall time are kept; the
ratios are medians over rounds of PyTorch's time over the library's: more is better. Processor time is what a machine
with other programs on it can compare.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench.environment import describe
from bench.training import THREAD_VARIABLES, environment
from bench.workloads import WORKLOADS, is_mixed, start

_CHECKED = 5  # steps whose losses must agree
_AGREE, _AGREE_MIXED = 2e-3, 2e-2  # relative


# ---- a library's process ---------------------------------------------------------------------------------------------


def _gpunet(compiled: bool) -> dict:
    import gpunet
    import gpunet.native

    gpunet.native.wait()
    gpunet.set_num_threads(int(os.environ["GPUNET_NUM_THREADS"]))
    return {"gpunet": lambda name: start(gpunet, name),
            "gpunet.compile": lambda name: gpunet.compile(start(gpunet, name))}


def _torch(compiled: bool) -> dict:
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))

    def by_compiler(name):
        step = start(torch, name, fused=True)
        step.model.compile(dynamic=False)
        return step

    found = {"PyTorch": lambda name: start(torch, name),
             "PyTorch, fused Adam": lambda name: start(torch, name, fused=True)}
    return found | ({"torch.compile": by_compiler} if compiled else {})


def _jax(compiled: bool) -> dict:
    from bench import jax_workloads

    return {"JAX jit": jax_workloads.start}


_LIBRARIES = {"gpunet": _gpunet, "PyTorch": _torch, "JAX": _jax}
_PEERS = {"PyTorch": "torch", "JAX": "jax"}  # the packages of those that may be missing


def _serve(pipe, library: str, compiled: bool) -> None:
    """Answers ("make", variant, workload) with losses, ("time", variant, workload, steps) with (processor, wall)."""
    steps = {}
    try:
        variants = _LIBRARIES[library](compiled)
        pipe.send(list(variants))
        while (request := pipe.recv()) is not None:
            key = request[1:3]
            if request[0] == "make":
                steps.clear()
                step = steps[key] = variants[key[0]](key[1])
                pipe.send([step().item() for _ in range(_CHECKED)])
                continue
            if key not in steps:
                steps[key] = variants[key[0]](key[1])
                for _ in range(3):
                    steps[key]()
            steps[key]()
            processor, wall = time.process_time(), time.perf_counter()
            for _ in range(request[3]):
                steps[key]()
            pipe.send(((time.process_time() - processor) / request[3], (time.perf_counter() - wall) / request[3]))
    except Exception as error:
        pipe.send(RuntimeError(f"{library}: {type(error).__name__}: {error}"))


class Library:
    """A library in a process of its own."""

    def __init__(self, name: str, threads: int, compiled: bool) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, name, compiled), daemon=True)
        with environment({variable: str(threads) for variable in THREAD_VARIABLES}):
            self.process.start()
        theirs.close()
        self.variants = self.answer()

    def answer(self):
        try:
            answer = self.pipe.recv()
        except EOFError:
            raise RuntimeError("a library's process has ended") from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def ask(self, *request):
        self.pipe.send(request)
        return self.answer()

    def close(self) -> None:
        self.process.kill()
        self.process.join(10)


# ---- the contest -----------------------------------------------------------------------------------------------------


def compare(name: str, threads: int, *, rounds: int, seconds: float, compiled: bool) -> dict:
    """One workload: {"name", "threads", "losses", "samples": variant -> [(processor, wall) of a step]}."""
    chosen = [each for each in _LIBRARIES if each != "JAX" or not is_mixed(name)]
    libraries = [Library(each, threads, compiled) for each in chosen
                 if each not in _PEERS or importlib.util.find_spec(_PEERS[each])]
    try:
        losses, owners, counts = {}, {}, {}
        for library in libraries:
            for variant in library.variants:
                losses[variant] = library.ask("make", variant, name)
                _, wall = library.ask("time", variant, name, 2)
                owners[variant], counts[variant] = library, max(1, round(seconds / wall))
        _check(name, losses)
        samples = {variant: [] for variant in owners}
        for number in range(rounds):
            for variant, library in list(owners.items())[:: 1 if number % 2 else -1]:
                samples[variant].append(library.ask("time", variant, name, counts[variant]))
    finally:
        for library in libraries:
            library.close()
    return {"name": name, "threads": threads, "losses": losses, "samples": samples}


def _check(name: str, losses: dict[str, list[float]]) -> None:
    expected = losses["gpunet"]
    for variant, found in losses.items():
        worst = max(abs(a - b) / abs(b) for a, b in zip(found, expected, strict=True))
        if not worst <= (_AGREE_MIXED if is_mixed(name) else _AGREE):
            raise RuntimeError(f"{name}: the losses of {variant} differ from gpunet's by {worst:.1e}")
    if losses["gpunet.compile"] != expected:
        raise RuntimeError(f"{name}: replayed losses are not bit-identical to eager ones")


def ratios(found: dict, clock: int) -> dict[str, float]:
    """PyTorch's time over each variant's: medians of rounds. clock: 0 processor time, 1 wall time."""
    samples = found["samples"]
    if "PyTorch" not in samples:
        return {}
    return {variant: statistics.median(p[clock] / own[clock] for p, own in zip(samples["PyTorch"], times, strict=True))
            for variant, times in samples.items()}


def show(found: dict) -> str:
    """A workload's line: each variant's median wall and processor time, and the ratios."""
    by_processor, by_wall = ratios(found, 0), ratios(found, 1)
    cells = []
    for variant, times in found["samples"].items():
        processor, wall = (statistics.median(each[i] for each in times) * 1e3 for i in (0, 1))
        cells.append(f"  {variant:20} {wall:9.2f} ms, {processor:9.2f} ms of processors"
                     + (f"   x {by_wall[variant]:.2f}, {by_processor[variant]:.2f}" if by_wall else ""))
    return f"{found['name']}, {found['threads']} thread{'s' * (found['threads'] > 1)}\n" + "\n".join(cells)


def chart(results: list[dict], path: Path) -> None:
    """Bars of the ratios by wall time."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "gpunet"})
    import matplotlib.pyplot as plt

    counts = sorted({each["threads"] for each in results})
    figure, rows = plt.subplots(len(counts), 1, figsize=(8, 2.8 * len(counts)), layout="constrained", squeeze=False)
    for axes, threads in zip(rows[:, 0], counts, strict=True):
        chosen = [each for each in results if each["threads"] == threads]
        found = [ratios(each, 1) for each in chosen]
        variants = [each for each in found[0] if each != "PyTorch"]
        for i, variant in enumerate(variants):
            places = [x + 0.8 * (i + 0.5) / len(variants) - 0.4 for x in range(len(chosen))]
            bars = axes.bar(places, [each.get(variant, 0) for each in found], 0.8 / len(variants), label=variant)
            axes.bar_label(bars, fmt="%.2f", fontsize=7)
        axes.axhline(1, color="black", linewidth=1)
        axes.set_xticks(range(len(chosen)), [each["name"] for each in chosen], fontsize=8)
        axes.set_title(f"{threads} thread{'s' * (threads > 1)}", fontsize=9)
        axes.set_ylabel("PyTorch eager's time / own", fontsize=8)
        axes.margins(y=0.15)
    rows[0, 0].legend(fontsize=8)
    figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)


# ---- beside other programs -------------------------------------------------------------------------------------------


def _compute_for_ever() -> None:
    while True:
        sum(range(10000))


@contextlib.contextmanager
def neighbours(count: int) -> Iterator[None]:
    """Programs that compute all the time."""
    context = multiprocessing.get_context("spawn")
    programs = [context.Process(target=_compute_for_ever, daemon=True) for _ in range(count)]
    for each in programs:
        each.start()
    try:
        yield
    finally:
        for each in programs:
            each.kill()
            each.join(10)


def show_slowdown(alone: dict, beside: dict, count: int) -> str:
    """How many times as long a step takes by the clock on the wall beside other programs, for each variant."""
    def wall(found, variant):
        return statistics.median(each[1] for each in found["samples"][variant])

    lines = [f"{alone['name']}, {alone['threads']} thread{'s' * (alone['threads'] > 1)}, beside {count} busy programs"]
    for variant in alone["samples"]:
        before, after = wall(alone, variant) * 1e3, wall(beside, variant) * 1e3
        lines.append(f"  {variant:20} {before:9.2f} ms, then {after:9.2f} ms: {after / before:.2f} times as long")
    return "\n".join(lines)


# ---- where the time goes ---------------------------------------------------------------------------------------------


def profile(name: str, steps: int = 5, threads: int = 1) -> list[tuple[float, int, str]]:
    """(milliseconds, calls, op) of a gpunet step, the most expensive first; and what lies outside of ops."""
    import gpunet
    import gpunet.native
    from gpunet.engine.extensions import extensions

    gpunet.native.wait()
    gpunet.set_num_threads(threads)
    step = start(gpunet, name)
    for _ in range(2):
        step()
    times: dict[str, list[float]] = {}

    class Watch:
        def run(self, device, op, outs, arrays, attrs, fresh):
            before = time.perf_counter()
            device.run(op, outs, arrays, attrs)
            taken = time.perf_counter() - before
            label = f"{op.name}{'' if op.native is not None else ' (NumPy)'}"
            entry = times.setdefault(label, [0.0, 0])
            entry[0] += taken
            entry[1] += 1

        def before_replay(self, function):
            pass

        def references(self, array):
            return 0

    begin = time.perf_counter()
    with extensions.recording(Watch()):
        for _ in range(steps):
            step()
    total = time.perf_counter() - begin
    rows = [(taken / steps * 1e3, calls // steps, label) for label, (taken, calls) in times.items()]
    rows.append(((total - sum(taken for taken, _ in times.values())) / steps * 1e3, 1, "outside of ops"))
    return sorted(rows, reverse=True)


def _write(path: Path | None, stage: str, findings: list[dict]) -> None:
    if path:
        content = {"command": "python -m bench.cpu", "device": "cpu", "environment": describe(),
                   "stages": {stage: {"status": "passed", "findings": findings}}}
        path.write_text(json.dumps(content, indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.cpu", description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--only", nargs="+", choices=WORKLOADS, default=list(WORKLOADS), metavar="NAME")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--seconds", type=float, default=0.2, help="that one timing takes, about")
    parser.add_argument("--compiled", action="store_true", help="torch.compile takes part")
    parser.add_argument("--quick", action="store_true", help="one workload, a few timings")
    parser.add_argument("--profile", choices=WORKLOADS, metavar="NAME", help="show where gpunet's time goes")
    parser.add_argument("--out", type=Path, metavar="FILE.json")
    parser.add_argument("--chart", type=Path, metavar="FILE.svg")
    parser.add_argument("--read", type=Path, metavar="FILE.json", help="chart these results; measure nothing")
    parser.add_argument("--neighbours", type=int, default=0, metavar="N", help="and once more beside N busy programs")
    parser.add_argument("--layers", nargs="*", metavar="WORD", help="single layers instead, whose names have a word")
    options = parser.parse_args()
    if options.layers is not None:
        from bench import cpu_layers

        print(f"{'ms: gpunet, PyTorch, ratio':38}{'forward':>26}  {'forward and backward':>27}")
        findings = []
        for found in cpu_layers.sweep(options.layers, options.rounds, options.quick):
            findings.append(found)
            print(cpu_layers.show(found), flush=True)
        _write(options.out, "layers", findings)
        return
    if options.read:
        chart(json.loads(options.read.read_text())["stages"]["cpu"]["findings"], options.chart)
        return
    if options.profile:
        for taken, calls, label in profile(options.profile, threads=options.threads[0]):
            print(f"{taken:9.3f} ms {calls:5d} x {label}")
        return
    if options.quick:
        options.only, options.threads, options.rounds, options.seconds = options.only[:1], [1], 2, 0.01
    results = []
    for name in options.only:
        for threads in options.threads:
            chosen = {"rounds": options.rounds, "seconds": options.seconds, "compiled": options.compiled}
            try:
                results.append(compare(name, threads, **chosen))
                print(show(results[-1]), flush=True)
                if options.neighbours:
                    with neighbours(options.neighbours):
                        beside = compare(name, threads, **chosen)
                    print(show_slowdown(results[-1], beside, options.neighbours), flush=True)
                    results[-1]["beside"] = {"neighbours": options.neighbours, "samples": beside["samples"]}
            except RuntimeError as error:
                sys.exit(str(error))
    _write(options.out, "cpu", results)
    if options.chart:
        chart(results, options.chart)


if __name__ == "__main__":
    main()
