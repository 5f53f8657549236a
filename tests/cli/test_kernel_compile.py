"""`gpunet kernel compile`: needs NVRTC and no GPU."""

import json

import pytest

from gpunet.kernel import nvrtc

SOURCE = """
#include <stdint.h>
#include <cfloat>
template <typename T, int N>
__global__ void __launch_bounds__(N * 64) scale(T* y, const T* x, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = x[i] * T(N);
}
__global__ void copy(uint32_t* y, const uint32_t* x) { y[threadIdx.x] = x[threadIdx.x]; }
__global__ void spills(float* y) {
    __shared__ float tile[32];
    volatile float kept[64];  // indexed at run time: it lives on the stack
    for (int i = 0; i < 64; ++i) kept[i] = y[i];
    tile[threadIdx.x] = kept[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = tile[31 - threadIdx.x] < FLT_MAX ? SCALE : 0;
}
"""


@pytest.fixture
def compiled(gpunet_command, tmp_path):
    try:
        nvrtc.version()
    except nvrtc.NvrtcError as error:
        pytest.skip(str(error))
    (tmp_path / "kernels.cu").write_text(SOURCE)
    return lambda *arguments: gpunet_command("kernel", "compile", "kernels.cu", *arguments)


def test_figures(compiled):
    code, text = compiled("-DSCALE=2", "--kernel", "scale<float,4>", "--kernel", "spills", "--arch", "sm_80,sm_90a",
                          "--json")
    assert code == 0
    found = json.loads(text)
    rows = {(row["kernel"], row["architecture"]): row for row in found["kernels"]}
    assert len(rows) == 4 and found["errors"] == {}
    scale, spills = rows["scale<float,4>", "sm_90a"], rows["spills", "sm_80"]
    assert scale["registers"] > 0 and scale["bound"] == scale["block"] == 256 and scale["shared"] == 0
    assert scale["occupancy"] == {"blocks": 8, "share": 1.0, "limited_by": "warps"}
    assert spills["stack"] == 256 and spills["shared"] == 128 and spills["block_from"] == "assumed"


def test_table(compiled):
    code, text = compiled("-D", "SCALE=2", "--arch", "sm_80", "--block", "32,2", "--shared", "100000")
    assert code == 0
    row = next(line for line in text.splitlines() if "spills" in line)
    assert "256 B" in row and "64 │" in row and "1 │" in row and "shared memory" in row
    assert "+ 100,000 B" in text and "left out, being templates: scale" in text and "\x1b[" not in text


def test_all_generations_without_a_choice(compiled):
    code, text = compiled("--kernel", "copy", "-DSCALE=1")
    assert code == 0 and all(f"sm_{each}" in text for each in (75, 80, 86, 89, 90))
    assert "256 threads assumed" in text


def test_too_much_for_one_block(compiled):
    code, text = compiled("--kernel", "copy", "-DSCALE=1", "--arch", "sm_75", "--shared", "70000")
    assert code == 0 and "0 blocks: such a launch fails" in text


def test_errors_of_the_source_are_told_once(compiled):
    code, text = compiled("--arch", "sm_80,sm_90a")
    assert code == 1
    line = SOURCE[: SOURCE.index("SCALE")].count("\n") + 1
    assert text.count(f'\nkernels.cu:{line}: error: identifier "SCALE" is undefined') == 1 and "sm_80, sm_90a:" in text


def test_the_program_around_a_kernel_is_left_out(compiled, tmp_path):
    (tmp_path / "kernels.cu").write_text("""#include <vector>
#include <iostream>
#include <cuda_runtime.h>
#include "checks.h"
#include "checks.h"
__global__ void f(int* x) { *x = SEVEN; }  // a comment
int main() {
    check(cudaGetLastError());
    std::vector<int> host(1);
    int* x;
    cudaMalloc(&x, 4);
    f<<<1, 1>>>(x);
    std::cout << host[0] << std::endl;
}
""")
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / "checks.h").write_text(
        "#pragma once\n#include <cstdlib>\n#define SEVEN 7\nstatic void check(cudaError_t e) { if (e) exit(1); }\n")
    code, text = compiled("--arch", "sm_80", "-I", "include")
    assert code == 0 and "sm_80" in text
    source = (tmp_path / "kernels.cu").read_text()
    (tmp_path / "kernels.cu").write_text(source.replace("SEVEN", "EIGHT"))
    code, text = compiled("--arch", "sm_80", "-I", "include")
    line = source[: source.index("SEVEN")].count("\n") + 1
    assert code == 1 and f'kernels.cu:{line}: error: identifier "EIGHT"' in text


def test_a_header_that_is_nowhere(compiled, tmp_path):
    (tmp_path / "kernels.cu").write_text("#include <strange.h>\n__global__ void f(int* x) { *x = 1; }")
    code, text = compiled("--arch", "sm_80")
    assert code == 1 and "#include <strange.h> under #ifndef __CUDACC_RTC__" in text


def test_folders_of_includes(compiled, tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "scale.h").write_text("#define SCALE 3\n")
    (tmp_path / "kernels.cu").write_text('#include "scale.h"\n__global__ void f(int* x) { *x = SCALE; }')
    assert compiled("--arch", "sm_80")[0] == 1
    assert compiled("--arch", "sm_80", "-I", "more")[0] == 0
    assert compiled("--arch", "sm_80", "-I", "nowhere")[0] == 2


@pytest.mark.parametrize("arguments, says", [
    (["--kernel", "scale"], "scale is a template of T, N: name an instance of it, such as --kernel 'scale<float,4>'."),
    (["--kernel", "nothing"], "kernels.cu has no kernel 'nothing'; it has scale, copy, spills."),
    (["--arch", "sm_33"], "'sm_33' is no architecture that NVRTC"),
    (["--block", "0"], "'0' is not one to three positive sizes"),
])
def test_wrong_calls(compiled, arguments, says):
    code, text = compiled(*arguments)
    assert code == 2 and says in text


def test_missing_files_and_files_without_kernels(gpunet_command, tmp_path):
    assert gpunet_command("kernel", "compile", "a.cu") == (2, "Error: a.cu does not exist.\n")
    (tmp_path / "a.cu").write_text("__device__ void f() {}")
    assert "no function in it is declared __global__" in gpunet_command("kernel", "compile", "a.cu")[1]
    (tmp_path / "a.cu").write_text("template <int N> __global__ void f() {}")
    code, text = gpunet_command("kernel", "compile", "a.cu")
    assert code == 2 and "only templates (f)" in text and "'f<4>'" in text


def test_without_nvrtc(gpunet_command, tmp_path, monkeypatch):
    def missing():
        raise nvrtc.NvrtcError("NVRTC was not found; install it")

    monkeypatch.setattr(nvrtc, "_library", missing)
    (tmp_path / "a.cu").write_text("__global__ void f() {}")
    assert gpunet_command("kernel", "compile", "a.cu") == (2, "Error: NVRTC was not found; install it\n")
