"""`python -m bench.gpu` from end to end on the simulator, and how it behaves when something fails."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import gpunet
from bench import checks, gpu, parity, report, smoke, stages, testing, training
from bench.environment import ROOT
from bench.kernels import Case, WrongResult, cases, measure
from gpunet.benchmark.lab import Lab, relative_error
from gpunet.kernel import Kernel

needs_compiler = pytest.mark.skipif(not any(map(shutil.which, ("g++", "clang++"))), reason="no C++ compiler for sim")


def run(tmp_path, *arguments):
    out = tmp_path / "result.json"
    command = [sys.executable, "-m", "bench.gpu", "--quick", "--threads", "1", "--out", str(out), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    return done, json.loads(out.read_text())


@pytest.mark.slow
@needs_compiler
def test_on_the_simulator(tmp_path):
    """All stages but those that other tests run: the smoke run, training, and what is about the CPU alone."""
    names = ("environment", "kernels", "launch", "ptx", "train", "parity", "tests", "sanitizer")
    done, found = run(tmp_path, "--device", "sim", "--stages", ",".join(names[1:]))
    assert done.returncode == 0, done.stdout + done.stderr
    assert {name: stage["status"] for name, stage in found["stages"].items()} == dict.fromkeys(names, "passed")
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]  # the findings' own files are gone
    assert found["device"] == "sim" and found["quick"] and found["environment"]["versions"]["numpy"]
    groups = {finding["group"] for finding in found["stages"]["kernels"]["findings"]}
    assert groups == {"copy", "matmul", "matmul bfloat16", "matmul tf32", "linear_relu", "bias_relu",
                      "bias_relu backward", "softmax_ce", "adam", "convolution bfloat16", "convolution tf32",
                      "convolution float32"}
    assert all(len(samples) >= 2 for finding in found["stages"]["kernels"]["findings"]
               for samples in finding["samples"].values())
    assert all(found["stages"][name]["findings"][0]["passed"] > 0 for name in ("ptx", "tests"))
    checker = found["stages"]["sanitizer"]["findings"][-1]
    assert checker["tool"] == "gpunet's checker" and checker["errors"] == 0 and checker["passed"] > 0
    assert "matmul" in done.stdout and "ptx on sim" in done.stdout


@pytest.mark.slow
@needs_compiler
def test_the_smoke_run_has_a_case_of_every_kernel():
    found = []
    smoke.run(stages.Options("sim", quick=True), found.append)
    assert len({row["check"] for row in found}) == len(found) and not [row for row in found if "failed" in row]
    on_sim = gpunet.devices.get("sim")
    left = {kernel.name for kernel in Kernel.ours if all(device is not on_sim for device, *_ in kernel._launchers)}
    assert left == {"matmul_hopper_pair", "softmax_ce_cluster", "softmax_cluster",
                    "softmax_cluster_grad"}  # of clusters, which a GPU's smoke run has


def test_the_smoke_run_names_what_is_wrong_and_goes_on(monkeypatch):
    def lost(device):
        raise ValueError("no result")

    half = checks.against_float64(lambda x: (x * (0.5 if x.dtype == gpunet.float32 else 1)), {"x": (5,)}, "float32")
    right = checks.against_float64(lambda x: x * x, {"x": (5,)}, "float32")
    monkeypatch.setattr(smoke, "checks", lambda *_: [("half", half), ("lost", lost), ("right", right)])
    found = []
    with pytest.raises(RuntimeError, match="2 of 3 checks failed: half, lost"):
        smoke.run(stages.Options("cpu"), found.append)
    assert found[0]["failed"] == "Wrong: 5.0e-01 apart, at most 2e-06 is right"
    assert found[1]["failed"] == "ValueError: no result" and "failed" not in found[2]
    assert gpu.failed_tests({"findings": found}) == 2
    with pytest.raises(TimeoutError, match="3 of 3 checks were left out, from half on"):
        smoke.run(stages.Options("cpu", seconds=0), found.append)


def test_a_compiled_step_that_differs_is_wrong(monkeypatch):
    monkeypatch.setattr(gpunet, "compile", lambda step: lambda: step() * 2)
    with pytest.raises(checks.Wrong, match="the losses of compiled steps are"):
        smoke.compiled_step(smoke._mlp, (4, 64))("cpu")


def test_distances():
    ones = np.ones(4)
    assert checks.distance([ones], [ones]) == 0 and checks.distance([ones], [2 * ones]) == 0.5
    assert checks.distance([np.array([np.nan])], [np.ones(1)]) == math.inf == checks.distance([ones], [np.ones(3)])


def test_a_missing_device_ends_the_run_with_its_message(tmp_path):
    done, found = run(tmp_path, "--device", "cuda:99")
    assert done.returncode == 1
    assert list(found["stages"]) == ["environment"] and found["stages"]["environment"]["status"] == "failed"
    assert "Traceback" not in done.stdout + done.stderr
    assert "device 'cuda" in found["stages"]["environment"]["message"]
    assert "stage environment failed" in done.stderr and "result.json" in done.stderr


@pytest.fixture
def stage(monkeypatch, tmp_path):
    """stage(text) runs Python text as the stage "ptx", then "parity", which finds one thing; gives the exit status and
    what the run has written. The stage "environment" opens a device at once."""
    def make(text, *, limit="60", stages="ptx,parity"):
        (tmp_path / "a_stage.py").write_text(
            "import os, signal, time\ndef environment(options, emit):\n    emit({'opened': options.device})\n"
            "def parity(options, emit):\n    emit({'case': 'a'})\n"
            "def ptx(options, emit):\n" + "".join(f"    {line}\n" for line in text.splitlines()))
        # The stage's process reads the table of stages anew: it gets this one by a wrapper.
        wrapper = tmp_path / "run_stage.py"
        wrapper.write_text("import sys\nfrom bench import stages\n"
                           "for name in ('environment', 'ptx', 'parity'):\n"
                           "    stages.STAGES[name] = stages.Stage('a_stage:' + name, 60, '')\n"
                           "sys.exit(stages.main())\n")
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (tmp_path, ROOT))))
        monkeypatch.setattr(gpu, "STAGE_COMMAND", [sys.executable, str(wrapper)])
        arguments = ["--device", "cpu", "--quick", "--stages", stages, "--out", str(tmp_path / "result.json"),
                     "--time-limit", limit]
        if limit == "arguments":
            return arguments[:-2]
        return gpu.main(arguments), json.loads((tmp_path / "result.json").read_text())["stages"]

    return make


FOUND_ONE = "emit({'passed': 1, 'failed': 0, 'skipped': 0, 'seconds': 1.0})\n"


def test_a_crash_keeps_what_was_found_and_the_run_goes_on(stage, capsys):
    status, found = stage(FOUND_ONE + "os.kill(os.getpid(), signal.SIGSEGV)")
    assert status == 1 and list(found) == ["environment", "ptx", "parity"]
    assert found["ptx"]["status"] == "failed" and "SIGSEGV" in found["ptx"]["message"]
    assert found["ptx"]["findings"][0]["passed"] == 1 and found["parity"]["findings"] == [{"case": "a"}]
    assert "stage ptx failed: its process ended with SIGSEGV" in capsys.readouterr().err


def test_an_exception_is_the_message(stage):
    status, found = stage("raise RuntimeError('the fault, in words')", stages="ptx")
    assert status == 1 and found["ptx"]["message"] == "RuntimeError: the fault, in words"
    assert "Traceback" in found["ptx"]["log"]


def test_a_later_finding_replaces_what_was_so_far(stage):
    _, found = stage("emit({'so_far': 'tests', 'passed': 1})\nemit({'note': 'b'})\n"
                     "emit({'so_far': 'tests', 'passed': 2, 'seconds': 1.0})", stages="ptx")
    assert found["ptx"]["findings"] == [{"passed": 2, "seconds": 1.0}, {"note": "b"}]


# The run in a process of its own, which the tests end from outside.
RUN = """
import sys
from bench import gpu
gpu.STAGE_COMMAND = [sys.executable, {wrapper!r}]
sys.exit(gpu.main({arguments!r}))
"""


def waited_for(condition, seconds=120.0):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def alive(pid):
    place = Path(f"/proc/{pid}/stat")
    return place.exists() and ") Z " not in place.read_text()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks /proc")
@pytest.mark.parametrize("number, status", [(signal.SIGTERM, 130), (signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_run_that_is_ended_loses_nothing_and_leaves_nothing_running(stage, tmp_path, number, status):
    arguments = stage(FOUND_ONE + "print(os.getpid(), file=open(os.environ['A_STAGE_SAYS'], 'w'), flush=True)\n"
                      "time.sleep(600)", limit="arguments")
    code = RUN.format(wrapper=str(tmp_path / "run_stage.py"), arguments=arguments)
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, text=True, stderr=subprocess.PIPE,
                               stdout=subprocess.DEVNULL, env=os.environ | {"A_STAGE_SAYS": str(tmp_path / "pid")})
    result, lines = tmp_path / "result.json", tmp_path / "result.ptx.jsonl"
    waited_for(lambda: result.exists() and "ptx" in json.loads(result.read_text()).get("stages", {}))
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == status and (number == signal.SIGKILL or "Ended by SIG" in errors)
    found = json.loads(result.read_text())["stages"]["ptx"]
    assert found["status"] == "running" and found["findings"][0]["passed"] == 1
    assert json.loads(lines.read_text())["passed"] == 1
    waited_for(lambda: not alive(int((tmp_path / "pid").read_text())))
    report.markdown(json.loads(result.read_text()))


def test_a_folder_gets_a_file_of_the_runs_own(tmp_path):
    options = [gpu.parse(["--device", "cuda:1", "--out", str(tmp_path / "results")]) for _ in range(3)]
    assert len({each.out for each in options}) == 3
    assert all(each.out.parent == tmp_path / "results" and each.out.name.startswith("cuda1-") for each in options)


def test_a_result_that_cannot_be_written_is_said_before_the_run(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for place in ("file/below", "file/a.json"):
        with pytest.raises(SystemExit) as error:
            gpu.parse(["--out", str(tmp_path / place)])
        assert error.value.code == 2 and "choose another place with --out" in capsys.readouterr().err


def test_what_runs_unasked(tmp_path):
    out = ["--out", str(tmp_path)]
    smoke, figures, whole = (gpu.parse([*out, *more]) for more in ([], ["--stages", "kernels,training"],
                                                                   ["--stages", "all"]))
    assert smoke.stages == ["environment", "smoke"] and smoke.time_limit == 120
    assert figures.stages == ["environment", "kernels", "training"] and not figures.compiled
    assert whole.stages[:3] == ["environment", "smoke", "kernels"] and "sanitizer" not in whole.stages
    assert next(cases("cuda")).group == "matmul"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks /proc")
def test_a_stage_that_hangs_is_ended_with_all_that_it_started(stage, tmp_path, monkeypatch):
    """Its time is up as soon as it has started something."""
    child = tmp_path / "child"
    monkeypatch.setenv("A_STAGE_WAITS", str(child))
    monkeypatch.setattr(gpu, "monotonic", lambda: 100.0 if child.exists() and child.read_text() else 0.0)
    monkeypatch.setattr(gpu, "_LOOK", 0.05)
    status, found = stage(FOUND_ONE + "import subprocess\nfile = open(os.environ['A_STAGE_WAITS'], 'w')\n"
                          "print(subprocess.Popen(['sleep', '600'], process_group=0).pid, file=file, flush=True)\n"
                          "time.sleep(600)", limit="60", stages="ptx")
    waited_for(lambda: not alive(int(child.read_text())))
    assert found["ptx"]["status"] == "timed out" and found["ptx"]["findings"] and found["ptx"]["seconds"] == 100.0


@pytest.mark.parametrize("end, says", [("time.sleep(600)", "time"), ("os._exit(3)", "status 3")])
def test_tests_are_counted_up_to_a_crash_or_the_end_of_the_time(tmp_path, monkeypatch, end, says):
    """The time is up as soon as two of the three are done."""
    (tmp_path / "test_slow.py").write_text(
        "import os, time, pytest\n"
        "@pytest.mark.parametrize('n', range(3))\n@pytest.mark.parametrize('device', ['cpu', 'sim'])\n"
        f"def test(device, n):\n    if n == 1:\n        {end}\n    assert n != 2 and device == 'cpu'\n")  # 0, 2, 1
    done = []
    monkeypatch.setattr(testing, "monotonic", lambda: 100.0 if says == "time" and 2 in done else 0.0)
    monkeypatch.setattr(testing, "_TELL", 0.05)
    found, _ = testing.pytest([str(tmp_path)], "cpu", 60.0,
                              so_far=lambda found: done.append(found["passed"] + found["failed"]))
    assert (found["selected"], found["passed"], found["failed"]) == (3, 1, 1) and says in found["ended"]
    assert found["failures"][0]["test"].endswith("test[cpu-2]") and "assert" in found["failures"][0]["message"]


@pytest.mark.slow
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

    def run(paths, device, seconds, *more, prefix=(), so_far=None):
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
    assert status == 1 and found["ptx"]["status"] == "passed" and found["parity"]["status"] == "passed"


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


@pytest.mark.parametrize("device", ["cpu", pytest.param("sim", marks=needs_compiler)])
def test_convolutions_in_channels_last(device):
    """Ours are right in every precision and direction, and PyTorch does the same where it takes part."""
    lab = Lab(device)
    todo = [case for case in cases(device, quick=True) if case.group.startswith("convolution")]
    assert len(todo) == 9
    for case in todo:
        result = measure(lab, case, rounds=1)
        assert ("PyTorch (cuDNN)" in result.samples) == (lab.torch is not None)
    assert gpunet.get_float32_matmul_precision() == "highest"


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


def test_every_stage_can_be_found():
    import importlib

    for stage in stages.STAGES.values():
        module, _, function = stage.function.partition(":")
        assert callable(getattr(importlib.import_module(module), function))
