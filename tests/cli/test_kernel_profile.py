"""`gpunet kernel profile` and `gpunet ptx`."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from gpunet.kernel import nvrtc

pytest.importorskip("llvmlite", reason="llvmlite is not installed: pip install 'gpunet[sim]'")

SOURCE = """#include <stdio.h>
// Each thread adds up a row of x.
__global__ void __launch_bounds__(32) rows(float* sums, const float* x, int n) {
    float sum = 0;
    for (int k = 0; k < n; ++k) sum += x[threadIdx.x * n + k];
    sums[threadIdx.x] = sum;
}
int main() { float* x; cudaMalloc(&x, 4); rows<<<1, 32>>>(x, x, 1); printf("done"); }
"""
ARGUMENTS = ("--arg", "f32[32]", "--arg", "f32[32,40]=1", "--arg", "i32=40")


@pytest.fixture
def folder(gpunet_command, tmp_path):
    try:
        nvrtc.version()
    except nvrtc.NvrtcError as error:
        pytest.skip(str(error))
    (tmp_path / "rows.cu").write_text(SOURCE)
    return tmp_path


def test_a_profile_as_table_and_page(gpunet_command, folder):
    code, text = gpunet_command("kernel", "profile", "rows.cu", *ARGUMENTS, "--out", "sums=sums.npy",
                                "--html", "rows.html")
    assert code == 0, text
    assert np.load(folder / "sums.npy").tolist() == [40.0] * 32
    row = next(line for line in text.splitlines() if "rows.cu:5" in line)
    assert f"{32 * 40:,}" in row and f"{4 * 40}" in row  # sectors: one a lane, where four would do for a warp
    assert "occupancy" in text and "registers" in text and "Written: rows.html" in text
    page = (folder / "rows.html").read_text()
    assert "sum += x[threadIdx.x * n + k]" in page and "// Each thread adds up a row of x." in page


@pytest.mark.parametrize("count, outside", [(40, False), (41, True)])
def test_a_launch_beside_its_arrays(count, outside, gpunet_command, folder):
    arguments = (*ARGUMENTS[:-1], f"i32={count}")
    _, text = gpunet_command("kernel", "profile", "rows.cu", *arguments, "--html", "rows.html")
    assert ("outside of its arrays, and the counters are of that: gpunet kernel check finds" in text) == outside
    assert ("outside of its arrays" in (folder / "rows.html").read_text()) == outside
    _, text = gpunet_command("kernel", "profile", "rows.cu", *arguments, "--json")
    assert json.loads(text)["outside"] == outside


def test_a_profile_without_end_says_what_finds_the_place(gpunet_command, folder):
    (folder / "rows.cu").write_text("__global__ void spin(volatile int* x) { while (*x == 0); }")
    code, text = gpunet_command("kernel", "profile", "rows.cu", "--block", "32", "--arg", "i32[1]=0",
                                "--timeout", "0.2")
    assert code == 2 and "has not ended after 0.2 s" in text and "`gpunet kernel check` tells where it is" in text


def test_a_profile_as_json(gpunet_command, folder):
    code, text = gpunet_command("kernel", "profile", "rows.cu", *ARGUMENTS, "--arch", "sm_75", "--json")
    found = json.loads(text)
    assert code == 0 and found["architecture"] == "sm_75" and found["block"] == [32]
    (line,) = [each for each in found["lines"] if each["excess"]]
    assert line["chain"][0][1] == 5 and line["sectors"] == 1280 and line["least_sectors"] == 160
    assert found["total"]["operations"] == {"float32": 1280} and found["touched"] == [32 * 40 * 4, 128]


def test_what_the_document_shows(gpunet_command, folder):
    """But for the machine code's kinds, which need the disassembler."""
    document = (Path(__file__).parents[2] / "docs" / "kernel-profile.md").read_text()
    (folder / "turn.cu").write_text(re.search(r'title="turn.cu"\n(.*?)```', document, re.S).group(1))
    command, shown = re.search(r"```text\n\$ gpunet ((?:[^\n]*\\\n)*[^\n]*)\n(.*?)```", document, re.S).groups()
    code, text = gpunet_command(*shlex.split(command.replace("\\\n", " ")))
    lines = [line.rstrip() for line in text.splitlines()]
    assert code == 0, text
    assert [line for line in shown.splitlines() if not line.startswith("machine code") and line not in lines] == []


PTX = """.version 8.0
.target sm_80
.address_size 64
.file 1 "triple.py"
.visible .entry triple(.param .u64 x) {
  .reg .b32 %r<4>; .reg .b64 %rd<4>;
  ld.param.u64 %rd1, [x]; mov.u32 %r1, %tid.x; mul.wide.u32 %rd2, %r1, 4; add.s64 %rd3, %rd1, %rd2;
  .loc 1 7 3
  ld.global.u32 %r2, [%rd3];
  mul.lo.u32 %r3, %r2, 3;
  st.global.u32 [%rd3], %r3;
  ret;
}"""


