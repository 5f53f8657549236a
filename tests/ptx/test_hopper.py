"""mbarriers against a model in Python, bulk copies and wgmma with operands in registers against NumPy."""

import random

import ml_dtypes
import numpy as np
import pytest

from gpunet import ptx
from tests.ptx.harness import HEAD, launch

BOTH = pytest.mark.parametrize("scalars", [True, False], ids=["analysis", "vectors"])


class Barrier:
    """What the PTX manual says of an mbarrier."""

    def __init__(self, count):
        self.pending = self.expected = count
        self.bytes = self.phase = 0

    def change(self, arrivals=0, drops=0, expect=0):
        self.pending -= arrivals + drops
        self.expected -= drops
        self.bytes += expect
        if self.pending == self.bytes == 0:
            self.phase ^= 1
            self.pending = self.expected

    def ended(self, parity):
        return int(self.phase != parity)


AT = "shared::cta.b64"
OPERATIONS = {
    f"mbarrier.arrive.{AT} %s, [bar];": dict(arrivals=1),
    f"mbarrier.arrive.release.cta.{AT} _, [bar], 2;": dict(arrivals=2),
    f"mbarrier.arrive_drop.{AT} %s, [bar];": dict(drops=1),
    f"mbarrier.arrive.expect_tx.{AT} %s, [bar], 32;": dict(arrivals=1, expect=32),
    "mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [bar], 16;": dict(expect=16),
    "mbarrier.complete_tx.relaxed.cta.shared::cta.b64 [bar], 16;": dict(expect=-16),
}


@BOTH
def test_mbarriers_do_what_the_manual_says(scalars):
    """A random sequence by one thread; after each, what is said of both parities and of the state before."""
    rng = random.Random(5)
    barrier, lines, want = Barrier(9), [], []
    while len(want) < 40:
        text, change = rng.choice(list(OPERATIONS.items()))
        left = barrier.pending - change.get("arrivals", 0) - change.get("drops", 0)
        if left < 0 or barrier.expected - change.get("drops", 0) < 1 or barrier.bytes + change.get("expect", 0) < 0:
            continue  # PTX leaves open what is then
        before = barrier.phase
        barrier.change(**change)
        want.append([barrier.ended(0), barrier.ended(1), int(barrier.phase != before)])
        at = 12 * (len(want) - 1)
        with_state = "%s" in text
        lines.append(text)
        for number, question in enumerate((f"mbarrier.test_wait.parity.{AT} %p, [bar], 0;",
                                           f"mbarrier.try_wait.parity.{AT} %p, [bar], 1;",
                                           f"mbarrier.test_wait.{AT} %p, [bar], %s;" if with_state else
                                           f"setp.eq.u32 %p, {int(barrier.phase != before)}, 1;")):
            lines.append(f"{question} selp.u32 %r, 1, 0, %p; st.global.u32 [%out+{at + 4 * number}], %r;")
    out = np.zeros((len(want), 3), np.uint32)
    launch(f""".shared .align 8 .b64 bar; .reg .b64 %out, %s; .reg .b32 %r; .reg .pred %p;
      ld.param.u64 %out, [p0]; mbarrier.init.{AT} [bar], 9; {' '.join(lines)} ret;""", (1,), (1,), out,
           scalars=scalars)
    assert out.tolist() == want


