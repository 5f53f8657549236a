"""Blocks, warps and lanes: barriers, divergence, collectives, calls, memory, and how failures are told."""

import numpy as np
import pytest

from gpunet import ptx
from tests.ptx.harness import HEAD, launch

BOTH = pytest.mark.parametrize("scalars", [True, False], ids=["analysis", "vectors"])
LANE = ".reg .b32 %t; mov.u32 %t, %tid.x;"


def out_at(index="%t", name="p0", size=4):
    """Code that leaves the address of an element in %at."""
    return (f".reg .b64 %base, %at; ld.param.u64 %base, [{name}]; mul.wide.u32 %at, {index}, {size}; "
            "add.s64 %at, %base, %at;")


@BOTH
def test_a_loop_runs_as_often_as_each_lane_says(scalars):
    """Collatz: lanes leave the loop at different times, some by way of an inner branch."""
    out = np.zeros(70, np.uint32)
    launch(f"""{LANE} {out_at()}
      .reg .b32 %n, %steps, %odd, %half; .reg .pred %p, %q;
      add.u32 %n, %t, 1; mov.u32 %steps, 0;
    LOOP: setp.eq.u32 %p, %n, 1; @%p bra DONE;
      add.u32 %steps, %steps, 1; and.b32 %odd, %n, 1; setp.ne.u32 %q, %odd, 0; @%q bra ODD;
      shr.u32 %n, %n, 1; bra.uni LOOP;
    ODD: mad.lo.u32 %n, %n, 3, 1; bra.uni LOOP;
    DONE: st.global.u32 [%at], %steps; ret;""", (1,), (70,), out, scalars=scalars)

    def steps(n):
        return 0 if n == 1 else 1 + steps(n // 2 if n % 2 == 0 else 3 * n + 1)
    assert out.tolist() == [steps(n + 1) for n in range(70)]


@BOTH
@pytest.mark.parametrize("threads", [96, 80])
def test_a_barrier_lets_warps_see_what_others_wrote(scalars, threads):
    out = np.zeros(2 * threads, np.uint32)
    launch(f"""{LANE} .reg .b32 %i, %n, %a, %v, %r; .reg .b32 %block;
      .shared .align 4 .b8 line[512];
      mov.u32 %block, %ctaid.x; mov.u32 %n, %ntid.x; mov.u32 %a, line; mov.u32 %r, 0;
      shl.b32 %i, %t, 2; add.u32 %i, %a, %i; add.u32 %v, %t, %block; st.shared.u32 [%i], %v;
      bar.sync 0;
      sub.u32 %r, %n, %t; sub.u32 %r, %r, 1; shl.b32 %r, %r, 2; add.u32 %r, %a, %r; ld.shared.u32 %v, [%r];
      mad.lo.u32 %i, %block, %n, %t; {out_at("%i")}
      st.global.u32 [%at], %v; ret;""", (2,), (threads,), out, scalars=scalars)
    line = np.arange(threads)[::-1]
    assert out.tolist() == [*line, *line + 1]


@BOTH
def test_a_barrier_in_a_loop_with_dynamic_shared_memory(scalars):
    """Sum of 128 numbers by halves."""
    out, numbers = np.zeros(1, np.float32), np.arange(128, dtype=np.float32)
    launch(f"""{LANE} {out_at(name="p1")}
      .reg .f32 %x, %y; .reg .b32 %mine, %other, %step, %a, %bytes; .reg .pred %p;
      ld.global.f32 %x, [%at]; mov.u32 %a, dynamic; shl.b32 %mine, %t, 2; add.u32 %mine, %a, %mine;
      st.shared.f32 [%mine], %x; mov.u32 %step, 64;
    LOOP: bar.sync 0; setp.ge.u32 %p, %t, %step; @%p bra SKIP;
      shl.b32 %bytes, %step, 2; add.u32 %other, %mine, %bytes;
      ld.shared.f32 %x, [%mine]; ld.shared.f32 %y, [%other]; add.f32 %x, %x, %y; st.shared.f32 [%mine], %x;
    SKIP: shr.u32 %step, %step, 1; setp.ne.u32 %p, %step, 0; @%p bra LOOP;
      setp.ne.u32 %p, %t, 0; @%p bra END;
      ld.param.u64 %base, [p0]; st.global.f32 [%base], %x;
    END: ret;""", (1,), (128,), out, numbers, shared_mem=512, scalars=scalars,
           before=".extern .shared .align 16 .b8 dynamic[];")
    assert out[0] == numbers.sum()


@BOTH
def test_named_barriers_between_warps_that_do_different_things(scalars):
    """Warp 0 produces and arrives, warp 1 waits and consumes; warp 2 has nothing to do with them."""
    out = np.zeros(32, np.uint32)
    launch(f"""{LANE} .reg .b32 %w, %a, %i, %v, %l; .reg .pred %p; .shared .align 4 .b8 box[128];
      shr.u32 %w, %t, 5; and.b32 %l, %t, 31; mov.u32 %a, box; shl.b32 %i, %l, 2; add.u32 %i, %a, %i;
      setp.eq.u32 %p, %w, 1; @%p bra CONSUME;
      setp.eq.u32 %p, %w, 2; @%p bra END;
      mul.lo.u32 %v, %t, 3; st.shared.u32 [%i], %v; bar.arrive 1, 64; bra.uni END;
    CONSUME: bar.sync 1, 64; ld.shared.u32 %v, [%i]; {out_at("%l")} st.global.u32 [%at], %v;
    END: ret;""", (1,), (96,), out, scalars=scalars)
    assert out.tolist() == [3 * lane for lane in range(32)]


@BOTH
def test_barriers_that_count(scalars):
    out = np.zeros(3 * 96, np.uint32)
    launch(f"""{LANE} {out_at()} .reg .b32 %n, %x; .reg .pred %p, %q, %r;
      and.b32 %x, %t, 3; setp.eq.u32 %p, %x, 0;
      bar.red.popc.u32 %n, 0, %p; st.global.u32 [%at], %n;
      bar.red.and.pred %q, 0, %p; bar.red.or.pred %r, 0, %p;
      selp.u32 %n, 1, 0, %q; st.global.u32 [%at+384], %n; selp.u32 %n, 1, 0, %r; st.global.u32 [%at+768], %n; ret;""",
           (1,), (96,), out, scalars=scalars)
    assert out.reshape(3, 96).tolist() == [[24] * 96, [0] * 96, [1] * 96]


LANES = np.arange(32)
VALUES = np.array([7 * lane % 5 for lane in range(32)])
FLOATS = ".reg .f32 %x; .reg .b32 %s; sub.s32 %s, 2, %v; cvt.rn.f32.s32 %x, %s;"
COLLECTIVES = {
    "shfl.sync.up.b32 %r, %v, 3, 0, -1;": np.where(LANES >= 3, np.roll(VALUES, 3), VALUES),
    "shfl.sync.down.b32 %r, %v, 1, 31, -1;": np.where(LANES < 31, np.roll(VALUES, -1), VALUES),
    "shfl.sync.bfly.b32 %r, %v, 16, 31, -1;": VALUES[LANES ^ 16],
    "shfl.sync.idx.b32 %r, %v, 5, 31, -1;": np.full(32, VALUES[5]),
    "shfl.sync.idx.b32 %r, %v, 1, 0x181f, -1;": VALUES[LANES // 8 * 8 + 1],  # segments of 8
    "shfl.sync.idx.b32 %r, %v, %v, 31, -1;": VALUES[VALUES],  # each lane another distance
    "shfl.sync.down.b32 %r|%p, %v, %v, 31, -1; selp.u32 %r, 1, 0, %p;": LANES + VALUES < 32,
    "setp.eq.u32 %p, %v, 2; vote.sync.ballot.b32 %r, %p, -1;": np.full(32,
                                                                       sum(1 << k for k in LANES if VALUES[k] == 2)),
    "setp.lt.u32 %p, %v, 5; vote.sync.all.pred %p, %p, -1; selp.u32 %r, 1, 0, %p;": np.ones(32),
    "setp.lt.u32 %p, %v, 0; vote.sync.any.pred %p, %p, -1; selp.u32 %r, 1, 0, %p;": np.zeros(32),
    "match.any.sync.b32 %r, %v, -1;": [sum(1 << k for k in LANES if VALUES[k] == v) for v in VALUES],
    "match.all.sync.b32 %r|%p, %v, -1;": np.zeros(32),
    "redux.sync.add.s32 %r, %v, -1;": np.full(32, VALUES.sum()),
    "redux.sync.max.u32 %r, %v, -1;": np.full(32, VALUES.max()),
    "redux.sync.xor.b32 %r, %v, -1;": np.full(32, np.bitwise_xor.reduce(VALUES)),
    f"{FLOATS} redux.sync.min.f32 %x, %x, -1; mov.b32 %r, %x;": np.full(32, np.float32(-2).view("u4")),
    f"{FLOATS} redux.sync.max.abs.f32 %x, %x, -1; mov.b32 %r, %x;": np.full(32, np.float32(2).view("u4")),
    f"{FLOATS} setp.eq.u32 %p, %t, 3; selp.f32 %x, 0f7FC00000, %x, %p; redux.sync.max.f32 %x, %x, -1; mov.b32 %r, %x;":
        np.full(32, np.float32(2).view("u4")),
    f"{FLOATS} setp.eq.u32 %p, %t, 3; selp.f32 %x, 0f7FC00000, %x, %p; redux.sync.max.NaN.f32 %x, %x, -1; "
    "testp.notanumber.f32 %p, %x; selp.u32 %r, 1, 0, %p;": np.ones(32),
    f"{FLOATS} setp.ge.u32 %p, %t, 2; @%p bra L; redux.sync.max.f32 %x, %x, 3; mov.b32 %r, %x; L:":
        np.where(LANES < 2, np.float32(2 - VALUES[:2].min()).view("u4"), 0),
    "elect.sync %r|%p, -1; selp.u32 %r, 1, 0, %p;": LANES == 0,
    "activemask.b32 %r;": np.full(32, (1 << 32) - 1),
    "setp.ge.u32 %p, %t, 8; @%p bra L; vote.sync.ballot.b32 %r, %one, 0xff; L:": np.where(LANES < 8, 255, 0),
    "mov.u32 %r, %lanemask_lt;": (1 << LANES) - 1,
    "mov.u32 %r, %laneid;": LANES,
}


@BOTH
def test_collectives(scalars):
    """All in one kernel."""
    names = list(COLLECTIVES)
    out = np.zeros((len(names), 32), np.uint32)
    rows = "".join(f"{{ mov.u32 %r, 0; {text.replace('L;', f'L{n};').replace(' L:', f' L{n}:')} st.global.u32 "
                   f"[%at+{128 * n}], %r; }}\n" for n, text in enumerate(names))
    launch(f"""{LANE} {out_at()} .reg .b32 %v, %r; .reg .pred %p, %one;
      mul.lo.u32 %v, %t, 7; rem.u32 %v, %v, 5; setp.eq.u32 %one, 0, 0;
      {rows} ret;""", (1,), (32,), out, scalars=scalars)
    for name, row in zip(names, out, strict=True):
        assert row.tolist() == np.asarray(COLLECTIVES[name]).astype(np.int64).tolist(), name


TILES = VALUES.reshape(4, 8)
FIRST = LANES // 8 * 8


def in_tiles(find):
    """What `find` says of eight lanes' values, for each of them."""
    return np.repeat([find(row) for row in TILES], 8)


OF_TILES = {
    "setp.gt.u32 %p, %v, 2; vote.sync.ballot.b32 %r, %p, %m;":
        in_tiles(lambda row: sum(1 << k for k in range(8) if row[k] > 2)) << FIRST,
    "setp.eq.u32 %p, %t, 9; vote.sync.any.pred %p, %p, %m; selp.u32 %r, 1, 0, %p;": FIRST == 8,
    "setp.ne.u32 %p, %t, 9; vote.sync.all.pred %p, %p, %m; selp.u32 %r, 1, 0, %p;": FIRST != 8,
    "setp.lt.u32 %p, %t, 12; vote.sync.uni.pred %p, %p, %m; selp.u32 %r, 1, 0, %p;": FIRST != 8,
    "match.any.sync.b32 %r, %v, %m;":
        [sum(1 << k for k in range(FIRST[t], FIRST[t] + 8) if VALUES[k] == VALUES[t]) for t in LANES],
    "shr.u32 %r, %t, 4; match.all.sync.b32 %r|%p, %r, %m;": 255 << FIRST,
    "setp.eq.u32 %p, %t, 9; selp.u32 %r, 1, 0, %p; match.all.sync.b32 %r|%p, %r, %m;":
        np.where(FIRST == 8, 0, 255 << FIRST),
    "redux.sync.add.s32 %r, %v, %m;": in_tiles(np.sum),
    "redux.sync.min.u32 %r, %t, %m;": FIRST,
    "redux.sync.or.b32 %r, %t, %m;": FIRST + 7,
    f"{FLOATS} redux.sync.max.f32 %x, %x, %m; mov.b32 %r, %x;":
        in_tiles(lambda row: np.float32(2 - min(row)).view("u4")),
    "elect.sync %r|%p, %m;": FIRST,
    "elect.sync %r|%p, %m; selp.u32 %r, 1, 0, %p;": LANES == FIRST,
}


@BOTH
def test_collectives_of_tiles_of_a_warp(scalars):
    """Lanes that name different masks, as those of cooperative groups' tiles do, are groups of their own."""
    out = np.zeros((len(OF_TILES), 32), np.uint32)
    rows = "".join(f"{{ {text} st.global.u32 [%at+{128 * n}], %r; }}\n" for n, text in enumerate(OF_TILES))
    launch(f"""{LANE} {out_at()} .reg .b32 %v, %r, %m, %first; .reg .pred %p;
      mul.lo.u32 %v, %t, 7; rem.u32 %v, %v, 5; and.b32 %first, %t, 24; mov.u32 %m, 255; shl.b32 %m, %m, %first;
      {rows} ret;""", (1,), (32,), out, scalars=scalars)
    for (name, expected), row in zip(OF_TILES.items(), out, strict=True):
        assert row.tolist() == np.asarray(expected).astype(np.int64).tolist(), name


ATOMICS = {
    "atom.global.add.u32 %r, [%base], %t;": ("u4", 5, lambda lanes: 5 + sum(lanes)),
    "red.global.max.s32 [%base], %t;": ("i4", -3, max),
    "atom.global.min.u32 %r, [%base], %t;": ("u4", 9, min),
    "atom.global.and.b32 %r, [%base], %t;": ("u4", 0xFF, lambda lanes: 0),
    "red.global.xor.b32 [%base], %t;": ("u4", 1, lambda lanes: 1 ^ int(np.bitwise_xor.reduce(lanes))),
    "atom.global.inc.u32 %r, [%base], 9;": ("u4", 0, lambda lanes: 96 % 10),
    "atom.global.dec.u32 %r, [%base], 9;": ("u4", 0, lambda lanes: -96 % 10),
    "atom.global.exch.b32 %r, [%base], 77;": ("u4", 0, lambda lanes: 77),
    "atom.global.cas.b32 %r, [%base], 3, 8;": ("u4", 3, lambda lanes: 8),
    "cvt.rn.f32.u32 %f, %t; red.global.add.f32 [%base], %f;": ("f4", 0.5, lambda lanes: 0.5 + sum(lanes)),
    "cvt.rn.f64.u32 %d, %t; atom.global.add.f64 %d, [%base], %d;": ("f8", 0.5, lambda lanes: 0.5 + sum(lanes)),
    "mov.b32 %r, 0x3c003c00; red.global.add.noftz.f16x2 [%base], %r;": ("f2", 2, lambda lanes: 98),
}


@pytest.mark.parametrize("text", ATOMICS)
def test_atomics(text):
    """Three warps of two blocks would race for one place; here a block of three."""
    dtype, start, want = ATOMICS[text]
    place = np.full(8, start, dtype)
    launch(f"{LANE} {out_at()} .reg .b32 %r; .reg .f32 %f; .reg .f64 %d; {text} ret;", (1,), (96,), place)
    assert place[0] == want(range(96))


def test_atomics_of_many_blocks_lose_nothing():
    place = np.zeros(1, np.uint32)
    launch(f"{LANE} {out_at()} red.global.add.u32 [%base], 1; ret;", (1000,), (64,), place)
    assert place[0] == 64000


@BOTH
@pytest.mark.parametrize("threads", [8, 32, 33, 256])
def test_a_lock_between_lanes_of_a_warp(scalars, threads):
    """Lanes that spin do not keep the one that holds the lock from letting go, nor do they hold it up for long."""
    memory = np.zeros(2, np.uint32)
    launch(f"""{LANE} {out_at()} .reg .b32 %old, %x; .reg .pred %p;
    AGAIN: atom.global.cas.b32 %old, [%base], 0, 1; setp.ne.u32 %p, %old, 0; @%p bra AGAIN;
      ld.volatile.global.u32 %x, [%base+4]; add.u32 %x, %x, 1; st.volatile.global.u32 [%base+4], %x;
      membar.gl; atom.global.exch.b32 %old, [%base], 0; ret;""", (1,), (threads,), memory, scalars=scalars)
    assert memory.tolist() == [0, threads]


@BOTH
def test_a_warp_waits_for_a_flag_of_a_later_warp(scalars):
    flag, out = np.zeros(1, np.uint32), np.zeros(64, np.uint32)
    launch(f"""{LANE} {out_at(name="p1")} .reg .b64 %flag; .reg .b32 %x, %w; .reg .pred %p;
      ld.param.u64 %flag, [p0]; shr.u32 %w, %t, 5; setp.eq.u32 %p, %w, 1; @%p bra SET;
    WAIT: ld.volatile.global.u32 %x, [%flag]; setp.eq.u32 %p, %x, 0; @%p bra WAIT;
      bra.uni DONE;
    SET: st.volatile.global.u32 [%flag], 5; mov.u32 %x, 6;
    DONE: st.global.u32 [%at], %x; ret;""", (1,), (64,), flag, out, scalars=scalars)
    assert out.tolist() == [5] * 32 + [6] * 32


FIBONACCI = """
.func (.param .b32 result) fib(.param .b32 n)
{
  .reg .b32 %n, %a, %b, %m; .reg .pred %p;
  ld.param.u32 %n, [n]; setp.lt.u32 %p, %n, 2; @%p bra SMALL;
  sub.u32 %m, %n, 1;
  { .param .b32 given; .param .b32 taken; st.param.b32 [given], %m; call.uni (taken), fib, (given);
    ld.param.b32 %a, [taken]; }
  sub.u32 %m, %n, 2;
  { .param .b32 given1; .param .b32 taken1; st.param.b32 [given1], %m; call.uni (taken1), fib, (given1);
    ld.param.b32 %b, [taken1]; }
  add.u32 %n, %a, %b;
SMALL: st.param.b32 [result], %n; ret;
}
"""


@BOTH
def test_calls_and_recursion(scalars):
    """Each lane to another depth."""
    out = np.zeros(12, np.uint32)
    launch(f"""{LANE} {out_at()} .reg .b32 %x;
      {{ .param .b32 given; .param .b32 taken; st.param.b32 [given], %t; call.uni (taken), fib, (given);
         ld.param.b32 %x, [taken]; }}
      st.global.u32 [%at], %x; ret;""", (1,), (12,), out, before=FIBONACCI, scalars=scalars)
    assert out.tolist() == [0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89]


@BOTH
def test_local_memory_is_each_lanes_own(scalars):
    """By its own addresses and by generic ones."""
    out = np.zeros(40, np.uint32)
    launch(f"""{LANE} {out_at()} .local .align 8 .b8 depot[32]; .reg .b64 %l, %g, %i; .reg .b32 %k, %x, %y;
      .reg .pred %p;
      mov.u64 %l, depot; cvta.local.u64 %g, %l; mov.u32 %k, 0;
    FILL: mul.wide.u32 %i, %k, 4; add.s64 %i, %l, %i; add.u32 %x, %t, %k; st.local.u32 [%i], %x;
      add.u32 %k, %k, 1; setp.lt.u32 %p, %k, 8; @%p bra FILL;
      and.b32 %k, %t, 7; mul.wide.u32 %i, %k, 4; add.s64 %i, %g, %i; ld.u32 %x, [%i];
      st.global.u32 [%at], %x; ret;""", (1,), (40,), out, scalars=scalars)
    assert out.tolist() == [t + (t & 7) for t in range(40)]


@BOTH
def test_generic_addresses_of_shared_memory_and_tables_of_constants(scalars):
    out = np.zeros(32, np.uint32)
    launch(f"""{LANE} {out_at()} .shared .align 4 .b8 line[128]; .reg .b64 %s, %g, %c; .reg .b32 %x; .reg .pred %p;
      and.b32 %x, %t, 3; mul.wide.u32 %c, %x, 4; mov.u64 %s, squares; add.s64 %c, %s, %c; ld.const.u32 %x, [%c];
      mov.u64 %s, line; cvta.shared.u64 %g, %s; mul.wide.u32 %c, %t, 4; add.s64 %g, %g, %c; st.u32 [%g], %x;
      isspacep.shared %p, %g; @%p ld.shared.u32 %x, [line+8]; st.global.u32 [%at], %x; ret;""",
           (1,), (32,), out, before=".const .align 4 .u32 squares[4] = {0, 1, 4, 9};",
           scalars=scalars)
    assert out.tolist() == [4] * 32


@BOTH
def test_asynchronous_copies_fill_what_is_missing_with_zeros(scalars):
    numbers, out = np.arange(1, 129, dtype=np.uint32), np.zeros(128, np.uint32)
    launch(f"""{LANE} {out_at(name="p1", size=16)} .shared .align 16 .b8 line[512]; .reg .b64 %from;
      .reg .b32 %a, %s, %n;
      .reg .b32 %v<4>; mov.u32 %a, line; shl.b32 %s, %t, 4; add.u32 %s, %a, %s; and.b32 %n, %t, 15; add.u32 %n, %n, 1;
      ld.param.u64 %from, [p0]; sub.s64 %at, %at, %base; add.s64 %from, %from, %at; add.s64 %at, %base, %at;
      cp.async.cg.shared.global [%s], [%from], 16, %n; cp.async.commit_group; cp.async.wait_group 0;
      ld.shared.v4.u32 {{%v0, %v1, %v2, %v3}}, [%s]; st.global.v4.u32 [%at], {{%v0, %v1, %v2, %v3}}; ret;""",
           (1,), (32,), numbers, out, scalars=scalars)
    want = numbers.view(np.uint8).reshape(32, 16) * (np.arange(16) < (np.arange(32) % 16 + 1)[:, None])
    assert (out.view(np.uint8).reshape(32, 16) == want).all()


def test_printf_by_lane(capsys):
    text = 'a %d %5.2f %s|%c%%\\n'
    given = np.frombuffer(text.encode().decode("unicode_escape").encode() + b"\0", np.uint8)
    word = np.frombuffer(b"word\0", np.uint8)
    launch(f"""{LANE} .local .align 8 .b8 depot[32]; .reg .b64 %l, %f, %w; .reg .f64 %d; .reg .b32 %r; .reg .pred %p;
      ld.param.u64 %f, [p0]; ld.param.u64 %w, [p1]; mov.u64 %l, depot; setp.gt.u32 %p, %t, 1; @%p bra END;
      cvt.rn.f64.u32 %d, %t; st.local.u32 [%l], %t; st.local.f64 [%l+8], %d; st.local.u64 [%l+16], %w;
      st.local.u32 [%l+24], 65;
      {{ .param .b64 a; .param .b64 b; .param .b32 c; st.param.b64 [a], %f; st.param.b64 [b], %l;
         call.uni (c), vprintf, (a, b); ld.param.b32 %r, [c]; }}
    END: ret;""", (1,), (4,), given, word,
           before=".extern .func (.param .b32 r) vprintf(.param .b64 x, .param .b64 y);")
    assert capsys.readouterr().out == "a 0  0.00 word|A%\na 1  1.00 word|A%\n"


FAILURES = {
    "setp.eq.u32 %p, %t, 37; @%p trap;": "trap at line 8 of the PTX, block (1, 0, 0), warp 1, lanes 5",
    "setp.lt.u32 %p, %t, 32; @%p bra A; bar.sync 1, 96; A: bar.sync 2, 64;":
        "deadlock in block (1, 0, 0): warp 0 waits at barrier 2 at line 8 of the PTX; "
        "warp 1 waits at barrier 1 at line 8 of the PTX",
    "setp.lt.u32 %p, %t, 5; @%p bra A; bar.sync 1; bra.uni B; A: bar.sync 2; B:":
        "lanes of one warp wait at different barriers at line 8 of the PTX, block (1, 0, 0), warp 0, lanes",
}


@pytest.mark.parametrize("text", FAILURES)
@BOTH
def test_a_failure_names_the_place(text, scalars):
    with pytest.raises(ptx.LaunchError) as raised:
        launch(f"{LANE} .reg .pred %p, %q; .reg .b32 %b; mov.u32 %b, %ctaid.x; setp.ne.u32 %q, %b, 1; @%q bra OVER;\n"
               f"{text} OVER: ret;", (3,), (64,), scalars=scalars)
    assert FAILURES[text] in str(raised.value)


def test_a_fault_in_one_launch_does_not_touch_the_next():
    text = f"{HEAD}.visible .entry f(.param .u32 n) {{ .reg .b32 %n; .reg .pred %p; ld.param.u32 %n, [n]; " \
           "setp.ne.u32 %p, %n, 0; @%p trap; ret; }"
    kernel = ptx.Kernel(text)
    with pytest.raises(ptx.LaunchError, match="trap"):
        kernel((4,), (32,), (1,))
    kernel((4,), (32,), (0,))


def test_indices_of_blocks_and_threads_in_three_dimensions():
    out = np.zeros(2 * 3 * 2 * 24, np.uint32)
    launch(f"""{LANE} .reg .b32 %x<12>;
      mov.u32 %x0, %tid.y; mov.u32 %x1, %tid.z; mov.u32 %x2, %ctaid.x; mov.u32 %x3, %ctaid.y; mov.u32 %x4, %ctaid.z;
      mad.lo.u32 %x5, %x4, 3, %x3; mad.lo.u32 %x5, %x5, 2, %x2; mul.lo.u32 %x5, %x5, 24;
      mad.lo.u32 %x6, %x1, 3, %x0; mad.lo.u32 %x6, %x6, 4, %t; add.u32 %x5, %x5, %x6;
      mad.lo.u32 %x7, %x1, 10, %x0; mad.lo.u32 %x7, %x7, 10, %t; mad.lo.u32 %x7, %x4, 1000, %x7; {out_at("%x5")}
      st.global.u32 [%at], %x7; ret;""", (2, 3, 2), (4, 3, 2), out)
    z, _, _, tz, ty, tx = np.indices((2, 3, 2, 2, 3, 4))
    assert (out == (1000 * z + 100 * tz + 10 * ty + tx).ravel()).all()


@BOTH
def test_predefined_names(scalars):
    """WARP_SZ, also in a variable's beginning, and every special register."""
    values = {"WARP_SZ": 32, "%laneid": 7, "%warpid": 1, "%nwarpid": 64, "%smid": 0, "%nsmid": 1, "%lanemask_lt": 127,
              "%ctaid.x": 2, "%nctaid.x": 3, "%ntid.x": 64, "%tid.x": 39, "%dynamic_smem_size": 48,
              "%total_smem_size": 48, "%aggr_smem_size": 48, "%pm3": 0, "%reserved_smem_offset_cap": 0,
              "%gridid": 0, "%pm0_64": 0, "%current_graph_exec": 0}
    clocks = ["%clock", "%clock_hi", "%clock64", "%globaltimer", "%globaltimer_lo", "%globaltimer_hi"]
    wide = ("%gridid", "%pm0_64", "%current_graph_exec", "%clock64", "%globaltimer")
    reads = "".join(f"mov.u64 %w, {name}; st.global.u64 [%base+{8 * at}], %w;" if name in wide else
                    f"mov.u32 %x, {name}; cvt.u64.u32 %w, %x; st.global.u64 [%base+{8 * at}], %w;"
                    for at, name in enumerate([*values, *clocks]))
    out = np.zeros(len(values) + len(clocks) + 1, np.uint64)
    launch(f"""{LANE} {out_at()} .reg .b32 %x; .reg .b64 %w; .reg .pred %p, %q; mov.u32 %x, %ctaid.x;
      setp.ne.u32 %p, %x, 2; setp.ne.or.u32 %p, %t, 39, %p; @%p bra OVER; {reads}
      ld.global.u32 %x, [size]; cvt.u64.u32 %w, %x; st.global.u64 [%base+{8 * len(out) - 8}], %w;
    OVER: ret;""", (3,), (64,), out, shared_mem=48, before=".global .u32 size = WARP_SZ;", scalars=scalars)
    assert dict(zip(values, out.tolist(), strict=False)) == values and out[-1] == 32
    low, high, *_ = out[len(values):].tolist()
    assert abs((high << 32) + low - int(out[len(values) + 2])) < 1 << 32


def test_arguments_that_do_not_fit():
    kernel = ptx.Kernel(f"{HEAD}.visible .entry f(.param .u32 n, .param .f32 x) {{ ret; }}")
    kernel((1,), (1,), (3, 1.5))
    for args, message in (((1,), "takes 2 arguments"), ((1 << 40, 1.0), "argument 0"), ((np.int64(1), 1.0),
                                                                                        "argument 0"),
                          ((1, "x"), "argument 1")):
        with pytest.raises(TypeError, match=message):
            kernel((1,), (1,), args)


@pytest.mark.parametrize("blocks", [1, 3])
def test_ctrl_c_ends_a_launch(blocks, monkeypatch):
    """A loop without an end, in this thread alone and with others."""
    import os
    import signal
    import threading

    monkeypatch.setenv("GPUNET_SIM_WORKERS", "3")
    out = np.zeros(1, np.uint32)
    kernel = ptx.Kernel(f"""{HEAD} .visible .entry spin(.param .u64 p) {{
      .reg .b64 %a; .reg .b32 %v; .reg .pred %q; ld.param.u64 %a, [p];
    LOOP: ld.volatile.global.u32 %v, [%a]; setp.eq.u32 %q, %v, 0; @%q bra LOOP; ret; }}""")
    kernel.compiled()
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        kernel((blocks,), (32,), (out,))
    timer.join()
    out[0] = 1
    kernel((blocks,), (32,), (out,))  # and it can be launched again


def test_arguments_that_are_packed_quickly_are_those_that_are_packed_with_care():
    from gpunet.ptx.arguments import pack, packer

    text = (".version 8.3 .target sm_80 .address_size 64 .visible .entry f(.param .u8 a, .param .u64 b, .param .f32 c, "
            ".param .align 4 .b8 d[12], .param .s16 e, .param .f64 f) { ret; }")
    program = ptx.Kernel(text).compiled()
    quickly, array = packer(program.parameters), np.zeros(4)
    for args in ((np.int8(-1), None, np.float32(1.5), b"x" * 12, -2, 2.5),
                 (255, 2**63, np.float32(np.nan), np.zeros((), "V12")[()], np.int16(7), np.float64(-0.0)),
                 (0, array, np.float32(0), b"x" * 12, 0, 0.0), (0, -1, np.float32(0), b"x" * 12, 0, 0.0),
                 (0, np.int64(-1), np.float32(0), b"x" * 12, 0, 0.0)):
        assert quickly(*args) == pack(program, args)
    with pytest.raises(TypeError, match=r"kernel f, argument 0: 256 does not fit"):
        ptx.Kernel(text)((1,), (32,), (256, array, np.float32(0), b"x" * 12, 0, 0.0))


@BOTH
@pytest.mark.parametrize("guard", ["", "@%p "])
def test_a_branch_by_a_table(scalars, guard):
    """As of a switch: each lane to one of five places, two of them the same; some lanes, under a guard, to none."""
    out = np.zeros(64, np.uint32)
    launch(f"""{LANE} {out_at()} .reg .b32 %i, %v; .reg .pred %p;
      TABLE: .branchtargets A, B, C, B, D;
      rem.u32 %i, %t, 5; setp.lt.u32 %p, %t, 40; mov.u32 %v, 7;
      {guard}brx.idx %i, TABLE;
      mov.u32 %v, 1; bra.uni END;
    C: mov.u32 %v, 300; bra.uni END;
    B: add.u32 %v, %t, 200;
    A: add.u32 %v, %v, 100; bra.uni END;
    D: mov.u32 %v, 500;
    END: st.global.u32 [%at], %v; ret;""", (1,), (64,), out, scalars=scalars)
    t = np.arange(64)
    want = np.choose(t % 5, [107, t + 300, 300, t + 300, 500])
    assert out.tolist() == (np.where(t < 40, want, 1) if guard else want).tolist()


def test_clusters_whose_size_the_launch_says():
    """Each block reads what the next of its cluster wrote; without a cluster it is its own."""
    text = f"""{HEAD}.visible .entry next(.param .u64 p0) {{ {LANE} .shared .align 4 .b8 line[128];
      .reg .b32 %a, %b, %v, %rank, %size, %block, %i;
      mov.u32 %block, %ctaid.x; mov.u32 %rank, %cluster_ctarank; mov.u32 %size, %cluster_nctarank;
      mov.u32 %a, line; mad.lo.u32 %a, %t, 4, %a; mad.lo.u32 %v, %block, 100, %t; st.shared.u32 [%a], %v;
      barrier.cluster.arrive; barrier.cluster.wait;
      add.u32 %rank, %rank, 1; rem.u32 %rank, %rank, %size; mapa.shared::cluster.u32 %b, %a, %rank;
      ld.shared::cluster.u32 %v, [%b]; mad.lo.u32 %i, %block, 32, %t; {out_at("%i")}
      st.global.u32 [%at], %v; barrier.cluster.arrive; barrier.cluster.wait; ret; }}"""
    block, t = np.indices((8, 32))
    for size in (1, 2, 4):
        out = np.zeros((8, 32), np.uint32)
        kernel = ptx.Kernel(text, cluster=None if size == 1 else (size,))
        kernel((8,), (32,), (out,))
        assert (out == (block // size * size + (block + 1) % size) * 100 + t).all()
        assert ptx.check(kernel, 8, 32, (np.zeros_like(out),)) == []
    with pytest.raises(ValueError, match=r"the grid \(6, 1, 1\) is no multiple of its clusters' size \(4, 1, 1\)"):
        kernel((6,), (32,), (out,))
    declared = ptx.Kernel(text.replace("(.param .u64 p0)", "(.param .u64 p0) .reqnctapercluster 2"), cluster=(4,))
    with pytest.raises(ValueError, match=r"its clusters have the size \(2, 1, 1\), not \(4, 1, 1\)"):
        declared((8,), (32,), (out,))


FUNCTIONS = """.func (.param .b32 r) triple(.param .b32 a) { .reg .b32 %a; ld.param.u32 %a, [a];
  mul.lo.u32 %a, %a, 3; st.param.u32 [r], %a; ret; }
.func (.param .b32 r) less(.param .b32 a) { .reg .b32 %a; ld.param.u32 %a, [a];
  sub.u32 %a, %a, 7; st.param.u32 [r], %a; ret; }
.func (.param .b64 r) other(.param .b32 a) { .reg .b64 %a; mov.u64 %a, other; st.param.u64 [r], %a; ret; }
.global .align 8 .u64 table[3] = {less, triple, other};"""


@BOTH
def test_calls_by_pointers(scalars):
    """From a table and from an instruction, one for all lanes and each lane its own; what is no such function is told.
    """
    def call(pointer, x):
        return f"""{{ .param .b32 given; st.param.u32 [given], {x}; .param .b32 got;
          prototype: .callprototype (.param .b32 _) _ (.param .b32 _);
          call (got), {pointer}, (given), prototype; ld.param.u32 {x}, [got]; }}"""

    out = np.zeros(40, np.uint32)
    body = f"""{LANE} {out_at()} .reg .b64 %f, %all, %p; .reg .b32 %i, %x;
      mov.u64 %p, table; rem.u32 %i, %t, @COUNT@; mul.wide.u32 %f, %i, 8; add.s64 %p, %p, %f; ld.global.u64 %f, [%p];
      mov.u64 %all, triple; mov.u32 %x, %t; {call("%f", "%x")} {call("%all", "%x")} st.global.u32 [%at], %x; ret;"""
    launch(body.replace("@COUNT@", "2"), (1,), (40,), out, before=FUNCTIONS, scalars=scalars)
    t = np.arange(40)
    assert (out == (3 * np.where(t % 2, 3 * t, t - 7)).astype(np.uint32)).all()
    with pytest.raises(ptx.LaunchError, match=r"trap at line \d+ of the PTX, block \(0, 0, 0\), warp 0, lanes 2, 5"):
        launch(body.replace("@COUNT@", "3"), (1,), (40,), out, before=FUNCTIONS, scalars=scalars)


def test_arrays_that_lie_in_unusual_ways():
    """Read-only, in steps, by columns, and of no dimensions, which is passed as its value."""
    from gpunet.ptx.arguments import pack

    text = f"{HEAD}.visible .entry f(.param .u64 to, .param .u64 p) {{ .reg .b64 %a<3>; ld.param.u64 %a1, [to]; " \
           "ld.param.u64 %a2, [p]; st.global.u64 [%a1], %a2; ret; }"
    kernel, seen = ptx.Kernel(text), np.zeros(1, np.uint64)
    frozen, values = np.arange(4.0), np.arange(24.0).reshape(4, 6)
    frozen.flags.writeable = False
    for given in (values, frozen, values[::2, ::3], values.T, values[2:], np.array(7, np.uint64), np.uint64(9)):
        kernel((1,), (32,), (seen, given))
        expected = given if given.ndim == 0 else given.ctypes.data
        assert seen[0] == expected
        assert pack(kernel.compiled(), (seen, given))[8:] == np.uint64(expected).tobytes()


def test_a_forked_process_launches_in_memory_of_its_own():
    """A kernel that both use at once: its frames and its arguments are each one's own."""
    import multiprocessing

    text = f"""{HEAD}.visible .entry f(.param .u64 out, .param .u32 v) {{
      .reg .b64 %a; .reg .b32 %v, %n, %t; .reg .pred %p; ld.param.u64 %a, [out]; ld.param.u32 %v, [v]; mov.u32 %n, 0;
      mov.u32 %t, %tid.x; add.u32 %v, %v, %t;
    LOOP: st.global.u32 [%a], %v; add.u32 %n, %n, 1; setp.lt.u32 %p, %n, 1000; @%p bra LOOP;
      mul.wide.u32 %a, %t, 4; .reg .b64 %b; ld.param.u64 %b, [out]; add.s64 %a, %a, %b; st.global.u32 [%a], %v;
      ret; }}"""
    kernel, out = ptx.Kernel(text), np.zeros(32, np.uint32)
    kernel((1,), (32,), (out, 0))

    def right(base):
        for number in range(base, base + 300):
            kernel((1,), (32,), (out, number))
            if not (out == np.arange(number, number + 32)).all():
                return False
        return True

    child = multiprocessing.get_context("fork").Process(target=lambda: exit(0 if right(1 << 20) else 1))
    child.start()
    assert right(0)
    child.join()
    assert child.exitcode == 0


# As cooperative groups make it: a counter in the driver's 8 bytes, of which the highest bit changes when all have come.
GRID_BARRIER = """
    .reg .b64 %ws; .reg .b32 %hi, %lo, %more, %old, %now, %turn; .reg .pred %first, %waits; .reg .b32 %blocks;
    mov.u32 %lo, %envreg2; mov.u32 %hi, %envreg1; mov.b64 %ws, {%lo, %hi};
    mov.u32 %blocks, %nctaid.x; mov.u32 %more, %ctaid.x; setp.eq.u32 %first, %more, 0;
    sub.u32 %blocks, -2147483647, %blocks; selp.b32 %more, %blocks, 1, %first;
    bar.sync 0; setp.ne.u32 %waits, %t, 0; @%waits bra MET;
    atom.add.release.gpu.u32 %old, [%ws+4], %more;
  AGAIN: ld.acquire.gpu.u32 %now, [%ws+4]; xor.b32 %turn, %old, %now; and.b32 %turn, %turn, -2147483648;
    setp.eq.u32 %waits, %turn, 0; @%waits bra AGAIN;
  MET: bar.sync 0;"""


@BOTH
@pytest.mark.parametrize("blocks", [1, 3, 200])
def test_a_barrier_of_the_whole_grid(scalars, blocks):
    """Each block reads what the last has written, which runs after it."""
    between, out = np.zeros(40 * blocks, np.uint32), np.zeros(40 * blocks, np.uint32)
    text = f"""{LANE}
      .reg .b32 %i, %other; .reg .b64 %to; mov.u32 %i, %ctaid.x; mad.lo.u32 %i, %i, 40, %t;
      {out_at("%i")} st.global.u32 [%at], %i; {GRID_BARRIER}
      sub.u32 %other, {40 * blocks - 1}, %i; mul.wide.u32 %at, %other, 4; add.s64 %at, %base, %at;
      ld.global.u32 %other, [%at]; ld.param.u64 %base, [p1]; mul.wide.u32 %to, %i, 4; add.s64 %to, %base, %to;
      st.global.u32 [%to], %other; ret;"""
    for _ in range(2):  # the driver's bytes are fresh for each
        launch(text, (blocks,), (40,), between, out, scalars=scalars)
        np.testing.assert_array_equal(out, np.arange(40 * blocks)[::-1])


def test_a_grid_that_is_too_large_for_its_barrier():
    with pytest.raises(ValueError, match="a barrier of the whole grid needs all its blocks at once, and of 1024 "
                                         "threads a GPU has 264 at once, not 265: take a smaller grid"):
        launch(f"{LANE} {GRID_BARRIER} ret;", (265,), (1024,))
