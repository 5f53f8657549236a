"""A small part of Python as LLVM IR, for what is too long to be written as IR by hand.

All values are whole numbers of 64 bits without a sign: comparisons, `//`, `%` and `>>` take them so. There are `if`,
`while`, `break`, `continue`, `return`, assignments to names, and calls of other functions in the same file and of
`u8 ... put64` below. Names in capitals are constants of the file. `and` and `or` stop early, as in Python; what is
compared is 0 or 1.
"""

from __future__ import annotations

import ast
import ctypes
import inspect
import textwrap
from collections.abc import Callable, Iterable
from typing import Any

_OPERATIONS: dict[type, str] = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.FloorDiv: "udiv", ast.Mod: "urem",
                                ast.BitAnd: "and", ast.BitOr: "or", ast.BitXor: "xor", ast.LShift: "shl",
                                ast.RShift: "lshr"}
_COMPARISONS: dict[type, str] = {ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "ult", ast.LtE: "ule", ast.Gt: "ugt",
                                 ast.GtE: "uge"}


# ---- memory, as functions of Python ------------------------------------------------------------------------------
def u8(at: int) -> int:
    """The byte at an address."""
    return ctypes.c_uint8.from_address(at).value


def u32(at: int) -> int:
    """The 32 bits at an address."""
    return ctypes.c_uint32.from_address(at).value


def u64(at: int) -> int:
    """The 64 bits at an address."""
    return ctypes.c_uint64.from_address(at).value


def put8(at: int, value: int) -> None:
    """Writes a byte."""
    ctypes.c_uint8.from_address(at).value = value


def put32(at: int, value: int) -> None:
    """Writes 32 bits."""
    ctypes.c_uint32.from_address(at).value = value


def put64(at: int, value: int) -> None:
    """Writes 64 bits."""
    ctypes.c_uint64.from_address(at).value = value


def tell(function: int, *values: int) -> int:
    """Calls a function, by its address, with six values; fewer are filled with zeros."""
    return ctypes.CFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * 6)(function)(*values, *[0] * (6 - len(values)))


_LOADS = {"u8": "i8", "u32": "i32", "u64": "i64"}
_STORES = {"put8": "i8", "put32": "i32", "put64": "i64"}


def lowered(functions: Iterable[Callable[..., Any]], prefix: str) -> str:
    """The IR of some functions of one file.

    Args:
        functions: all that call each other.
        prefix: of their names in the IR.

    Returns:
        Definitions; of a function `name` with n parameters `internal i64 @"<prefix>name"(i64, ...)`.
    """
    functions = list(functions)
    known = {function.__name__ for function in functions}
    return "\n".join(_Function(function, known, prefix).text() for function in functions)


