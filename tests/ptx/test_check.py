"""The checker on PTX: raw PTX with and without lines of a source, and kernels that NVRTC compiles."""

import json
import re

import numpy as np
import pytest
from click.testing import CliRunner

from gpunet import ptx
from gpunet.cli import main
from gpunet.ptx.arena import Extent
from gpunet.ptx.places import GAP
from tests.checker import test_other_data, test_other_sizes

HEAD = ".version 8.0\n.target sm_80\n.address_size 64\n"
REVERSED = HEAD + """.visible .entry reversed(.param .u64 y, .param .u64 x)
{
  .reg .b32 %r<6>; .reg .b64 %rd<6>; .reg .f32 %f<3>;
  .shared .align 4 .b8 tile[256];
  ld.param.u64 %rd1, [y];
  ld.param.u64 %rd2, [x];
  mov.u32 %r1, %tid.x;
  mul.wide.u32 %rd3, %r1, 4;
  add.s64 %rd4, %rd2, %rd3;
  ld.global.f32 %f1, [%rd4];
  shl.b32 %r2, %r1, 2;
  mov.u32 %r3, tile;
  add.s32 %r4, %r3, %r2;
  .loc 1 3 5
  st.shared.f32 [%r4], %f1;
  sub.s32 %r5, 252, %r2;
  add.s32 %r5, %r3, %r5;
  @BARRIER@
  .loc 1 4 5
  ld.shared.f32 %f2, [%r5];
  add.s64 %rd5, %rd1, %rd3;
  st.global.f32 [%rd5], %f2;
  ret;
}
.file 1 "reverse.py"
"""
SOURCE = {"reverse.py": "def reverse(y, x):\n    # by a tile\n    tile[t] = x[t]\n    y[t] = tile[63 - t]\n"}


def reversed_of(barrier=""):
    y, x = ptx.uninitialised(64), np.arange(64, dtype=np.float32)
    kernel = ptx.Kernel(REVERSED.replace("@BARRIER@", barrier))
    return ptx.check(kernel, 1, 64, (y, x), names=["y", "x"], sources=SOURCE), y


def test_a_race_is_told_by_the_lines_of_whatever_source_the_ptx_names():
    found, _ = reversed_of()
    race = next(each for each in found if each.kind == "race")
    assert {(each.file, each.line, each.source) for each in (race, race.other)} == {
        ("reverse.py", 3, "tile[t] = x[t]"), ("reverse.py", 4, "y[t] = tile[63 - t]")}
    assert race.array == "tile" and race.message.startswith("a write and another thread's read")
    assert "no barrier lies between them" in race.message


def test_with_the_barrier_nothing_is_found():
    found, y = reversed_of("bar.sync 0;")
    assert not found
    assert (y == np.arange(63, -1, -1)).all()


def body(text, *args, grid=1, block=32, before="", **more):
    """What is found in a body with the parameters p0, p1, ... of 64 bits."""
    names = ", ".join(f".param .u64 p{number}" for number in range(len(args)))
    kernel = ptx.Kernel(f"{HEAD}{before}\n.visible .entry body({names})\n{{\n{text}\n}}\n")
    return ptx.check(kernel, grid, block, args, **more)


ADDRESS = """.reg .b64 %a<4>; .reg .b32 %r<6>; .reg .pred %p<4>; ld.param.u64 %a0, [p0]; mov.u32 %r0, %tid.x;
mul.wide.u32 %a1, %r0, 4; add.s64 %a2, %a0, %a1;"""
SHARED = ".shared .align 16 .b8 tile[128];"


