"""`gpunet kernel bench`, rehearsed without a GPU."""

import json
import shutil
import sys

import pytest

import gpunet

needs_compiler = pytest.mark.skipif(not any(map(shutil.which, ("g++", "clang++"))), reason="no C++ compiler for sim")


def test_without_a_gpu(gpunet_command, tmp_path):
    try:
        gpunet.zeros(1, device="cuda")
    except RuntimeError:
        code, text = gpunet_command("kernel", "bench", "matmul")
        assert code == 2 and text.startswith("Error: ") and text.count("\n") == 1 and "gpunet devices" in text
        assert not list(tmp_path.iterdir())


def test_unknown_kernels(gpunet_command):
    code, text = gpunet_command("kernel", "bench", "nothing")
    assert code == 2 and "matmul, bias_relu, softmax_ce" in text and "bench_nothing.py" in text


@needs_compiler
@pytest.mark.parametrize("name", [
    "bias_relu", *(pytest.param(name, marks=pytest.mark.slow) for name in ("matmul", "softmax_ce"))])
def test_figures(gpunet_command, name):
    code, text = gpunet_command("kernel", "bench", name, "--device", "sim", "--json")
    assert code == 0
    found = json.loads(text)
    assert found["kernel"] == name and found["tiny"] and found["device"] == "sim"
    groups = [row["group"] for row in found["results"]]
    assert groups[:2] == ["copy", "matmul"] and groups[-1] == name
    assert all(set(row["amounts"]) == {"bytes", "operations"} and row["errors"]["gpunet"] < 1e-5
               for row in found["results"] if row["group"] == name)


def test_table_and_picture(gpunet_command, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("COLUMNS", "140")  # long figures would wrap the headings
    code, text = gpunet_command("kernel", "bench", "bias_relu", "--device", "cpu")
    assert code == 0
    for words in ("bias_relu on cpu (a rehearsal", "64x36", "of the limit", "× NumPy", "B/s", "FLOP/s",
                  "Limits measured here: copy", "Drawn: bias_relu-roofline.svg"):
        assert words in text
    assert (tmp_path / "bias_relu-roofline.svg").stat().st_size > 10_000
    code, text = gpunet_command("kernel", "bench", "bias_relu", "--device", "cpu", "--picture", "a.gif")
    assert code == 2 and "No picture: a.gif: the picture is a .png or a .svg" in text


@pytest.fixture
def own_path(monkeypatch):
    """The command puts the benchmark's folder on the module path."""
    monkeypatch.setattr(sys, "path", sys.path[:])


@pytest.mark.slow
def test_a_kernel_of_ones_own(gpunet_command, tmp_path, monkeypatch, own_path):
    assert gpunet_command("kernel", "new", "square_root")[0] == 0
    for name, folder in (("square_root", tmp_path), ("square_root", tmp_path / "square_root"),
                         ("square_root/", tmp_path)):
        monkeypatch.chdir(folder)
        code, text = gpunet_command("kernel", "bench", name, "--device", "cpu", "--json")
        assert code == 0 and "1,000 elements" in text


def test_a_wrong_result_has_no_time(gpunet_command, tmp_path, own_path):
    gpunet_command("kernel", "new", "off")
    path = tmp_path / "off" / "off.py"
    path.write_text(path.read_text().replace("1 + xp.abs(x)", "2 + xp.abs(x)"))
    code, text = gpunet_command("kernel", "bench", "off", "--device", "cpu")
    assert code == 1 and "off 1,000 elements: relative error" in text and "a wrong result has no time" in text


def test_a_benchmark_without_cases(gpunet_command, tmp_path, own_path):
    (tmp_path / "bench_x.py").write_text("")
    code, text = gpunet_command("kernel", "bench", "x", "--device", "cpu")
    assert code == 2 and "bench_x.py has no function cases(tiny)" in text


@pytest.mark.parametrize("text, says", [
    ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"), ("x = (", "SyntaxError: "),
])
def test_a_benchmark_that_does_not_run(gpunet_command, tmp_path, own_path, text, says):
    (tmp_path / "bench_mine.py").write_text(f"\n{text}\n")
    code, output = gpunet_command("kernel", "bench", "mine", "--device", "cpu")
    assert code == 2 and f"bench_mine.py does not run: {says}" in output
