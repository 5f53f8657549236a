"""A kernel compiled for this machine: from PTX by LLVM, kept in the cache of compiled kernels.

One program for blocks whose threads are whole warps, and another for those whose last warp lacks lanes.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import hashlib
import importlib
import json
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gpunet.kernel import cache
from gpunet.ptx import clusters, context, flow, lower, model, reader, schedule, shadow, uniform
from gpunet.ptx.checking import Checking
from gpunet.ptx.counting import Counted, Counting
from gpunet.ptx.errors import Unsupported

# The files that give instructions their meaning; to import them fills the table.
_MEANINGS = ("arithmetic", "atomics", "clusters", "control", "convert", "copies", "floating", "half", "integer",
             "mbarrier", "memory", "moves", "tensor", "warp", "wgmma", "wmma")


class MissingError(RuntimeError):
    """A package that running PTX needs is not installed; the message says how to install it.

    Examples:
        >>> issubclass(gpunet.ptx.MissingError, RuntimeError)
        True
    """


@dataclass(frozen=True)
class Site:
    """A place that an error can name."""

    name: str  # of the instruction
    line: int  # of the PTX text
    chain: tuple[str, ...]  # file:line, innermost first; empty without -lineinfo

    def __str__(self) -> str:
        called = "".join(f", inlined at {each}" for each in self.chain[1:])
        return f"{self.chain[0]}{called}" if self.chain else f"line {self.line} of the PTX"


@dataclass(frozen=True)
class Program:
    """What is known of a compiled kernel. Sizes are in bytes."""

    name: str
    parameters: tuple[model.Parameter, ...]
    parameter_bytes: int
    frame_bytes: int  # of a warp
    shared_bytes: int  # without the launch's own
    most_threads: int | None  # by .maxntid
    sites: tuple[Site, ...]
    held: tuple[tuple[int, int], ...] = ()  # of each barrier: where a warp's frame has its waiting lanes, and its site
    counted: tuple[Counted, ...] = ()  # the instructions, if they are counted
    counters: int = 0  # how many counters they have
    cluster: tuple[int, int, int] = (1, 1, 1)
    at_once: bool = False  # it needs all blocks of its grid at once
    checked: dict[str, Any] | None = None  # what the checker has to know: `_checked`
    prepare: Any = None
    run: Any = None
    run_here: Any = None
    engine: Any = None  # keeps the code


def compile(text: str, name: str | None = None, whole_warps: bool = True, scalars: bool = True,
            counting: bool = False, checking: bool = False, lanes_apart: bool = False,
            cluster: tuple[int, int, int] | None = None) -> Program:
    """The machine code of an entry of a PTX text.

    Args:
        text: the PTX.
        name: of the entry; not needed where there is one.
        whole_warps: blocks have a multiple of 32 threads.
        scalars: with the analysis of what is alike in all lanes; without it everything is a vector, which is slower
            and the reference for it.
        counting: with counters of executions and accesses.
        checking: with checks of all accesses.
        lanes_apart: with checks, and activemask finds each lane alone.
        cluster: sizes of a cluster, where the launch says them.

    Returns:
        The program.

    Raises:
        PtxError: the text is not PTX, or has no such entry.
        Unsupported: it has an instruction that is not simulated.
        MissingError: llvmlite is not installed.
    """
    binding = _llvm()
    content = hashlib.sha256(text.encode()).hexdigest()
    identity = json.dumps([content, name, whole_warps, scalars, counting, checking, lanes_apart, cluster,
                           _identity()])
    key = f"ptx-{hashlib.sha256(identity.encode()).hexdigest()[:32]}"

    @functools.cache
    def built() -> tuple[str, bytes]:
        with _no_collection():
            return made()

    def made() -> tuple[str, bytes]:
        program, code = _lowered(reader.read(text), name, whole_warps, scalars, counting, checking, lanes_apart,
                                 cluster)
        return json.dumps(_described(program)), _objects(binding, code, checking)

    description = cache.build(key, ".json", lambda: built()[0].encode())
    machine_code = cache.build(key, ".o", lambda: built()[1])
    program = _from_description(json.loads(description.read_text()))
    return _loaded(binding, program, machine_code.read_bytes())


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """The garbage collector looks again and again at all instructions, which takes a tenth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def code(text: str, name: str | None = None, whole_warps: bool = True, scalars: bool = True) -> str:
    """The LLVM IR that an entry becomes, for those who want to read it."""
    return _lowered(reader.read(text), name, whole_warps, scalars)[1].whole()


