"""Random programs give the same with the analysis of what is alike in all lanes as without it.

Without it everything is a vector under a mask, which knows nothing that could be wrong.
"""

import random

import numpy as np
import pytest

from gpunet import ptx
from tests.ptx.harness import HEAD

REGISTERS = 6
PROGRAMS, QUICK = 16, 3


class Program:
    """Statements on %v0 to %v5: arithmetic, branches, loops, loads, early returns; barriers and shuffles where all
    threads pass. Other registers, of all widths, and a thread's own place in shared memory go into the results, too."""

    def __init__(self, seed):
        self.random, self.lines, self.labels = random.Random(seed), [], 0
        self.statements(depth=0, count=6)

    def label(self):
        self.labels += 1
        return f"L{self.labels}"

    def any(self):
        return f"%v{self.random.randrange(REGISTERS)}"

    def value(self):
        return self.random.choice([self.any(), self.any(), str(self.random.randrange(8)), "%u", "%lane", "%block"])

    def compare(self):
        self.lines.append(f"setp.{self.random.choice(['lt', 'ge', 'eq', 'ne'])}.u32 %p, {self.any()}, {self.value()};")

    def statements(self, depth, count):
        for _ in range(count):
            kind = self.random.choice(["plain"] * 5 + ["load", "if", "if", "loop", "uneven", "guard", "other", "other"]
                                      + ["leave"] * (depth > 0)
                                      + ["barrier", "shuffle", "vote"] * (depth == 0))
            getattr(self, kind)(depth)

    def plain(self, depth):
        operation = self.random.choice(["add.u32", "sub.u32", "mul.lo.u32", "xor.b32", "and.b32", "min.u32", "max.u32"])
        self.lines.append(f"{operation} {self.any()}, {self.any()}, {self.value()};")

    def guard(self, depth):
        self.compare()
        self.lines.append(f"@{self.random.choice(['', '!'])}%p add.u32 {self.any()}, {self.any()}, {self.value()};")

    def load(self, depth):
        to, index = self.any(), self.random.choice([self.any(), "%u", "%block"])
        self.lines.append(f"and.b32 %x, {index}, 63; mul.wide.u32 %at, %x, 4; add.s64 %at, %table, %at; "
                          f"ld.global.u32 {to}, [%at];")

    def other(self, depth):
        """Registers of other widths, a predicate that is kept, a branch to the end, the own place in memory."""
        self.lines.append(self.random.choice([
            "cvt.u64.u32 %at, {0}; add.u64 %w, %w, %at;", "mul.wide.u32 %at, {0}, 3; xor.b64 %w, %w, %at;",
            "cvt.u16.u32 %h, {0}; add.u16 %g, %g, %h;", "st.shared.u32 [%own], {0};", "ld.shared.u32 {0}, [%own];",
            "and.b32 %x, {0}, 15; cvt.rn.f32.u32 %e, %x; fma.rn.f32 %f, %f, 0f3F000000, %e;",
            "setp.gt.u32 %q, {0}, {1};", "@%q add.u32 {0}, {0}, {1};", "selp.u32 {0}, {0}, {1}, %q;",
            "@%q st.shared.u32 [%own], {0};", "@!%q ld.shared.u32 {0}, [%own];", "mov.u32 {0}, %laneid;",
            "setp.eq.u32 %p, {0}, {1}; @%p bra END;"]).format(self.any(), self.any()))

    def leave(self, depth):
        self.lines.append(f"setp.eq.u32 %p, {self.any()}, {self.random.randrange(40)}; @%p bra OUT;")

    def barrier(self, depth):
        value, to = self.any(), self.any()
        self.lines.append(f"st.shared.u32 [%mine], {value}; bar.sync 0; ld.shared.u32 {to}, [%other]; bar.sync 0;")

    def shuffle(self, depth):
        self.lines.append(f"shfl.sync.{self.random.choice(['bfly', 'idx'])}.b32 {self.any()}, {self.any()}, "
                          f"{self.random.randrange(32)}, 31, -1;")

    def vote(self, depth):
        self.compare()
        self.lines.append(f"vote.sync.ballot.b32 {self.any()}, %p, -1;")

    def __getattr__(self, name):
        if name != "if":
            raise AttributeError(name)
        return self.branch

    def branch(self, depth):
        if depth > 2:
            return
        other, end = self.label(), self.label()
        self.compare()
        self.lines.append(f"@%p bra {other};")
        self.statements(depth + 1, self.random.randrange(1, 4))
        self.lines.append(f"bra {end}; {other}:")
        self.statements(depth + 1, self.random.randrange(3))
        self.lines.append(f"{end}:")

    def loop(self, depth):
        """A number of rounds that is alike in all lanes, or not; and now and then a way out in the middle."""
        if depth > 2:
            return
        rounds = self.random.choice([self.any(), "%u", "%lane", "3"])
        self.rounds(depth, f"and.b32 %c{depth}, {rounds}, 7;")

    def uneven(self, depth):
        """A number of rounds that each lane reads; most have none or few."""
        if depth > 2:
            return
        self.load(depth)
        self.rounds(depth, f"ld.global.u32 %c{depth}, [%at]; and.b32 %c{depth}, %c{depth}, 31; "
                           f"sub.u32 %x, 31, %c{depth}; shr.u32 %x, %x, 2; shr.u32 %c{depth}, %c{depth}, %x;")

    def rounds(self, depth, begin):
        head, out, counter = self.label(), self.label(), f"%c{depth}"
        self.lines.append(f"{begin} {head}: setp.eq.u32 %p, {counter}, 0; @%p bra {out}; "
                          f"sub.u32 {counter}, {counter}, 1;")
        self.statements(depth + 1, self.random.randrange(1, 4))
        if self.random.random() < 0.4:
            self.compare()
            self.lines.append(f"@%p bra {out};")
        self.statements(depth + 1, 1)
        self.lines.append(f"bra {head}; {out}:")

    def text(self):
        start = " ".join(f"mad.lo.u32 %v{n}, {source}, {n + 3}, {n};" for n, source in
                         enumerate(("%lane", "%u", "%block", "%lane", "%u", "%lane")))
        ends = " ".join(f"st.global.u32 [%out+{4 * n}], %v{n};" for n in range(REGISTERS))
        end = f"""cvt.u32.u64 %x, %w; add.u32 %v0, %v0, %x; mov.b32 %x, %f; xor.b32 %v1, %v1, %x;
          cvt.u32.u16 %x, %g; add.u32 %v2, %v2, %x; ld.shared.u32 %x, [%own]; add.u32 %v3, %v3, %x;
          @%q add.u32 %v4, %v4, 1; {ends}"""
        return f"""{HEAD}.visible .entry f(.param .u64 out, .param .u64 table, .param .u32 u)
        {{ .reg .b32 %v<{REGISTERS}>, %c<4>, %u, %lane, %block, %x, %n, %mine, %other, %own;
          .reg .pred %p, %q; .reg .b64 %out, %table, %at, %w; .reg .b16 %g, %h; .reg .f32 %e, %f;
          .shared .align 4 .b8 line[512];
          ld.param.u64 %out, [out]; ld.param.u64 %table, [table]; ld.param.u32 %u, [u];
          mov.u32 %lane, %tid.x; mov.u32 %block, %ctaid.x; mov.u32 %n, %ntid.x;
          mov.u32 %x, line; shl.b32 %mine, %lane, 2; add.u32 %mine, %x, %mine;
          add.u32 %own, %mine, 256; st.shared.u32 [%own], %lane; mov.u64 %w, 0; mov.u16 %g, 0; mov.f32 %f, 0f00000000;
          setp.lt.u32 %q, %lane, 9;
          sub.u32 %other, %n, %lane; sub.u32 %other, %other, 1; shl.b32 %other, %other, 2; add.u32 %other, %x, %other;
          mad.lo.u32 %x, %block, %n, %lane; mul.wide.u32 %at, %x, {4 * REGISTERS}; add.s64 %out, %out, %at;
          {start} {chr(10).join(self.lines)}
        OUT: {end}
        END: ret; }}"""


@pytest.mark.parametrize("seed", [pytest.param(seed, marks=pytest.mark.slow if seed >= QUICK else ())
                                  for seed in range(PROGRAMS)])
def test_the_analysis_changes_nothing(seed):
    text = Program(seed).text()
    kernels = [ptx.Kernel(text, scalars=scalars) for scalars in (True, False)]
    table = np.random.default_rng(seed).integers(0, 50, 64).astype(np.uint32)
    for threads in (64, 40):
        results = []
        for kernel in kernels:
            out = np.zeros((3, threads, REGISTERS), np.uint32)
            kernel((3,), (threads,), (out, table, 5))
            results.append(out)
        assert (results[0] == results[1]).all()
