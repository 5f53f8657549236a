"""Loops of different lengths in the lanes of a warp: those in which few lanes are left run them each by itself."""

import os
import signal
import threading

import numpy as np
import pytest

from gpunet import ptx
from gpunet.ptx import context, program
from tests.ptx.harness import HEAD

BOTH = pytest.mark.parametrize("scalars", [True, False], ids=["analysis", "vectors"])
THREADS = [64, 40, 3]


def kernel_of(body, *parameters):
    """`body` finds its thread's number in %t, %base0, ... in the parameters, and the thread's elements at %at0, ..."""
    names = ", ".join(f".param .u64 {name}" for name in parameters)
    places = " ".join(f"ld.param.u64 %base{n}, [{name}]; mul.wide.u32 %at{n}, %t, 4; add.s64 %at{n}, %base{n}, %at{n};"
                      for n, name in enumerate(parameters))
    return f"""{HEAD}.visible .entry f({names}) {{
      .reg .b32 %t, %n, %k, %x, %y, %sum; .reg .f32 %f, %g; .reg .b64 %base<4>, %at<4>, %a; .reg .pred %p, %q;
      mov.u32 %t, %tid.x; {places}
      {body} }}"""


def has_version(text):
    return "%own.left" in program.code(text)


def rounds(inside="", more="setp.lt.u32 %p, %k, %n;"):
    """A loop that adds up numbers in as many rounds as each lane has read."""
    return kernel_of(f"""ld.global.u32 %n, [%at1]; mov.u32 %k, 0; mov.u32 %sum, 0;
    LOOP: {inside} mad.lo.u32 %sum, %k, %t, %sum; add.u32 %k, %k, 1; {more} @%p bra LOOP;
      st.global.u32 [%at0], %sum; ret;""", "out", "counts")


ALONE = {
    "arithmetic": "",
    "loads and stores": "st.global.u32 [%at0], %k; ld.global.u32 %y, [%at1];",
    "under a guard": "setp.gt.u32 %q, %k, 3; @%q ld.global.u32 %y, [%at1];",
}
TOGETHER = {
    "a vote": "vote.sync.any.pred %q, %p, -1;",
    "a shuffle": "shfl.sync.idx.b32 %y, %k, 0, 31, -1;",
    "a sum of the warp": "redux.sync.add.u32 %y, %k, -1;",
    "a match": "match.any.sync.b32 %y, %k, -1;",
    "a mask": "activemask.b32 %y;",
    "a barrier of the warp": "bar.warp.sync -1;",
    "a barrier of the block": "bar.sync 0;",
    "an atomic operation": "atom.global.add.u32 %y, [%base0+4096], 1;",
    "a reduction in memory": "red.global.add.u32 [%base0+4096], 1;",
    "a volatile load": "ld.volatile.global.u32 %y, [%at1];",
    "a volatile store": "st.volatile.global.u32 [%at0], %y;",
    "a relaxed load": "ld.relaxed.gpu.global.u32 %y, [%at1];",
    "a load that acquires": "ld.acquire.gpu.global.u32 %y, [%at1];",
    "a store that releases": "st.release.gpu.global.u32 [%at0], %y;",
    "a fence": "membar.gl;",
    "a pause": "nanosleep.u32 20;",
    "a trap": "setp.gt.u32 %q, %k, 1000; @%q trap;",
}


@pytest.mark.parametrize("inside", ALONE.values(), ids=ALONE)
def test_what_lanes_do_for_themselves_has_a_version_for_one(inside):
    assert has_version(rounds(inside))


@pytest.mark.parametrize("inside", TOGETHER.values(), ids=TOGETHER)
def test_what_concerns_other_lanes_has_none(inside):
    assert not has_version(rounds(inside))


def test_loops_that_end_together_or_nearly_so_have_none():
    assert not has_version(rounds(more="setp.lt.u32 %p, %k, 9;"))
    in_steps = kernel_of("""mov.u32 %k, %t; ld.global.u32 %sum, [%at1];
      LOOP: add.u32 %sum, %sum, 1; add.u32 %k, %k, 64; setp.lt.u32 %p, %k, 500; @%p bra LOOP;
      st.global.u32 [%at0], %sum; ret;""", "out", "counts")
    assert not has_version(in_steps)


def test_checks_and_counters_see_lanes_together():
    for how in ({"counting": True}, {"checking": True}):
        body = program._lowered(program.reader.read(rounds()), None, True, True, **how)[1].whole()
        assert "%own.left" not in body


