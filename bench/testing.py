"""The tests on one device, and the kernels' tests under compute-sanitizer and our own checker, as stages of
bench.gpu."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

from bench.environment import ROOT, for_children

_TELL = 3.0  # seconds between two summaries of the tests that are done
_TOOLS = ("memcheck", "racecheck", "initcheck", "synccheck")  # compute-sanitizer's


class Failed(RuntimeError):
    """The tests could not be run."""


def pytest(paths, device: str, seconds: float, *more: str, prefix: tuple[str, ...] = (),
           so_far: Callable[[dict[str, Any]], None] = lambda found: None) -> tuple[dict[str, Any], str]:
    """Runs the tests that take a device, on this one. Gives counts, failures with their messages and seconds; and all
    output. `so_far` is given the same of the tests that are done, every few seconds. Tests that were done before a
    crash or the end of the time count; "ended" says so then. Raises Failed when there is none."""
    needed = {"pytest": "pytest", "hypothesis": "hypothesis", "xdist": "pytest-xdist",
              "pytest_benchmark": "pytest-benchmark"}
    if missing := [package for module, package in needed.items() if importlib.util.find_spec(module) is None]:
        raise Failed(f"the tests need {', '.join(missing)}: pip install {' '.join(missing)}")
    with tempfile.TemporaryDirectory() as folder:
        outcomes, log = Path(folder) / "outcomes", Path(folder) / "log"
        outcomes.touch()
        arguments = [*prefix, sys.executable, "-m", "pytest", *paths, "-q", "-p", "bench.select_device", "--on", device,
                     "--outcomes", str(outcomes), "-p", "no:cacheprovider", "--tb=short", *more]
        with log.open("w") as output:
            # A process group of its own: a tool's program and pytest's workers end with it.
            process = subprocess.Popen(arguments, cwd=ROOT, env=for_children(), stdout=output, stderr=subprocess.STDOUT,
                                       process_group=0)
            ended, until = f"the time of {seconds:.0f} s was up", monotonic() + max(1.0, seconds)
            try:
                while (left := until - monotonic()) > 0:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        status = process.wait(min(_TELL, left))
                        ended = f"pytest ended with status {status}" if status not in (0, 1) else ""
                        break
                    so_far(summary(outcomes))
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        text = log.read_text(errors="replace")
        found = summary(outcomes)
    if not sum(found[key] for key in ("passed", "failed", "skipped")):
        raise Failed(f"{ended or 'no test was run'} (status 5: no test takes device {device!r}):\n{text[-3000:]}")
    return found | ({"ended": ended, "log": text[-3000:]} if ended else {}), text


def summary(outcomes: Path) -> dict[str, Any]:
    """Counts, failures and reasons to skip, of the outcomes that select_device.py has written."""
    counts = {"selected": 0, "passed": 0, "failed": 0, "skipped": 0}
    failures, reasons, seconds = [], {}, 0.0
    for line in outcomes.read_text().splitlines():
        try:
            test = json.loads(line)
        except ValueError:  # cut short by a crash
            continue
        if "selected" in test:
            counts |= test
            continue
        counts[test["outcome"]] += 1
        seconds += test["seconds"]
        if test["outcome"] == "failed":
            failures.append({"test": test["test"], "message": test["message"]})
        elif test["outcome"] == "skipped":
            reasons[test["message"]] = reasons.get(test["message"], 0) + 1
    return {**counts, "seconds": seconds, "failures": failures[:200], "skip_reasons": reasons}


def _parallel(options) -> list[str]:
    """Processes: a new machine's first run is mostly compiling, ours and CuPy's. Each takes some 0.4 GB of a GPU."""
    return ["-n", str(options.threads if options.device == "sim" else min(16, max(2, options.threads)))]


def ptx(options, emit) -> None:
    """Each wrapper of kernels/ptx.cuh: what the simulator says of an instruction must be what the hardware does."""
    found, _ = pytest(["tests/kernel/test_ptx.py"], options.device, options.left(), *_parallel(options),
                      so_far=lambda done: emit({"so_far": "ptx", **done}))
    emit({"so_far": "ptx", **found})
    _must_be_whole(found, options)


def tests(options, emit) -> None:
    """All tests that take a device, or a part of them."""
    some = ["--every", "200"] if options.quick else []
    row = {"so_far": "tests", "part": options.part}
    found, _ = pytest(["tests"], options.device, options.left(), "--part", options.part, *some, *_parallel(options),
                      so_far=lambda done: emit(row | done))
    emit(row | found)
    _must_be_whole(found, options)


def _must_be_whole(found, options) -> None:
    """Raises TimeoutError if tests were left out for lack of time, Failed if they broke off or none passed."""
    left_out = found["selected"] - sum(found[key] for key in ("passed", "failed", "skipped"))
    if "ended" in found:
        if "time" in found["ended"]:
            raise TimeoutError(f"{found['ended']}: {left_out} of {found['selected']} tests were left out; --stages "
                               "tests --part 1/2, then --part 2/2, runs them in two halves")
        raise Failed(f"{found['ended']}: {left_out} of {found['selected']} tests were not run\n{found['log']}")
    if not found["passed"]:
        raise Failed(f"no test passed on {options.device}: {found['skip_reasons'] or found['failures'][:3]}")


def sanitizer(options, emit) -> None:
    """The kernels' tests under compute-sanitizer's four tools, and the same tests under our own checker on sim: they
    must find the same, kernel by kernel."""
    some = ["--every", "150" if options.quick else "4"]
    path = shutil.which("compute-sanitizer") or next(
        (place for place in ("/usr/local/cuda/bin/compute-sanitizer",) if Path(place).is_file()), None)
    theirs: dict[str, int] | None = None
    if path is None or not options.device.startswith("cuda"):
        emit({"note": "compute-sanitizer is not installed here" if path is None else f"{options.device} is no GPU"})
    else:
        theirs = {}
        for number, tool in enumerate(_TOOLS):
            _sanitize(path, tool, options, options.left() / (len(_TOOLS) + 1 - number), some, theirs, emit)
    ours = _check(options, some, emit)
    if theirs is not None:
        emit({"kernels": [{"kernel": kernel, "compute-sanitizer": theirs.get(kernel, 0), "checker": ours.get(kernel, 0)}
                          for kernel in sorted(theirs | ours)]})


def _sanitize(path, tool, options, seconds, some, theirs, emit) -> None:
    """One tool's findings; their number by kernel is added to `theirs`."""
    prefix = (path, "--tool", tool, "--target-processes", "all", "--error-exitcode", "0", "--print-limit", "100")
    try:  # in one process, so that all complaints come to one place
        found, output = pytest(["tests/kernel"], options.device, seconds, *some, "-n", "0", "--exact-memory",
                               prefix=prefix)
    except Failed as error:
        emit({"tool": tool, "note": str(error)})
        return
    counts = [int(count) for count in re.findall(r"SUMMARY: (\d+) (?:error|hazard)", output)]
    complaints = [line for line in output.splitlines() if line.startswith("========= ")]
    for line in complaints:
        if place := re.search(r"\bat (?:void )?(?:\(anonymous namespace\)::)?(\w+)[<(].*\+0x", line):
            theirs[place.group(1)] = theirs.get(place.group(1), 0) + 1
    emit({"tool": tool, "errors": sum(counts) if counts else None, **found,
          "complaints": complaints[:100] if not counts or sum(counts) else []})


def _check(options, some, emit) -> dict[str, int]:
    """The same tests on the simulator under our checker: its findings by kernel."""
    try:
        found, output = pytest(["tests/kernel"], "sim", options.left(), *some, "-p", "gpunet_pytest", "--cuda-check",
                               "-n", str(options.threads))
    except Failed as error:
        emit({"tool": "gpunet's checker", "note": str(error)})
        return {}
    kernels = re.findall(r"--> \S+:\d+ in (\w+)", output)
    emit({"tool": "gpunet's checker", "errors": len(kernels), **found})
    return {kernel: kernels.count(kernel) for kernel in kernels}
