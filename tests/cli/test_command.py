"""The `gpunet` command itself, and the example."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import gpunet

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments, cwd=None):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=120, cwd=cwd)


def test_version_and_help():
    assert run("-m", "gpunet", "--version").stdout == f"gpunet {gpunet.__version__}\n"
    shown = run("-m", "gpunet", "--help")
    assert shown.returncode == 0 and all(name in shown.stdout for name in ("train", "predict", "devices"))


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom gpunet.cli import main\n"
        "try:\n    main(['train', 'digits', '--help'])\nexcept SystemExit:\n    pass\n"
        "print([name for name in ('rich', 'PIL', 'cupy', 'matplotlib', 'gpunet.train') if name in sys.modules])"
    )
    assert run("-c", code).stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("device", ["cpu", "sim"])
def test_example(device):
    if device == "sim":
        try:
            gpunet.zeros(1, device="sim")
        except RuntimeError as error:
            pytest.skip(str(error))
    example = os.fspath(ROOT / "examples" / "mlp.py")
    shown = run(example, "--device", device, "--epochs", "8" if device == "cpu" else "1")
    assert shown.returncode == 0, shown.stderr
    accuracy = float(shown.stdout.split()[-1])
    assert accuracy > (0.94 if device == "cpu" else 0.5)
