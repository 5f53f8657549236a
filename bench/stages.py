"""The stages of bench.gpu. Each runs in a process of its own, so that a crash or a hang of one, or a GPU context that
it has spoilt, ends that stage alone; what it has found by then is kept.

bench.gpu calls this file as a program. A stage is a function `run(options, emit)`. It emits one JSON object a finding,
written at once as a line of a file, and raises when it cannot go on; TimeoutError where it had to leave something out
for lack of time. Of findings with the same value of "so_far" the last one counts. A stage ends with the run that has
started it, however that has ended.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import shutil
import signal
import sys
import threading
import traceback
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Any


@dataclass(frozen=True)
class Stage:
    function: str  # "module:function"
    seconds: float  # at most, of a whole run of 570
    about: str
    all: bool = True  # whether `--stages all` means this one too


# In the order in which a run of all takes them: what is missed most comes first.
STAGES = {
    "environment": Stage("bench.stages:environment", 40, "machine, versions, `gpunet devices`, a first launch"),
    "smoke": Stage("bench.smoke:run", 75, "one case of each kernel, layout and type; layers; a compiled step"),
    "kernels": Stage("bench.stages:kernels", 200, "the kernels against the limits and the peers"),
    "training": Stage("bench.training:run", 60, "the MLP's training step"),
    "launch": Stage("bench.launch:run", 20, "host time per call"),
    "ptx": Stage("bench.testing:ptx", 60, "each wrapper of kernels/ptx.cuh"),
    "train": Stage("bench.end_to_end:run", 40, "gpunet train digits and examples/mlp.py"),
    "parity": Stage("bench.parity:run", 60, "differences from the CPU, row by row of tests/cases"),
    "tests": Stage("bench.testing:tests", 140, "all tests that take a device"),
    "sanitizer": Stage("bench.testing:sanitizer", 500, "the kernels' tests under compute-sanitizer and our checker",
                       all=False),
    "dispatch": Stage("bench.dispatch:run", 60, "Python overhead per op, on the CPU", all=False),
    "layers": Stage("bench.layers:run", 60, "image layers on the CPU, forward and backward", all=False),
    "int8": Stage("bench.int8:run", 60, "layers of 8-bit integers on the CPU", all=False),
    "loader": Stage("bench.loader:run", 60, "the DataLoader with and without workers", all=False),
    "trainer": Stage("bench.trainer:run", 60, "the Trainer's step beside the same loop by hand", all=False),
    "recipes": Stage("bench.recipes:run", 2000, "what `gpunet train` reaches beside baselines", all=False),
    "import": Stage("bench.import_time:run", 60, "import gpunet against import numpy", all=False),
    "checker": Stage("bench.checker:run", 60, "the simulator's speed, fast and under the checker", all=False),
    "engines": Stage("bench.engines:run", 60, "the simulator's two engines beside each other", all=False),
}


@dataclass
class Options:
    device: str = "cpu"
    quick: bool = False
    threads: int = 1
    seconds: float = 1e9
    part: str = "1/1"  # of the tests
    compiled: bool = False  # whether torch.compile takes part
    started: float = field(default_factory=monotonic)

    def left(self) -> float:
        """Seconds until this stage must be done."""
        return self.seconds - (monotonic() - self.started)


def environment(options: Options, emit) -> None:
    """Opens the device and launches one kernel of ours on it: whatever is missing is said here, first. Without the
    finding "opened" no other stage is worth its time."""
    import gpunet
    from bench import environment as machine
    from bench.end_to_end import command
    from gpunet.benchmark.lab import optional

    x = gpunet.ones(8, 8, device=options.device)
    x.cpu()
    emit({"opened": options.device})
    if x.device.type == "cuda":
        emit({"gpu": machine.gpu(x.get_device())})
    total = gpunet.matmul(x, x).sum().item()
    if total != 512.0:
        raise RuntimeError(f"a product of ones on {options.device} adds up to {total}, not 512")
    for name in ("torch", "triton"):
        module = optional(name)
        found = getattr(module, "__version__", "importable") if module else "cannot be imported: left out"
        if module and name == "torch" and options.device.startswith("cuda") and not module.cuda.is_available():
            found += ", without CUDA: left out"
        emit({"peer": name, "found": found})
    text, _ = command(["-m", "gpunet", "devices"], options.left())
    emit({"gpunet devices": text})
    emit({"tools": {name: shutil.which(name) for name in ("g++", "nvcc", "nvdisasm", "compute-sanitizer")}})


def kernels(options: Options, emit) -> None:
    """Every case of bench/kernels.py, until the time is up. One case that fails does not hide the others."""
    from bench.kernels import cases, measure
    from gpunet.benchmark.lab import Lab

    lab = Lab(options.device, threads=options.threads if options.device == "cpu" else 1, compiled=options.compiled)
    failed = []
    todo = list(cases(options.device, options.quick))
    for number, case in enumerate(todo):
        if options.left() < 8:
            raise TimeoutError(f"out of time: {len(todo) - number} of {len(todo)} cases were left out, from "
                               f"{case.group} {case.name} on; --stages kernels gives them all the time"
                               f"{_so_far(failed)}")
        try:
            share = max(0.5, options.left() / (len(todo) - number))
            emit(asdict(measure(lab, case, 3 if options.quick else 11, share)))
        except Exception as error:
            failed.append(f"{case.group} {case.name}: {type(error).__name__}: {(str(error).splitlines() or [''])[0]}")
            emit({"failed": failed[-1]})
            if "CUDA" in type(error).__name__ or "CUDA error" in str(error):
                raise  # an error of the device does not go away
        lab.free()
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(todo)} cases failed: {'; '.join(failed[:5])}")


def _so_far(failed: list[str]) -> str:
    return f"; failed: {'; '.join(failed[:5])}" if failed else ""


def call(name: str, options: Options, emit) -> None:
    """Runs a stage in this process."""
    module, _, function = STAGES[name].function.partition(":")
    getattr(importlib.import_module(module), function)(options, emit)


def threads_here() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def command(name: str, about: str) -> None:
    """The command line of one stage alone: runs it here, prints its table, and writes its JSON if asked to."""
    prog = STAGES[name].function.partition(":")[0].removeprefix("bench.")
    parser = argparse.ArgumentParser(prog=f"python -m bench.{prog}", description=about,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=threads_here(), help="on the CPU, for every library")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: to see that it works")
    parser.add_argument("--compiled", action="store_true", help="torch.compile takes part: minutes of compiling")
    parser.add_argument("--out", type=Path, metavar="FILE.json")
    arguments = parser.parse_args()
    from bench import environment as machine
    from bench.report import show

    content = machine.document(f"python -m bench.{prog}", arguments.device, quick=arguments.quick)
    found: list[dict[str, Any]] = []
    options = Options(arguments.device, arguments.quick, arguments.threads, compiled=arguments.compiled)
    try:
        call(name, options, found.append)
    except RuntimeError as error:  # no such device, no compiler, a wrong result: one sentence
        print(f"python -m bench.{prog}: {error}", file=sys.stderr)
        sys.exit(1)
    content["stages"][name] = {"status": "passed", "findings": found}
    if arguments.out:  # before the tables: whoever reads them through `head` has the file
        machine.save(arguments.out, content)
    show(content)


def end_session(session: int, but: int | None = None) -> None:
    """Ends all processes of a session, also what it has put into process groups of their own; all but one."""
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended by itself
            _, _, _, found, *_ = (place / "stat").read_text().rpartition(")")[2].split()
            if int(found) == session and int(place.name) != but:
                os.kill(int(place.name), signal.SIGKILL)


def _end_with(parent: int) -> None:
    """Ends this stage, and what it has started, when the run is gone: nobody would read what it finds, and it would
    keep the GPU."""
    def watch():
        while os.getppid() == parent:
            sleep(0.5)
        if os.getsid(0) == os.getpid():  # a session of its own, as bench.gpu starts it
            end_session(os.getpid(), but=os.getpid())
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--device", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--part", default="1/1")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--lines", type=Path, required=True)
    arguments = parser.parse_args()
    options = Options(arguments.device, arguments.quick, arguments.threads, arguments.seconds, arguments.part,
                      arguments.compiled)
    _end_with(os.getppid())
    with arguments.lines.open("a") as file:
        def emit(finding):
            file.write(json.dumps(finding) + "\n")
            file.flush()

        try:
            call(arguments.stage, options, emit)
        except TimeoutError as error:
            emit({"late": str(error)})
        except Exception as error:
            traceback.print_exc()
            emit({"failure": f"{type(error).__name__}: {error}"})
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
