"""Read PTX text into the data of model.py."""

from __future__ import annotations

import re
import struct
from typing import NoReturn

from gpunet.ptx import model
from gpunet.ptx.errors import PtxError, Unsupported

_TOKEN = re.compile(
    r'"[^"]*"|0[fF][0-9a-fA-F]{8}(?![0-9a-fA-F])|0[dD][0-9a-fA-F]{16}'
    r"|\d+\.\d*(?:[eE][-+]?\d+)?|0[xX][0-9a-fA-F]+U?|\d+U?"
    r"|[%$_.a-zA-Z][\w$.]*(?:::\w+[\w.]*)*|[^\s\w]")
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_SECTION = re.compile(r"^\s*\.section\s[^{]*\{[^}]*\}", re.MULTILINE)

_SPACES = {".global", ".const", ".shared", ".local", ".param"}
_LINKING = {".visible", ".weak", ".extern", ".common"}
_NAMED_VECTORS = {".v2": 2, ".v4": 4, ".v8": 8}
_END = ("", 0)

# Special registers, which differ from a program's own in that nothing declares them.
SPECIAL = re.compile(r"%(?:(?:n?tid|n?ctaid|(?:n?cluster|cluster_ctaid|cluster_nctaid)(?:id)?)\.[xyz]"
                     r"|laneid|n?warpid|lanemask_(?:eq|le|lt|ge|gt)|n?smid|gridid|clock(?:_hi|64)?"
                     r"|globaltimer(?:_lo|_hi)?"
                     r"|cluster_ctarank|cluster_nctarank|is_explicit_cluster"
                     r"|(?:total|dynamic|aggr)_smem_size|reserved_smem_offset_(?:begin|end|cap|[01])"
                     r"|envreg\d+|pm\d+(?:_64)?|current_graph_exec)$")


def read(text: str) -> model.Module:
    """Read a PTX module: NVRTC's, or what nvcc, Triton, Numba or CuPy compiled.

    Args:
        text: the module.

    Returns:
        Its functions and variables.

    Raises:
        PtxError: the text is not PTX, or breaks off; the message has the line.
        Unsupported: it has what this reader does not know, such as indirect calls.

    Examples:
        >>> module = gpunet.ptx.read('''
        ... .version 8.0
        ... .target sm_80
        ... .address_size 64
        ... .visible .entry nothing(.param .u64 x) { ret; }''')
        >>> module.target, [parameter.name for parameter in module.functions["nothing"].parameters]
        ('sm_80', ['x'])
    """
    return _Reader(text).module()