def test_a_ptx_file_runs_and_is_profiled(gpunet_command, tmp_path):
    (tmp_path / "triple.ptx").write_text(PTX)
    call = ("triple.ptx", "--block", "32", "--arg", "i32[32]=arange", "--out", "0=y.npy")
    code, text = gpunet_command("ptx", "run", *call)
    assert code == 0 and "31 of 32 elements changed; it begins with 0, 3, 6" in text
    assert np.load(tmp_path / "y.npy").tolist() == [3 * i for i in range(32)]
    code, text = gpunet_command("ptx", "profile", *call, "--json")
    (line,) = [each for each in json.loads(text)["lines"] if each["chain"]]
    assert code == 0 and line["chain"] == [["triple.py", 7]] and line["sectors"] == line["least_sectors"] == 8


@pytest.mark.parametrize("change, arguments, message", [
    ("", ("--arg", "null"), "The kernel ended its process, as an access outside of all arrays does: "
     "`gpunet ptx check` finds the line."),
    ("", (), "triple takes 1 argument (.u64 x), and --arg is given 0 times."),
    ("mul.lo.u32 %r3", ("--arg", "i32[32]"), "frobnicate.u32 is not simulated."),
    ("ret", ("--arg", "i32[32]=0"), "kernel triple: trap at triple.py:7, block (0, 0, 0), warp 0, lanes 0-31."),
])
def test_what_a_ptx_file_does_wrong(gpunet_command, tmp_path, change, arguments, message):
    new = {"mul.lo.u32 %r3": "frobnicate.u32 %r3", "ret": "trap; ret"}.get(change, "")
    (tmp_path / "triple.ptx").write_text(PTX.replace(change, new) if change else PTX)
    code, text = gpunet_command("ptx", "run", "triple.ptx", "--block", "32", *arguments)
    assert code == 2 and message in " ".join(text.split())


IN_CLUSTERS = """
__global__ void next(int* y) {
    __shared__ int mine;
    if (threadIdx.x == 0) mine = 100 * blockIdx.x;
    __cluster_barrier_arrive();
    __cluster_barrier_wait();
    const unsigned rank = (__clusterRelativeBlockRank() + 1) % __clusterSizeInBlocks();
    y[blockIdx.x * blockDim.x + threadIdx.x] = *(int*)__cluster_map_shared_rank(&mine, rank) + threadIdx.x;
    __cluster_barrier_arrive();
    __cluster_barrier_wait();
}
"""


@pytest.mark.parametrize("command", [("kernel", "check", "--engine", "ptx"), ("kernel", "check"), ("kernel", "profile"),
                                     ("ptx", "run"), ("ptx", "check"), ("ptx", "profile")], ids=" ".join)
def test_clusters_whose_size_the_launch_says(gpunet_command, folder, command):
    (folder / "next.cu").write_text(IN_CLUSTERS)
    group, name, *more = command
    call = (group, name, "next.cu", *more, "--grid", "6", "--block", "32", "--arg", "i32[6,32]", "--json")
    code, text = gpunet_command(*call, "--cluster", "2", "--out", "0=y.npy")
    assert code == 0, text
    found = json.loads(text)
    assert found["cluster"] == [2] and found.get("findings", []) == []
    block, thread = np.indices((6, 32))
    assert (np.load(folder / "y.npy") == 100 * (block ^ 1) + thread).all()
    code, text = gpunet_command(*call, "--cluster", "4")  # no part of the grid
    assert code == (1 if name == "check" else 2)
    assert "the grid (6, 1, 1) is no multiple of its clusters' size (4, 1, 1)" in text


def test_clusters_that_do_not_fit(gpunet_command, folder):
    (folder / "next.cu").write_text(IN_CLUSTERS.replace("void next", "void __cluster_dims__(2, 1, 1) next"))
    call = ("next.cu", "--grid", "6", "--block", "32", "--arg", "i32[6,32]", "--cluster")
    for command in (("kernel", "check"), ("kernel", "profile"), ("ptx", "run"), ("ptx", "check"), ("ptx", "profile")):
        code, text = gpunet_command(*command, *call, "3")
        assert code == 2 and "says that its clusters have the size (2, 1, 1), not (3, 1, 1)." in " ".join(text.split())
        code, text = gpunet_command(*command, *call, "32")
        assert code == 2 and "is 32 together, where at most 16 are allowed" in " ".join(text.split())
    code, text = gpunet_command("kernel", "check", *call, "2", "--engine", "cxx")
    assert code == 2 and "--cluster goes with --engine ptx" in " ".join(text.split())
