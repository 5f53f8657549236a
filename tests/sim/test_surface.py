"""What a kernel may use beside numbers: warps, groups, atomics, declarations, inline PTX; what is refused by name."""

import math

import ml_dtypes
import numpy as np
import pytest

import gpunet.sim.cupy as xp
from gpunet import sim

i32, u32, f32 = np.int32, np.uint32, np.float32
LANE = np.arange(32)


def run(code, *arguments, name="f", grid=1, block=32, shared=0, expressions=(), options=()):
    function = sim.Module(code=code, name_expressions=expressions, options=options).get_function(name)
    function((grid,), block if isinstance(block, tuple) else (block,), arguments, shared_mem=shared)


def check_lanes(table, headers=""):
    """`table`: (statements, expression, its value for each lane of a warp). At hand: `lane`, `all`, x = 100 + lane."""
    blocks = "".join(f"{{ {before}\nout[{32 * i} + lane] = {expression}; }}\n__syncwarp();\n"
                     for i, (before, expression, _) in enumerate(table))
    out = xp.empty((len(table), 32), i32)
    run(f"{headers}\n__global__ void f(int* out) {{ const unsigned lane = threadIdx.x, all = 0xffffffffu; "
        f"int x = 100 + lane;\n{blocks}}}", out)
    for (before, expression, want), got in zip(table, out.get(), strict=True):
        np.testing.assert_array_equal(got, np.broadcast_to(want, 32), err_msg=f"{before} {expression}")


# ---- warps -------------------------------------------------------------------------------------------------------
def test_shuffles_of_every_type():
    types = ("int", "unsigned", "long", "long long", "float", "unsigned long long", "double", "__half", "__nv_bfloat16",
             "char", "bool")
    check_lanes([("", f"(int)__shfl_xor_sync(all, ({c_type})(lane + 1), 3) == (int)({c_type})((lane ^ 3) + 1)", 1)
                 for c_type in types] +
                [("", "__shfl_sync(all, (1ll << 40) + lane, 2) == (1ll << 40) + 2", 1),
                 ("", "__shfl_sync(all, 1.0 / 3 + lane, 2) == 1.0 / 3 + 2", 1)],
                "#include <cuda_fp16.h>\n#include <cuda_bf16.h>")