@pytest.mark.parametrize("text, kind, more", [
    (f"{ADDRESS} st.global.u32 [%a2+4], %r0; ret;", "out of bounds", {}),
    (f"{ADDRESS} ld.global.u32 %r1, [%a2+-4]; st.global.u32 [%a2], %r1; ret;", "out of bounds", {}),
    (f"{ADDRESS} ld.global.u32 %r1, [%a2]; st.global.u32 [%a2], %r1; ret;", "uninitialised", {}),
    (f"{ADDRESS} add.s64 %a2, %a2, 2; st.global.u32 [%a2], %r0; ret;", "misaligned", {}),
    (f"{ADDRESS} mov.u64 %a0, 8; ld.global.u32 %r1, [%a0]; st.global.u32 [%a2], %r1; ret;", "out of bounds", {}),
    (f"{ADDRESS} st.global.u32 [%a0], %r0; ret;", "race", {}),
    (f"{ADDRESS} st.global.u32 [%a2], %r0; ret;", "race", {"grid": 2}),
    (f"{ADDRESS} setp.lt.u32 %p0, %r0, 16; @%p0 bra on; st.global.u32 [%a2], %r0; on: ret;", "unwritten", {}),
    (f"{ADDRESS} setp.lt.u32 %p0, %r0, 16; @%p0 ret; bar.sync 0; st.global.u32 [%a2], %r0; ret;",
     "divergent barrier", {}),
    (f"{ADDRESS} setp.lt.u32 %p0, %r0, 16; @%p0 bra on; shfl.sync.down.b32 %r0, %r0, 1, 31, -1;"
     " on: st.global.u32 [%a2], %r0; ret;", "mask", {}),
    (f"{SHARED} {ADDRESS} mov.u32 %r1, tile; shl.b32 %r2, %r0, 2; add.s32 %r3, %r1, %r2; st.shared.u32 [%r3+4], %r0;"
     " st.global.u32 [%a2], %r0; ret;", "out of bounds", {}),
    (f"{SHARED} {ADDRESS} mov.u32 %r1, tile; cp.async.ca.shared.global [%r1], [%a0], 4; st.global.u32 [%a2], %r0; ret;",
     "async copy", {}),
    (f"{ADDRESS} setp.eq.u32 %p0, %r0, 99; @%p0 bar.arrive 1, 64; bar.sync 1, 64; st.global.u32 [%a2], %r0; ret;",
     "deadlock", {}),
    (f"{ADDRESS} loop: ld.volatile.global.u32 %r1, [%a0]; setp.ne.u32 %p0, %r1, 7; @%p0 bra loop; ret;", "deadlock",
     {}),
    (f"{ADDRESS} loop: add.s32 %r1, %r1, 1; setp.ne.u32 %p0, %r1, -1; @%p0 bra loop; ret;", "time-out",
     {"timeout": 0.05}),
    (f"{ADDRESS} trap;", "assertion", {}),
    (f"{ADDRESS} st.global.u32 [%a2], %r0; ret;", "limit", {"block": 2048}),
])
def test_a_mistake_of_each_kind(text, kind, more):
    found = body(text, ptx.uninitialised(32, np.int32), **more)
    assert kind in {each.kind for each in found}, found


def test_atomics_and_a_fence_order_blocks():
    """The last block to come adds what the others have left; without the fence it is a race."""
    text = ADDRESS + """.reg .b64 %b<4>; ld.param.u64 %b0, [p1]; mov.u32 %r1, %ctaid.x;
    mul.wide.u32 %b1, %r1, 4; add.s64 %b1, %a0, %b1; st.global.u32 [%b1], %r1; @FENCE@
    atom.global.add.u32 %r2, [%b0], 1; setp.ne.u32 %p0, %r2, 3; @%p0 ret;
    ld.global.u32 %r3, [%a0]; ld.global.u32 %r4, [%a0+4]; add.s32 %r3, %r3, %r4; st.global.u32 [%a0+16], %r3; ret;"""

    def found(fence):
        return body(text.replace("@FENCE@", fence), ptx.uninitialised(5, np.int32), np.zeros(1, np.int32), grid=4,
                    block=1)

    assert not found("membar.gl;")
    assert {each.kind for each in found("")} == {"race"}


