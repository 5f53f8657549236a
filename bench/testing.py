"""The tests on one device, and the kernels' tests under compute-sanitizer, as stages of bench.gpu."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.environment import ROOT, for_children

_KERNEL_TESTS = ("tests/kernel", "tests/ops")


class Failed(RuntimeError):
    """The tests could not be run."""


def pytest(paths, device: str, seconds: float, *more: str, prefix: tuple[str, ...] = ()) -> tuple[dict[str, Any], str]:
    """Runs the tests that take a device, on this one. Gives counts, failures with their messages and seconds; and all
    output. Tests that were done before a crash or the end of the time count; "ended" says so then. Raises Failed when
    there is none."""
    with tempfile.TemporaryDirectory() as folder:
        outcomes, log = Path(folder) / "outcomes", Path(folder) / "log"
        outcomes.touch()
        arguments = [*prefix, sys.executable, "-m", "pytest", *paths, "-q", "-p", "bench.select_device", "--on", device,
                     "--outcomes", str(outcomes), "-p", "no:cacheprovider", "--tb=short", *more]
        ended = ""
        with log.open("w") as output:
            try:
                done = subprocess.run(arguments, cwd=ROOT, env=for_children(), stdout=output, stderr=subprocess.STDOUT,
                                      timeout=max(1.0, seconds))
                if done.returncode not in (0, 1):
                    ended = f"pytest ended with status {done.returncode}"
            except subprocess.TimeoutExpired:
                ended = f"the time of {seconds:.0f} s was up"
        text = log.read_text(errors="replace")
        found = summary(outcomes)
    if not sum(found[key] for key in ("passed", "failed", "skipped")):
        raise Failed(f"{ended or 'no test was run'} (status 5: no test takes device {device!r}):\n{text[-3000:]}")
    return found | ({"ended": ended, "log": text[-3000:]} if ended else {}), text


def summary(outcomes: Path) -> dict[str, Any]:
    """Counts, failures and reasons to skip, of the outcomes that select_device.py has written."""
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    failures, reasons, seconds = [], {}, 0.0
    for line in outcomes.read_text().splitlines():
        try:
            test = json.loads(line)
        except ValueError:  # cut short by a crash
            continue
        counts[test["outcome"]] += 1
        seconds += test["seconds"]
        if test["outcome"] == "failed":
            failures.append({"test": test["test"], "message": test["message"]})
        elif test["outcome"] == "skipped":
            reasons[test["message"]] = reasons.get(test["message"], 0) + 1
    return {**counts, "seconds": seconds, "failures": failures[:200], "skip_reasons": reasons}


def _parallel(options) -> list[str]:
    if importlib.util.find_spec("xdist") is None:
        return []
    return ["-n", str(options.threads if options.device == "sim" else min(8, max(2, options.threads)))]


def ptx(options, emit) -> None:
    """Each wrapper of kernels/ptx.cuh: what the simulator says of an instruction must be what the hardware does."""
    found, _ = pytest(["tests/kernel/test_ptx.py"], options.device, options.left())
    emit(found)
    if found["failed"] or not found["passed"]:
        raise Failed(f"the wrappers of kernels/ptx.cuh do not do on {options.device} what they are said to do: "
                     f"{[failure['test'] for failure in found['failures']] or found['skip_reasons']}")


def tests(options, emit) -> None:
    """All tests that take a device."""
    some = ["--every", "40"] if options.quick else []
    found, _ = pytest(["tests"], options.device, options.left(), *some, *_parallel(options))
    emit(found)
    if "ended" in found:
        if "time" in found["ended"]:
            raise TimeoutError(f"{found['ended']}: not all tests were run")
        raise Failed(f"{found['ended']}: not all tests were run\n{found['log']}")
    if not found["passed"]:
        raise Failed(f"no test passed on {options.device}: {found['skip_reasons'] or found['failures'][:3]}")


def sanitizer(options, emit) -> None:
    """The kernels' tests under compute-sanitizer's four tools."""
    path = shutil.which("compute-sanitizer") or next(
        (place for place in ("/usr/local/cuda/bin/compute-sanitizer",) if Path(place).is_file()), None)
    if path is None or options.device == "sim":
        emit({"note": "compute-sanitizer is not installed here" if path is None else "the simulator is no GPU"})
        return
    tools = ("memcheck", "racecheck", "initcheck", "synccheck")
    for number, tool in enumerate(tools):
        prefix = (path, "--tool", tool, "--error-exitcode", "0", "--print-limit", "20")
        try:
            found, output = pytest(_KERNEL_TESTS, options.device, options.left() / (len(tools) - number), "--every",
                           "40" if options.quick else "16", "--exact-memory", prefix=prefix)
        except Failed as error:
            emit({"tool": tool, "note": str(error)})
            continue
        counts = [int(count) for count in re.findall(r"SUMMARY: (\d+) (?:error|hazard)", output)]
        complaints = [line for line in output.splitlines() if line.startswith("========= ")][:60]
        emit({"tool": tool, "errors": sum(counts) if counts else None, **found,
              "complaints": complaints if not counts or sum(counts) else []})
