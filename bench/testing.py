"""The tests on one device, and the kernels' tests under compute-sanitizer, as stages of bench.gpu."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

from bench.environment import ROOT, for_children, optional

_KERNEL_TESTS = ("tests/kernel", "tests/ops")


class Failed(RuntimeError):
    """The tests could not be run."""


def pytest(paths, device: str, seconds: float, *more: str, prefix: tuple[str, ...] = ()) -> tuple[dict[str, Any], str]:
    """Runs the tests that take a device, on this one. Gives counts, failures with their messages and seconds; and
    all output. Raises Failed when pytest crashes, runs out of time, or finds no test."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "junit.xml"
        arguments = [*prefix, sys.executable, "-m", "pytest", *paths, "-q", "-p", "bench.select_device", "--on", device,
                     f"--junitxml={report}", "-p", "no:cacheprovider", "--tb=short", *more]
        try:
            done = subprocess.run(arguments, cwd=ROOT, env=for_children(), capture_output=True, text=True,
                                  timeout=max(1.0, seconds))
        except subprocess.TimeoutExpired as error:
            end = (error.stdout or b"")[-2000:]
            raise Failed(f"the tests took more than {seconds:.0f} s; the end of what they printed:\n"
                         f"{end.decode(errors='replace') if isinstance(end, bytes) else end}") from None
        output = done.stdout + done.stderr
        if not report.is_file() or done.returncode not in (0, 1):
            raise Failed(f"pytest ended with status {done.returncode} (5: no test takes device {device!r}):\n"
                         f"{output[-3000:]}")
        return summary(report), output


def summary(report: Path) -> dict[str, Any]:
    """Counts and failures of a junit file."""
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    failures, reasons, seconds = [], {}, 0.0
    for test in ElementTree.parse(report).getroot().iter("testcase"):
        seconds += float(test.get("time") or 0)
        bad = next((child for child in test if child.tag in ("failure", "error")), None)
        skip = test.find("skipped")
        if bad is not None:
            counts["failed"] += 1
            message = (bad.get("message") or "").strip().splitlines()
            failures.append({"test": f"{test.get('classname')}::{test.get('name')}",
                             "message": " ".join(message[:3])[:500]})
        elif skip is not None:
            counts["skipped"] += 1
            reason = (skip.get("message") or "")[:200]
            reasons[reason] = reasons.get(reason, 0) + 1
        else:
            counts["passed"] += 1
    return {**counts, "seconds": seconds, "failures": failures[:200], "skip_reasons": reasons}


def _parallel(options) -> list[str]:
    if optional("xdist") is None:
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
