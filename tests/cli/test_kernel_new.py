"""`gpunet kernel new`: what it makes works as it is."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import gpunet
from gpunet.kernel import nvrtc

ROOT = Path(gpunet.__file__).parents[1]
FILES = {"swish.cu", "swish.py", "test_swish.py", "bench_swish.py"}

needs_compiler = pytest.mark.skipif(not any(map(shutil.which, ("g++", "clang++"))), reason="no C++ compiler for sim")


@pytest.fixture
def made(gpunet_command, tmp_path):
    code, text = gpunet_command("kernel", "new", "swish")
    assert code == 0 and all(name in text for name in FILES)
    return tmp_path / "swish"


def test_four_files_without_the_templates_name(made):
    assert {path.name for path in made.iterdir()} == FILES
    assert all("my_kernel" not in path.read_text() for path in made.iterdir())


def pytest_in(folder, *arguments):
    """pytest as a user runs it there; the plugin by name, as gpunet need not be installed here."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "gpunet_pytest", *arguments]
    return subprocess.run(command, cwd=folder, text=True, capture_output=True, timeout=240, env=environ)


@needs_compiler
@pytest.mark.slow
def test_its_tests_pass_away_from_gpunets_sources(made):
    done = pytest_in(made)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout and "failed" not in done.stdout and "warning" not in done.stdout


@needs_compiler
def test_its_tests_find_a_bug(made):
    kernel = made / "swish.cu"
    kernel.write_text(kernel.read_text().replace("i < size", "i <= size"))
    done = pytest_in(made, "-k", "nothing_to_report and 255")
    line = kernel.read_text().splitlines().index("        const T value = x[i];") + 1
    assert done.returncode == 1 and "out of bounds" in done.stdout and f"swish.cu:{line}" in done.stdout, done.stdout


@needs_compiler
def test_the_commands_it_names(made, gpunet_command):
    code, text = gpunet_command("kernel", "check", made / "swish.cu", "--kernel", "swish<float>", "--grid", "4",
                                "--arg", "f32[1000]", "--arg", "f32[1000]=normal", "--arg", "i64=1000")
    assert code == 0 and "nothing found" in text, text
    try:
        nvrtc.version()
    except nvrtc.NvrtcError:
        return
    code, text = gpunet_command("kernel", "compile", made / "swish.cu", "--kernel", "swish<float>", "--arch", "sm_90a")
    assert code == 0 and "none" in text


def test_nothing_is_overwritten(made, gpunet_command):
    (made / "swish.py").write_text("mine")
    (made / "swish.cu").unlink()
    code, text = gpunet_command("kernel", "new", "swish")
    assert code == 2 and "swish.py" in text and "nothing has been written" in text
    assert (made / "swish.py").read_text() == "mine" and not (made / "swish.cu").exists()


def test_another_place(gpunet_command, tmp_path):
    assert gpunet_command("kernel", "new", "swish", "--dir", "deep/er")[0] == 0
    assert {path.name for path in (tmp_path / "deep" / "er" / "swish").iterdir()} == FILES
    (tmp_path / "file").write_text("")
    assert gpunet_command("kernel", "new", "swish", "--dir", "file")[0] == 2


@pytest.mark.parametrize("name, says", [
    ("2fast", "cannot be a name in Python and C++"), ("a-b", "cannot be a name"), ("a__b", "cannot be a name"),
    ("größe", "cannot be a name"), ("../x", "cannot be a name"), ("lambda", "'lambda' is a word of Python"),
    ("template", "'template' is a word of C++"), ("math", "which math.py would hide"), ("numpy", "would hide"),
])
def test_names(gpunet_command, tmp_path, name, says):
    code, text = gpunet_command("kernel", "new", name)
    assert code == 2 and says in text and not list(tmp_path.iterdir())
