"""wmma against NumPy, in every shape, type and layout; and under the checker."""

import ml_dtypes
import numpy as np
import pytest

from gpunet import ptx
from tests.ptx.harness import HEAD

TYPES = {"f16": np.float16, "bf16": ml_dtypes.bfloat16, "tf32": np.float32}
# Registers of A and of B.
REGISTERS = {("m16n16k16", "f16"): (8, 8), ("m32n8k16", "f16"): (8, 8), ("m8n32k16", "f16"): (8, 8),
             ("m16n16k16", "bf16"): (4, 4), ("m32n8k16", "bf16"): (8, 2), ("m8n32k16", "bf16"): (2, 8),
             ("m16n16k8", "tf32"): (4, 4)}
SIZES = {"m16n16k16": (16, 16, 16), "m32n8k16": (32, 8, 16), "m8n32k16": (8, 32, 16), "m16n16k8": (16, 16, 8)}
GAP = 8  # elements between the lines of a matrix


def text(shape, kind, layouts, sums):
    """d = a b + c, read and written by lines that are longer than needed."""
    def names(letter, count):
        return "{" + ", ".join(f"%{letter}{number}" for number in range(count)) + "}"

    (a, b), (m, n, k) = REGISTERS[shape, kind], SIZES[shape]
    c, wide = (8, "f") if sums == "f32" else (4, "b")
    strides = [(k if layouts[0] == "row" else m) + GAP, (n if layouts[1] == "row" else k) + GAP,
               (n if layouts[2] == "row" else m) + GAP]
    types = f"{sums}.{sums}" if kind == "f16" else f"f32.{kind}.{kind}.f32"
    return HEAD + f""".visible .entry product(.param .u64 d, .param .u64 a, .param .u64 b, .param .u64 c) {{
      .reg .b64 %p<4>; .reg .b32 %a<8>, %b<8>; .reg .{wide}32 %c<8>, %d<8>;
      ld.param.u64 %p0, [d]; ld.param.u64 %p1, [a]; ld.param.u64 %p2, [b]; ld.param.u64 %p3, [c];
      wmma.load.a.sync.aligned.{layouts[0]}.{shape}.{kind} {names("a", a)}, [%p1], {strides[0]};
      wmma.load.b.sync.aligned.{layouts[1]}.{shape}.global.{kind} {names("b", b)}, [%p2], {strides[1]};
      wmma.load.c.sync.aligned.{layouts[2]}.{shape}.{sums} {names("c", c)}, [%p3], {strides[2]};
      wmma.mma.sync.aligned.{layouts[0]}.{layouts[1]}.{shape}.{types} {names("d", c)}, {names("a", a)}, {names("b", b)},
        {names("c", c)};
      wmma.store.d.sync.aligned.{layouts[2]}.{shape}.{sums} [%p0], {names("d", c)}, {strides[2]};
      ret; }}"""


def laid_out(matrix, layout):
    """With a gap of NaN behind each line."""
    lines = matrix if layout == "row" else matrix.T
    return np.ascontiguousarray(np.pad(lines, ((0, 0), (0, GAP)), constant_values=np.nan))


QUICK = [("m16n16k16", "f16", "f32"), ("m32n8k16", "bf16", "f32")]
CASES = [pytest.param(shape, kind, sums, marks=() if (shape, kind, sums) in QUICK else pytest.mark.slow)
         for shape, kind in REGISTERS for sums in (("f32", "f16") if kind == "f16" else ("f32",))]


@pytest.mark.parametrize("shape, kind, sums", CASES)
def test_products(shape, kind, sums):
    rng, (m, n, k) = np.random.default_rng(0), SIZES[shape]
    accumulated = np.float32 if sums == "f32" else np.float16
    for layouts in (("row", "col", "row"), ("col", "row", "col"), ("row", "row", "row")):
        a, b = rng.standard_normal((m, k)).astype(TYPES[kind]), rng.standard_normal((k, n)).astype(TYPES[kind])
        c = rng.standard_normal((m, n)).astype(accumulated)
        if kind == "tf32":  # what is not used of the mantissa
            a, b = ((each.view(np.uint32) & 0xFFFFE000).view(np.float32) for each in (a, b))
        kernel = ptx.Kernel(text(shape, kind, layouts, sums))
        given = [laid_out(each, layout) for each, layout in zip((a, b, c), layouts, strict=True)]
        for checked in (False, True):
            d = laid_out(np.zeros((m, n), accumulated), layouts[2])
            if checked:
                assert ptx.check(kernel, 1, 32, (d, *given)) == []
            else:
                kernel((1,), (32,), (d, *given))
            found = d[:, :-GAP] if layouts[2] == "row" else d[:, :-GAP].T
            expected = a.astype(np.float64) @ b.astype(np.float64) + c
            np.testing.assert_allclose(found, expected, *((1e-5, 1e-5) if sums == "f32" else (2e-3, 2e-3)))
            assert np.isnan(d[:, -GAP:]).all()


def test_a_matrix_that_is_too_small_is_told():
    kernel, x = ptx.Kernel(text("m16n16k16", "f16", ("row", "col", "row"), "f32")), np.zeros((16, 24), np.float16)
    c = np.zeros((16, 24), np.float32)
    found = ptx.check(kernel, 1, 32, (c.copy(), x[:15].copy(), x, c), names=["d", "a", "b", "c"])
    assert {each.kind for each in found} == {"out of bounds"} and {each.array for each in found} == {"a"}


def test_a_profile_counts_its_operations():
    kernel = ptx.Kernel(text("m16n16k16", "f16", ("row", "col", "row"), "f32"))
    x, c = np.zeros((16, 24), np.float16), np.zeros((16, 24), np.float32)
    found = ptx.profile(kernel, 1, 32, (c, x, x, c))
    assert sum(line.operations.get("tensor", 0) for line in found.lines) == 2 * 16**3
    assert {each.partition(".sync")[0] for each in found.not_counted} == {
        "wmma.load.a", "wmma.load.b", "wmma.load.c", "wmma.store.d"}


def test_integers_are_refused_by_name():
    kernel = ptx.Kernel(HEAD + """.visible .entry f(.param .u64 p) { .reg .b32 %a<2>; .reg .b64 %p;
      ld.param.u64 %p, [p]; wmma.load.a.sync.aligned.row.m16n16k16.s8 {%a0, %a1}, [%p], 16; ret; }""")
    with pytest.raises(ptx.Unsupported, match="wmma.load.a.sync.aligned.row.m16n16k16.s8 is not simulated"):
        kernel((1,), (32,), (np.zeros(256, np.int8),))
