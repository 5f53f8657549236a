"""`python -m bench.gpu` from end to end on the simulator, and how it behaves when something fails."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from bench import gpu, parity, stages, testing, training
from bench.environment import ROOT
from bench.kernels import Case, WrongResult, cases, measure
from gpunet.benchmark.lab import Lab, relative_error

needs_compiler = pytest.mark.skipif(not any(map(shutil.which, ("g++", "clang++"))), reason="no C++ compiler for sim")


def run(tmp_path, *arguments):
    out = tmp_path / "result.json"
    command = [sys.executable, "-m", "bench.gpu", "--quick", "--threads", "1", "--out", str(out), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    return done, json.loads(out.read_text())


@needs_compiler
def test_on_the_simulator(tmp_path):
    """Everything but the stages that the other tests are made of."""
    done, found = run(tmp_path, "--device", "sim", "--stages", "environment,ptx,parity,launch,kernels,sanitizer")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {name: stage["status"] for name, stage in found["stages"].items()} == dict.fromkeys(
        ("environment", "ptx", "parity", "launch", "kernels", "sanitizer"), "passed")
    assert found["device"] == "sim" and found["quick"] and found["environment"]["versions"]["numpy"]
    groups = {finding["group"] for finding in found["stages"]["kernels"]["findings"]}
    assert groups == {"copy", "matmul", "linear_relu", "bias_relu", "bias_relu backward", "softmax_ce", "adam"}
    assert all(len(samples) >= 2 for finding in found["stages"]["kernels"]["findings"]
               for samples in finding["samples"].values())
    assert found["stages"]["ptx"]["findings"][0]["passed"] > 0
    checker = found["stages"]["sanitizer"]["findings"][-1]
    assert checker["tool"] == "gpunet's checker" and checker["errors"] == 0 and checker["passed"] > 0
    assert "matmul" in done.stdout and "ptx on sim" in done.stdout


def test_a_missing_device_ends_the_run_with_its_message(tmp_path):
    done, found = run(tmp_path, "--device", "cuda:99")
    assert done.returncode == 1
    assert list(found["stages"]) == ["environment"] and found["stages"]["environment"]["status"] == "failed"
    assert "device 'cuda" in found["stages"]["environment"]["message"]
    assert "stage environment failed" in done.stderr and "result.json" in done.stderr


@pytest.fixture
def stage(monkeypatch, tmp_path):
    """stage(text) runs Python text as the stage "ptx"; gives what the run has written and its exit status."""
    def make(text, *, limit="60", more=("environment",)):
        (tmp_path / "a_stage.py").write_text("import os, signal, time\ndef run(options, emit):\n"
                                             + "".join(f"    {line}\n" for line in text.splitlines()))
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (tmp_path, ROOT))))
        # The stage's process reads the table of stages anew: it gets this one by a wrapper.
        wrapper = tmp_path / "run_stage.py"
        wrapper.write_text("import sys\nfrom bench import stages\n"
                           "stages.STAGES['ptx'] = stages.Stage('a_stage:run', 60, '')\nsys.exit(stages.main())\n")
        monkeypatch.setattr(gpu, "STAGE_COMMAND", [sys.executable, str(wrapper)])
        out = tmp_path / "result.json"
        status = gpu.main(["--device", "cpu", "--quick", "--stages", ",".join(("ptx", *more)), "--out", str(out),
                           "--time-limit", limit])
        return status, json.loads(out.read_text())["stages"]

    return make


def test_a_crash_keeps_what_was_found_and_stops(stage, capsys):
    status, found = stage("emit({'passed': 1, 'failed': 0, 'skipped': 0, 'seconds': 1.0})\n"
                          "os.kill(os.getpid(), signal.SIGSEGV)")
    assert status == 1 and list(found) == ["ptx"]
    assert found["ptx"]["status"] == "failed" and "SIGSEGV" in found["ptx"]["message"]
    assert found["ptx"]["findings"][0]["passed"] == 1
    assert "SIGSEGV" in capsys.readouterr().err


def test_an_exception_is_the_message(stage):
    status, found = stage("raise RuntimeError('the fault, in words')")
    assert status == 1 and found["ptx"]["message"] == "RuntimeError: the fault, in words"
    assert "Traceback" in found["ptx"]["log"]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks /proc")
def test_a_stage_that_hangs_is_ended_with_all_that_it_started(stage, tmp_path, monkeypatch):
    monkeypatch.setenv("A_STAGE_WAITS", str(tmp_path / "child"))
    status, found = stage("emit({'passed': 1, 'failed': 0, 'skipped': 0, 'seconds': 1.0})\n"
                          "import subprocess\nfile = open(os.environ['A_STAGE_WAITS'], 'w')\n"
                          "print(subprocess.Popen(['sleep', '600'], process_group=0).pid, file=file, flush=True)\n"
                          "time.sleep(600)", limit="11", more=())
    child = Path(f"/proc/{int((tmp_path / 'child').read_text())}")
    until = time.monotonic() + 5
    while alive := child.exists() and ") Z " not in (child / "stat").read_text():
        assert time.monotonic() < until, alive
    assert found["ptx"]["status"] == "timed out" and found["ptx"]["findings"] and found["ptx"]["seconds"] < 20


@pytest.mark.parametrize("end, says", [("time.sleep(600)", "time"), ("os._exit(3)", "status 3")])
def test_tests_are_counted_up_to_a_crash_or_the_end_of_the_time(tmp_path, end, says):
    (tmp_path / "test_slow.py").write_text(
        "import os, time, pytest\n"
        "@pytest.mark.parametrize('n', range(3))\n@pytest.mark.parametrize('device', ['cpu', 'sim'])\n"
        f"def test(device, n):\n    if n == 1:\n        {end}\n    assert n != 2 and device == 'cpu'\n")  # 0, 2, 1
    found, _ = testing.pytest([str(tmp_path)], "cpu", 4.0)
    assert (found["selected"], found["passed"], found["failed"]) == (3, 1, 1) and says in found["ended"]
    assert found["failures"][0]["test"].endswith("test[cpu-2]") and "assert" in found["failures"][0]["message"]


def test_parts_are_the_whole_and_each_has_every_family(tmp_path):
    for family in "ab":
        (tmp_path / f"test_{family}.py").write_text(
            "import pytest\n@pytest.mark.parametrize('n', range(20))\n@pytest.mark.parametrize('device', ['cpu'])\n"
            "def test(device, n):\n    assert False\n")
    found = [testing.pytest([str(tmp_path)], "cpu", 60.0, "--part", part)[0]["failures"] for part in ("1/2", "2/2")]
    parts = [{failure["test"] for failure in part} for part in found]
    assert len(parts[0]) == len(parts[1]) == 20 and len(parts[0] | parts[1]) == 40
    assert all(3 < sum("test_a" in test for test in part) < 17 for part in parts)


def test_what_was_left_out_is_said():
    found = {"selected": 10, "passed": 3, "failed": 1, "skipped": 0, "ended": "the time of 5 s was up", "log": ""}
    with pytest.raises(TimeoutError, match="6 of 10 tests were left out; --stages tests --part 1/2"):
        testing._must_be_whole(found, stages.Options("cpu"))
    with pytest.raises(testing.Failed, match="pytest ended with status 3: 6 of 10 tests were not run"):
        testing._must_be_whole(found | {"ended": "pytest ended with status 3"}, stages.Options("cpu"))


COMPLAINTS = """\
========= Invalid __global__ read of size 4 bytes
=========     at void bias_relu<float, float, (int)4>(T1 *, const T1 *, long long, int)+0x1d0 in bias_act.cu:30
=========     by thread (0,0,0) in block (0,0,0)
========= Error: Race reported between Write access at digit_counts(long long *, int)+0x280 in scatter.cu:60
=========     and Read access at digit_counts(long long *, int)+0x2f0 in scatter.cu:66 [64 hazards]
========= ERROR SUMMARY: 2 errors
"""


def test_complaints_are_compared_by_kernel(monkeypatch):
    """compute-sanitizer's, whose output is written down here, and our checker's."""
    answer = {"selected": 1, "passed": 1, "failed": 0, "skipped": 0, "seconds": 1.0, "failures": []}

    def run(paths, device, seconds, *more, prefix=()):
        if device == "sim":
            return dict(answer), "race: ...\n --> scatter.cu:60 in digit_counts, block (0,0,0), thread (0,0,0)\n"
        return dict(answer), COMPLAINTS if "memcheck" in prefix else "ERROR SUMMARY: 0 errors"

    monkeypatch.setattr(testing, "pytest", run)
    monkeypatch.setattr(testing.shutil, "which", lambda name: "/bin/compute-sanitizer")
    found = []
    testing.sanitizer(stages.Options("cuda", seconds=100), found.append)
    assert {each["tool"]: each["errors"] for each in found[:-1]} == {
        "memcheck": 2, "racecheck": 0, "initcheck": 0, "synccheck": 0, "gpunet's checker": 1}
    assert found[-1]["kernels"] == [{"kernel": "bias_relu", "compute-sanitizer": 1, "checker": 0},
                                    {"kernel": "digit_counts", "compute-sanitizer": 2, "checker": 1}]


def test_failed_tests_make_the_status_but_do_not_stop(stage):
    status, found = stage("emit({'passed': 1, 'failed': 2, 'skipped': 0, 'seconds': 1.0})")
    assert status == 1 and found["ptx"]["status"] == "passed" and found["environment"]["status"] == "passed"


def test_unknown_stage(capsys):
    with pytest.raises(SystemExit):
        gpu.parse(["--stages", "kernel"])
    assert "there is no stage kernel" in capsys.readouterr().err


def test_a_wrong_result_is_refused():
    lab = Lab("cpu")
    case = next(case for case in cases("cpu", quick=True) if case.group == "bias_relu")

    def spoilt(lab):
        contest = case.build(lab)
        contest.works["gpunet"].run = lambda: None  # writes nothing: the poison stays
        return contest

    with pytest.raises(WrongResult, match="bias_relu 64x36: relative error nan"):
        measure(lab, Case(case.group, case.name, spoilt), rounds=2)


def test_relative_error():
    lab = Lab("cpu")
    assert relative_error(lab, np.float32([3, 4]), np.array([3.0, 4.5])) == pytest.approx(0.5 / np.hypot(3, 4.5))
    assert np.isnan(relative_error(lab, np.float32([3, np.nan]), np.array([3.0, 4.0])))


@pytest.mark.parametrize("found, expected, share", [
    ([1.0, np.nan, np.inf], [1.0, np.nan, np.inf], 0), ([1.0], [1.5], 0.5 / 0.25), ([1.0], [np.nan], np.inf)])
def test_parity_as_a_share_of_the_bound(found, expected, share):
    assert parity.difference(np.float32(found), np.float32(expected), (0.1, 0.1))["of_bound"] == pytest.approx(share)


def test_training_contest():
    """gpunet eager and compiled, and PyTorch where it is, from the same weights: their losses agree."""
    found = training.compare("cpu", 8, threads=1, rounds=2, seconds=0.001, sizes=(12, 8, 4))
    assert {"gpunet", "gpunet compiled"} <= set(found.samples) and max(found.errors.values()) < 1e-4
    assert all(len(samples) == 2 and min(samples) > 0 for samples in found.samples.values())


def test_suites_run(tmp_path):
    """`pytest bench` on the CPU with tiny sizes."""
    # pytest-benchmark switches itself off in a worker of pytest-xdist, which a child of one is not.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    done = subprocess.run([sys.executable, "-m", "pytest", "bench", "--quick", "-q", "-p", "no:cacheprovider",
                           f"--benchmark-json={tmp_path / 'b.json'}", "-k", "bias_relu or mul or (step and 64)"],
                          cwd=ROOT, capture_output=True, text=True, timeout=300, env=environ)
    assert done.returncode == 0, done.stdout + done.stderr
    benchmarks = json.loads((tmp_path / "b.json").read_text())["benchmarks"]
    assert {"matmul", "bias_relu", "op", "training step"} <= {each["group"] for each in benchmarks}
    assert all(each["extra_info"]["seconds_per_call"] for each in benchmarks)


def test_every_stage_can_be_found():
    import importlib

    for stage in stages.STAGES.values():
        module, _, function = stage.function.partition(":")
        assert callable(getattr(importlib.import_module(module), function))
