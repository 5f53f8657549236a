"""What a GPU machine must show, in calls that fit into fifteen minutes with it.

    python -m bench.gpu                                              a smoke run: does it work here? 120 s at most
    python -m bench.gpu --stages kernels,training --time-limit 400   the figures
    python -m bench.gpu --stages all                                 everything, 570 s at most
    python -m bench.gpu --stages tests --part 1/2
    python -m bench.gpu --device sim --quick                         a rehearsal without a GPU

The stages (--list shows them) run one after another, each in a process of its own; `environment` is always the first,
and only where it cannot open the device does the run stop. What a stage finds is written beside the result as it is
found (RESULT.STAGE.jsonl) and within a second into the result itself, one JSON file that always has its final name:
machine, driver, versions, date, commit, raw samples. So a run that is killed loses nothing. The exit status is 1 where
a stage, a test or a check failed, 2 where the call was wrong, 130 where the run was ended from outside.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from bench import environment
from bench.stages import STAGES, end_session, threads_here

STAGE_COMMAND = [sys.executable, "-m", "bench.stages"]
SMOKE = ["environment", "smoke"]
_LAST = 5.0  # seconds kept for writing and printing
_GRACE = 3.0  # seconds for a stage to end by itself when its time is up
_LOOK = 0.5  # seconds between two looks at what a stage has found


def run_stage(name: str, options, seconds: float, lines: Path, show: Callable[[dict], None]) -> dict[str, Any]:
    """One stage in its own process: its status ("passed", "failed", "timed out"), findings, the end of its output.
    Its findings go to the file `lines`, and while it runs to `show`, as a stage that is "running"."""
    start = monotonic()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        lines.write_text("")
        command = [*STAGE_COMMAND, name, "--device", options.device, "--lines", str(lines),
                   "--seconds", str(seconds), "--threads", str(options.threads), "--part", options.part,
                   *["--quick"] * options.quick, *["--compiled"] * options.compiled]
        with log.open("w") as output:
            # A session of its own: the stage and all that it has started can be ended together.
            process = subprocess.Popen(command, cwd=environment.ROOT, stdout=output, stderr=subprocess.STDOUT,
                                       stdin=subprocess.DEVNULL, start_new_session=True, env=environment.for_children())
            status, size = None, 0
            try:
                while status is None and (left := start + seconds + _GRACE - monotonic()) > 0:
                    try:
                        status = process.wait(min(_LOOK, left))
                    except subprocess.TimeoutExpired:
                        if lines.stat().st_size > size:
                            size = lines.stat().st_size
                            show({"status": "running", "findings": read(lines)})
            finally:
                end_session(process.pid)
                process.wait()
        text = log.read_text(errors="replace")
    findings = read(lines)
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


def read(lines: Path) -> list[dict[str, Any]]:
    """The findings that a stage has written, without those that a later one replaces; the last line may be cut short.
    """
    found: dict[Any, dict[str, Any]] = {}
    for number, line in enumerate(lines.read_text().splitlines()):
        try:
            finding = json.loads(line)
        except ValueError:
            break
        found[finding.pop("so_far", number)] = finding
    return list(found.values())


def failed_tests(stage: dict[str, Any]) -> int:
    """How many tests and parity rows of a stage failed."""
    count = 0
    for finding in stage["findings"]:
        count += sum(finding[key] for key in ("failed", "errors") if isinstance(finding.get(key), int))
        parts = [finding[part] for part in ("value", "gradient") if part in finding]
        count += "error" in finding or "failed" in finding and isinstance(finding["failed"], str)
        count += any(part["of_bound"] > 1 for part in parts)
    return count


def parse(arguments: list[str] | None = None):
    parser = argparse.ArgumentParser(prog="python -m bench.gpu", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N, sim or cpu (default: cuda)")
    parser.add_argument("--stages", help="which, with commas between them, or all (default: smoke)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes and a few tests: to see that it works")
    parser.add_argument("--compiled", action="store_true", help="torch.compile takes part: minutes of compiling")
    parser.add_argument("--part", default="1/1", metavar="1/2", help="of the tests, which one run may have no time for")
    parser.add_argument("--out", type=Path, metavar="FILE.json|FOLDER",
                        help="the result, or the folder for DEVICE-TIME.json (default: bench/results)")
    parser.add_argument("--time-limit", type=float, metavar="SECONDS",
                        help="of the run (default: 120 for the smoke run, else 570)")
    parser.add_argument("--threads", type=int, default=threads_here(), help="on the CPU, for every library")
    parser.add_argument("--list", action="store_true", help="show the stages and end")
    options = parser.parse_args(arguments)
    all_of_them = [name for name, stage in STAGES.items() if stage.all]
    wanted = [name for given in (options.stages.split(",") if options.stages else SMOKE)
              for name in (all_of_them if given == "all" else [given])]
    if unknown := [name for name in wanted if name not in STAGES]:
        parser.error(f"there is no stage {', '.join(unknown)}; there are {', '.join(STAGES)}, and all")
    options.stages = list(dict.fromkeys(["environment", *wanted]))
    options.time_limit = options.time_limit or (120.0 if set(options.stages) <= set(SMOKE) else 570.0)
    if not options.list:
        try:
            options.out = _result(options.out or environment.ROOT / "bench" / "results", options)
        except OSError as error:
            parser.error(f"the result cannot be written: {error}; choose another place with --out")
    return options


def _result(out: Path, options) -> Path:
    """The path of the result, which is written there now: a run whose result cannot be written does not begin. In a
    folder the name is the run's own, also when another run begins in the same second."""
    if out.suffix == ".json" and not out.is_dir():
        environment.save(out, {})
        return out
    out.mkdir(parents=True, exist_ok=True)
    name = f"{options.device.replace(':', '')}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    for number in range(1, 1000):
        path = out / (f"{name}.json" if number == 1 else f"{name}-{number}.json")
        try:
            path.touch(exist_ok=False)
        except FileExistsError:
            continue
        return path
    raise FileExistsError(f"{out} has a thousand results of this second")


