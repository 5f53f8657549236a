"""`gpunet kernel check` starts without the networks, which take longer to import than a small kernel takes to check."""

import subprocess
import sys

PROGRAM = """
import sys, gpunet_command
sys.argv = ["gpunet", *sys.argv[1:]]
try:
    gpunet_command.main()
except SystemExit as end:
    loaded = [name for name in ("gpunet.ops", "gpunet.nn", "gpunet.tensor") if name in sys.modules]
    import gpunet
    print(end.code, loaded, gpunet.arange(3).sum().item(), gpunet.tensor([1.5]).tolist())
"""
KERNEL = """
__global__ void fill(float* y, int n) { if (threadIdx.x <= n) y[threadIdx.x] = 1; }
"""


def run(*arguments):
    return subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True)


def test_a_check_needs_no_networks_and_they_come_when_asked_for(tmp_path):
    (tmp_path / "fill.cu").write_text(KERNEL)
    done = run("kernel", "check", str(tmp_path / "fill.cu"), "--block", "32", "--arg", "f32[8]", "--arg", "i32=8")
    assert "out of bounds: a write of 4 bytes" in done.stdout, done.stderr
    assert done.stdout.splitlines()[-1] == "1 [] 3 [1.5]"


def test_other_commands_have_the_whole_package():
    assert run("--version").stdout.startswith("gpunet 0.")