def entry_of(module: model.Module, name: str | None) -> model.Function:
    entries = {function.name: function for function in module.entries if function.body is not None}
    if name is None and len(entries) == 1:
        return next(iter(entries.values()))
    if name not in entries:
        raise reader.PtxError(f"the PTX has no kernel {name!r}; it has {', '.join(entries) or 'none'}" if name else
                              f"the PTX has several kernels, name one: {', '.join(entries)}")
    return entries[name]


def _lowered(module: model.Module, name: str | None, whole_warps: bool, scalars: bool,
             counting: bool = False, checking: bool = False, lanes_apart: bool = False,
             cluster: tuple[int, int, int] | None = None) -> tuple[Program, _Code]:
    for each in _MEANINGS:
        importlib.import_module(f"gpunet.ptx.{each}")
    function = entry_of(module, name)
    if checking and clusters.at_once(context.reached(module, function)):
        module = clusters.with_grid_barrier(module)
    checks = Checking(module, context.reached(module, function), lanes_apart) if checking else None
    kernel = context.Kernel(module, function, whole_warps, scalars, Counting() if counting else None, checks, cluster)
    lowering = lower.Lowering(kernel, function)
    body = lowering.text()
    scheduling = schedule.functions(kernel.out, lowering.frame_bytes, len(lowering.blocks), kernel.cluster,
                                    kernel.at_once, checks is not None)
    first = _variables(module) if checks is None else checks.functions()
    threads = function.directives.get("maxntid")
    most = functools.reduce(lambda x, y: x * y, threads) if threads else None
    checked = _checked(module, kernel, checks, lowering.blocks) if checks is not None else None
    held = tuple((lowering.held + 4 * block.following, kernel.site(block.end)) for block in lowering.blocks
                 if block.end is not None and flow.waits(block.end))
    sites = tuple(Site(item.name, item.line, tuple(map(str, item.location.chain())) if item.location else ())
                  for item in kernel.sites)
    program = Program(function.name, function.parameters, function.parameter_bytes, lowering.frame_bytes,
                      kernel.shared_bytes, most, sites, held, cluster=kernel.cluster, at_once=kernel.at_once)
    if kernel.counting is not None:
        program = replace(program, counted=tuple(kernel.counting.instructions), counters=kernel.counting.count)
    program = replace(program, checked=checked)
    rest = "\n".join((first, *kernel.functions.values(), body, scheduling))
    return program, _Code(kernel.out.head(), list(kernel.out.helpers.values()), rest)


@dataclass(frozen=True)
class _Code:
    """LLVM IR: declarations, functions that take many lanes' instructions, and all else."""

    head: str
    helpers: list[str]
    rest: str

    def whole(self) -> str:
        return "\n".join((self.head, *self.helpers, self.rest, _ATTRIBUTES))

    def apart(self) -> tuple[str, str]:
        """The helpers, and the rest, to be compiled in different ways."""
        definitions = [each.replace("define internal ", "define hidden ", 1) for each in self.helpers]
        declarations = [re.sub(r" %a\d+", "", each.partition(" {\n")[0]).replace("define hidden ", "declare hidden ")
                        for each in definitions]
        return ("\n".join((self.head, *definitions, _ATTRIBUTES)),
                "\n".join((self.head, *declarations, self.rest, _ATTRIBUTES)))