class Ended(BaseException):
    """The run was asked to end: Ctrl-C, or SIGTERM."""


class Run:
    """A run: its stages one after another, and its result, which is written whenever something new is known."""

    def __init__(self, options, started: float):
        self.options, self.started = options, started
        self.content = environment.document("python -m bench.gpu", options.device, quick=options.quick,
                                            time_limit=options.time_limit, threads=options.threads)
        self.problems: list[str] = []
        self.wrong = 0
        self._unwritten = False

    def save(self) -> None:
        """A disk that has become full ends no run: the figures are printed at the end, and the next try may succeed."""
        self.content["seconds"] = round(monotonic() - self.started, 1)
        try:
            environment.save(self.options.out, self.content)
            self._unwritten = False
        except OSError as error:
            if not self._unwritten:
                print(f"{self.options.out} cannot be written: {error}", file=sys.stderr, flush=True)
            self._unwritten = True

    def stages(self) -> None:
        """All stages, or those up to the end of the time."""
        self.save()
        for number, name in enumerate(self.options.stages):
            left = self.options.time_limit - (monotonic() - self.started) - _LAST
            # Of what is left, a stage may take its part of the stages to come, and never the others' last seconds.
            parts = [STAGES[each].seconds for each in self.options.stages[number:]]
            seconds = min(left - 8.0 * (len(parts) - 1), max(parts[0], left * parts[0] / sum(parts)))
            if seconds < 5:
                self.content["stages"][name] = {"status": "skipped", "message": "the run's time was up", "findings": []}
                continue
            print(f"{name}: {STAGES[name].about} (at most {seconds:.0f} s) ...", flush=True)
            stage = self.stage(name, seconds)
            print(f"    {stage['status']} in {stage['seconds']:.0f} s", flush=True)
            if name == "environment" and not any("opened" in finding for finding in stage["findings"]):
                break  # no device: nothing else has a chance

    def stage(self, name: str, seconds: float) -> dict[str, Any]:
        lines = self.options.out.with_name(f"{self.options.out.stem}.{name}.jsonl")

        def show(stage):
            self.content["stages"][name] = stage
            self.save()

        stage = run_stage(name, self.options, seconds, lines, show)
        show(stage)
        if not self._unwritten:
            lines.unlink()
        self.wrong += failed_tests(stage)
        if stage["status"] == "failed":
            self.problems.append(f"stage {name} failed: {stage['message']}")
            if name != "environment":  # whose message says what is missing
                print(stage["log"], file=sys.stderr)
        return stage


def main(arguments: list[str] | None = None) -> int:
    started = monotonic()
    options = parse(arguments)
    if options.list:
        for name, stage in STAGES.items():
            print(f"{name:12} {stage.about}{'' if stage.all else ' (not among all)'}")
        return 0
    from bench.report import show

    def end(number, frame):
        raise Ended(signal.Signals(number).name)

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        run = Run(options, started)
        run.stages()
    except Ended as signalled:
        print(f"\nEnded by {signalled}. What was found until then is in {options.out}.", file=sys.stderr)
        return 130
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    run.content["finished"] = datetime.now(UTC).isoformat(timespec="seconds")
    run.save()
    show(run.content)
    for problem in run.problems:
        print(problem, file=sys.stderr)
    print(f"\nWritten to {options.out}." + (f" {run.wrong} tests, rows or checks failed; it names them."
                                            if run.wrong else ""), file=sys.stderr if run.problems else sys.stdout)
    return 1 if run.problems or run.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