@BOTH
def test_producers_and_consumers_by_mbarriers(scalars):
    """Warp 0 gives numbers one round after the other, warp 1 adds them up; two barriers, full and free."""
    out = np.zeros(32, np.uint32)
    launch(f""".shared .align 8 .b64 full; .shared .align 8 .b64 free; .shared .align 4 .b8 box[128];
      .reg .b32 %t, %l, %i, %k, %v, %sum, %parity, %a; .reg .b64 %out, %at; .reg .pred %p, %q;
      mov.u32 %t, %tid.x; and.b32 %l, %t, 31; mov.u32 %a, box; shl.b32 %i, %l, 2; add.u32 %i, %a, %i;
      setp.ne.u32 %p, %t, 0; @%p bra READY;
      mbarrier.init.{AT} [full], 32; mbarrier.init.{AT} [free], 32; fence.mbarrier_init.release.cluster;
    READY: bar.sync 0; mov.u32 %k, 0; mov.u32 %sum, 0;
      setp.ge.u32 %p, %t, 32; @%p bra CONSUME;
    PRODUCE: and.b32 %parity, %k, 1; xor.b32 %parity, %parity, 1;
    FREE: mbarrier.try_wait.parity.{AT} %q, [free], %parity; @!%q bra FREE;
      mad.lo.u32 %v, %k, 100, %l; st.shared.u32 [%i], %v; mbarrier.arrive.{AT} _, [full];
      add.u32 %k, %k, 1; setp.lt.u32 %q, %k, 5; @%q bra PRODUCE; bra.uni END;
    CONSUME: and.b32 %parity, %k, 1;
    FULL: mbarrier.try_wait.parity.{AT} %q, [full], %parity; @!%q bra FULL;
      ld.shared.u32 %v, [%i]; add.u32 %sum, %sum, %v; mbarrier.arrive.{AT} _, [free];
      add.u32 %k, %k, 1; setp.lt.u32 %q, %k, 5; @%q bra CONSUME;
      ld.param.u64 %out, [p0]; mul.wide.u32 %at, %l, 4; add.s64 %at, %out, %at; st.global.u32 [%at], %sum;
    END: ret;""", (1,), (64,), out, scalars=scalars)
    assert out.tolist() == [100 * (0 + 1 + 2 + 3 + 4) + 5 * lane for lane in range(32)]


