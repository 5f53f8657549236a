"""The reader: lines of all kinds, what it says of bad ones, and every kernel of ours."""

import os

import pytest
from budgets import BUDGETS, each_for

from gpunet import ptx
from gpunet.kernel import nvrtc, source
from gpunet.ptx.model import (
    DISCARD,
    Address,
    Float,
    Group,
    Instruction,
    Integer,
    Inverted,
    Label,
    Pair,
    Register,
    Symbol,
    Vector,
)
from tests.ptx.harness import HEAD

ALL = os.environ.get("GPUNET_TEST_ARCHITECTURES") == "all"

DECLARED = ".reg .pred %p<3>; .reg .b32 %r<9>; .reg .b64 %rd<5>; .reg .f32 %f<5>; .reg .b16 %rs<5>;"
P, R, RD, F = (lambda n, prefix=prefix, type=type: Register(f"%{prefix}{n}", type)
               for prefix, type in (("p", "pred"), ("r", "b32"), ("rd", "b64"), ("f", "f32")))

LINES = {
    "mov.u32 %r1, %tid.x;": ("mov.u32", Register("%r1", "b32"), Register("%tid.x", "")),
    "mov.f32 %f1, 0fBF800000;": ("mov.f32", F(1), Float(0xBF800000, 4)),
    "mov.b32 %r1, -0x10;": ("mov.b32", R(1), Integer(-16)),
    "mov.u32 %r1, 0xFFFFFFFFU;": ("mov.u32", R(1), Integer(0xFFFFFFFF)),
    "add.s32 %r1,%r2,-3;": ("add.s32", R(1), R(2), Integer(-3)),
    "ld.global.nc.L1::no_allocate.L2::128B.v2.f32 {%f1, _}, [%rd1+-8];":
        ("ld.global.nc.L1::no_allocate.L2::128B.v2.f32", Vector((F(1), DISCARD)), Address(RD(1), -8)),
    "st.shared.u32 [box+4], %r1;": ("st.shared.u32", Address(Symbol("box"), 4), R(1)),
    "mov.u64 %rd1, box+12;": ("mov.u64", RD(1), Symbol("box", 12)),
    "setp.lt.and.s32 %p1|%p2, %r1, %r2, !%p0;": ("setp.lt.and.s32", Pair(P(1), P(2)), R(1), R(2), Inverted(P(0))),
    "shfl.sync.bfly.b32 %r1|%p1, %r2, 16, 31, -1;":
        ("shfl.sync.bfly.b32", Pair(R(1), P(1)), R(2), Integer(16), Integer(31), Integer(-1)),
    "mov.b64 {%r1, %r2}, %rd1;": ("mov.b64", Vector((R(1), R(2))), RD(1)),
    "call.uni (result), helper, \n(\n a,\n b\n);":
        ("call.uni", Group((Symbol("result"),)), Symbol("helper"), Group((Symbol("a"), Symbol("b")))),
    "ld.const.u32 %r1, [16];": ("ld.const.u32", R(1), Address(None, 16)),
    "cp.async.wait_all;": ("cp.async.wait_all",),
    "cp.async.bulk.tensor.2d.shared [%r1], [%rd1, {%r2, 8}], [%r4];":
        ("cp.async.bulk.tensor.2d.shared", Address(R(1)), Address(RD(1), 0, (R(2), Integer(8))), Address(R(4))),
}


def body_of(text, before=""):
    return ptx.read(f"{HEAD}{before}\n.entry f() {{ {DECLARED}\n{text} }}").functions["f"].body


@pytest.mark.parametrize("text", LINES)
def test_a_line(text):
    name, *operands = LINES[text]
    (instruction,) = body_of(text)
    assert (instruction.name, list(instruction.operands)) == (name, operands)
    assert instruction.line == 6


def test_labels_guards_and_scopes():
    """A register may be declared anew within braces, as inline assembly does."""
    top, inner, outer, branch = body_of("""$L__BB0_2:
        { .reg .pred p; .reg .b32 %r1; setp.eq.u32 p, %r1, 0; }
        mov.u32 %r1, 0;
        @!%p1 bra $L__BB0_2;""")
    assert top == Label("$L__BB0_2", 6)
    assert inner.operands[1] != outer.operands[0] == R(1)
    assert (branch.guard.register, branch.guard.negated, branch.operands) == (P(1), True, (Symbol("$L__BB0_2"),))


