"""Small kernels from single instructions, and the three ways to run them; the kernels of a source."""

import numpy as np

from gpunet import ptx
from gpunet.kernel import compilers, nvrtc

HEAD = ".version 8.3\n.target sm_90\n.address_size 64\n"
NUMPY = {"s8": np.int8, "u8": np.uint8, "b8": np.uint8, "s16": np.int16, "u16": np.uint16, "b16": np.uint16,
         "s32": np.int32, "u32": np.uint32, "b32": np.uint32, "s64": np.int64, "u64": np.uint64, "b64": np.uint64,
         "f32": np.float32, "f64": np.float64, "pred": np.uint32}
BYTES = {type: np.dtype(numpy).itemsize for type, numpy in NUMPY.items()}
# "alike": each lane's case in a block of its own, where all its values are scalars.
WAYS = ("vectors", "analysis", "alike")


def kernel_of(instructions, alike=False):
    """A kernel that carries out each (text, types of result and operands, ...) on inputs of its own.

    `text` names the result {d}, or {d} and {e}, and the operands {a}, {b}, {c}. Parameters: out, in; each result and
    each input takes 32 times 8 bytes.
    """
    lines = [".visible .entry table(.param .u64 out, .param .u64 in)", "{", ".reg .b64 %base<4>; .reg .b32 %lane;",
             ".reg .b32 %bits;", "ld.param.u64 %base0, [out]; ld.param.u64 %base1, [in];",
             f"mov.u32 %lane, {'%ctaid.x' if alike else '%tid.x'};", "mul.wide.u32 %base2, %lane, 8;",
             "add.s64 %base0, %base0, %base2; add.s64 %base1, %base1, %base2;"]
    results = inputs = 0
    for text, types in instructions:
        to, *operands = types.split()
        names = {}
        lines.append("{")
        for letter, type in zip("abc", operands, strict=False):
            # Registers of 8 bits are 16 wide.
            register, wide = f"%{letter}", {1: "16"}.get(BYTES[type], str(8 * BYTES[type]))
            at = f"[%base1+{256 * inputs}]"
            if type == "pred":
                lines.append(f".reg .pred {register}; ld.global.u32 %bits, {at}; setp.ne.u32 {register}, %bits, 0;")
            else:
                kind = type if type[0] == "f" else f"{'s' if type[0] == 's' else 'u'}{8 * BYTES[type]}"
                held = ("f" if type[0] == "f" else "b") + wide
                lines.append(f".reg .{held} {register}; ld.global.{kind} {register}, {at};")
            names[letter] = register
            inputs += 1
        for letter, type in zip("de", to.split("|"), strict=False):
            wide = {1: "16"}.get(BYTES[type], str(8 * BYTES[type]))
            lines.append(f".reg .{'pred' if type == 'pred' else ('f' if type[0] == 'f' else 'b') + wide} %{letter};")
            names[letter] = f"%{letter}"
        lines.append(text.format(**names) + ";")
        for letter, type in zip("de", to.split("|"), strict=False):
            at = f"[%base0+{256 * results}]"
            if type == "pred":
                lines.append(f"selp.u32 %bits, 1, 0, %{letter}; st.global.u32 {at}, %bits;")
            else:
                lines.append(f"st.global.{'f' if type[0] == 'f' else 'u'}{8 * BYTES[type]} {at}, %{letter};")
            results += 1
        lines.append("}")
    return HEAD + "\n".join((*lines, "ret;", "}")), results


def run(instructions, columns, way):
    """Each instruction's results, of 32 lanes."""
    text, count = kernel_of(instructions, way == "alike")
    given = np.zeros((max(len(columns), 1), 32), np.uint64)
    for row, column in zip(given, columns, strict=False):
        unsigned = column.view(f"u{column.itemsize}")
        row[:] = unsigned
    out = np.zeros((count, 32), np.uint64)
    kernel = ptx.Kernel(text, scalars=way != "vectors")
    grid, block = ((32,), (1,)) if way == "alike" else ((1,), (32,))
    kernel(grid, block, (out, given))
    types = [type for _, types in instructions for type in types.split()[0].split("|")]
    return [row.astype(f"u{BYTES[type]}").view(NUMPY[type]) for row, type in zip(out, types, strict=True)]


def launch(body, grid, block, *args, parameters=None, shared_mem=0, before="", **how):
    """Runs a body with the parameters p0, p1, ... of 64 bits."""
    names = ", ".join(f".param .u64 p{number}" for number in range(len(args)))
    text = f"{HEAD}{before}\n.visible .entry body({names})\n{{\n{body}\n}}\n"
    ptx.Kernel(text, **how)(grid, block, args, shared_mem)


def functions(source, names, options=(), architecture="sm_90a"):
    """Kernels by their names, compiled together: with NVIDIA's headers that takes a second or more each time."""
    text, symbols = nvrtc.ptx(source, architecture, tuple(dict.fromkeys(names)), options)
    found = {}
    for name, symbol in symbols.items():
        found[name] = ptx.Function(source.path, name, options, architecture, source)
        found[name].ptx = compilers.Ptx(text, symbol, "nvrtc")
    return found