@pytest.mark.parametrize("kind, columns, scalars", [("bf16", 16, True), ("f16", 8, False), ("tf32", 8, True)])
def test_a_product_of_a_warpgroup_with_its_left_operand_in_registers(kind, columns, scalars):
    """The right operand in core matrices of eight rows of 16 bytes, k's two halves 128 bytes apart."""
    dtype = {"bf16": ml_dtypes.bfloat16, "f16": np.float16, "tf32": np.float32}[kind]
    depth = 8 if kind == "tf32" else 16
    rng = np.random.default_rng(1)
    a, b = (rng.integers(-8, 8, (rows, depth)).astype(dtype) for rows in (64, columns))
    thread = np.arange(128)[:, None, None]
    register, element = np.arange(4)[None, :, None], np.arange(4 // a.itemsize)[None, None, :]
    row = thread // 32 * 16 + thread % 32 // 4 + register % 2 * 8
    fragment = a[row, register // 2 * (depth // 2) + thread % 4 * (4 // a.itemsize) + element]
    left = np.ascontiguousarray(fragment).view(np.uint32).reshape(128, 4)
    right = np.ascontiguousarray(b.reshape(columns // 8, 8, 2, depth // 2).transpose(0, 2, 1, 3))
    out = np.zeros((128, columns // 2), np.float32)
    sums = ", ".join(f"%d{k}" for k in range(columns // 2))
    size = right.nbytes
    launch(f""".shared .align 128 .b8 tile[{size}]; .reg .b32 %t, %i, %v, %s, %a<4>; .reg .f32 %d<{columns // 2}>;
      .reg .b64 %p0, %p1, %p2, %at, %to, %desc, %x; .reg .pred %p, %q;
      mov.u32 %t, %tid.x; ld.param.u64 %p0, [p0]; ld.param.u64 %p1, [p1]; ld.param.u64 %p2, [p2];
      mov.u32 %s, tile; shl.b32 %i, %t, 2; setp.ge.u32 %p, %i, {size}; @%p bra LOADED;
      mul.wide.u32 %at, %t, 4; add.s64 %at, %p2, %at; ld.global.u32 %v, [%at];
      add.u32 %i, %s, %i; st.shared.u32 [%i], %v;
    LOADED: fence.proxy.async.shared::cta; bar.sync 0;
      mul.wide.u32 %at, %t, 16; add.s64 %at, %p1, %at; ld.global.v4.u32 {{%a0, %a1, %a2, %a3}}, [%at];
      shr.u32 %v, %s, 4; cvt.u64.u32 %desc, %v;
      mov.b64 %x, {(128 >> 4) << 16 | (256 >> 4) << 32}; or.b64 %desc, %desc, %x;
      setp.ne.u32 %q, 0, 0; wgmma.fence.sync.aligned;
      wgmma.mma_async.sync.aligned.m64n{columns}k{depth}.f32.{kind}.{kind} {{{sums}}}, {{%a0, %a1, %a2, %a3}}, %desc,
        %q, 1, 1{', 0' if kind != 'tf32' else ''};
      wgmma.commit_group.sync.aligned; wgmma.wait_group.sync.aligned 0;
      mul.wide.u32 %to, %t, {2 * columns}; add.s64 %to, %p0, %to;
      {' '.join(f'st.global.f32 [%to+{4 * k}], %d{k};' for k in range(columns // 2))} ret;""", (1,), (128,), out, left,
           right, scalars=scalars)
    product = a.astype(np.float32) @ b.astype(np.float32).T
    thread, i = np.arange(128)[:, None], np.arange(columns // 2)
    want = product[thread // 32 * 16 + thread % 32 // 4 + i // 2 % 2 * 8, i // 4 * 8 + thread % 4 * 2 + i % 2]
    assert (out == want).all()


CLUSTER = HEAD + """.visible .entry body(.param .u64 p0, .param .u64 p1) .reqnctapercluster {size} {{ {body} }}"""


def launch_clusters(body, size, grid, threads, *args, scalars=True):
    ptx.Kernel(CLUSTER.format(body=body, size=size), scalars=scalars)(grid, (threads,), args)


@BOTH
def test_blocks_of_a_cluster_read_each_others_shared_memory(scalars):
    """Each block gives its numbers to the one before it, after the cluster's barrier; then none leaves too early."""
    out, registers = np.zeros((8, 40), np.uint32), np.zeros((8, 8), np.uint32)
    names = ("cluster_ctarank", "cluster_nctarank", "cluster_ctaid.x", "cluster_ctaid.y", "cluster_nctaid.x",
             "clusterid.x", "clusterid.y", "nclusterid.x")
    launch_clusters(f""".shared .align 4 .b8 line[160]; .reg .b32 %t, %i, %a, %v, %x, %y, %n, %rank, %far, %r;
      .reg .b64 %out, %at, %generic; .reg .pred %p;
      mov.u32 %t, %tid.x; mov.u32 %x, %ctaid.x; mov.u32 %y, %ctaid.y; mov.u32 %n, %nctaid.x; mad.lo.u32 %n, %y, %n, %x;
      mov.u32 %a, line; shl.b32 %i, %t, 2; add.u32 %a, %a, %i; mad.lo.u32 %v, %n, 1000, %t; st.shared.u32 [%a], %v;
      barrier.cluster.arrive.release.aligned; barrier.cluster.wait.acquire.aligned;
      mov.u32 %rank, %cluster_ctarank; add.u32 %rank, %rank, 1; rem.u32 %rank, %rank, 4;
      mapa.shared::cluster.u32 %far, %a, %rank; ld.shared::cluster.u32 %v, [%far];
      mul.lo.u32 %i, %n, 40; add.u32 %i, %i, %t; mul.wide.u32 %at, %i, 4; ld.param.u64 %out, [p0];
      add.s64 %at, %out, %at; st.global.u32 [%at], %v;
      cvta.shared.u64 %generic, %a; mapa.u64 %generic, %generic, %rank; ld.u32 %i, [%generic];
      setp.ne.u32 %p, %i, %v; @%p trap;
      getctarank.shared::cluster.u32 %r, %far; setp.ne.u32 %p, %r, %rank; @%p trap;
      barrier.cluster.arrive.relaxed; barrier.cluster.wait;
      setp.ne.u32 %p, %t, 0; @%p bra END;
      mul.wide.u32 %at, %n, 32; ld.param.u64 %out, [p1]; add.s64 %at, %out, %at;
      {' '.join(f'mov.u32 %v, %{name}; st.global.u32 [%at+{4 * k}], %v;' for k, name in enumerate(names))}
    END: ret;""", "2, 2", (4, 2), 40, out, registers, scalars=scalars)
    for y in range(2):
        for x in range(4):
            rank = x % 2 + 2 * y
            following = (rank + 1) % 4
            other = 4 * (following // 2) + x // 2 * 2 + following % 2
            assert out[4 * y + x].tolist() == [1000 * other + t for t in range(40)]
            assert registers[4 * y + x].tolist() == [rank, 4, x % 2, y, 2, x // 2, 0, 2]


def test_a_copy_to_all_blocks_of_a_cluster():
    """Block 0 of each cluster copies to both; each waits by its own barrier."""
    x, out = np.arange(64, dtype=np.uint32), np.zeros((4, 32), np.uint32)
    launch_clusters(f""".shared .align 16 .b8 box[128]; .shared .align 8 .b64 bar; .reg .b32 %t, %i, %a, %v, %rank, %c;
      .reg .b64 %x, %out, %at; .reg .pred %p; .reg .b16 %mask;
      mov.u32 %t, %tid.x; mov.u32 %a, box; mov.u32 %rank, %cluster_ctarank; mov.u32 %c, %clusterid.x;
      setp.ne.u32 %p, %t, 0; @%p bra READY;
      mbarrier.init.{AT} [bar], 1; mbarrier.arrive.expect_tx.{AT} _, [bar], 128; fence.mbarrier_init.release.cluster;
    READY: barrier.cluster.arrive; barrier.cluster.wait;
      or.b32 %i, %t, %rank; setp.ne.u32 %p, %i, 0; @%p bra WAIT;
      ld.param.u64 %x, [p1]; mul.wide.u32 %at, %c, 128; add.s64 %x, %x, %at; mov.b16 %mask, 3;
      cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [box], [%x], 128, [bar],
        %mask;
    WAIT: mbarrier.try_wait.parity.{AT} %p, [bar], 0; @!%p bra WAIT;
      shl.b32 %i, %t, 2; add.u32 %a, %a, %i; ld.shared.u32 %v, [%a];
      mov.u32 %i, %ctaid.x; mul.wide.u32 %at, %i, 128; ld.param.u64 %out, [p0]; add.s64 %out, %out, %at;
      mul.wide.u32 %at, %t, 4; add.s64 %at, %out, %at; st.global.u32 [%at], %v; ret;""", "2", (4,), 32, out, x)
    assert out.tolist() == [x[32 * (block // 2):][:32].tolist() for block in range(4)]


def test_a_cluster_that_waits_for_ever_is_told():
    with pytest.raises(ptx.LaunchError, match=r"deadlock .*cluster's barrier.*; .*barrier 0 .*in block \(1, 0, 0\)"):
        launch_clusters(""".reg .b32 %r; .reg .pred %p; mov.u32 %r, %cluster_ctarank; setp.eq.u32 %p, %r, 1; @%p bra L;
          barrier.cluster.arrive; barrier.cluster.wait; ret; L: bar.sync 0, 64; ret;""", "2", (2,), 32, None, None)


def test_a_grid_is_a_multiple_of_its_clusters():
    with pytest.raises(ValueError, match=r"the grid \(3, 1, 1\) is no multiple of its clusters' size \(2, 1, 1\)"):
        launch_clusters("ret;", "2", (3,), 32, None, None)
