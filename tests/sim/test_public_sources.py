"""Sources as people publish them: kernels beside others that cannot be built here, several of one name, in branches of
the preprocessor, behind headers of CUDA's libraries."""

import re

import ml_dtypes
import numpy as np
import pytest

import gpunet.sim.cupy as xp
from gpunet import sim

MIXED = """\
#include <cuda_fp8.h>
#include <cublasLt.h>
#define ENABLE_BF16
#if defined(ENABLE_BF16)
typedef __nv_bfloat16 floatX;
#else
typedef float floatX;
#endif
#define SCALED(x) ((x) * factor_of())
struct Quantised { __nv_fp8_storage_t value; };
__device__ float factor_of() { return 2; }
__device__ float unused(Quantised* x) { return x->value; }
__global__ void quantise(__nv_fp8_storage_t* y) { y[threadIdx.x] = 0; }
__global__ void random(curandState* state) { curand_init(1, 2, 3, state); }
#ifdef ENABLE_FP16
__global__ void only_fp16(float* y) { y[threadIdx.x] = 2; }
#endif
__global__ void plain(floatX* out, const int* unknown) { out[threadIdx.x] = (floatX)SCALED(1.5f); }
namespace { __global__ void hidden(float* y) { y[threadIdx.x] = 3; } }
__global__ void fill(float* x) { x[threadIdx.x] = 1; }
__global__ void fill(const int value, int* __restrict__ x) { x[threadIdx.x] = value; }
template <typename T> __global__ void scale(T* x, T by) { x[threadIdx.x] *= by; }
template __global__ void scale<__nv_fp8_e4m3>(__nv_fp8_e4m3* x, __nv_fp8_e4m3 by);
"""


@pytest.fixture(scope="module")
def mixed():
    return sim.Module(MIXED, file="mixed.cu", name_expressions=("scale<float>",)).get_function


def test_a_kernel_is_built_without_what_others_need(mixed):
    out = xp.empty(8, ml_dtypes.bfloat16)
    mixed("plain")((1,), (8,), (out, None))
    assert out.tolist() == [3] * 8
    with pytest.raises(sim.CompileError) as error:  # and nothing of what follows from it
        mixed("quantise")((1,), (8,), (None,))
    assert re.fullmatch(r"mixed.cu:13:\d+: error: __nv_fp8_storage_t: floating point of 8 bits and fewer is not "
                        r"simulated in C\+\+: .*", str(error.value))
    with pytest.raises(sim.CompileError, match=r"mixed.cu:14:\d+: error: curandState: cuRAND"):
        mixed("random")((1,), (8,), (None,))


def test_the_preprocessor_leaves_a_kernel_out(mixed):
    with pytest.raises(sim.KernelError, match="only_fp16 is not compiled: a condition of the preprocessor"):
        mixed("only_fp16")((1,), (8,), (None,))


def test_several_kernels_of_one_name(mixed):
    x = xp.empty(8, np.int32)
    mixed("fill(int, int*)")((1,), (8,), (np.int32(5), x))
    assert x.tolist() == [5] * 8 and mixed("fill(int, int*)").parameter_names == ("value", "x")
    with pytest.raises(sim.KernelError, match=r"has 2 kernels fill; name one .* 'fill\(float\*\)', 'fill\(int, "):
        mixed("fill")((1,), (8,), (x,))


def test_unnamed_namespaces_and_templates(mixed):
    x = xp.empty(8, np.float32)
    mixed("hidden")((1,), (8,), (x,))
    mixed("scale<float>")((1,), (8,), (x, np.float32(2)))
    assert x.tolist() == [6] * 8


def test_the_checker_takes_types_from_the_compiled_kernel(mixed):
    assert not sim.check(mixed("plain"), 1, 8, (np.zeros(8, ml_dtypes.bfloat16), None))
    (finding,) = sim.check(mixed("plain"), 1, 4, (np.zeros(8, np.float32), None))
    assert finding.message == "plain: parameter '__nv_bfloat16* out': an array of float32 given"


HEADERS = """\
#include "ptx.cuh"
#include <cublas_v2.h>
#include <mma.h>
#include <cub/cub.cuh>
using namespace nvcuda;
using namespace cub;

__global__ void f(float* out) {
    extern float __shared__ s[];
    unsigned int volatile __shared__ flag;
    if (threadIdx.x == 0) flag = 1;
    s[threadIdx.x] = -INFINITY;
    __syncthreads();
    out[threadIdx.x] = fmaxf(s[31 - threadIdx.x], __bfloat162float(__nv_bfloat16(answer() + (float)flag)));
}
"""


def test_headers_and_declarations(tmp_path):
    (tmp_path / "ptx.cuh").write_text("__device__ inline int answer() { return 42; }\n")
    (tmp_path / "f.cu").write_text(HEADERS)
    out = xp.empty(32, np.float32)
    sim.load(tmp_path / "f.cu", "f")((1,), (32,), (out,), shared_mem=128)
    assert out.tolist() == [43] * 32


ATOMICS = """\
#include <cuda/atomic>
__global__ void f(int* out, int* parts, int* done) {
    __shared__ cuda::atomic<int, cuda::thread_scope_block> count;
    if (threadIdx.x == 0) count = 1;
    __syncthreads();
    count.fetch_add(2, cuda::memory_order_relaxed);
    count++;
    __syncthreads();
    if (threadIdx.x) return;
    parts[blockIdx.x] = count.load(cuda::std::memory_order_relaxed);
    cuda::atomic_ref<int, cuda::thread_scope_device> ticket(*done);
    int seen = 0;
    while (!ticket.compare_exchange_weak(seen, seen + 1, ORDER)) {}
    if (seen == gridDim.x - 1)
        for (int i = 0; i < gridDim.x; i++) out[i] = parts[i];
}
"""


def test_atomics_of_the_cpp_library():
    def check(order):
        out, parts, done = (np.zeros(size, np.int32) for size in (3, 3, 1))
        kernel = sim.Module(ATOMICS, options=(f"-DORDER=cuda::memory_order_{order}",)).get_function("f")
        return sim.check(kernel, 3, 64, (out, parts, done)), out.tolist()

    assert check("acq_rel") == ([], [1 + 3 * 64] * 3)
    ((race,), _) = check("relaxed")
    assert (race.kind, race.array, {race.line, race.other.line}) == ("race", "parts", {10, 15})


def test_brackets_that_two_branches_of_the_preprocessor_have():
    """Each branch opens or closes what the other does, within a kernel and around its end and its beginning."""
    module = sim.Module("""\
#ifdef DOUBLED
__global__ void first(int* x, int by) {
    by *= 2;
#else
__global__ void first(int* x, int by) {
#endif
    for (int i = 0; i < by; i++) {
        if (x[threadIdx.x] < 100) {
#if 0
            x[threadIdx.x] = 7; } }
#elif defined(DOUBLED)
            x[threadIdx.x] += 2;
        }
    }
#else
            x[threadIdx.x] += 1;
        }
    }
#endif
#ifdef DOUBLED
}
#else
    x[threadIdx.x] *= 10; }
#endif
__global__ void second(int* x) { __shared__ int s[4]; s[threadIdx.x] = 3; x[threadIdx.x] = s[threadIdx.x]; }
""", file="branches.cu")
    x = xp.zeros(4, np.int32)
    module.get_function("first")((1,), (4,), (x, 5))
    assert x.tolist() == [50] * 4
    module.get_function("second")((1,), (4,), (x,))
    assert x.tolist() == [3] * 4