def lengths(threads):
    """Of rows: most are short, one in eight is long."""
    rng = np.random.default_rng(threads)
    return np.where(rng.random(threads) < 1 / 8, rng.integers(20, 90, threads), rng.integers(0, 6, threads))


@BOTH
@pytest.mark.parametrize("threads", THREADS)
def test_rows_of_different_lengths(scalars, threads):
    """y = A x of a sparse matrix; the sum of a row is in order, so its bits are known."""
    rng, counts = np.random.default_rng(0), lengths(threads)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.uint32)
    columns = rng.integers(0, threads, starts[-1]).astype(np.uint32)
    values, x = rng.standard_normal(starts[-1]).astype(np.float32), rng.standard_normal(threads).astype(np.float32)
    text = kernel_of("""ld.global.u32 %k, [%at1]; ld.global.u32 %n, [%at1+4]; mov.f32 %f, 0f00000000;
      .reg .b64 %x; ld.param.u64 %x, [x]; .reg .f32 %h;
      setp.ge.u32 %p, %k, %n; @%p bra OVER;
    LOOP: mul.wide.u32 %a, %k, 4; add.s64 %at2, %base2, %a; add.s64 %at3, %base3, %a;
      ld.global.u32 %y, [%at2]; ld.global.f32 %g, [%at3]; mul.wide.u32 %a, %y, 4; add.s64 %a, %x, %a;
      ld.global.f32 %h, [%a]; mul.f32 %g, %g, %h; add.f32 %f, %f, %g;
      add.u32 %k, %k, 1; setp.lt.u32 %p, %k, %n; @%p bra LOOP;
    OVER: st.global.f32 [%at0], %f; ret;""", "out", "starts", "columns", "values")
    text = text.replace(".param .u64 values)", ".param .u64 values, .param .u64 x)")
    assert has_version(text)
    out, want = np.zeros(threads, np.float32), np.zeros(threads, np.float32)
    ptx.Kernel(text, scalars=scalars)((1,), (threads,), (out, starts, columns, values, x))
    for row in range(threads):
        for k in range(starts[row], starts[row + 1]):
            want[row] += values[k] * x[columns[k]]
    np.testing.assert_array_equal(out, want)


NESTED = kernel_of("""ld.global.u32 %n, [%at1]; mov.u32 %k, 0; mov.u32 %sum, 0; setp.eq.u32 %p, %n, 0; @%p bra OVER;
    OUTER: mov.u32 %y, %k;
    INNER: add.u32 %sum, %sum, %y; sub.u32 %y, %y, 1; setp.lt.s32 %q, %y, 0; @!%q bra INNER;
      add.u32 %k, %k, 1; setp.lt.u32 %p, %k, %n; @%p bra OUTER;
    OVER: st.global.u32 [%at0], %sum; ret;""", "out", "counts")


