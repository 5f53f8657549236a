"""Barriers that do not wait, fences, traps and calls. Source: PTX ISA, 9.7.12 and 9.7.13."""

from __future__ import annotations

from gpunet.ptx import clusters, layout
from gpunet.ptx.context import function_address, function_name, pointed_to
from gpunet.ptx.emit import LANES, Builder, Value, constant
from gpunet.ptx.layout import Launch
from gpunet.ptx.lower import Lowering
from gpunet.ptx.memory import load, store
from gpunet.ptx.model import Function, Group, Instruction, Symbol
from gpunet.ptx.table import meaning, refuse


@meaning("bar", "barrier", modifiers="cta cluster arrive warp sync aligned release relaxed")
def arrive(low: Lowering, i: Instruction) -> None:
    """bar.arrive counts the warp's threads and goes on; bar.warp.sync orders memory, which is ordered here anyway."""
    if i.has("warp"):
        return
    if i.has("cluster"):
        return clusters.arrive(low)
    if not i.has("arrive"):
        refuse(i)
    b = low.b
    number, count = (low.scalar(low.read(each, "u32")) for each in i.operands)
    del count  # the waiting side has it
    place = b.at("%block", b.add(b.shl(b.resize(number, "i64"), 2), layout.Block.ARRIVED))
    b.store(b.add(b.load(place, "i32"), b.call("ctpop", low.mask)), place)


@meaning("fence", "membar", modifiers=None)
def fence(low: Lowering, i: Instruction) -> None:
    low.b.emit("fence seq_cst")


@meaning("nanosleep", "griddepcontrol", "pmevent", "setmaxnreg", "brkpt", modifiers=None)
def nothing(low: Lowering, i: Instruction) -> None:
    """Concerns time and resources alone."""


@meaning("trap", modifiers="")
def trap(low: Lowering, i: Instruction) -> None:
    _if_any(low, lambda: low.fail(layout.TRAP, i))


def _if_any(low: Lowering, then) -> None:
    """Code that leaves, for the lanes of the mask if there are any."""
    b = low.b
    some, none = b.fresh("some"), b.fresh("none")
    b.branch(b.compare("ne", low.mask, 0), some, none)
    b.label(some)
    then()
    b.label(none)


@meaning("call", modifiers="uni")
def call(low: Lowering, i: Instruction) -> None:
    operands = list(i.operands)
    returns: tuple = ()
    if isinstance(operands[0], Group):
        returns, operands = operands[0].elements, operands[1:]
    target, *rest = operands
    given = rest[0].elements if rest and isinstance(rest[0], Group) else ()
    if not isinstance(target, Symbol):
        return _by_pointer(low, i, low.read(target, "u64"), given, returns)
    if target.name == "vprintf":
        return _print(low, i, given, returns)
    if target.name in ("__assertfail", "__assert_fail"):
        return _if_any(low, lambda: _assertion(low, i, given))
    function = low.module.functions.get(target.name)
    if function is None or function.body is None:
        refuse(i, f"the function {target.name} is not in this module")
    _direct(low, i, function, given, returns)


def _by_pointer(low: Lowering, i: Instruction, pointer: Value, given, returns) -> None:
    """Lanes call the functions that they point to, one function after another."""
    b, left = low.b, low.mask
    known = {each.name: each.size for each in low.function.variables}
    sizes = [[known.get(each.name) for each in some if isinstance(each, Symbol)] for some in (given, returns)]
    for function in pointed_to(low.module):
        if sizes != [[each.size for each in some] for some in (function.parameters, function.returns)]:
            continue
        mine = b.compare("eq", pointer, constant("i64", function_address(low.module, function.name) or 0))
        left = b.both(left, b.invert(b.mask_of(mine)))
        with low.under(mine):
            some, none = b.fresh("some"), b.fresh("none")
            b.branch(b.compare("ne", low.mask, 0), some, none)
            b.label(some)
            _direct(low, i, function, given, returns)
            b.jump(none)
            b.label(none)
    with low.under(b.lanes_of(left)):
        _if_any(low, lambda: low.fail(layout.TRAP, i))


def _direct(low: Lowering, i: Instruction, function: Function, given, returns) -> None:
    _lower_called(low, i, function)
    b = low.b
    arguments = "".join(f", ptr {_memory(low, i, each)}" for each in (*given, *returns))
    status = b.value(f"call i32 {function_name(function.name)}(ptr %warp, ptr %block, {low.mask}{arguments})", "i32")
    failed, on = b.fresh("failed"), b.fresh("on")
    b.branch(b.compare("eq", status, layout.FAILED), failed, on)
    b.label(failed)
    b.emit(f"ret i32 {layout.FAILED}")
    b.label(on)


def _lower_called(low: Lowering, i: Instruction, function: Function) -> None:
    """The function's own code, once; while it is written, it may call itself."""
    functions = low.kernel.functions
    if function.name in functions:
        return
    functions[function.name] = ""
    inner = Lowering(low.kernel, function)
    if any(block.end is not None and block.end.opcode in ("bar", "barrier") for block in inner.blocks):
        refuse(i, f"{function.name} waits at a barrier of the block, in a function that is called")
    functions[function.name] = inner.text()


def _memory(low: Lowering, i: Instruction, operand) -> str:
    """Where a parameter of a call lies: a lane's copy behind the other."""
    if not isinstance(operand, Symbol) or operand.name not in low.variables:
        refuse(i, "a call without .param variables")
    return low.b.at("%frame", low.variables[operand.name][0])


def _lanes_of_parameter(low: Lowering, i: Instruction, operand, type: str) -> Value:
    if not isinstance(operand, Symbol):
        refuse(i, "a call without .param variables")
    return load(low, low.symbol(operand), type)[0]


def _print(low: Lowering, i: Instruction, given, returns) -> None:
    b = low.b
    form, values = (_lanes_of_parameter(low, i, each, "i64") for each in given)
    printer = b.load(b.at("%launch", Launch.PRINT), "i64")
    b.through_all("print", _print_lanes, printer, form, values, low.mask)
    if returns:
        store(low, low.symbol(returns[0]), [b.spread(constant("i32", 0))])


def _print_lanes(b: Builder, printer: Value, form: Value, values: Value, mask: Value) -> list[Value]:
    """Each lane's text, from the first on."""
    function = b.pointer(printer)
    for lane in range(LANES):
        some, none = f"some{lane}", f"none{lane}"
        b.branch(b.compare("ne", b.both(mask, 1 << lane), 0), some, none)
        b.label(some)
        b.emit(f"call void {function}({b.extract(form, lane)}, {b.extract(values, lane)})")
        b.jump(none)
        b.label(none)
    return []


def _assertion(low: Lowering, i: Instruction, given) -> None:
    b = low.b
    for place, operand, type in ((Launch.MESSAGE, given[0], "i64"), (Launch.FILE, given[1], "i64"),
                                 (Launch.LINE, given[2], "i32")):
        b.store(low.scalar(_lanes_of_parameter(low, i, operand, type)), b.at("%launch", place))
    low.fail(layout.ASSERTION, i)