def test_lanes_that_write_the_same_after_one_of_them_has_fenced():
    text = ADDRESS + """setp.ne.u32 %p0, %r0, 0; @%p0 bra on; membar.gl; st.volatile.global.u32 [%a0+4], %r0;
    on: bar.warp.sync -1; mov.u32 %r1, @VALUE@; st.global.u32 [%a0], %r1; ret;"""

    def races(value):
        return [(each.severity, "the same value" in each.message) for each in
                body(text.replace("@VALUE@", value), np.zeros(2, np.int32)) if each.kind == "race"]

    assert races("7") == [("warning", True)] and races("%r0") == [("error", False)]


@pytest.mark.parametrize("first", ["", "!"])
def test_half_a_warp_at_each_of_two_barriers(first):
    """Whichever half of it comes last."""
    text = ADDRESS + f"""setp.lt.u32 %p0, %r0, 16; @{first}%p0 bra other; bar.sync 0; bra join;
    other: bar.sync 0; join: st.global.u32 [%a2], %r0; ret;"""
    found, = body(text, np.zeros(32, np.int32))
    assert found.kind == "divergent barrier" and found.other is not None and found.line != found.other.line


@pytest.mark.parametrize("text", [
    """setp.lt.u32 %p0, %r0, 16; @!%p0 bra join; shfl.sync.down.b32 %r0, %r0, 1, 31, -1;
    join: bar.sync 0; st.global.u32 [%a2], %r0; ret;""",
    """setp.gt.u32 %p1, %r0, 99; @%p1 bra late; setp.lt.u32 %p0, %r0, 16; @!%p0 bra other;
    shfl.sync.down.b32 %r0, %r0, 1, 31, -1; bra join; other: add.s32 %r1, %r0, 1;
    join: bar.sync 0; st.global.u32 [%a2], %r0; ret;
    late: shfl.sync.down.b32 %r0, %r0, 2, 31, -1; bra join;""",
], ids=["at once", "from a block that does not stand before it"])
def test_half_a_warp_runs_into_a_barrier_while_the_other_half_shuffles(text):
    assert {each.kind for each in body(ADDRESS + text, np.zeros(32, np.int32))} == {"deadlock"}


@pytest.mark.parametrize("second", [(0, 128), (0, 64), (64, 64), (64, 128)])
def test_extents_that_overlap_are_one_memory(second):
    y = np.full(48, -1, np.int32)
    offset, size = second
    extents = Extent(y.ctypes.data, 128, 4), Extent(y.ctypes.data + offset, size, 0)
    pointer = y.ctypes.data.to_bytes(8, "little")
    assert not body(f"{ADDRESS} st.global.u32 [%a2], %r0; ret;", pointer, extents=extents)
    assert y[:32].tolist() == list(range(32))


def test_wrong_arguments_are_findings():
    kernel = ptx.Kernel(REVERSED.replace("@BARRIER@", ""))
    assert [each.kind for each in ptx.check(kernel, 1, 64, (np.zeros(64),))] == ["argument"]


# ---- what NVRTC compiles -------------------------------------------------------------------------------------------
OVER_THE_END = """__global__ void scale(float* y, const float* x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    y[i] = 2 * x[i];
}
"""


def test_the_command_finds_it_in_a_source(tmp_path, compiler):
    file = tmp_path / "scale.cu"
    file.write_text(OVER_THE_END)
    told = ["kernel", "check", str(file), "--grid", "1", "--block", "64", "--arg", "f32[50]", "--arg", "f32[64]=1",
            "--arg", "i32=50", "--json", "--engine", "ptx"]
    result = CliRunner().invoke(main, told)
    assert result.exit_code == 1, result.output
    found, = json.loads(result.stdout)["findings"]
    assert (found["kind"], found["line"], found["array"], found["index"], found["thread"]) == (
        "out of bounds", 3, "y", 50, [50, 0, 0])
    assert found["source"] == "y[i] = 2 * x[i];"