def test_warp_functions():
    check_lanes([("", expression, want) for expression, want in [
        ("__shfl_sync(all, x, 35)", 103), ("__shfl_sync(all, x, 1, 8)", LANE // 8 * 8 + 101),
        ("__shfl_up_sync(all, x, 2, 16)", 100 + np.where(LANE % 16 < 2, LANE, LANE - 2)),
        ("__shfl_down_sync(all, x, 2, 16)", 100 + np.where(LANE % 16 > 13, LANE, LANE + 2)),
        ("__ballot_sync(all, lane % 3 == 0) == 0x49249249u", 1), ("__any_sync(all, lane == 31)", 1),
        ("__all_sync(all, lane < 31)", 0 * LANE),
        ("__match_any_sync(all, lane / 16) == (lane < 16 ? 0xffffu : 0xffff0000u)", 1),
        ("[&] { int same; unsigned m = __match_all_sync(all, 5ll, &same); return same && m == all; }()", 1),
        ("[&] { int same; unsigned m = __match_all_sync(all, lane, &same); return same + m; }()", 0 * LANE),
        ("__reduce_add_sync(all, x)", LANE.sum() + 3200), ("__reduce_min_sync(all, -x)", -131),
        ("__reduce_max_sync(all, lane == 3)", 1), ("__reduce_or_sync(all, 1u << lane) == all", 1),
        ("__reduce_xor_sync(all, lane)", 0 * LANE), ("__reduce_and_sync(all, lane | 4u)", 4),
        ("__popc(__activemask())", 32), ("(__syncwarp(), __syncwarp(all), 3)", 3),
        ("lane < 5 ? __popc(__activemask()) : 0", 5 * (LANE < 5)),
        ("[&] { __shared__ int kept; return __isShared(&kept) + 2 * __isGlobal(&kept) + 4 * __isGlobal(out) +"
         " 8 * __isShared(out); }()", 5),
        ("lane % 2 ? __reduce_add_sync(0xaaaaaaaau, 1) : __reduce_add_sync(0x55555555u, 2)",
         np.where(LANE % 2, 16, 32)),
    ]])  # fmt: skip


def test_lanes_in_a_branch_find_each_other():
    """One atomic for all the lanes that happen to be in a branch together, again and again in a loop."""
    out = xp.zeros(3, i32)
    run("""__global__ void f(int* out) {
        for (int i = threadIdx.x % 4; i < 4; i++) {
            if (i == 2) continue;
            unsigned active = __activemask();
            int leader = __ffs(active) - 1, before = 0;
            if (threadIdx.x == leader) before = atomicAdd(&out[0], __popc(active)), atomicAdd(&out[1], 1);
            before = __shfl_sync(active, before, leader) + __popc(active & ((1u << threadIdx.x) - 1));
            atomicAdd(&out[2], before);
        }
    }""", out)
    total, leaders, places = out.get().tolist()
    assert total == 8 + 16 + 32 and places == total * (total - 1) // 2 and leaders < total


# ---- cooperative groups ------------------------------------------------------------------------------------------
CG = """#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cooperative_groups/scan.h>
namespace cg = cooperative_groups;"""
TILE = "auto tile = cg::tiled_partition<8>(cg::this_thread_block());"
RANK = LANE % 8


def test_cooperative_groups():
    check_lanes([(before, expression, want) for expression, before, want in [
        ("tile.thread_rank() * 1000 + tile.meta_group_rank() * 10 + tile.meta_group_size()",
         TILE, RANK * 1000 + LANE // 8 * 10 + 4),
        ("tile.size() + tile.num_threads()", TILE, 16), ("tile.shfl(x, 9)", TILE, 101 + LANE // 8 * 8),
        ("tile.shfl_up(x, 1)", TILE, 100 + np.where(RANK, LANE - 1, LANE)),
        ("tile.shfl_xor(x, 1)", TILE, 100 + (LANE ^ 1)),
        ("tile.shfl_down(x, 3)", TILE, 100 + np.where(RANK < 5, LANE + 3, LANE)),
        ("tile.ballot(lane % 8 > 5)", TILE, 0xc0),
        ("tile.any(lane == 9)", TILE, LANE // 8 == 1), ("tile.all(lane > 7)", TILE, LANE > 7),
        ("tile.match_any(lane % 2)", TILE, np.where(LANE % 2, 0xaa, 0x55)),
        ("cg::reduce(tile, x, cg::plus<int>())", TILE, np.repeat((100 + LANE).reshape(4, 8).sum(1), 8)),
        ("cg::reduce(tile, x, cg::greater<int>())", TILE, 107 + LANE // 8 * 8),
        ("cg::reduce(tile, make_int2(1, lane), [](int2 a, int2 b) { return make_int2(a.x + b.x, a.y + b.y); }).x",
         TILE, 8),
        ("cg::inclusive_scan(tile, 2)", TILE, 2 * RANK + 2),
        ("cg::exclusive_scan(tile, 2, cg::plus<int>())", TILE, 2 * RANK),
        ("tile.meta_group_rank() * 10 + tile.meta_group_size()",
         "auto tile = cg::tiled_partition<4>(cg::tiled_partition<16>(cg::this_thread_block()));",
          LANE % 16 // 4 * 10 + 4),
        ("group.size() * 100 + group.thread_rank()",
         "cg::thread_group group = cg::tiled_partition(cg::this_thread_block(), 8); group.sync();", 800 + RANK),
        ("block.size() + block.thread_rank() + block.group_index().x + block.thread_index().x",
         "auto block = cg::this_thread_block(); block.sync(); cg::sync(block);", 32 + 2 * LANE),
        ("part.size() * 100 + part.thread_rank()",
         "auto part = cg::labeled_partition(cg::coalesced_threads(), lane % 3);",
         np.where(LANE % 3 == 2, 10, 11) * 100 + LANE // 3),
        ("cg::reduce(part, 1, cg::plus<int>()) + part.meta_group_size()",
         TILE + "auto part = cg::binary_partition(tile, lane % 8 < 3);",
         np.where(RANK < 3, 3, 5) + 2),
        ("called", TILE + "int called = 0; cg::invoke_one(tile, [&](int by) { called += by; }, 3);", 3 * (RANK == 0)),
        ("cg::this_grid().thread_rank() + cg::this_grid().size() + cg::this_grid().num_blocks()", "", LANE + 33),
        ("lane % 4 == 1 ? [&] { auto g = cg::coalesced_threads(); "
         "return g.size() * 100 + g.shfl(lane, 2) + g.thread_rank(); }() : 0",
         "", np.where(LANE % 4 == 1, 809 + LANE // 4, 0)),
    ]], CG)  # fmt: skip


def test_copies_by_a_group():
    x, out = np.arange(100, dtype=f32), xp.empty(100, f32)
    run(CG + """
        #include <cooperative_groups/memcpy_async.h>
        __global__ void f(float* out, const float* x) {
            __shared__ float kept[100];
            auto block = cg::this_thread_block();
            cg::memcpy_async(block, kept, x, sizeof(kept));
            cg::wait(block);
            for (int i = threadIdx.x; i < 100; i += 32) out[i] = kept[99 - i];
        }""", out, xp.asarray(x))
    np.testing.assert_array_equal(out.get(), x[::-1])


def test_pipeline_primitives():
    x, out = np.arange(64, dtype=f32), xp.empty(64, f32)
    run("""#include <cuda_pipeline.h>
        __global__ void f(float2* out, const float2* x) {
            __shared__ float2 kept[32];
            __pipeline_memcpy_async(&kept[threadIdx.x], &x[threadIdx.x], sizeof(float2), threadIdx.x == 3 ? 8 : 0);
            __pipeline_commit();
            __pipeline_wait_prior(0);
            out[threadIdx.x] = kept[threadIdx.x];
        }""", out, xp.asarray(x))
    x[6:8] = 0
    np.testing.assert_array_equal(out.get(), x)


# ---- atomics -----------------------------------------------------------------------------------------------------
ATOMICS = [
    ("int", i32, 5, "atomicAdd(p, i)", 5 + 496), ("unsigned", u32, 1000, "atomicSub(p, i)", 1000 - 496),
    ("unsigned long long", np.uint64, 2**40, "atomicAdd(p, i)", 2**40 + 496),
    ("float", f32, 1, "atomicAdd_system(p, i)", 497),
    ("double", np.float64, 1, "atomicAdd(p, 0.5)", 17), ("__half", np.float16, 1, "atomicAdd(p, __half(1))", 33),
    ("__nv_bfloat16", ml_dtypes.bfloat16, 1, "atomicAdd(p, __nv_bfloat16(1))", 33),
    ("int", i32, 7, "atomicMin(p, -i)", -31), ("int", i32, -7, "atomicMax_block(p, i - 9)", 22),
    ("unsigned", u32, 3, "atomicMax(p, 0x80000000u + i)", 0x8000001f),
    ("long long", np.int64, 0, "atomicMin(p, -1ll - i)", -32),
    ("unsigned long long", np.uint64, 0, "atomicMax(p, 1ull << i)", 1 << 31),
    ("unsigned", u32, 0, "atomicInc(p, 4)", 32 % 5), ("unsigned", u32, 2, "atomicDec(p, 4)", 0),
    ("unsigned", u32, 0, "atomicOr(p, 1u << i)", 2**32 - 1), ("int", i32, -1, "atomicAnd(p, ~(1 << i % 8))", -256),
    ("unsigned long long", np.uint64, 0, "atomicXor(p, 3ull << i)", 1 | 1 << 32),
    ("float", f32, 0, "atomicExch(p, 2.5f)", 2.5),
    ("int", i32, 0, "atomicCAS(p, i, i + 1)", 32),
    ("unsigned short", np.uint16, 9, "atomicCAS(p, (unsigned short)9, (unsigned short)4)", 4),
    ("float", f32, -3, "float_max((int*)p, i)", 31),
    ("double", np.float64, 1, "double_add((unsigned long long*)p, 2.0)", 65),
]  # fmt: skip


def test_atomics():
    kernels = "\n".join(f"__global__ void f{n}({c_type}* p) {{ int i = threadIdx.x; {operation}; }}"
                        for n, (c_type, _, _, operation, _) in enumerate(ATOMICS))
    module = sim.Module(code="#include <cuda_fp16.h>\n#include <cuda_bf16.h>\n" + """
        __device__ void float_max(int* p, float v) {
            int old = *p, assumed;
            do {
                assumed = old;
                old = atomicCAS(p, assumed, __float_as_int(fmaxf(v, __int_as_float(assumed))));
            } while (old != assumed);
        }
        __device__ void double_add(unsigned long long* p, double v) {
            unsigned long long old = *p, assumed;
            do assumed = old, old = atomicCAS(p, assumed, __double_as_longlong(v + __longlong_as_double(assumed)));
            while (assumed != old);
        }
    """ + kernels)
    for n, (_, dtype, start, operation, want) in enumerate(ATOMICS):
        value = xp.asarray(np.array([start], dtype))
        module.get_function(f"f{n}")((1,), (32,), (value,))
        assert value.get()[0] == np.array(want, dtype), operation


def test_atomics_on_pairs():
    h, b, v = xp.zeros(2, np.float16), xp.zeros(2, ml_dtypes.bfloat16), xp.zeros(4, f32)
    run("""#include <cuda_fp16.h>
        #include <cuda_bf16.h>
        __global__ void f(__half2* h, __nv_bfloat162* b, float4* v) {
            atomicAdd(h, __floats2half2_rn(1, 2)), atomicAdd(b, __floats2bfloat162_rn(1, 2));
            atomicAdd((float2*)v, make_float2(1, 2)), atomicAdd(v, make_float4(1, 2, 3, 4));
        }""", h, b, v)
    assert h.tolist() == b.tolist() == [32, 64] and v.tolist() == [64, 128, 96, 128]


# ---- declarations ------------------------------------------------------------------------------------------------
def test_declarations_of_shared_memory():
    out = xp.empty(8, i32)
    run("""
        struct Pair { float a; int b[3]; };
        extern __shared__ __align__(16) unsigned char raw[];
        __device__ int of_raw(int i) { return raw[i]; }
        template <typename T> __device__ T* typed() { extern __shared__ T elements[]; return elements; }
        template <int N, typename T> __device__ T sum(T x) {
            __shared__ T kept[N];
            kept[threadIdx.x % N] = x;
            __syncthreads();
            T total = 0;
            for (int i = 0; i < N; i++) total += kept[i];
            return total;
        }
        __global__ void f(int* out) {
            __shared__ float matrix[4][5], vector[3], *pointer;
            __shared__ Pair pairs[2];
            alignas(128) __shared__ int aligned;
            __shared__ __align__(64) volatile int flag;
            static __shared__ union { float f; unsigned u; } both;
            __shared__ struct Named { int x, y; } named;
            extern __shared__ int rows[][4];
            if (threadIdx.x == 0) {
                for (int i = 0; i < 32; i++) raw[i] = i;
                matrix[3][4] = 1, vector[2] = 2, pointer = vector, pairs[1].b[2] = 3, aligned = 4, flag = 5, both.f = 1;
                named.y = 6;
            }
            __syncthreads();
            if (threadIdx.x) return;
            out[0] = matrix[3][4] + pointer[2] + pairs[1].b[2] + aligned + flag + named.y;
            out[1] = both.u >> 23, out[2] = of_raw(7), out[3] = typed<short>()[1] == 0x302, out[4] = rows[1] - rows[0];
            out[5] = (size_t)&aligned % 128 == 0 && (size_t)&flag % 64 == 0, out[6] = sizeof(named);
            out[7] = 0;
        }
        __global__ void g(int* out) { out[threadIdx.x] = sum<8>(threadIdx.x) + (int)sum<4>(0.5f); }""",
         out, shared=64, block=32)
    assert out.tolist() == [21, 127, 7, 1, 4, 1, 8, 0]


def test_constant_and_device_variables_templates_and_functors():
    out = xp.empty(8, i32)
    run("""
        #define SCALE 3
        __constant__ int table[4] = {1, 2, 3, 4};
        __device__ int counter;
        __device__ __managed__ int other = 5;
        namespace deep { namespace inside { static __device__ __forceinline__ int twice(int x) { return 2 * x; } } }
        struct Add { int by; __host__ __device__ int operator()(int x) const { return x + by; } };
        template <typename F, int... I> __device__ int apply(F f, int x) { return (f(x) + ... + I); }
        __device__ __noinline__ int fibonacci(int n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }
        template <bool B> __global__ void __launch_bounds__(64, 2) g(int* __restrict__ out, const int n) {
            if constexpr (B) out[0] = n;
        }
        __device__ constexpr int square(int x) { return x * x; }
        extern "C" __global__ void f(int* __restrict__ out) {
            int local[8];
            #pragma unroll 4
            for (int i = 0; i < 8; i++) local[i] = i;
            __builtin_assume(threadIdx.x < 64);
            auto twice = [=] __device__ (int x) { return 2 * x; };
            if (threadIdx.x == 0) counter = 0;
            __syncthreads();
            atomicAdd(&counter, table[threadIdx.x % 4]);
            __syncthreads();
            if (threadIdx.x) return;
            out[0] = counter, out[1] = apply<Add, 1, 2>(Add{4}, 10), out[2] = fibonacci(10), out[3] = local[7];
            out[4] = twice(4) + deep::inside::twice(1), out[5] = square(SCALE), out[6] = other;
            out[7] = clock64() > 0 && __nv_isnan_free();
        }""".replace(" && __nv_isnan_free()", ""), out)
    assert out.tolist() == [80, 17, 55, 7, 10, 9, 5, 1]


def test_macros_do_not_reach_into_the_simulators_headers():
    out = xp.empty(1, i32)
    run("""#define H 4
        #define Site 5
        #define lane 6
        #include <cuda_fp16.h>
        #include "ptx.cuh"
        __global__ void f(int* out) { *out = H + Site + lane + N + (int)sizeof(T) + VALUE; }""", out, block=1,
        options=("-DN=7", "-DT=double", "-D", "VALUE"))
    assert out.item() == 4 + 5 + 6 + 7 + 8 + 1


def test_printf_goes_to_the_output(capfd):
    run('__global__ void f(float x) { if (threadIdx.x < 2) printf("%d of %f\\n", threadIdx.x, x); }', f32(0.5))
    assert capfd.readouterr().out == "0 of 0.500000\n1 of 0.500000\n"


# ---- whole programs ----------------------------------------------------------------------------------------------
def test_the_program_around_a_kernel_is_left_out():
    out = xp.empty(32, f32)
    run("""
        #include <cuda_runtime.h>
        #include <iostream>
        #include <vector>
        #include <cublas_v2.h>
        #define CHECK(call) do { cudaError_t e = (call); if (e) { std::cerr << "failed"; exit(1); } } while (0)
        using namespace std;
        class Timer {
            cudaEvent_t start;
          public:
            Timer() { cudaEventCreate(&start); }
        };
        static cublasHandle_t handle;
        std::vector<float> kept;
        __device__ float half_of(float x) { return x * 0.5f + 0 * FLT_MAX; }
        float plain(float x) { return x + 1; }
        __global__ void f(float* out) { out[threadIdx.x] = fminf(half_of(threadIdx.x), M_PI); }
        template <typename T>
        void launch(T* out, int n) {
            f<<<(n + 31) / 32, 32>>>(out);
            CHECK(cudaGetLastError());
        }
        template void launch<float>(float*, int);
        void outer() { launch<float>(nullptr, 1); }
        int main(int argc, char** argv) {
            Timer timer;
            if (argc > 1) { std::cout << "usage: }" << std::endl; }
            float* d; CHECK(cudaMalloc(&d, 4));
            outer();
        #ifdef SOMETHING
            return 1;
        #endif
            return 0;
        }
        PYBIND11_MODULE(name, m) { m.def("launch", &outer); }
    """, out)
    np.testing.assert_array_equal(out.get(), np.minimum(LANE / 2, f32(math.pi)))


PTX = {
    'unsigned r; asm("mov.u32 %0, %%laneid;" : "=r"(r));': LANE,
    'unsigned r; asm volatile ("mov.u32 %0, %lanemask_lt;" : "=r"(r)); r = __popc(r);': LANE,
    'int r; asm("lop3.b32 %0, %1, %2, %3, 0xe8;" : "=r"(r) : "r"(x), "r"(x), "n"(0));': 100 + LANE,
    'unsigned q; asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(q) : "f"(1.00048828125f)); int r = q - 0x3f800000u;': 0x2000,
    'float q; asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(q) : "f"(3.0f)); int r = q;': 8,
    'int4 q; asm volatile("ld.global.nc.L1::no_allocate.v4.s32 {%0, %1, %2, %3}, [%4];\\n" : "=r"(q.x), "=r"(q.y), '
    '"=r"(q.z), "=r"(q.w) : "l"(table)); int r = q.w;': 4,
    '__shared__ int kept[32]; unsigned a; asm("{ .reg .u64 p; cvta.to.shared.u64 p, %1;\\n\\t cvt.u32.u64 %0, p; }\\n" '
    ': "=r"(a) : "l"(kept + lane)); asm volatile("st.shared.b32 [%0], %1;" :: "r"(a), "r"(x) : "memory"); '
    'asm volatile("bar.sync 0;"); int r = kept[31 - lane];': 131 - LANE,
    '__shared__ float4 kept[32]; unsigned a = (unsigned)__cvta_generic_to_shared(&kept[lane]); '
    'asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], %2;\\n" :: "r"(a), "l"(table), "n"(16)); '
    'asm volatile("cp.async.commit_group;\\n"); asm volatile("cp.async.wait_group %0;\\n" ::"n"(0)); '
    "int r = __float_as_int(kept[lane].z);": 3,
    'int r; asm("mad.lo.s32 %0, %1, 3, %2;" : "=r"(r) : "r"(x), "r"(-7)); asm("sub.s32 %0, %0, 2;" : "+r"(r));':
        (100 + LANE) * 3 - 9,
    'int r; asm("mul.lo.u32 %0, %1, %2;" : "=r"(r) : "r"(x), "r"(0x10001));': (100 + LANE) * 0x10001,
    'long long q; asm("mul.wide.s32 %0, %1, %2;" : "=l"(q) : "r"(-x), "r"(1 << 30)); int r = q >> 30;': -100 - LANE,
    'unsigned r; asm("bfe.u32 %0, %1, 2, 5;" : "=r"(r) : "r"(x)); unsigned s; '
    'asm("shl.b32 %0, %1, %2;" : "=r"(s) : "r"(r), "r"(2)); asm("or.b32 %0, %1, 1;" : "=r"(r) : "r"(s));':
        (100 + LANE >> 2) % 32 * 4 | 1,
    'int r; asm("bfe.s32 %0, %1, 0, 3;" : "=r"(r) : "r"(x));': (LANE + 4) % 8 - (LANE + 4) % 8 // 4 * 8,
    'int r; asm("min.s32 %0, %1, %2;" : "=r"(r) : "r"(x), "r"(110)); asm("max.s32 %0, %0, 104;" : "+r"(r));':
        np.clip(100 + LANE, 104, 110),
    'float q; asm("add.rn.f32 %0, %1, %2;" : "=f"(q) : "f"(1.5f), "f"(2.0f)); int r = 2 * q;': 7,
    'int r; asm volatile("shfl.sync.bfly.b32 %0, %1, %2, 0x1f, 0xffffffff;" : "=r"(r) : "r"(x), "r"(1));':
        100 + (LANE ^ 1),
    'int r; asm volatile("shfl.sync.down.b32 %0, %1, %2, %3, -1;" : "=r"(r) : "r"(x), "r"(1), "r"(0x181f));':
        100 + np.where(LANE % 8 == 7, LANE, LANE + 1),
    'unsigned q; asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(q) : "f"(2.0f), "f"(1.0f)); int r = q;': 0x40003F80,
    'unsigned q; asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(q) : "f"(2.0f), "f"(1.0f)); '
    'asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(q) : "r"(q), "r"(q), "r"(q)); int r = q;': 0x46004000,
    'unsigned a, b; asm("mov.b64 {%0, %1}, %2;" : "=r"(a), "=r"(b) : "l"(x + (5ll << 32))); unsigned long long q; '
    'asm("mov.b64 %0, {%1, %2};" : "=l"(q) : "r"(b), "r"(a)); int r = (q >> 32) - (q & 0xff);': 95 + LANE,
    'unsigned r = 0; if (lane == 0) asm volatile("red.global.add.u32 [%0], 3;" :: "l"(sums) : "memory"); __syncwarp(); '
    'if (lane == 1) asm volatile("atom.relaxed.gpu.global.max.s32 %0, [%1], %2;" : "=r"(r) : "l"(sums), "r"(9)); '
    '__syncwarp(); unsigned now; asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(now) : "l"(sums)); '
    'r = now + (lane == 1 ? r : 3); __syncwarp(); '
    'if (lane == 2) asm volatile("st.release.gpu.global.u32 [%0], %1;" :: "l"(sums), "r"(0) : "memory"); '
    '__syncwarp();': 12,
}  # fmt: skip


def test_common_inline_ptx():
    check_lanes([(code, "r", want) for code, want in PTX.items()],
                "__device__ __align__(16) int table[4] = {1, 2, 3, 4}; __device__ unsigned sums[1] = {0};")


@pytest.mark.parametrize("sums", ["f32", "f16"])
def test_inline_tensor_core_products(sums):
    """One product by ldmatrix and mma.sync in macros, as many public kernels write it."""
    random = np.random.default_rng(0)
    a, b = random.standard_normal((16, 16)).astype(np.float16), random.standard_normal((16, 8)).astype(np.float16)
    out = xp.empty((16, 8), f32)
    registers, constraint, sum_type = (4, "f", "float") if sums == "f32" else (2, "r", "unsigned")
    d = ", ".join(f'"={constraint}"(d[{i}])' for i in range(registers))
    c = ", ".join(f'"{constraint}"(zero)' for i in range(registers))
    places = [", ".join(f"%{i}" for i in range(*between)) for between in
              ((0, registers), (registers, registers + 4), (registers + 4, registers + 6),
              (registers + 6, 2 * registers + 6))]
    run(r"""#include <cuda_fp16.h>
        #define LDMATRIX_X4(R0, R1, R2, R3, addr) \
            asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n" \
                         : "=r"(R0), "=r"(R1), "=r"(R2), "=r"(R3) : "r"(addr))
        #define LDMATRIX_X2_T(R0, R1, addr) \
            asm volatile("ldmatrix.sync.aligned.x2.trans.m8n8.shared.b16 {%0, %1}, [%2];\n" \
                         : "=r"(R0), "=r"(R1) : "r"(addr))
        __global__ void f(float* out, const half* a, const half* b) {
            __shared__ half as[256], bs[128];
            int lane = threadIdx.x;
            for (int i = lane; i < 256; i += 32) as[i] = a[i];
            for (int i = lane; i < 128; i += 32) bs[i] = b[i];
            __syncwarp();
            uint32_t RA[4], RB[2];
            LDMATRIX_X4(RA[0], RA[1], RA[2], RA[3],
            (uint32_t)__cvta_generic_to_shared(as + lane % 16 * 16 + lane / 16 * 8));
            LDMATRIX_X2_T(RB[0], RB[1], (uint32_t)__cvta_generic_to_shared(bs + lane % 16 * 8));
            SUM d[4], zero = 0;
            asm volatile("mma.sync.aligned.m16n8k16.row.col.SUMS.f16.f16.SUMS "
                         "{P0}, {P1}, {P2}, {P3};\n"
                         : D : "r"(RA[0]), "r"(RA[1]), "r"(RA[2]), "r"(RA[3]), "r"(RB[0]), "r"(RB[1]), C);
            const half* h = reinterpret_cast<const half*>(d);
            for (int i = 0; i < 4; i++)
                out[(lane / 4 + i / 2 * 8) * 8 + lane % 4 * 2 + i % 2] = REGISTERS == 4 ? (float)d[i] : (float)h[i];
        }""".replace("SUMS", sums).replace("SUM", sum_type).replace(" D ", f" {d} ").replace(" C)", f" {c})")
        .replace("REGISTERS", str(registers))
        .replace("P0", places[0]).replace("P1", places[1]).replace("P2", places[2]).replace("P3", places[3]),
        out, xp.asarray(a), xp.asarray(b))
    np.testing.assert_allclose(out.get(), a.astype(f32) @ b.astype(f32), atol=1e-4 if sums == "f32" else 1e-2)


# ---- what is refused ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("code, message", [
    ("#include <cub/cub.cuh>\n__global__ void f(int* x) {\n typedef cub::BlockReduce<int, 128> Reduce; }",
     r"cu:3:\d+: error: (#error )?cub::BlockReduce: this library is not simulated in C\+\+: .*--engine ptx"),
    ("#include <thrust/sort.h>\n__global__ void f(int* x) { thrust::sort(thrust::seq, x, x + 9); }", "thrust::sort"),
    ("#include <cuda/barrier>\n__global__ void f() {\n __shared__ cuda::barrier<cuda::thread_scope_block> b; }",
     r"cu:3:\d+: error: cuda::barrier: of the CUDA C\+\+ library"),
    ("#include <mma.h>\nusing namespace nvcuda;\n__global__ void f() {\n wmma::fragment<wmma::accumulator> c; }",
     r"cu:4:\d+: error: wmma::fragment: wmma fragments are not simulated in C\+\+: .*--engine ptx.*or use ldmatrix"),
    ("#include <curand_kernel.h>\n__global__ void f(curandState* s) {}", "curandState: cuRAND"),
    ("#include <cuda_fp8.h>\n__global__ void f(__nv_fp8_e4m3* x) {}", "__nv_fp8_e4m3: floating point of 8 bits"),
    ("__global__ void f(float* x) {\n *x = tex2D<float>(0, 1, 2); }", r":2:\d+: error: tex2D: textures"),
    ("__global__ void f(cudaTextureObject_t t) {}", "cudaTextureObject_t: textures"),
    ("__global__ void g() {}\n__global__ void f(int* x) {\n g<<<1, 1>>>(); }",
     r":3:\d+: error: <<<: a launch in device code"),
    ("__global__ void f(int* x) {\n\n cudaMalloc(&x, 4); }", r":3:\d+: error: cudaMalloc: the CUDA runtime cannot"),
    ("__global__ void __cluster_dims__(2, 1, 1) f(int* x) {}", "__cluster_dims__: thread block clusters"),
    ("#include <cooperative_groups.h>\n__global__ void f() { auto c = cooperative_groups::this_cluster(); }",
     "this_cluster: thread"),
    ("#include <cooperative_groups.h>\nnamespace cg = cooperative_groups;\n"
     "__global__ void f() { auto t = cg::tiled_partition<64>(cg::this_thread_block()); }",
     r"^kernel\.cu:3:\d+: error: static assertion failed: tiles of more than a warp"),
    ("__global__ void f(int* x) { *x = __shfl(*x, 0); }", "__shfl: CUDA has removed"),
    ("__global__ void f(int* x) {\n asm(\"red.global.add.noftz.f16x2 [%0], %1;\" :: \"l\"(x), \"r\"(1)); }",
     r":2:\d+: error: asm: inline PTX \(red.global.add.noftz.f16x2\).*atomicAdd"),
    ("__global__ void f(int* x) { asm volatile(\"wgmma.fence.sync.aligned;\"); }", r"wgmma_\* of wgmma.cuh"),
    ("__shared__ int x[4];\n__global__ void f() {}", "a __shared__ variable outside of a function"),
    ("__global__ void f(long long* x) { atomicAdd(x, 1ll); }", "atomicAdd: CUDA has no such operation"),
    ("struct S { int a[3]; }; __global__ void f(S* s) { *s = __shfl_sync(~0u, *s, 0); }",
     "CUDA shuffles numbers, not structures"),
])  # fmt: skip
def test_refused_by_name(code, message):
    with pytest.raises(sim.CompileError, match=message):
        sim.Module(code=code).compile()


def test_macros_around_calls_of_the_runtime_are_the_programs_own():
    module = sim.Module("""
        #define cudaCheck(err) (cuda_check(err, __FILE__, __LINE__))
        void cuda_check(cudaError_t error, const char* file, int line) { if (error != cudaSuccess) exit(1); }
        __global__ void two(float* x) { x[threadIdx.x] = 2; }
        void launch(float* x) { two<<<1, 32>>>(x); cudaCheck(cudaGetLastError()); }
    """)
    x = xp.zeros(32, np.float32)
    module.get_function("two")((1,), (32,), (x,))
    assert (x.get() == 2).all()