_ATTRIBUTES = ("attributes #0 = { nounwind }\nattributes #1 = { nounwind noinline }\n"
               "attributes #2 = { nounwind noinline strictfp }")


def _checked(module: model.Module, kernel: context.Kernel, checks: Checking,
             blocks: list[flow.Block]) -> dict[str, Any]:
    """The variables, which the checker lays out itself: name, place, bytes, first values."""
    lines = []  # of blocks of instructions, one in which a loop may wait, or the last
    for block in blocks:
        items = [*block.body, *([block.end] if block.end else ())]
        asks = [each for each in items if uniform.may_wait(each)]
        lines.append(kernel.site((asks or items)[-1]))
    barriers = [kernel.site(end) if (end := flow.runs_into(blocks, number)) is not None else -1
                for number in range(len(blocks))]
    variables = []
    for variable in module.variables.values():
        if variable.space in ("global", "const"):
            if variable.extern:
                raise Unsupported(f"the variable {variable.name}, which is defined elsewhere, is not simulated")
            values = [[size, [value.name, value.offset] if isinstance(value, model.Symbol) else value]
                      for size, value in _initial(module, variable)]
            variables.append([variable.name, checks.variables[variable.name], variable.size, values])
    shared = [[name, place, kernel.shared_sizes[name]] for name, place in kernel.shared.items()]
    reach = checks.reach
    return {"cells": reach.cells, "shared_cell": checks.shared_cell, "groups": reach.groups, "read": reach.read,
            "written": reach.written, "copies": checks.copies, "clock": checks.clock,
            "cluster": [1, 1, 1] if kernel.at_once else list(kernel.cluster), "clusters": checks.clusters,
            "asked": checks.asked, "lanes_apart": checks.lanes_apart,
            "reached": [checks.reached.get(site, 0) for site in range(min(len(kernel.sites), shadow.MOST_SITES - 1))],
            "lines": lines, "barriers": barriers, "variable_bytes": checks.variable_bytes,
            "variables": variables, "shared": shared}


def _initial(module: model.Module, variable: model.Variable) -> list[tuple[int, int | model.Symbol]]:
    """A variable's first values; pointers to functions are numbers."""
    known = {value: context.function_address(module, value.name) for _, value in variable.initial
             if isinstance(value, model.Symbol)}
    return [(size, number if isinstance(value, model.Symbol) and (number := known[value]) is not None else value)
            for size, value in variable.initial]


def _variables(module: model.Module) -> str:
    """The module's variables in memory, with their first values."""
    lines = []
    for variable in module.variables.values():
        if variable.space not in ("global", "const"):
            continue
        if variable.extern:
            raise Unsupported(f"the variable {variable.name}, which is defined elsewhere, is not simulated")
        fields, values, at = [], [], 0
        for size, value in _initial(module, variable):
            fields.append(f"i{8 * size}")
            if isinstance(value, model.Symbol):
                values.append(f"i{8 * size} add (i64 ptrtoint (ptr {context.global_name(value.name)} to i64), "
                              f"i64 {value.offset})" if value.offset else
                              f"i{8 * size} ptrtoint (ptr {context.global_name(value.name)} to i64)")
            else:
                values.append(f"i{8 * size} {value}")
            at += size
        if variable.size > at:
            fields.append(f"[{variable.size - at} x i8]")
            values.append(f"[{variable.size - at} x i8] zeroinitializer")
        lines.append(f"{context.global_name(variable.name)} = global <{{ {', '.join(fields)} }}> "
                     f"<{{ {', '.join(values)} }}>, align {max(variable.align, 1)}")
    return "\n".join(lines)


# ---- LLVM ------------------------------------------------------------------------------------------------------------
@functools.cache
def _llvm() -> Any:
    try:
        binding = importlib.import_module("llvmlite.binding")
    except ImportError:
        raise MissingError("running PTX needs llvmlite, which is not installed: pip install 'gpunet[sim]'") from None
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding


