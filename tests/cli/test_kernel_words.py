"""What the kernel commands say beside their findings: of files, numbers and limits."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from gpunet.cli import main
from gpunet.cli.kernel_commands.check import _summarise as summarise
from gpunet.cli.kernel_commands.launching import duration
from gpunet.kernel import nvrtc

SCALE = """
__global__ void scale(float* y, const float* x) { y[threadIdx.x] = 2 * x[threadIdx.x]; }
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "scale.cu"
    path.write_text(SCALE)
    return str(path)


def run(*words):
    return CliRunner().invoke(main, [str(each) for each in words])


@pytest.mark.parametrize("words", ["kernel check", "kernel profile", "kernel compile", "ptx run"])
def test_a_folder_in_place_of_a_file(words, tmp_path):
    found = run(*words.split(), tmp_path)
    assert found.exit_code == 2 and ("is a folder" in found.output or "Is a directory" in found.output)


@pytest.mark.parametrize("engine", ["ptx", pytest.param("cxx", marks=pytest.mark.slow)])
def test_more_shared_memory_than_a_device_has(engine, file):
    found = run("kernel", "check", file, "--engine", engine, "--block", 32, "--shared", 300000, "--arg", "f32[32]",
                "--arg", "f32[32]=1", "--json")
    assert found.exit_code == 1, found.output
    told, = json.loads(found.stdout)["findings"]
    assert told["kind"] == "limit" and "300000" in told["message"] and "a device has 232448" in told["message"]


@pytest.mark.parametrize("words", ["kernel profile", "ptx run", "ptx profile"])
def test_more_shared_memory_than_a_launch_may_have(words, file):
    nvrtc.version()
    found = run(*words.split(), file, "--block", 32, "--shared", 300000, "--arg", "f32[32]", "--arg", "f32[32]=1")
    assert found.exit_code == 2 and "300000 bytes of shared memory in a block, a device has 232448" in found.output


def test_one_argument_is_given_once(file):
    found = run("kernel", "check", file, "--engine", "ptx", "--arg", "f32[32]")
    assert found.exit_code == 2 and found.output.endswith("and --arg is given once.\n")


def test_several_of_a_kind(capsys):
    found = [SimpleNamespace(kind=kind, severity="error") for kind in ("race", "race", "async copy", "out of bounds")]
    summarise([*found, *found[2:]], "x.cu", 123.4)
    assert capsys.readouterr().out == "x.cu: 2 races, 2 async copies, 2 out of bounds (123 s)\n"


def test_durations():
    assert [duration(each) for each in (0.00123, 1.0, 9.96, 41.2, 110.0, 99.7)] == [
        "0.0012 s", "1 s", "10 s", "41 s", "110 s", "100 s"]


def test_a_warning_of_the_command_has_no_line_of_code(file, tmp_path):
    """The lines around it are click's or our own."""
    others = tmp_path / "others"
    others.mkdir()
    os.chmod(others, 0o777)
    found = subprocess.run([sys.executable, "-m", "gpunet", "kernel", "check", file, "--engine", "ptx", "--block", "32",
                            "--arg", "f32[32]", "--arg", "f32[32]=1"], capture_output=True, text=True,
                           env={**os.environ, "GPUNET_CACHE_DIR": str(others)})
    assert found.returncode == 0, found.stderr
    told, = found.stderr.splitlines()
    assert told.startswith(f"Warning: compiled kernels are not kept in {others}, since another user owns it")


TEMPLATE = "template <typename T> __global__ void scale(T* y, T by) { y[threadIdx.x] *= by; }\n"


@pytest.mark.parametrize("engine", ["ptx", pytest.param("cxx", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name, words", [("scale<half>", "half is declared by #include <cuda_fp16.h>."),
                                         ("scale<float, 3>", "scale<float, 3>|no kernel template of the file takes")])
def test_a_kernels_name_that_does_not_compile(engine, name, words, tmp_path):
    nvrtc.version()
    file = tmp_path / "scale.cu"
    file.write_text(TEMPLATE)
    found = run("kernel", "check", file, "--engine", engine, "--kernel", name, "--arg", "f16[32]=1", "--arg", "f16=2")
    assert found.exit_code == 2 and any(each in found.output for each in words.split("|"))
    assert "GPUNET_SIM" not in found.output


def test_an_architecture_that_is_not_known(file):
    nvrtc.version()
    found = run("kernel", "profile", file, "--block", 32, "--arg", "f32[32]", "--arg", "f32[32]=1", "--arch", "sm_35")
    assert found.exit_code == 2 and f"This NVRTC knows sm_{nvrtc.architectures()[0]}, " in found.output
