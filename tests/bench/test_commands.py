"""Every benchmark command that the documentation names: it runs to its end, at tiny sizes."""

import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from bench import gpu, report
from bench.environment import ROOT

needs_compiler = pytest.mark.skipif(not any(map(shutil.which, ("g++", "clang++"))), reason="no C++ compiler for sim")

PAGES = [ROOT / "README.md", ROOT / "docs/gpu.md", *(ROOT / "bench").glob("*.md"), *(ROOT / "bench").glob("*.py")]
COMMAND = re.compile(r"(?:python -m bench\.\w+|pytest bench)[^`\n]*")


def documented() -> list[str]:
    """The commands, without remarks and placeholders."""
    found = set()
    for page in PAGES:
        for text in COMMAND.findall(page.read_text()):
            text = re.split(r"  |#|\"|[,;:)]\s|\. |\.$", text)[0].strip()
            found.add(re.sub(r"\s*\[[^]]*\]", "", text))
    return sorted(found - {"python -m bench.report"})


DOCUMENTED = documented()
GPU = [name for name in DOCUMENTED if name.startswith("python -m bench.gpu")]
MODULES = [name for name in DOCUMENTED if name.startswith("python -m") and name not in GPU
           and name + " --threads 2" not in DOCUMENTED and "indigo" not in name]  # whose tests are test_indigo.py


def test_they_are_found():
    words = " ".join(DOCUMENTED)
    assert all(f"bench.{name}" in words for name in ("gpu", "dispatch", "training", "layers", "import_time", "checker"))
    assert "pytest bench" in DOCUMENTED and len(DOCUMENTED) > 12


@pytest.fixture
def result(tmp_path):
    """A result of a GPU, written down here."""
    machine = dict.fromkeys(("commit", "processor", "cores", "python", "blas"), "") | {"date": "2026-11-21",
                                                                                     "versions": {}}
    of_gpu = dict.fromkeys(("multiprocessors", "driver", "nvrtc", "architecture"), "")
    rows = [{"group": group, "name": "a", "amounts": {"bytes": 1e6, "operations": 2e6}, "samples": {"gpunet": [1e-3]}}
            for group in ("copy", "matmul", "bias_relu")]
    stages = {"environment": [{"gpu": of_gpu | {"name": "A GPU", "memory": 2**30}}], "kernels": rows}
    content = {"device": "cuda", "environment": machine, "stages": {
        name: {"status": "passed", "findings": findings} for name, findings in stages.items()}}
    (tmp_path / "result.json").write_text(json.dumps(content))
    return tmp_path / "result.json"


@pytest.mark.slow
@pytest.mark.parametrize("command", MODULES)
def test_a_module_runs_to_its_end(command, result, tmp_path, monkeypatch, capsys):
    module, *arguments = shlex.split(command)[2:]
    if "checker" in module and not any(map(shutil.which, ("g++", "clang++"))):
        pytest.skip("no C++ compiler for sim")
    if "--roofline" in arguments or "--page" in arguments:
        pytest.importorskip("matplotlib")
    arguments = [str(result) if word.endswith(".json") else str(tmp_path / word) if word.endswith(".svg") else word
                 for word in arguments]
    if module == "bench.report":
        monkeypatch.setattr(report, "_PAGE", tmp_path / "gpu.md")
        monkeypatch.setattr(report.write_page, "__defaults__", (tmp_path / "gpu.md", tmp_path))
    else:
        arguments += ["--quick", "--out", str(tmp_path / "out.json")]
    monkeypatch.setattr("sys.argv", [module, *arguments])
    importlib.import_module(module).main()
    text = capsys.readouterr().out
    if module == "bench.report":
        assert "| a | 1 ms |" in text or "Written to" in text or (tmp_path / "roofline.svg").stat().st_size > 5000
    elif "--profile" in arguments:
        assert " ms " in text
    else:
        content = json.loads((tmp_path / "out.json").read_text())
        [stage] = content["stages"].values()
        assert content["command"] == f"python -m {module}" and stage["findings"]
        assert all(finding["name"] in text for finding in stage["findings"])


@pytest.mark.parametrize("command", GPU)
def test_a_gpu_command_is_understood(command, tmp_path):
    """What its stages do, tests/bench/test_gpu.py runs."""
    arguments = shlex.split(command)[3:]
    if "--out" in arguments:
        arguments[arguments.index("--out") + 1] = str(tmp_path)
    options = gpu.parse([*arguments, "--out", str(tmp_path)])
    assert options.stages[0] == "environment" and options.time_limit <= 570


def pytest_bench(*arguments, seconds=280):
    # pytest-benchmark switches itself off in a worker of pytest-xdist, which a child of one is not.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run([sys.executable, "-m", "pytest", "bench", "--quick", "-p", "no:cacheprovider", *arguments],
                          cwd=ROOT, capture_output=True, text=True, timeout=seconds, env=environ)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_suites_on_the_cpu(tmp_path):
    """All of them, kept; and some once more, compared with what was kept."""
    storage = f"--benchmark-storage={tmp_path / 'kept'}"
    text = pytest_bench(f"--benchmark-json={tmp_path / 'b.json'}", "--benchmark-save=first", storage)
    assert "convolution, forward and backward" in text and "other image layers" in text
    benchmarks = json.loads((tmp_path / "b.json").read_text())["benchmarks"]
    assert {"matmul", "bias_relu", "softmax_ce", "adam", "copy", "op", "pass", "training step"} <= {
        each["group"] for each in benchmarks}
    for each in benchmarks:
        ours = each["extra_info"]["seconds_per_call"]
        # The figure that --benchmark-compare sees is that of one call of ours, by the clock of the comparison.
        assert any(each["stats"]["median"] == pytest.approx(seconds, rel=1e-6) for seconds in ours.values())
        assert each["stats"]["rounds"] >= 2

    text = pytest_bench("-k", "matmul and 64x64x64 and NN", "--benchmark-compare", "--benchmark-only", storage)
    assert "(0001_first)" in text and "(NOW)" in text and "gpunet's time and rate" in text


@pytest.mark.slow
@needs_compiler
def test_the_suites_on_the_simulator_without_timing():
    """--benchmark-disable runs each competitor once and checks the results."""
    text = pytest_bench("--device", "sim", "--benchmark-disable", "-k", "kernel or host or (op and mul)")
    assert "passed" in text and "failed" not in text