@BOTH
@pytest.mark.parametrize("fuel", [context.FUEL, 7])
@pytest.mark.parametrize("threads", THREADS)
def test_nested_loops_that_are_left_for_others_in_between(scalars, fuel, threads, monkeypatch):
    """With little fuel each lane ends the warp's turn many times, in the inner loop too."""
    monkeypatch.setattr(context, "FUEL", fuel)
    counts, out = lengths(threads).astype(np.uint32), np.zeros(threads, np.uint32)
    text = f"{NESTED}\n// {fuel}\n"  # another kernel for the cache
    assert has_version(text)
    ptx.Kernel(text, scalars=scalars)((1,), (threads,), (out, counts))
    n = counts.astype(int)
    assert out.tolist() == ((n - 1) * n * (n + 1) // 6).tolist()


@BOTH
def test_a_lane_may_leave_by_several_ways_and_return(scalars):
    """Those that return within the loop are not waited for at the barrier; those that break off skip an addition."""
    counts, out = np.arange(64, dtype=np.uint32) % 24, np.zeros(64, np.uint32)
    text = kernel_of("""ld.global.u32 %n, [%at1]; mov.u32 %k, 0;
    LOOP: add.u32 %k, %k, 1; setp.eq.u32 %p, %k, 19; @%p bra RETURN;
      rem.u32 %x, %k, 7; setp.eq.u32 %p, %x, 5; setp.gt.u32 %q, %n, 21; and.pred %p, %p, %q; @%p bra BREAK;
      setp.lt.u32 %p, %k, %n; @%p bra LOOP;
      add.u32 %k, %k, 100;
    BREAK: bar.sync 0; st.global.u32 [%at0], %k;
    RETURN: ret;""", "out", "counts")
    assert has_version(text)
    ptx.Kernel(text, scalars=scalars)((1,), (64,), (out, counts))

    def ends(n):
        return 5 if n > 21 else 0 if n >= 19 else max(n, 1) + 100
    assert out.tolist() == [ends(n) for n in counts.tolist()]


@BOTH
def test_registers_of_every_kind_and_local_memory(scalars):
    """What lives on after the loop or goes from round to round: predicates, 16, 64 bits; each lane's own variable."""
    counts, out = lengths(40).astype(np.uint32), np.zeros((4, 40), np.uint32)
    text = kernel_of("""ld.global.u32 %n, [%at1]; mov.u32 %k, 0; .reg .b16 %h; .reg .b64 %w; .reg .f64 %d;
      .local .align 4 .b8 box[16]; .reg .b64 %box; mov.u64 %box, box; cvta.local.u64 %box, %box;
      mov.u16 %h, 1; mov.u64 %w, 1; mov.f64 %d, 0d3FF0000000000000; setp.gt.u32 %q, %n, 2; st.u32 [%box+4], %t;
    LOOP: mul.lo.u16 %h, %h, 3; mul.lo.u64 %w, %w, 5; add.f64 %d, %d, 0d3FE0000000000000;
      and.b32 %x, %k, 1; setp.eq.u32 %p, %x, 1; xor.pred %q, %q, %p;
      ld.u32 %y, [%box+4]; @%q add.u32 %y, %y, %laneid; @!%q add.u32 %y, %y, 1; st.u32 [%box+4], %y;
      add.u32 %k, %k, 1; setp.lt.u32 %p, %k, %n; @%p bra LOOP;
      cvt.u32.u16 %x, %h; cvt.u32.u64 %y, %w; add.u32 %x, %x, %y; st.global.u32 [%at0], %x;
      cvt.rzi.u32.f64 %x, %d; st.global.u32 [%at0+160], %x; selp.u32 %x, 1, 0, %q; st.global.u32 [%at0+320], %x;
      ld.u32 %x, [%box+4]; st.global.u32 [%at0+480], %x; ret;""", "out", "counts")
    assert has_version(text)
    ptx.Kernel(text, scalars=scalars)((1,), (40,), (out, counts))
    want = np.zeros((4, 40), np.uint64)
    for lane, n in enumerate(counts.tolist()):
        n, q, box = max(n, 1), n > 2, lane
        for k in range(n):
            q ^= k % 2 == 1
            box += lane % 32 if q else 1
        want[:, lane] = pow(3, n, 1 << 16) + pow(5, n, 1 << 32), int(1 + n / 2), q, box
    assert (out == want % (1 << 32)).all()


@BOTH
def test_a_lane_that_waits_for_another_one_in_the_same_loop_does_not_keep_it_from_running(scalars, monkeypatch):
    """PTX does not promise it, without an order: each lane waits for the next one's flag, and the last one has its."""
    monkeypatch.setattr(context, "FUEL", 50)
    flags, out = np.zeros(33, np.uint32), np.zeros(32, np.uint32)
    flags[32] = 1
    text = kernel_of("""mov.u32 %k, 0;
    LOOP: add.u32 %k, %k, 1; ld.global.u32 %x, [%at1+4]; setp.ne.u32 %q, %x, 0; @%q st.global.u32 [%at1], 1;
      @!%q bra LOOP;
      st.global.u32 [%at0], %k; ret;""", "out", "flags")
    if scalars:
        monkeypatch.setattr("gpunet.ptx.alone._few", lambda *_: 32)
    assert has_version(text)
    ptx.Kernel(f"{text}\n// little fuel\n", scalars=scalars)((1,), (32,), (out, flags))
    assert flags.all() and out.all()


def test_ctrl_c_ends_a_lane_that_goes_round_for_ever():
    counts, out = np.zeros(32, np.uint32), np.zeros(32, np.uint32)
    text = kernel_of("""mov.u32 %sum, 0;
    LOOP: add.u32 %sum, %sum, 1; ld.global.u32 %n, [%at1]; setp.eq.u32 %p, %n, 0; @%p bra LOOP;
      st.global.u32 [%at0], 1; ret;""", "out", "counts")
    assert has_version(text)
    kernel = ptx.Kernel(text)
    kernel.compiled()
    counts[:31] = 1
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        kernel((1,), (32,), (out, counts))
    timer.join()
    assert out.tolist() == [0] * 32  # those that are through wait for the one that is not
    counts[:] = 1
    kernel((1,), (32,), (out, counts))
    assert out.all()