SCALES = """#include <cuda_fp16.h>
#ifdef DOUBLED
typedef double real;
#else
typedef float real;
#endif
#define WORD int
template <typename T> __global__ void scale(T* y, const T* x, const int* map, T by) {
    y[threadIdx.x] = by * x[map[threadIdx.x]];
}
__global__ void either(real* y, WORD* z, void* any, float4* four, __half* h, unsigned char* bytes) { y[0] = 1; }
#ifdef DOUBLED
__global__ void both(double* y) { y[0] = 1; }
#else
__global__ void both(float* y) { y[0] = 1; }
#endif
"""


def test_arrays_of_other_elements_than_the_source_declares(tmp_path, compiler):
    """As the C++ engine says it, in checks and in launches. What the declaration does not surely say is not told."""
    file = tmp_path / "scales.cu"
    file.write_text(SCALES)
    y, x, map, by = np.zeros(32, np.float32), np.ones(32, np.float32), np.arange(32, dtype=np.int32), np.float32(2)
    kernel = ptx.load(file, "scale<float>")
    kernel((1,), (32,), (y, x, map, by))
    assert (y == 2).all() and not ptx.check(kernel, 1, 32, (y, x, map.view(np.uint32), by))
    for args, declared, given in (((y, x.astype(np.float64), map, by), "float* x", "float64"),
                                  ((y, x, map.astype(np.int64), by), "int* map", "int64"),
                                  ((y.view(np.int32), x, map, by), "float* y", "int32")):
        told = f"scale<float>: parameter '{declared}': an array of {given} given"
        assert told in [each.message for each in ptx.check(kernel, 1, 32, args) if each.kind == "argument"]
        for launch in (lambda args=args: kernel((1,), (32,), args), lambda args=args: ptx.profile(kernel, 1, 32, args),
                       lambda args=args: ptx.from_cupy(SCALES, "scale<float>")((1,), (32,), args)):
            with pytest.raises(TypeError, match=re.escape(told)):
                launch()
    more = map, np.zeros(4), np.zeros(4), np.zeros(4, np.uint16), np.zeros(4)
    assert not ptx.check(ptx.load(file, "either"), 1, 1, (np.zeros(1), *more))
    assert not ptx.check(ptx.load(file, "both", ("-DDOUBLED",)), 1, 1, (np.zeros(1),))
    command = ["ptx", "run", str(file), "--kernel", "scale<float>", "--block", "4", "--arg", "f32[4]", "--arg",
               "f64[4]=1", "--arg", "i32[4]=arange", "--arg", "f32=2"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2 and "parameter 'float* x': an array of float64 given" in result.output


def test_the_command_on_a_ptx_file(tmp_path):
    file = tmp_path / "reversed.ptx"
    file.write_text(REVERSED.replace("@BARRIER@", "").partition(".file")[0].replace(".loc", "// .loc"))
    given = ["ptx", "check", str(file), "--block", "64", "--arg", "f32[64]", "--arg", "f32[64]=1"]
    result = CliRunner().invoke(main, given)
    assert result.exit_code == 1
    assert "race: " in result.output and "ld.shared.f32" in result.output
    assert CliRunner().invoke(main, [*given, "--json"]).exit_code == 1


# Right whichever lanes __activemask() names; of the collectives each has a result that then differs.
ANY_LANES = """
__device__ int place_in(int* counter) {
    const unsigned here = __activemask(), lane = threadIdx.x % 32;
    const int leader = __ffs(here) - 1;
    int first;
    if (lane == leader) first = atomicAdd(counter, __popc(here));
    return __shfl_sync(here, first, leader) + __popc(here & ((1u << lane) - 1));
}
__global__ void keeps(int* kept, int* counters, const int* x, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n && x[i] % 3 == 0) kept[place_in(counters)] = x[i];
    const unsigned here = __activemask(), even = __ballot_sync(here, i % 2 == 0), lane = threadIdx.x % 32;
    int pred;
    if (lane == __ffs(here) - 1) {
        atomicAdd(counters + 1, __popc(even));
        atomicAdd(counters + 2, __popc(__match_any_sync(1u << lane, i)));
    }
    if (__any_sync(here, i % 2 == 0) < __all_sync(here, i % 2 == 0)) __trap();
    if (__popc(__match_all_sync(here, 1, &pred)) != __popc(here) || !pred) __trap();
    atomicAdd(counters + 3, __reduce_add_sync(here, 1) == __popc(here));
}
"""


def test_lanes_that_ask_who_is_active(tmp_path, compiler):
    """Such a kernel runs twice, the second time with each lane alone; the arrays keep what the first has written."""
    file = tmp_path / "keeps.cu"
    file.write_text(ANY_LANES)
    x = np.arange(200, dtype=np.int32)
    kept, counters = ptx.uninitialised(67, np.int32), np.zeros(4, np.int32)
    kernel = ptx.load(file, "keeps")
    assert ptx.check(kernel, 4, 64, (kept, counters, x, np.int32(200))) == []
    np.testing.assert_array_equal(np.sort(kept), x[::3])
    assert counters.tolist() == [67, 128, 8, 256]
    file.write_text(ANY_LANES.replace("first, leader)", "first, 0)"))
    found = ptx.check(ptx.load(file, "keeps"), 4, 64, (kept, np.zeros(4, np.int32), x, np.int32(200)))
    assert any(each.kind == "mask" and "lane 0, which takes no part" in each.message for each in found)


def test_a_shuffle_among_those_that_are_active(tmp_path, compiler):
    file = tmp_path / "total.cu"
    file.write_text("""__global__ void total(int* y, const int* x) {
    int v = x[threadIdx.x];
    const unsigned here = __activemask();
    for (int o = 16; o > 0; o /= 2) v += __shfl_xor_sync(here, v, o);
    if (threadIdx.x == 0) *y = v;
}""")
    y = ptx.uninitialised(1, np.int32)
    found, = ptx.check(ptx.load(file, "total"), 1, 32, (y, np.arange(32, dtype=np.int32)))
    assert found.other is not None
    assert (found.kind, found.line, found.other.line, y[0]) == ("mask", 3, 4, 31 * 16)
    assert "__activemask() need not name" in found.message


@pytest.mark.parametrize("name, told", [("histogram", True), ("histogram_with_atomics", False), ("scatter", False),
                                        ("accumulate", False)])
def test_updates_that_follow_from_data(name, told, tmp_path, compiler):
    file = tmp_path / "k.cu"
    file.write_text(test_other_data.KERNELS)
    index, x, out = np.arange(40, dtype=np.int32), np.ones(40, np.float32), np.zeros(40, np.float32)
    args = {"scatter": (out, x, index), "accumulate": (out, x)}.get(name, (np.zeros(40, np.int32), index))
    found = ptx.check(ptx.load(file, name), 2, 32, (*args, np.int32(40)), other_data=True)
    assert [(each.kind, each.severity, each.line) for each in found] == ([("race", "warning", 3)] if told else [])
    assert all("other data may make two threads meet here" in each.message for each in found)
    assert index.tolist() == list(range(40)) and (name == "scatter" or args[0].sum() > 0)


@pytest.mark.parametrize("name", test_other_sizes.CASES)
def test_what_only_other_sizes_show(name, tmp_path, compiler):
    file = tmp_path / "k.cu"
    file.write_text(test_other_sizes.KERNELS)
    grid, args, expected = test_other_sizes.CASES[name]
    found = ptx.check(ptx.load(file, name), grid, 32, args, other_sizes=True)
    assert {(each.kind, each.line) for each in found} == set(expected)
    assert all(each.severity == "warning" and "in place of 96, and arrays of that length" in each.message
               for each in found)
    assert (args[1] == 1).all()


# ---- barriers at which lanes of one warp wait in two places ---------------------------------------------------------
TWO_PLACES = HEAD + """.file 1 "two.cu"
.visible .entry two() { .reg .b32 %t; .reg .pred %p, %q; mov.u32 %t, %tid.x; setp.lt.u32 %p, %t, @SPLIT@; @%p bra FEW;
  .loc 1 7 1
  @SEVEN@; bra.uni END;
FEW: .loc 1 3 1
  @THREE@;
END: ret; }"""


@pytest.mark.parametrize("split, seven, three, kind, words, line, thread, other", [
    (10, "bar.sync 1, 96", "bar.sync 1, 96", "deadlock", "barrier 1 is waited for, and those that it needs do not come",
     7, 10, (3, 0)),
    (42, "bar.sync 1, 96", "bar.sync 1, 96", "deadlock", "barrier 1 is waited for, and those that it needs do not come",
     3, 0, (7, 42)),
    (32, "bar.sync 1, 64", "bar.sync 2, 64", "deadlock", "2 barriers are waited for, and none of them can be complete",
     3, 0, (7, 32)),
    (10, "bar.sync 1, 48", "bar.sync 1, 48", "misuse", "a barrier of 48 threads: the number must be a multiple of 32",
     3, 0, None),
    (10, "bar.sync 1, 64", "bar.sync 1, 96", "divergent barrier", "lanes of one warp wait at different barriers",
     3, 0, None),
    (40, "bar.sync 1, 64", "bar.arrive 1, 96", "misuse", "barrier 1 used with 64 threads here and with 96 before",
     7, 40, None),
    (10, "bar.sync 0", "bar.sync 0", "divergent barrier",
     "divergent __syncthreads: thread 0 of the block waits at another barrier", 7, 10, (3, 0)),
])
def test_lanes_of_one_warp_that_wait_in_two_places(split, seven, three, kind, words, line, thread, other):
    text = TWO_PLACES.replace("@SPLIT@", str(split)).replace("@SEVEN@", seven).replace("@THREE@", three)
    found = ptx.check(ptx.Kernel(text), 1, 64, ())
    first = next(each for each in found if each.kind == kind and each.line == line)
    assert (first.message, first.thread) == (words, (thread, 0, 0))
    assert (first.other and (first.other.line, first.other.thread)) == (other and (other[0], (other[1], 0, 0)))


def test_a_deadlock_names_the_places_of_a_warps_lanes():
    text = TWO_PLACES.replace("@SPLIT@", "42")
    text = text.replace("@SEVEN@", "bar.sync 1, 96").replace("@THREE@", "bar.sync 1, 96")
    with pytest.raises(ptx.LaunchError, match=re.escape(
            "deadlock in block (0, 0, 0): warp 0 waits at barrier 1 at two.cu:3; lanes 10-31 of warp 1 wait at barrier "
            "1 at two.cu:7; lanes 0-9 of warp 1 wait at barrier 1 at two.cu:3")):
        ptx.Kernel(text)((1,), (64,), ())


# ---- arrays that are parts of one ---------------------------------------------------------------------------------
NEXT = HEAD + """.visible .entry next(.param .u64 y, .param .u64 x) { .reg .b32 %t, %v; .reg .b64 %y, %x, %d;
  ld.param.u64 %y, [y]; ld.param.u64 %x, [x]; mov.u32 %t, %tid.x; mul.wide.u32 %d, %t, 4;
  add.s64 %y, %y, %d; add.s64 %x, %x, %d;
  ld.global.u32 %v, [%x]; @BARRIER@
  add.u32 %v, %v, 100; st.global.u32 [%y], %v; ret; }"""


def launched_plainly(kernel, y, x):
    kernel((1,), (8,), (y, x))
    return []


def profiled(kernel, y, x):
    assert ptx.profile(kernel, 1, 8, (y, x)).total.global_bytes == 64
    return []


@pytest.mark.parametrize("launched", [launched_plainly, profiled, lambda kernel, y, x: ptx.check(
    kernel, 1, 8, (y, x), names=["y", "x"])], ids=["plain", "profiled", "checked"])
@pytest.mark.parametrize("y_from, x_from", [(0, 1), (1, 0), (0, 0), (0, 9), (3, 1)])
def test_arrays_that_have_memory_in_common(launched, y_from, x_from):
    """Each is what the other's kernel writes and reads, as on a GPU."""
    memory, barrier = np.arange(20, dtype=np.int32), "bar.sync 0;"
    expected = memory.copy()
    expected[y_from:y_from + 8] = memory[x_from:x_from + 8] + 100
    assert launched(ptx.Kernel(NEXT.replace("@BARRIER@", barrier)), memory[y_from:y_from + 8],
                    memory[x_from:x_from + 8]) == []
    assert memory.tolist() == expected.tolist()


def test_a_race_between_arrays_that_have_memory_in_common():
    memory = np.arange(9, dtype=np.int32)
    kernel = ptx.Kernel(NEXT.replace("@BARRIER@", ""))
    assert ptx.check(kernel, 1, 8, (memory[:8].copy(), memory[1:])) == []
    for y, x, element, beyond in ((memory[:8], memory[1:], "y[1]", []), (memory[1:], memory[:8], "y[0]", []),
                                  (memory[:8], memory[2:], "y[2]", ["x[7]"])):
        found = ptx.check(kernel, 1, 8, (y, x), names=["y", "x"])
        race = next(each for each in found if each.kind == "race")
        assert (race.element, race.source[:10], race.other.source[:9]) == (element, "add.u32 %v", "ld.global")
        assert [each.element for each in found if each.kind == "out of bounds"] == beyond


def test_read_only_parts_stay_as_they_are():
    memory = np.arange(9, dtype=np.int32)
    y, x = memory[:8], memory[1:]
    y.flags.writeable = x.flags.writeable = False
    ptx.check(ptx.Kernel(NEXT.replace("@BARRIER@", "bar.sync 0;")), 1, 8, (y, x))
    assert memory.tolist() == list(range(9))


@pytest.mark.parametrize("order", ["@WRITE@ @READ@", "@READ@ @WRITE@", "@OWN@ bar.sync 0; @READ@ @WRITE@"])
def test_a_write_that_lands_in_another_array(order):
    """Whether anything else writes that one or not, and whether it is read before or after."""
    body = order.replace("@READ@", "sub.u32 %v, 63, %t; mul.wide.u32 %d, %v, 4; add.s64 %a, %x, %d;\n"
                         "ld.global.u32 %v, [%a];\n")
    body = body.replace("@OWN@", "mul.wide.u32 %d, %t, 4; add.s64 %b, %x, %d; st.global.u32 [%b], %t;")
    body = body.replace("@WRITE@", "add.u32 %v, %t, %far; mul.wide.u32 %d, %v, 4; add.s64 %c, %y, %d;\n"
                        "st.global.u32 [%c], %t;\n")
    kernel = ptx.Kernel(f"""{HEAD}.visible .entry stray(.param .u64 y, .param .u64 x, .param .u32 far) {{
      .reg .b32 %t, %v, %far; .reg .b64 %y, %x, %d, %a, %b, %c;
      ld.param.u64 %y, [y]; ld.param.u64 %x, [x]; ld.param.u32 %far, [far]; mov.u32 %t, %tid.x; {body} ret; }}""")
    y, x = np.zeros(64, np.int32), np.ones(64, np.int32)
    assert ptx.check(kernel, 1, 64, (y, x, 0), names=["y", "x"]) == []
    for far in range(64 + GAP // 4 - 64, 64 + GAP // 4 + 256, 64):  # x lies somewhere behind y
        found = ptx.check(kernel, 1, 64, (y, x, far), names=["y", "x"])
        assert {(each.kind, each.source) for each in found} == {("out of bounds", "st.global.u32 [%c], %t;")}
        if any("within this one" in each.message for each in found):
            break
    else:
        pytest.fail("no place of x behind y has been found")


@pytest.mark.parametrize("access", ["ld.global.u32 %v, [%b];", "st.global.u32 [%b], %v;",
                                    "atom.global.add.u32 %v, [%b], 1;"])
@pytest.mark.parametrize("element", [64, 126, 127, 1 << 18, -1, -63, -(1 << 18)])
@pytest.mark.parametrize("which", ["y", "x"])
def test_what_is_beyond_an_array_is_counted_from_its_own_parameter(which, element, access):
    """However far, and however near to another one."""
    kernel = ptx.Kernel(f"""{HEAD}.visible .entry beyond(.param .u64 y, .param .u64 x, .param .s32 i) {{
      .reg .b32 %i, %v; .reg .b64 %a, %b;
      ld.param.u64 %a, [{which}]; ld.param.s32 %i, [i];
      mul.wide.s32 %b, %i, 4; add.s64 %b, %a, %b; mov.u32 %v, 1;
      {access}
      ret; }}""")
    y, x = np.zeros(64, np.int32), np.zeros(64, np.int32)
    found, = ptx.check(kernel, 1, 1, (y, x, element), names=["y", "x"])
    assert (found.kind, found.element) == ("out of bounds", f"{which}[{element}]")


@pytest.mark.parametrize("astray", ["setp.lt.u32 %p, %w, 2;", "setp.eq.u32 %p, %l, 0; setp.eq.or.u32 %p, %l, 31, %p;"],
                         ids=["the first warps", "the first and the last lane"])
@pytest.mark.parametrize("cell", ["mov.u32 %c, 0;", "shr.u32 %c, %t, 9;", "mov.u32 %c, %l;", "xor.b32 %c, %l, 1;"],
                         ids=["one place", "one place as it comes", "neighbours", "scattered"])
@pytest.mark.parametrize("update", ["st.global.u32 [%b], %t;", "atom.global.add.u32 %v, [%b], 1;"])
def test_threads_that_have_read_out_of_bounds_hide_no_race_of_others(astray, cell, update):
    """Of a place's readers two are remembered, until something is written there; these threads' races are not told."""
    kernel = ptx.Kernel(f"""{HEAD}.visible .entry readers(.param .u64 y, .param .u64 x) {{
      .reg .b32 %t, %w, %l, %c, %v; .reg .b64 %y, %x, %d, %b; .reg .pred %p, %q;
      ld.param.u64 %y, [y]; ld.param.u64 %x, [x]; mov.u32 %t, %tid.x; shr.u32 %w, %t, 5; and.b32 %l, %t, 31;
      {astray} @%p ld.global.u32 %v, [%x+-4];
      {cell} mul.wide.u32 %d, %c, 4; add.s64 %b, %y, %d;
      ld.global.u32 %v, [%b];
      setp.ne.u32 %q, %w, 3; @%q ret;
      {update}
      ret; }}""")
    found = ptx.check(kernel, 1, 128, (np.zeros(32, np.int32), np.zeros(4, np.int32)), names=["y", "x"])
    assert [each.array for each in found if each.kind == "out of bounds"] == ["x"]
    race = next(each for each in found if each.kind == "race" and each.other.source.startswith("ld"))
    assert race.array == "y" and race.source == update


def test_a_race_before_a_thread_reads_out_of_bounds_is_told():
    """Whichever of the two comes first; what it does from then on is not."""
    text = f"""{ADDRESS} .reg .b64 %b0; ld.param.u64 %b0, [p1]; setp.ge.u32 %p0, %r0, 32; @%p0 bra on;
      ld.global.u32 %r1, [%b0]; ld.global.u32 %r2, [%a0+-4]; ld.global.u32 %r3, [%b0+4]; ret;
      on: setp.ne.u32 %p1, %r0, 32; @%p1 ret;
      st.global.u32 [%b0], %r0;
      st.global.u32 [%b0+4], %r0; ret;"""
    found = body(text, np.zeros(4, np.int32), np.zeros(4, np.int32), block=64, names=["x", "y"])
    assert {(each.kind, each.element) for each in found} == {("out of bounds", "x[-1]"), ("race", "y[0]")}
