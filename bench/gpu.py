"""Everything that a GPU machine must show, in one command that fits in ten minutes.

    python -m bench.gpu                           on device cuda
    python -m bench.gpu --device sim --quick      a rehearsal without a GPU, in about two minutes
    python -m bench.gpu --stages environment,sanitizer
    python -m bench.gpu --stages environment,tests --part 1/2

The stages (--list shows them) run one after another. After each, all that is known is written to one JSON file:
machine, driver, versions, date, commit, raw samples. The run stops at the first stage that cannot do its work: no
device, a crash, a wrong result. Failed tests are not that: they are listed, the run goes on, and its status is 1. A
stage whose time is up is ended, and what it has found is kept.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from bench import environment
from bench.stages import STAGES, threads_here

STAGE_COMMAND = [sys.executable, "-m", "bench.stages"]
_LAST = 5.0  # seconds kept for writing and printing


def run_stage(name: str, arguments, seconds: float) -> dict[str, Any]:
    """One stage in its own process: its status ("passed", "failed", "timed out"), findings, the end of its output."""
    start = monotonic()
    with tempfile.TemporaryDirectory() as folder:
        lines, log = Path(folder) / "lines", Path(folder) / "log"
        lines.touch()
        command = [*STAGE_COMMAND, name, "--device", arguments.device, "--lines", str(lines),
                   "--seconds", str(seconds), "--threads", str(arguments.threads), "--part", arguments.part]
        if arguments.quick:
            command.append("--quick")
        with log.open("w") as output:
            # A session of its own: the stage and all that it has started can be ended together.
            process = subprocess.Popen(command, cwd=environment.ROOT, stdout=output, stderr=subprocess.STDOUT,
                                       stdin=subprocess.DEVNULL, start_new_session=True, env=environment.for_children())
            try:
                status = process.wait(seconds + 3)
            except subprocess.TimeoutExpired:
                status = None
            finally:
                _end(process)
        findings = list(_read(lines))
        text = log.read_text(errors="replace")
    failure = next((finding.pop("failure") for finding in findings if "failure" in finding), None)
    late = next((finding.pop("late") for finding in findings if "late" in finding), None)
    stage: dict[str, Any] = {"status": "passed", "seconds": round(monotonic() - start, 1),
                             "findings": [finding for finding in findings if finding]}
    if status is None:
        stage |= {"status": "timed out", "message": f"it took more than its {seconds:.0f} s and was ended"}
    elif late:
        stage |= {"status": "timed out", "message": late}
    elif failure:
        stage |= {"status": "failed", "message": failure}
    elif status:
        what = signal.Signals(-status).name if status < 0 else f"status {status}"
        stage |= {"status": "failed", "message": f"its process ended with {what}"}
    if stage["status"] != "passed":
        stage["log"] = text[-4000:]
    return stage


def _read(lines: Path) -> Iterator[dict[str, Any]]:
    """The findings that a stage has written; the last line may be cut short."""
    for line in lines.read_text().splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            return


def _end(process: subprocess.Popen) -> None:
    """Ends whatever is left of a stage's session, also what it has put into process groups of their own."""
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended by itself
            _, _, _, session, *_ = (place / "stat").read_text().rpartition(")")[2].split()
            if int(session) == process.pid:
                os.kill(int(place.name), signal.SIGKILL)
    process.wait()


def failed_tests(stage: dict[str, Any]) -> int:
    """How many tests and parity rows of a stage failed."""
    count = 0
    for finding in stage["findings"]:
        count += sum(finding[key] for key in ("failed", "errors") if isinstance(finding.get(key), int))
        parts = [finding[part] for part in ("value", "gradient") if part in finding]
        count += "error" in finding or any(part["of_bound"] > 1 for part in parts)
    return count


def parse(arguments: list[str] | None = None):
    parser = argparse.ArgumentParser(prog="python -m bench.gpu", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N, sim or cpu (default: cuda)")
    parser.add_argument("--stages", help="some stages only, with commas between them")
    parser.add_argument("--quick", action="store_true", help="tiny sizes and a few tests: to see that it works")
    parser.add_argument("--part", default="1/1", metavar="1/2", help="of the tests, which one run may have no time for")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="default: bench/results/DEVICE-TIME.json")
    parser.add_argument("--time-limit", type=float, default=570.0, metavar="SECONDS", help="of the run (default: 570)")
    parser.add_argument("--threads", type=int, default=threads_here(), help="on the CPU, for every library")
    parser.add_argument("--list", action="store_true", help="show the stages and end")
    options = parser.parse_args(arguments)
    options.stages = options.stages.split(",") if options.stages else [n for n, s in STAGES.items() if s.default]
    if unknown := [name for name in options.stages if name not in STAGES]:
        parser.error(f"there is no stage {', '.join(unknown)}; there are {', '.join(STAGES)}")
    return options


def main(arguments: list[str] | None = None) -> int:
    started = monotonic()
    options = parse(arguments)
    if options.list:
        for name, stage in STAGES.items():
            print(f"{name:12} {stage.about}{'' if stage.default else ' (only if asked for)'}")
        return 0
    from bench.report import show

    now = datetime.now(UTC)
    device = options.device.replace(":", "")
    out = options.out or environment.ROOT / "bench" / "results" / f"{device}-{now:%Y%m%d-%H%M%S}.json"
    content = environment.document("python -m bench.gpu", options.device, quick=options.quick,
                                   time_limit=options.time_limit, threads=options.threads)
    environment.save(out, content)
    problem, wrong = "", 0
    for number, name in enumerate(options.stages):
        left = options.time_limit - (monotonic() - started) - _LAST
        # Of what is left, a stage may take its part of the stages still to come, and never the others' last seconds.
        parts = [STAGES[each].seconds for each in options.stages[number:]]
        seconds = min(left - 8.0 * (len(parts) - 1), max(parts[0], left * parts[0] / sum(parts)))
        if seconds < 5:
            content["stages"][name] = {"status": "skipped", "message": "the run's time was up", "findings": []}
            continue
        print(f"{name}: {STAGES[name].about} (at most {seconds:.0f} s) ...", flush=True)
        stage = content["stages"][name] = run_stage(name, options, seconds)
        content["seconds"] = round(monotonic() - started, 1)
        environment.save(out, content)
        wrong += failed_tests(stage)
        print(f"    {stage['status']} in {stage['seconds']:.0f} s", flush=True)
        if stage["status"] == "failed":
            problem = f"stage {name} failed: {stage['message']}"
            print(stage["log"], file=sys.stderr)
            break
    content["finished"] = datetime.now(UTC).isoformat(timespec="seconds")
    environment.save(out, content)
    show(content)
    if problem:
        print(f"\n{problem}\nWhat was found until then is in {out}.", file=sys.stderr)
    else:
        print(f"\nWritten to {out}." + (f" {wrong} tests, rows or checks failed; it names them." if wrong else ""))
    return 1 if problem or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