def test_places_in_the_source_with_the_calls_that_lead_there():
    first, second, third = body_of("""
      .loc 1 10 3
      add.s32 %r1, %r1, 1;
      .loc 2 5 1, function_name $L__info_string0, inlined_at 1 11 7
      add.s32 %r1, %r1, 1;
      .loc 2 0 0
      .loc 2 2 9, function_name $L__info_string1, inlined_at 2 5 1
      add.s32 %r1, %r1, 1;""", before='.file 1 "kernel.cu"\n.file 2 "common.cuh"')
    assert str(first.location) == "kernel.cu:10"
    assert [str(place) for place in second.location.chain()] == ["common.cuh:5", "kernel.cu:11"]
    assert [str(place) for place in third.location.chain()] == ["common.cuh:2", "common.cuh:5", "kernel.cu:11"]


def test_variables_and_parameters():
    module = ptx.read(HEAD + """
      .global .align 8 .u64 place = generic(table)+8;
      .const .align 4 .b8 table[8] = {1, 2, 255};
      .extern .shared .align 16 .b8 dynamic[];
      .visible .entry f(
        .param .u8 flag, .param .align 16 .b8 record[20], .param .u64 .ptr .global .align 4 x
      )
      .maxntid 128, 2, 1
      .minnctapersm 2
      { .local .align 8 .b8 depot[12]; ret; }
      .func (.param .b32 r) g(.param .b32 a);""")
    place, table, dynamic = (module.variables[name] for name in ("place", "table", "dynamic"))
    assert place.initial == ((8, Symbol("table", 8)),)
    assert (table.space, table.size, [value for _, value in table.initial]) == ("const", 8, [1, 2, 255])
    assert (dynamic.size, dynamic.extern, dynamic.align) == (0, True, 16)
    f = module.functions["f"]
    assert [(each.name, each.offset, each.size, each.pointer) for each in f.parameters] == [
        ("flag", 0, 1, False), ("record", 16, 20, False), ("x", 40, 8, True)]
    assert f.parameter_bytes == 48 and f.directives == {"maxntid": (128, 2, 1), "minnctapersm": (2,)}
    assert [each.name for each in f.variables] == ["depot"]
    assert module.functions["g"].body is None


BAD = {
    "add.s32 %r1, %r2, %nothing;": (ptx.PtxError, "line 6: register %nothing is not declared"),
    "add.s32 %r1, %r2 %r3;": (ptx.PtxError, "line 6: ',' expected, found '%r3'"),
    "add.s32 %r1, %r2, %r3": (ptx.PtxError, "line 6: ',' expected, found '}'"),
    "ld.global.u32 %r1, [%rd1": (ptx.PtxError, "line 6: ']' expected"),
    "ld.global.u32 %r1, [%rd1, %r2];": (ptx.PtxError, "line 6: '{' expected"),
    "\n\n.branchy 3;": (ptx.Unsupported, "line 8: .branchy"),
}


@pytest.mark.parametrize("text", BAD)
def test_a_bad_line_is_named(text):
    error, message = BAD[text]
    with pytest.raises(error) as raised:
        body_of(text)
    assert str(raised.value).startswith(message)


def test_a_text_that_is_no_ptx():
    with pytest.raises(ptx.PtxError, match="line 1: 'int' is not known here"):
        ptx.read("int main() {}")
    with pytest.raises(ptx.PtxError, match=".version and .target are missing"):
        ptx.read("// nothing")


QUICK_FILES = ("attention_tensor.cu", "matmul_hopper.cu", "norm.cu", "pointwise.cu", "sort.cu")


@pytest.mark.parametrize("file, options, capability",
                         each_for(BUDGETS, (75, 80, 90, 100) if ALL else (75, 100),
                                  quick=lambda file, sm: sm >= 90 and file in QUICK_FILES),
                         ids=lambda value: value if isinstance(value, str) else None)
def test_our_kernels(compiler, file, options, capability):
    """Of each file the first instance; all where GPUNET_TEST_ARCHITECTURES is "all"."""
    expressions = [each for group, _ in BUDGETS[file, options] for each in group]
    chosen = tuple(expressions if ALL else expressions[:1])
    text, symbols = nvrtc.ptx(source.read(file), nvrtc.architecture(capability), chosen, options)
    module = ptx.read(text)
    assert {each.name for each in module.entries} >= set(symbols.values())
    assert all(any(isinstance(item, Instruction) for item in each.body) for each in module.entries)
