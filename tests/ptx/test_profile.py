"""Counters: each against a definition in Python, on random accesses; then by source line; then our own kernels'."""

import dataclasses
import re
from collections import Counter
from html.parser import HTMLParser

import numpy as np
import pytest

import gpunet
from gpunet import nn, ptx, sim
from gpunet.ptx import launch
from gpunet.ptx.page import by_users_lines, page
from gpunet.ptx.profiles import Arrays, count
from gpunet.ptx.roofline import roofline
from tests.kernel.banks import sectors, turns
from tests.ptx.harness import HEAD

RNG = np.random.default_rng(3)
LANES = range(32)
TYPES = {1: "u8", 2: "u16", 4: "u32", 8: "v2.u32", 16: "v4.u32"}


def patterns(size):
    """Offsets of 32 lanes, multiples of the size, below 4096."""
    straight = np.arange(32)
    yield from (straight, straight[::-1], straight * 0, straight // 2, straight * 8 % 64, straight + 3, straight ^ 1,
                RNG.permutation(32), *(RNG.integers(0, 4096 // size, 32) for _ in range(6)))


def kernel_of(space, size):
    """Lane i accesses the place that x[i] says, in global or in shared memory, if bit i of the mask is set."""
    registers = ", ".join(f"%r{k}" for k in range(max(size // 4, 1)))
    value = "{" + registers + "}" if size > 4 else "%h" if size < 4 else "%r0"
    at = "%to" if space == "global" else "%local"
    return f"""{HEAD} .shared .align 16 .b8 box[4096];
    .visible .entry access(.param .u64 y, .param .u64 x, .param .u32 mask) {{
      .reg .b32 %r<8>; .reg .b16 %h; .reg .b32 %t, %o, %m, %local, %box; .reg .b64 %x, %y, %at, %to; .reg .pred %p;
      ld.param.u64 %y, [y]; ld.param.u64 %x, [x]; ld.param.u32 %m, [mask]; mov.u32 %t, %tid.x; mov.u32 %box, box;
      mul.wide.u32 %at, %t, 4; add.s64 %at, %x, %at; ld.global.u32 %o, [%at];
      cvt.u64.u32 %to, %o; add.s64 %to, %y, %to; add.u32 %local, %box, %o;
      shr.u32 %m, %m, %t; and.b32 %m, %m, 1; setp.ne.u32 %p, %m, 0;
      @%p ld.{space}.{TYPES[size]} {value}, [{at}];
      ret; }}"""


@pytest.mark.parametrize("space, size", [("global", 2), ("global", 4), ("global", 16), *(("shared", each)
                                                                                     for each in (1, 4, 8, 16))])
def test_an_access_counts_as_defined(space, size):
    kernel = ptx.Kernel(kernel_of(space, size), counting=True)
    memory = np.zeros(8192, np.uint8)
    for units in patterns(size):
        for mask in (2**32 - 1, 0x0F0F00FF, 1 << 7, 0):
            offsets = (units * size).astype(np.uint32)
            arrays = Arrays((memory, offsets, np.uint32(mask)))
            (line,), _ = count(kernel, (1,), (32,), arrays)
            active = [int(offsets[lane]) for lane in LANES if mask >> lane & 1]
            if space == "global":  # beside the sectors of the offsets
                want = sectors(active, size), -(-len(set(active)) * size // 32)
                assert (line.sectors - 4, line.least_sectors - 4) == want
            else:
                at_a_time = 128 // max(size, 4)
                groups = [[int(offsets[lane]) for lane in LANES[first:first + at_a_time] if mask >> lane & 1]
                          for first in range(0, 32, at_a_time)]
                cost = sum(turns([each // 4 * 4 for each in group], max(size, 4)) for group in groups if group)
                assert (line.wavefronts, line.least_wavefronts) == (cost, sum(map(bool, groups)))


ATOMIC = HEAD + """.visible .entry add(.param .u64 y, .param .u64 x) {
      .reg .b32 %t, %o; .reg .b64 %x, %y, %at;
      ld.param.u64 %y, [y]; ld.param.u64 %x, [x]; mov.u32 %t, %tid.x;
      mul.wide.u32 %at, %t, 4; add.s64 %at, %x, %at; ld.global.u32 %o, [%at];
      mul.wide.u32 %at, %o, 4; add.s64 %at, %y, %at; red.global.add.u32 [%at], 1;
      ret; }"""


def test_atomics_take_as_many_turns_as_one_address_has_lanes():
    for bins in (1, 4, 32, 100):
        places = RNG.integers(0, bins, 64).astype(np.uint32)
        histogram = np.zeros(100, np.uint32)
        profile = ptx.profile(ptx.Kernel(ATOMIC), 1, 64, (histogram, places))
        want = sum(max(Counter(warp.tolist()).values()) for warp in places.reshape(2, 32))
        assert profile.total.turns == want and profile.total.least_turns == 2
        assert histogram.tolist() == np.bincount(places, minlength=100).tolist()


SOURCE = """
__device__ float squared(float v) {
    return v * v + 1.0f;  // inlined
}
__global__ void __launch_bounds__(64) work(float* y, const float* x, int n) {
    __shared__ float turn[64 * 32];
    const int t = threadIdx.x, i = blockIdx.x * 64 + t;
    turn[t * 32] = x[2 * i];  // conflicts, every other element
    __syncthreads();
    float v = turn[t / 32 * 32];  // all the same
    if (t & 1) {  // lanes part
        for (int k = 0; k < n; ++k) v = squared(v) / (v + 2.0f);
    }
    y[i] = v;  // whole sectors
}"""


@pytest.fixture(scope="module")
def profile():
    pytest.importorskip("llvmlite")
    gpunet.kernel.nvrtc.version()
    kernel = sim.Module(SOURCE, file="work.cu").get_function("work")
    y, x = np.zeros(192, np.float32), np.ones(384, np.float32)
    found = sim.profile(kernel, 3, 64, (y, x, np.int32(5)))
    assert np.isfinite(y).all() and y[0] == 1 and y[1] != 1
    return found


def line_of(words):
    return SOURCE[:SOURCE.index(words)].count("\n") + 1


def at(profile, words):
    """All that was counted at a line, also of what is inlined in it."""
    total = ptx.Line(())
    for line in profile.lines:
        if line_of(words) in {number for _, number in line.chain}:
            total.add(line)
    return total


def test_a_second_launch_is_compiled_no_more(profile, compiler, monkeypatch):
    monkeypatch.setattr(gpunet.kernel.nvrtc, "compile", None)
    monkeypatch.setattr(gpunet.kernel.sass, "disassemble", None)
    kernel = sim.Module(SOURCE, file="work.cu").get_function("work")
    again = sim.profile(kernel, 3, 64, (np.zeros(192, np.float32), np.ones(384, np.float32), np.int32(5)))
    assert again.as_dict() == profile.as_dict() and again.resources.registers


def test_counters_by_source_line(profile, compiler):
    first, same, last = (at(profile, words) for words in ("// conflicts", "// all the same", "// whole sectors"))
    assert (first.sectors, first.least_sectors) == (6 * 8, 6 * 4)
    assert (first.wavefronts, first.least_wavefronts) == (6 * 32, 6)
    assert (same.wavefronts, same.least_wavefronts, same.shared_bytes) == (6, 6, 192 * 4)
    assert (last.sectors, last.least_sectors, last.global_bytes) == (24, 24, 192 * 4)
    assert at(profile, "// lanes part").divergent + at(profile, "for (int k").divergent >= 6
    inlined = [line for line in profile.lines if line_of("// inlined") == (line.chain or [("", 0)])[0][1]]
    assert [line.chain[1:] for line in inlined] == [(("work.cu", line_of("for (int k")),)]
    assert inlined[0].operations == {"float32": 2 * 5 * 96} and 16 <= inlined[0].lanes_per_run <= 32
    assert profile.lines[0].excess == max(line.excess for line in profile.lines)
    assert profile.touched == (384 * 4, 192 * 4)


def test_resources_and_bounds(profile, compiler):
    assert profile.occupancy.limited_by in ("warps", "blocks", "shared memory")
    assert profile.resources.bound == 64 and profile.resources.spill_stores == 0
    bounds = profile.roofline
    assert 0 < bounds.share_every <= bounds.share_once < 1
    assert bounds.once == sum(profile.touched) and bounds.every == 32 * profile.total.sectors


def test_the_roofline_is_that_of_the_data_sheet():
    found = roofline("sm_80", {"float32": 10**6, "tensor": 10**6}, 10**6, None)
    asked, moved = 10**6 / 19.5e12 + 10**6 / 312e12, 10**6 / 1555e9
    assert found.unit == "float32" and found.share_once is None
    assert found.share_every == pytest.approx(asked / moved)
    assert roofline("sm_80", {}, 100, 100) is None


class _Checked(HTMLParser):
    """What stands open, and what a page would load."""

    def __init__(self):
        super().__init__()
        self.open, self.loads = [], []

    def handle_starttag(self, tag, attributes):
        if tag not in ("meta", "br", "link", "img", "circle", "line", "polyline"):
            self.open.append(tag)
        self.loads += [value for name, value in attributes if name in ("src", "href")]

    def handle_endtag(self, tag):
        if tag not in ("circle", "line", "polyline"):
            assert self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing(profile, compiler):
    text = page(profile)
    parser = _Checked()
    parser.feed(text)
    assert parser.open == [] and parser.loads == []
    assert "turn[t * 32] = x[2 * i];" in text and "work.cu, each line" in text
    plain = re.sub(r"<[^>]+>", " ", text)
    assert f"at least {profile.total.least_sectors}" in plain and f"Roofline: {profile.roofline.machine}" in plain


def test_lines_of_libraries_are_parts_of_the_users():
    chains = {(("/x/include/cooperative_groups/reduce.h", 9), ("sum.cu", 4), ("sum.cu", 20)): 3,
              (("sum.cu", 4), ("sum.cu", 20)): 5, (("helpers.cuh", 1), ("sum.cu", 20)): 7,
              (("/x/nvidia/cuda_cccl/include/cub/cub.cuh", 2),): 1}
    found = by_users_lines(ptx.Line(chain, sectors=sectors) for chain, sectors in chains.items())
    assert {line.chain: line.sectors for line in found} == {
        (("sum.cu", 4), ("sum.cu", 20)): 8, (("helpers.cuh", 1), ("sum.cu", 20)): 7,
        (("/x/nvidia/cuda_cccl/include/cub/cub.cuh", 2),): 1}
    assert [line.sectors for line in found] == [8, 7, 1]


@pytest.mark.parametrize("operations, every, once", [(2_809_856, 24_000 * 32, 120_000), (10**9, 10**6, 10**6),
                                                     (10, 10**6, 10**5), (3 * 10**7, 10**6, 10**6)])
def test_labels_stand_below_the_roof(operations, every, once, profile):
    bounds = roofline("sm_90a", {"float32": operations}, every, once)
    text = page(dataclasses.replace(profile, roofline=bounds))
    points = re.search(r'polyline [^>]*points="([^"]*)"', text)[1].split()
    roof = [tuple(map(float, each.split(","))) for each in points]
    labels = re.findall(r'<text x="([-\d.]+)" y="([-\d.]+)" stroke="[^"]*" stroke-width="3" [^>]*text-anchor="(\w+)">',
                        text)
    assert len(labels) == 2
    for x, y, anchor in labels:
        left = float(x) - 100 * (anchor == "end")
        assert left >= 0 and left + 100 <= 600 and 12 < float(y) < 262
        assert float(y) - 11 > np.interp(left, *zip(*roof, strict=True)), (left, y, roof)  # a letter's height


# Of the designs in docs/own-kernels.md: no bank conflict, whole sectors.
OURS = {
    "rectifier": (nn.functional.relu, "float32"),
    "rows": (lambda x: nn.functional.softmax(x, -1), "float32"),
    "normalisation": (lambda x: nn.functional.layer_norm(x, x.shape[1:]), "float32"),
    "product": (lambda x: x @ x, "float32"),
    "product on tensor cores": (lambda x: x @ x, "float16"),
}


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name == "rectifier" else pytest.mark.slow)
                                  for name in OURS])  # the others take seconds to compile
def test_our_kernels_have_no_conflicts_and_whole_sectors(name, compiler):
    function, dtype = OURS[name]
    x = gpunet.ones(128, 128, device="sim", dtype=getattr(gpunet, dtype))
    with sim.profiled() as launches:
        function(x)
    totals = [each.total for each in launches]
    assert totals and sum(each.sectors for each in totals)
    for total in totals:
        assert total.wavefronts == total.least_wavefronts
        assert total.sectors == total.least_sectors


@pytest.mark.slow
def test_convolutions_on_tensor_cores_have_no_conflicts(compiler):
    """Forward, by the input and by the weight; forward, sectors are whole, too."""
    x, w = (gpunet.ones(shape, device="sim", dtype=gpunet.float16, requires_grad=True)
            for shape in ((2, 16, 16, 16), (64, 16, 3, 3)))
    with sim.profiled() as launches:
        y = nn.functional.conv2d(x, w, padding=1)
        y.backward(gpunet.ones_like(y))
    ours = [each for each in launches if each.kernel.startswith("conv_tensor")]
    assert len(ours) == 3 and ours[0].total.sectors == ours[0].total.least_sectors
    for each in ours:
        assert each.total.wavefronts == each.total.least_wavefronts


def test_counting_changes_no_result(compiler):
    """Whatever is counted, on blocks with and without whole warps."""
    x = RNG.normal(size=300).astype(np.float32)
    kernel = sim.Module(SOURCE, file="work.cu").get_function("work")
    results = []
    for run in (lambda y: sim.profile(kernel, 2, 60, (y, x, np.int32(3))),
                lambda y: launch.Kernel.__call__(sim_kernel(kernel), (2,), (60,), (y, x, np.int32(3)))):
        y = np.zeros(128, np.float32)
        run(y)
        results.append(y)
    assert results[0].tobytes() == results[1].tobytes()


def sim_kernel(kernel):
    from gpunet.sim.profiling import compiled

    return compiled(kernel).kernel