@functools.cache
def _identity() -> list[str]:
    """What besides the PTX decides the machine code: LLVM, the processor, and this package's own text."""
    binding = _llvm()
    own = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        own.update(path.read_bytes())
    version = ".".join(map(str, binding.llvm_version_info))
    return [version, binding.get_host_cpu_name(), _features(binding), own.hexdigest()]


def _features(binding: Any) -> str:
    return binding.get_host_cpu_features().flatten()


def _machine(binding: Any, level: int = 1) -> Any:
    target = binding.Target.from_default_triple()
    return target.create_target_machine(cpu=binding.get_host_cpu_name(), features=_features(binding), opt=level,
                                        jit=True, codemodel="jitdefault")


# Characters of a program. Of longer ones machine code of level 1 takes a second or more to make, and that of level 0
# less than half of it. It runs about 1.1 times as long: what does the work in these, such as products of matrices, are
# functions of their own.
_LONG = 1_000_000


def _objects(binding: Any, code: _Code, together: bool) -> bytes:
    """Object files, each after its length."""
    text = code.whole()
    if path := os.environ.get("GPUNET_PTX_KEEP"):
        Path(path).write_text(text)
    if together or len(text) <= _LONG:
        files = [_object(binding, text, 1)]
    else:
        helpers, rest = code.apart()
        files = [_object(binding, helpers, 1), _object(binding, rest, 0)]
    return b"".join(struct.pack("<Q", len(each)) + each for each in files)


# Few passes: the code is straight already, and compiling time counts.
_PASSES = {1: ("sroa", "simplify_cfg", "instruction_combine", "new_gvn", "aggressive_dce"),
           0: ("sroa", "simplify_cfg")}


def _object(binding: Any, text: str, level: int) -> bytes:
    """Machine code."""
    module = binding.parse_assembly(text)
    module.verify()
    machine = _machine(binding, level)
    options = binding.create_pipeline_tuning_options(speed_level=1)
    builder = binding.create_pass_builder(machine, options)
    passes = binding.create_new_function_pass_manager()
    for name in _PASSES[level]:
        getattr(passes, f"add_{name}_pass")()
    for function in module.functions:
        if not function.is_declaration:
            passes.run(function, builder)
    return machine.emit_object(module)


def _loaded(binding: Any, program: Program, content: bytes) -> Program:
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), _machine(binding))
    at = 0
    while at < len(content):
        size, = struct.unpack_from("<Q", content, at)
        engine.add_object_file(binding.ObjectFileRef.from_data(content[at + 8:at + 8 + size]))
        at += 8 + size
    engine.finalize_object()
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
    prepare, run = (function(engine.get_function_address(name)) for name in ("prepare", "run"))
    here = ctypes.PYFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(engine.get_function_address("run_here"))
    return replace(program, prepare=prepare, run=run, run_here=here, engine=engine)


def _described(program: Program) -> dict[str, Any]:
    return {"name": program.name, "frame": program.frame_bytes, "shared": program.shared_bytes,
            "threads": program.most_threads, "bytes": program.parameter_bytes,
            "parameters": [[each.name, each.type, each.align, each.size, each.offset, each.pointer]
                           for each in program.parameters],
            "sites": [[site.name, site.line, list(site.chain)] for site in program.sites], "held": program.held,
            "counted": [each.as_list() for each in program.counted], "counters": program.counters,
            "cluster": program.cluster, "at_once": program.at_once, "checked": program.checked}


def _from_description(data: dict[str, Any]) -> Program:
    return Program(data["name"], tuple(model.Parameter(*each) for each in data["parameters"]), data["bytes"],
                   data["frame"],
                   data["shared"], data["threads"],
                   tuple(Site(name, line, tuple(chain)) for name, line, chain in data["sites"]),
                   tuple((place, site) for place, site in data["held"]),
                   tuple(map(Counted.from_list, data["counted"])), data["counters"], tuple(data["cluster"]),
                   data["at_once"], data["checked"])


__all__ = ["MissingError", "Program", "Site", "code", "compile"]
