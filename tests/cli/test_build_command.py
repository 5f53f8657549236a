"""`gpunet build`: kernels compiled ahead, without a GPU, and used from wherever they are carried to."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gpunet.kernel import Kernel, nvrtc

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def few(monkeypatch):
    """Kernels enough for a test: three instances of two files."""
    try:
        nvrtc.version()
    except nvrtc.NvrtcError as error:
        pytest.skip(str(error))
    monkeypatch.setenv("GPUNET_CACHE_DIR", os.environ.get("GPUNET_CACHE_DIR", ""))  # set back what the command sets
    monkeypatch.setattr(Kernel, "ours", [each for each in Kernel.ours if each.name in ("count_valid", "random_bits")])


# Another process, another checkout, the CUDA headers by another path, and no compiler.
ELSEWHERE = """
from gpunet.kernel import Kernel, nvrtc, source
import gpunet
def compile(*_):
    raise AssertionError("compiled again")
nvrtc.compile = compile
for kernel in Kernel.ours:
    if kernel.name in ("count_valid", "random_bits"):
        for expression in kernel.expressions():
            path, symbol = nvrtc.build(source.read(kernel.file), "sm_90a", expression, kernel.options)
            assert path.read_bytes()[:4] == b"\\x7fELF" and symbol
            print(expression, path, source.folder(), nvrtc._library()[2])
"""


def test_what_is_built_is_found_from_another_checkout(few, gpunet_command, tmp_path):
    code, text = gpunet_command("build", "--arch", "sm_90a", "--out", "built")
    assert code == 0 and text.startswith("3 kernels for sm_90a in ") and text.endswith(": 3 compiled now.\n")
    assert "3 kernels" in (again := gpunet_command("build", "--arch", "sm_90a", "--out", "built")[1])
    assert again.endswith(": 0 compiled now.\n")

    place = tmp_path / "elsewhere"
    shutil.move(tmp_path / "built", place / "cache")
    for folder in ("gpunet", "kernels"):
        shutil.copytree(ROOT / folder, place / "checkout" / folder, ignore=shutil.ignore_patterns("__pycache__"))
    headers = nvrtc._library()[2]
    if headers is not None:  # NVIDIA's wheels, by a link: other names for the same contents
        wheels = next((parent for parent in headers.parents if parent.name == "nvidia"), None)
        if wheels is not None:
            (place / "nvidia").symlink_to(wheels)
    environment = os.environ | {"GPUNET_CACHE_DIR": str(place / "cache"),
                                "PYTHONPATH": os.pathsep.join(map(str, (place / "checkout", place)))}
    done = subprocess.run([sys.executable, "-c", ELSEWHERE], env=environment, cwd=place, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["random_bits", "count_valid<float>", "count_valid<double>"]
    assert all(f"{place / 'cache'}/" in line and f"{place / 'checkout'}/" in line for line in lines)


def test_a_change_of_a_cuda_header_changes_the_key(few, monkeypatch, tmp_path):
    library, version, _ = nvrtc._library()
    for text in ("one", "two"):
        (tmp_path / text).mkdir()
        (tmp_path / text / "cuda_fp16.h").write_text(text)
    (tmp_path / "copy").mkdir()
    shutil.copy(tmp_path / "one" / "cuda_fp16.h", tmp_path / "copy")

    def identity(folder):
        monkeypatch.setattr(nvrtc, "_library", lambda: (library, version, tmp_path / folder))
        return nvrtc._identity_of.__wrapped__(False)

    assert identity("one") == identity("copy") != identity("two")


@pytest.mark.parametrize("arguments, says", [
    (["--arch", "sm_90"], "a GPU of sm_90 looks for sm_90a"), (["--arch", "sm_1"], "no architecture 'sm_1'; NVRTC"),
    (["--arch", "sm_80", "--file", "no.cu"], "no kernel file 'no.cu'; it has "),
    (["--arch", "sm_80", "--out", "taken/below"], "taken/below cannot be written")])
def test_mistakes(few, gpunet_command, tmp_path, arguments, says):
    (tmp_path / "taken").write_text("")
    code, text = gpunet_command("build", *arguments)
    assert code == 2 and text.startswith("Error: ") and text.count("\n") == 1 and says in text