class _Reader:
    def __init__(self, text: str) -> None:
        def blank(match: re.Match) -> str:
            return "\n" * match[0].count("\n")

        text = _SECTION.sub(blank, _COMMENT.sub(lambda match: blank(match) or " ", text))
        self.tokens = [(token, number) for number, line in enumerate(text.split("\n"), 1)
                       for token in _TOKEN.findall(line)]
        self.tokens.append(_END)
        self.at = 0
        self.files: dict[int, str] = {int(number): name for number, name in
                                      re.findall(r'^\s*\.file\s+(\d+)\s+"([^"]*)"', text, re.MULTILINE)}
        self.location: model.Location | None = None
        self.scopes: list[dict[str, model.Register]] = []
        self.renamed = 0
        self.callers: dict[tuple, model.Location] = {}  # inlined places, which later ones may name as their callers

    # ---- tokens ------------------------------------------------------------------------------------------------------
    @property
    def next(self) -> str:
        return self.tokens[self.at][0]

    @property
    def line(self) -> int:
        return self.tokens[self.at][1] or self.tokens[max(self.at - 1, 0)][1]

    def take(self, expected: str | None = None) -> str:
        token = self.next
        if expected is not None and token != expected:
            self.fail(f"{expected!r} expected, found {token!r}" if token else f"{expected!r} expected, the text ends")
        if not token:
            self.fail("the text ends within a statement")
        self.at += 1
        return token

    def accept(self, token: str) -> bool:
        if self.next != token:
            return False
        self.at += 1
        return True

    def rest_of_line(self) -> list[str]:
        line, start = self.tokens[self.at - 1][1], self.at
        while self.tokens[self.at][1] == line:
            self.at += 1
        return [token for token, _ in self.tokens[start:self.at]]

    def fail(self, message: str) -> NoReturn:
        raise PtxError(f"line {self.line}: {message}")

    def refuse(self, what: str) -> NoReturn:
        raise Unsupported(f"line {self.line}: {what} is not simulated")

    def number(self) -> int:
        negative = self.accept("-")
        value = _integer(self.take())
        if value is None:
            self.at -= 1
            self.fail(f"a number expected, found {self.next!r}")
        return -value if negative else value

    # ---- the module --------------------------------------------------------------------------------------------------
    def module(self) -> model.Module:
        version = target = ""
        variables: dict[str, model.Variable] = {}
        functions: dict[str, model.Function] = {}
        while self.next:
            token, extern = self.take(), False
            while token in _LINKING:
                extern, token = extern or token == ".extern", self.take()
            if token == ".version":
                version = self.take()
            elif token == ".target":
                target = self.take()
                while self.accept(","):
                    self.take()
            elif token == ".address_size":
                if self.number() != 64:
                    self.refuse("an address size other than 64")
            elif token in (".file", ".loc"):
                self.rest_of_line()
            elif token in (".entry", ".func"):
                function = self.function(token == ".entry")
                known = functions.get(function.name)
                if known is None or known.body is None:
                    functions[function.name] = function
            elif token in _SPACES:
                variable = self.variable(token[1:], extern)
                variables[variable.name] = variable
                self.take(";")
            elif token == ".alias":
                self.refuse("an alias of a function")
            elif token == ".pragma":
                self.skip_to(";")
            elif token != ";":
                self.at -= 1
                self.fail(f"{token!r} is not known here")
        if not version or not target:
            raise PtxError("this is not PTX: .version and .target are missing")
        return model.Module(version, target, variables, functions)

    def skip_to(self, end: str) -> None:
        while self.take() != end:
            pass

    def function(self, entry: bool) -> model.Function:
        line = self.line
        returns = self.parameters() if self.next == "(" else ()
        name = self.take()
        parameters = self.parameters() if self.next == "(" else ()
        directives: dict[str, tuple[int, ...]] = {}
        while self.next.startswith("."):
            directive, sizes = self.take()[1:], []
            if directive == "pragma":
                self.skip_to(";")
                continue
            while _integer(self.next) is not None:
                sizes.append(self.number())
                self.accept(",")
            directives[directive] = tuple(sizes)
        if self.accept(";"):
            return model.Function(name, entry, parameters, returns, (), None, directives, line)
        if self.next != "{":
            self.fail(f"the body of {name} expected, found {self.next!r}")
        self.location, self.scopes, variables = None, [], []
        body = []
        self.scope(body, variables)
        return model.Function(name, entry, parameters, returns, tuple(variables), tuple(body), directives, line)

    def parameters(self) -> tuple[model.Parameter, ...]:
        self.take("(")
        found: list[model.Parameter] = []
        offset = 0
        while not self.accept(")"):
            if self.next == ".reg":
                self.refuse("a function with registers as parameters")
            self.take(".param")
            align, kind, pointer = 0, "", False
            while self.next.startswith("."):
                token = self.take()
                if token == ".align":
                    number = self.number()
                    align = align if pointer else number  # after .ptr it is that of what the pointer points to
                elif token == ".ptr":
                    pointer = True
                elif token[1:] in model.SIZES:
                    kind = token[1:]
            name = self.take()
            size = model.SIZES[kind] if kind else self.fail("a type expected")
            align = align or size
            if self.accept("["):
                size *= self.number() if self.next != "]" else self.refuse("a function with any number of arguments")
                self.take("]")
            offset += -offset % align
            found.append(model.Parameter(name, kind, align, size, offset, pointer))
            offset += size
            self.accept(",")
        return tuple(found)

    def variable(self, space: str, extern: bool = False) -> model.Variable:
        align, kind, count, open_ended = 0, "", 1, False
        while self.next.startswith("."):
            token = self.take()
            if token == ".align":
                align = self.number()
            elif token in _NAMED_VECTORS:
                count = _NAMED_VECTORS[token]
            elif token == ".attribute":
                self.skip_to(")")
            elif token[1:] in model.SIZES:
                kind = token[1:]
            else:
                self.refuse(f"a variable of {token}")
        if not kind:
            self.fail("a type expected")
        name, item = self.take(), model.SIZES[kind]
        align = align or item * count
        while self.accept("["):
            if self.next == "]":
                open_ended = True
            else:
                count *= self.number()
            self.take("]")
        initial: list[tuple[int, int | model.Symbol]] = []
        if self.accept("="):
            self.initial(item, initial)
            if open_ended:
                count, open_ended = len(initial), False
        return model.Variable(name, space, align, 0 if open_ended else item * count, extern, tuple(initial))

    def initial(self, item: int, found: list[tuple[int, int | model.Symbol]]) -> None:
        if self.accept("{"):
            while not self.accept("}"):
                self.initial(item, found)
                self.accept(",")
            return
        negative, token = self.accept("-"), self.take()
        if (constant := _float(token)) is not None:
            found.append((item, constant.bits))
        elif (value := _integer(token)) is not None:
            found.append((item, (-value if negative else value) & (1 << 8 * item) - 1))
        elif token == "generic":
            self.take("(")
            found.append((item, model.Symbol(self.take())))
            self.take(")")
        else:
            found.append((item, model.Symbol(token)))
        if isinstance(found[-1][1], model.Symbol) and self.accept("+"):
            found[-1] = (item, model.Symbol(found[-1][1].name, self.number()))

    # ---- bodies ------------------------------------------------------------------------------------------------------
    def scope(self, body: list, variables: list[model.Variable]) -> None:
        """`{ ... }`; within an inner one, names of the outer may be declared anew."""
        self.take("{")
        self.scopes.append({})
        while not self.accept("}"):
            if self.next == "{":
                self.scope(body, variables)
            else:
                self.statement(body, variables)
        self.scopes.pop()

    def statement(self, body: list, variables: list[model.Variable]) -> None:
        token = self.next
        if token == ".loc":
            self.take()
            self.location = self.place(self.rest_of_line())
        elif token == ".reg":
            self.registers()
        elif token in _SPACES:
            self.take()
            while True:
                variables.append(self.variable(token[1:]))
                if not self.accept(","):
                    break
            self.take(";")
        elif token == ".pragma":
            self.skip_to(";")
        elif token == ".file":
            self.take()
            self.rest_of_line()
        elif token == ";":
            self.take()
        elif token.startswith("."):
            self.refuse(f"{token}")
        elif self.tokens[self.at + 1][0] == ":":
            line = self.line
            self.at += 2
            if self.next in (".callprototype", ".calltargets"):  # functions are found by their parameters
                self.skip_to(";")
            elif self.accept(".branchtargets"):
                labels = [self.take()]
                while self.accept(","):
                    labels.append(self.take())
                self.take(";")
                body.append(model.Targets(token, tuple(labels)))
            else:
                body.append(model.Label(token, line))
        else:
            body.append(self.instruction())

    def place(self, tokens: list[str]) -> model.Location | None:
        """The place of a .loc; line 0 says that the compiler does not know, and the place before stands."""
        numbers = [int(token) for token in tokens[:3]]
        if numbers[1] == 0:
            return self.location
        caller = None
        if "inlined_at" in tokens:
            file, line, column = (int(token) for token in tokens[tokens.index("inlined_at") + 1:][:3])
            caller = self.callers.get((file, line, column)) or model.Location(self.files.get(file, "?"), line, column)
        found = model.Location(self.files.get(numbers[0], "?"), numbers[1], numbers[2], caller)
        if caller is not None:
            self.callers[tuple(numbers)] = found
        return found

    def registers(self) -> None:
        self.take(".reg")
        kind = self.take()[1:]
        if kind not in model.SIZES:
            self.refuse(f"a register of type .{kind}")
        while True:
            name, inner = self.take(), len(self.scopes) > 1
            if self.accept("<"):
                count = self.number()
                self.take(">")
                names = [f"{name}{number}" for number in range(count)]
            else:
                names = [name]
            self.renamed += inner
            for each in names:
                self.scopes[-1][each] = model.Register(f"{each}@{self.renamed}" if inner else each, kind)
            if not self.accept(","):
                break
        self.take(";")

    def register(self, name: str) -> model.Register | None:
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        if name.startswith("%"):
            if SPECIAL.match(name):
                return model.Register(name, "")
            self.fail(f"register {name} is not declared")
        return None

    def instruction(self) -> model.Instruction:
        guard, line = None, self.line
        if self.accept("@"):
            negated = self.accept("!")
            register = self.register(self.take())
            if register is None:
                self.fail("a predicate expected after '@'")
            guard = model.Guard(register, negated)
        opcode, *modifiers = self.take().split(".")
        if not opcode.isidentifier():
            self.at -= 1
            self.fail(f"an instruction expected, found {self.next!r}")
        operands = []
        while not self.accept(";"):
            operands.append(self.operand())
            if self.next != ";":
                self.take(",")
        return model.Instruction(opcode, tuple(modifiers), tuple(operands), guard, line, self.location)

    def operand(self) -> model.Operand:
        token = self.next
        if token == "{":
            return model.Vector(self.listed("{", "}"))
        if token == "(":
            return model.Group(self.listed("(", ")"))
        if token == "[":
            self.take()
            return self.address()
        if self.accept("!"):
            operand = self.operand()
            if not isinstance(operand, model.Register):
                self.fail("a predicate expected after '!'")
            return model.Inverted(operand)
        first = self.plain()
        return model.Pair(first, self.plain()) if self.accept("|") else first

    def listed(self, opening: str, closing: str) -> tuple[model.Operand, ...]:
        self.take(opening)
        found = []
        while not self.accept(closing):
            found.append(self.operand())
            if self.next != closing:
                self.take(",")
        return tuple(found)

    def address(self) -> model.Operand:
        """`[register+8]`, `[symbol]`, `[64]`; of tensor copies `[register, {coordinates}]`."""
        base, offset, coordinates = self.plain(), 0, ()
        if self.accept(","):
            coordinates = self.listed("{", "}")
        while self.next in ("+", "-"):
            negative = self.take() == "-"
            offset += -self.number() if negative else self.number()
        self.take("]")
        if isinstance(base, model.Integer):
            return model.Address(None, base.value + offset)
        if isinstance(base, model.Symbol):
            return model.Address(model.Symbol(base.name), base.offset + offset, coordinates)
        if isinstance(base, model.Register):
            return model.Address(base, offset, coordinates)
        self.fail("an address expected")

    def plain(self) -> model.Operand:
        negative, token = self.accept("-"), self.take()
        if token == "_":
            return model.DISCARD
        if (constant := _float(token)) is not None:
            return model.Float(constant.bits ^ negative << 8 * constant.size - 1, constant.size)
        if (value := _integer(token)) is not None:
            return model.Integer(-value if negative else value)
        if negative:
            self.fail(f"a number expected after '-', found {token!r}")
        if register := self.register(token):
            return register
        if not re.match(r"[$_a-zA-Z%]", token):
            self.at -= 1
            self.fail(f"an operand expected, found {token!r}")
        offset = 0
        if self.next == "+" and _integer(self.tokens[self.at + 1][0]) is not None:
            self.take()
            offset = self.number()
        return model.Symbol(token, offset)


def _integer(token: str) -> int | None:
    if token == "WARP_SZ":  # PTX's only predefined name of a number
        return 32
    if not token[:1].isdigit() or "." in token:
        return None
    text = token.rstrip("U")
    if text[:2] in ("0x", "0X"):
        return int(text, 16)
    if text[:2] in ("0b", "0B"):
        return int(text, 2)
    if text[:2].lower() in ("0f", "0d"):
        return None
    return int(text, 8) if len(text) > 1 and text[0] == "0" else int(text)


def _float(token: str) -> model.Float | None:
    if token[:2].lower() == "0f" and len(token) == 10:
        return model.Float(int(token[2:], 16), 4)
    if token[:2].lower() == "0d" and len(token) == 18:
        return model.Float(int(token[2:], 16), 8)
    if re.fullmatch(r"\d+\.\d*(?:[eE][-+]?\d+)?", token):
        return model.Float(struct.unpack("<Q", struct.pack("<d", float(token)))[0], 8)
    return None