class _Function:
    def __init__(self, function: Callable[..., Any], known: set[str], prefix: str) -> None:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
        assert isinstance(tree, ast.FunctionDef)
        self.tree, self.known, self.prefix = tree, known, prefix
        self.constants = function.__globals__
        self.lines: list[str] = []
        self.count = 0
        self.loops: list[tuple[str, str]] = []
        self.names = {argument.arg for argument in tree.args.args}
        self.names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)
                       and isinstance(node.ctx, ast.Store)}

    def text(self) -> str:
        arguments = [argument.arg for argument in self.tree.args.args]
        for name in sorted(self.names):
            self.emit(f"%{name}.p = alloca i64")
        for name in arguments:
            self.emit(f"store i64 %{name}, ptr %{name}.p")
        self.block(self.tree.body)
        self.emit("ret i64 0")
        given = ", ".join(f"i64 %{name}" for name in arguments)
        body = "\n".join(self.lines)
        return f'define internal i64 @"{self.prefix}{self.tree.name}"({given}) #1 {{\n{body}\n}}'

    # ---- text
    def emit(self, text: str) -> None:
        self.lines.append("  " + text)

    def label(self, name: str) -> None:
        self.lines.append(name + ":")

    def fresh(self, stem: str = "t") -> str:
        self.count += 1
        return f"{stem}{self.count}"

    def value(self, text: str) -> str:
        name = "%" + self.fresh()
        self.emit(f"{name} = {text}")
        return name

    # ---- statements
    def block(self, body: list[ast.stmt]) -> bool:
        """Whether it goes on behind."""
        return all(self.statement(each) for each in body)

    def statement(self, node: ast.stmt) -> bool:
        match node:
            case ast.Assign(targets=[ast.Name(name)], value=value):
                self.emit(f"store i64 {self.expression(value)}, ptr %{name}.p")
            case ast.AugAssign(target=ast.Name(name), op=operation, value=value):
                old = self.value(f"load i64, ptr %{name}.p")
                new = self.value(f"{_OPERATIONS[type(operation)]} i64 {old}, {self.expression(value)}")
                self.emit(f"store i64 {new}, ptr %{name}.p")
            case ast.If(test, body, orelse):
                yes, no, end = (self.fresh(stem) for stem in ("yes", "no", "end"))
                self.condition(test, yes, no)
                for label, part in ((yes, body), (no, orelse)):
                    self.label(label)
                    if self.block(part):
                        self.emit(f"br label %{end}")
                self.label(end)
            case ast.While(test, body, []):
                head, inside, end = (self.fresh(stem) for stem in ("while", "do", "done"))
                self.emit(f"br label %{head}")
                self.label(head)
                self.condition(test, inside, end)
                self.label(inside)
                self.loops.append((head, end))
                if self.block(body):
                    self.emit(f"br label %{head}")
                self.loops.pop()
                self.label(end)
            case ast.Return(value):
                self.emit(f"ret i64 {self.expression(value) if value else '0'}")
                return False
            case ast.Break():
                self.emit(f"br label %{self.loops[-1][1]}")
                return False
            case ast.Continue():
                self.emit(f"br label %{self.loops[-1][0]}")
                return False
            case ast.Expr(ast.Constant(str())) | ast.Pass():
                pass
            case ast.Expr(value):
                self.expression(value)
            case _:
                raise NotImplementedError(ast.unparse(node))
        return True

    def condition(self, node: ast.expr, yes: str, no: str) -> None:
        """A branch; `and`, `or` and `not` go without values."""
        match node:
            case ast.BoolOp(op, values):
                for each in values[:-1]:
                    middle = self.fresh("also")
                    self.condition(each, *((middle, no) if isinstance(op, ast.And) else (yes, middle)))
                    self.label(middle)
                self.condition(values[-1], yes, no)
            case ast.UnaryOp(ast.Not(), operand):
                self.condition(operand, no, yes)
            case ast.Compare(left, [operation], [right]):
                a, b = self.expression(left), self.expression(right)
                bit = self.value(f"icmp {_COMPARISONS[type(operation)]} i64 {a}, {b}")
                self.emit(f"br i1 {bit}, label %{yes}, label %{no}")
            case _:
                bit = self.value(f"icmp ne i64 {self.expression(node)}, 0")
                self.emit(f"br i1 {bit}, label %{yes}, label %{no}")

    # ---- expressions
    def expression(self, node: ast.expr) -> str:
        match node:
            case ast.Constant(int(number)):
                return str(number - (1 << 64) if number >> 63 else number)
            case ast.Name(name) if name in self.names:
                return self.value(f"load i64, ptr %{name}.p")
            case ast.Name(name):
                number = int(self.constants[name]) & (1 << 64) - 1
                return str(number - (1 << 64) if number >> 63 else number)
            case ast.BinOp(left, operation, right):
                a, b = self.expression(left), self.expression(right)
                return self.value(f"{_OPERATIONS[type(operation)]} i64 {a}, {b}")
            case ast.UnaryOp(ast.Invert(), operand):
                return self.value(f"xor i64 {self.expression(operand)}, -1")
            case ast.Compare(left, [operation], [right]):
                a, b = self.expression(left), self.expression(right)
                bit = self.value(f"icmp {_COMPARISONS[type(operation)]} i64 {a}, {b}")
                return self.value(f"zext i1 {bit} to i64")
            case ast.BoolOp() | ast.UnaryOp(ast.Not()):
                return self.chosen(node, "1", "0")
            case ast.IfExp(test, body, orelse):
                return self.chosen(test, body, orelse)
            case ast.Call(ast.Name(name), arguments):
                return self.call(name, arguments)
        raise NotImplementedError(ast.unparse(node))

    def chosen(self, test: ast.expr, one: ast.expr | str, other: ast.expr | str) -> str:
        yes, no, end = (self.fresh(stem) for stem in ("yes", "no", "end"))
        place = self.fresh("chosen")
        self.lines.insert(0, f"  %{place} = alloca i64")
        self.condition(test, yes, no)
        for label, part in ((yes, one), (no, other)):
            self.label(label)
            self.emit(f"store i64 {part if isinstance(part, str) else self.expression(part)}, ptr %{place}")
            self.emit(f"br label %{end}")
        self.label(end)
        return self.value(f"load i64, ptr %{place}")

    def call(self, name: str, arguments: list[ast.expr]) -> str:
        given = [self.expression(each) for each in arguments]
        if name in _LOADS:
            pointer = self.value(f"inttoptr i64 {given[0]} to ptr")
            loaded = self.value(f"load {_LOADS[name]}, ptr {pointer}")
            return loaded if name == "u64" else self.value(f"zext {_LOADS[name]} {loaded} to i64")
        if name in _STORES:
            pointer, type = self.value(f"inttoptr i64 {given[0]} to ptr"), _STORES[name]
            value = given[1] if type == "i64" else self.value(f"trunc i64 {given[1]} to {type}")
            self.emit(f"store {type} {value}, ptr {pointer}")
            return "0"
        if name == "tell":
            pointer = self.value(f"inttoptr i64 {given[0]} to ptr")
            values = [*given[1:], *["0"] * (7 - len(given))]
            return self.value(f"call i64 {pointer}({', '.join(f'i64 {each}' for each in values)})")
        assert name in self.known, name
        return self.value(f'call i64 @"{self.prefix}{name}"({", ".join(f"i64 {each}" for each in given)})')
