"""A machine that reads pickles and runs no code.

A pickle is a program for a machine with a stack, which can name any function and call it. This one knows the
instructions that build numbers, texts and containers, and calls only the functions in a table that it is given. It
imports nothing, follows no names, and refuses every other instruction and name. It takes no more memory than a small
multiple of the pickle: arguments that are copied are counted, and nothing in it is recursive.
"""

from __future__ import annotations

import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from gpunet.serialization.memory import Loaded
from gpunet.serialization.plain import (
    MAPPINGS,
    NUMBERS_AND_TEXTS,
    SEQUENCES,
    TENSORS,
    check_key,
    is_array,
    metadata_of,
    set_metadata,
)
from gpunet.serialization.source import Cursor, Refused

# Arguments of the instructions: a number of this form; as many bytes as such a number says; or two lines.
_NUMBERS = {pickle.PROTO: "<B", pickle.FRAME: "<Q", pickle.BININT: "<i", pickle.BININT1: "<B", pickle.BININT2: "<H",
            pickle.BINFLOAT: ">d", pickle.BINGET: "<B", pickle.LONG_BINGET: "<I", pickle.BINPUT: "<B",
            pickle.LONG_BINPUT: "<I"}
_BYTES = {pickle.BINUNICODE: "<I", pickle.SHORT_BINUNICODE: "<B", pickle.BINUNICODE8: "<Q", pickle.BINSTRING: "<I",
          pickle.SHORT_BINSTRING: "<B", pickle.BINBYTES: "<I", pickle.SHORT_BINBYTES: "<B", pickle.BINBYTES8: "<Q",
          pickle.BYTEARRAY8: "<Q", pickle.LONG1: "<B", pickle.LONG4: "<I"}
_FORMS = {code: struct.Struct(form) for code, form in {**_NUMBERS, **_BYTES}.items()}


class Name(NamedTuple):
    """A function or class that a pickle may name: its full name, and what a call of it does here (None: nothing)."""

    name: str
    call: Callable[..., Any] | None = None


def operations(cursor: Cursor) -> Iterator[tuple[bytes, Any]]:
    """The instructions of a pickle with their arguments, up to its end."""
    code = b""
    while code != pickle.STOP:
        code, argument = cursor.take(1), None
        form = _FORMS.get(code)
        if form is not None:
            (argument,) = form.unpack(cursor.take(form.size))
            if code in _BYTES:
                argument = cursor.take(argument)
        elif code == pickle.GLOBAL:
            argument = cursor.line(), cursor.line()
        yield code, argument


class Machine:
    """Runs one pickle.

    Args:
        cursor: where the pickle begins.
        names: the names that it may use, as "module.name", and what they stand for.
        refuse: raises Refused for another name.
        fill: by type, what gives an object its state, and says how many bytes were copied.
        persistent: what a persistent id stands for: in PyTorch's files, a storage.
    """

    def __init__(self, cursor: Cursor, names: Mapping[str, Any], refuse: Callable[[str], Any],
                 fill: Mapping[type, Callable[[Any, Any], int]], persistent: Callable[[Any], Any]) -> None:
        self._cursor, self._names, self._refuse, self._persistent = cursor, names, refuse, persistent
        self._fill = fill
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []  # the stacks below the marks
        self._memo: dict[int, Any] = {}
        self._start, self._copied = cursor.at, 0

    def run(self) -> Any:
        """The object that the pickle describes. Raises Refused."""
        try:
            for code, argument in operations(self._cursor):
                run = _RUN.get(code)
                if run is None:
                    raise Refused(f"cannot be loaded: its pickle has the instruction {_instruction(code)}, which "
                                  "tensors and plain containers do not need; in PyTorch, save a state_dict() of such")
                run(self, argument)
            (result,) = self._stack
        except (IndexError, KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            if isinstance(error, Refused):
                raise
            raise Refused(f"is damaged: its pickle cannot be read ({error!r:.200})") from None
        if self._below:
            raise Refused("is damaged: its pickle ends too early")
        return result

    # ---- the stack

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def mark(self, _: None) -> None:
        self._below.append(self._stack)
        self._stack = []

    def since_mark(self) -> list[Any]:
        found, self._stack = self._stack, self._below.pop()
        return found

    def pop(self, _: None) -> None:
        self._stack.pop()

    def get(self, number: int) -> None:
        self._stack.append(self._memo[number])

    def put(self, number: int) -> None:
        self._memo[number] = self._stack[-1]

    def memoize(self, _: None) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    # ---- containers

    def append(self, _: None) -> None:
        self._extend([self._stack.pop()])

    def appends(self, _: None) -> None:
        self._extend(self.since_mark())

    def _extend(self, values: list[Any]) -> None:
        if type(self._stack[-1]) is not list:
            raise Refused("is damaged: its pickle appends to what is no list")
        self._stack[-1].extend(values)

    def set_item(self, _: None) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._update([key, value])

    def set_items(self, _: None) -> None:
        self._update(self.since_mark())

    def _update(self, values: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) not in MAPPINGS:
            raise Refused("is damaged: its pickle sets an item of what is no dictionary")
        for key, value in _pairs(values):
            target[key] = value

    def add_items(self, _: None) -> None:
        values = self.since_mark()
        if type(self._stack[-1]) is not set:
            raise Refused("is damaged: its pickle adds to what is no set")
        self._stack[-1].update(map(check_key, values))

    def tuple_of(self, count: int) -> None:
        values = tuple(self._stack[-count:])
        if len(values) < count:
            raise IndexError("too few values")
        self._stack[-count:] = [values]

    # ---- names

    def name(self, argument: tuple[bytes, bytes]) -> None:
        self._push_name(argument[0].decode(), argument[1].decode())

    def name_on_stack(self, _: None) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        if type(name) is not str or type(module) is not str:
            raise Refused("is damaged: its pickle names what is no text")
        self._push_name(module, name)

    def _push_name(self, module: str, name: str) -> None:
        full = f"{'builtins' if module == '__builtin__' else module}.{name}"
        self._stack.append(self._names[full] if full in self._names else self._refuse(full))

    def call(self, _: None) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        if type(function) is not Name or function.call is None or type(arguments) is not tuple:
            named = function.name if type(function) is Name else f"a {type(function).__name__}"
            raise Refused(f"cannot be loaded: its pickle calls {named}, which gpunet does not do")
        self._count_copied(sum(len(each) for each in arguments if isinstance(each, str | bytes | list | tuple | dict)))
        self._stack.append(function.call(*arguments))

    def build(self, _: None) -> None:
        """Gives an object its state: of a NumPy array its values, of a state_dict PyTorch's notes."""
        state, target = self._stack.pop(), self._stack[-1]
        if type(target) is OrderedDict and type(state) is dict:
            if "_metadata" in state:
                set_metadata(target, state["_metadata"])
        elif type(target) in self._fill:
            self._count_copied(self._fill[type(target)](target, state))
        else:
            raise Refused(f"cannot be loaded: its pickle sets attributes of a {type(target).__name__}")

    def _count_copied(self, count: int) -> None:
        """Notes that `count` parts of values were copied, which PyTorch's pickles let happen once."""
        self._copied += count
        if self._copied > 10 * (self._cursor.at - self._start) + 10_000:
            raise Refused("cannot be loaded: its pickle copies its parts again and again, as none of PyTorch's")

    def persistent(self, _: None) -> None:
        self._stack.append(self._persistent(self._stack.pop()))


def _pairs(values: list[Any]) -> list[tuple[Any, Any]]:
    return [(check_key(key), value) for key, value in zip(values[::2], values[1::2], strict=True)]


def _text(content: bytes) -> str | bytes:
    """A text of Python 2, which is bytes where it is none."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content


def _nothing(*_: Any) -> None:
    pass


def _value(make: Callable[[Any], Any]) -> Callable[[Machine, Any], None]:
    return lambda machine, argument: machine.push(make(argument))


def _of_mark(make: Callable[[list[Any]], Any]) -> Callable[[Machine, Any], None]:
    return lambda machine, _: machine.push(make(machine.since_mark()))


_RUN: dict[bytes, Callable[[Machine, Any], Any]] = {
    pickle.PROTO: _nothing, pickle.FRAME: _nothing, pickle.STOP: _nothing,
    pickle.MARK: Machine.mark, pickle.POP: Machine.pop, pickle.POP_MARK: lambda machine, _: machine.since_mark(),
    pickle.BINGET: Machine.get, pickle.LONG_BINGET: Machine.get, pickle.BINPUT: Machine.put,
    pickle.LONG_BINPUT: Machine.put, pickle.MEMOIZE: Machine.memoize,
    pickle.NONE: Machine.push, pickle.NEWTRUE: _value(lambda _: True), pickle.NEWFALSE: _value(lambda _: False),
    pickle.BININT: Machine.push, pickle.BININT1: Machine.push, pickle.BININT2: Machine.push,
    pickle.BINFLOAT: Machine.push,
    pickle.LONG1: _value(lambda content: int.from_bytes(content, "little", signed=True)),
    pickle.LONG4: _value(lambda content: int.from_bytes(content, "little", signed=True)),
    pickle.BINUNICODE: _value(lambda content: content.decode("utf-8", "surrogatepass")),
    pickle.SHORT_BINUNICODE: _value(lambda content: content.decode("utf-8", "surrogatepass")),
    pickle.BINUNICODE8: _value(lambda content: content.decode("utf-8", "surrogatepass")),
    pickle.BINSTRING: _value(_text), pickle.SHORT_BINSTRING: _value(_text),
    pickle.BINBYTES: Machine.push, pickle.SHORT_BINBYTES: Machine.push, pickle.BINBYTES8: Machine.push,
    pickle.BYTEARRAY8: _value(bytearray),
    pickle.EMPTY_LIST: _value(lambda _: []), pickle.EMPTY_DICT: _value(lambda _: {}),
    pickle.EMPTY_TUPLE: _value(lambda _: ()), pickle.EMPTY_SET: _value(lambda _: set()),
    pickle.LIST: _of_mark(list), pickle.TUPLE: _of_mark(tuple), pickle.DICT: _of_mark(lambda each: dict(_pairs(each))),
    pickle.FROZENSET: _of_mark(lambda each: frozenset(map(check_key, each))),
    pickle.TUPLE1: lambda machine, _: machine.tuple_of(1), pickle.TUPLE2: lambda machine, _: machine.tuple_of(2),
    pickle.TUPLE3: lambda machine, _: machine.tuple_of(3),
    pickle.APPEND: Machine.append, pickle.APPENDS: Machine.appends, pickle.SETITEM: Machine.set_item,
    pickle.SETITEMS: Machine.set_items, pickle.ADDITEMS: Machine.add_items,
    pickle.GLOBAL: Machine.name, pickle.STACK_GLOBAL: Machine.name_on_stack, pickle.REDUCE: Machine.call,
    pickle.BUILD: Machine.build, pickle.BINPERSID: Machine.persistent,
}


def _instruction(code: bytes) -> str:
    """An instruction's name."""
    known = (name for name, value in vars(pickle).items() if value == code and name.isupper() and type(value) is bytes)
    return next(known, f"0x{code.hex()}")


def check_plain(state: Any) -> Any:
    """The state, unless something in it is not plain. Each object is looked at once, however often it occurs."""
    seen, parts = set(), [state]
    while parts:
        part = parts.pop()
        kind = type(part)
        if kind in NUMBERS_AND_TEXTS or id(part) in seen:
            continue
        seen.add(id(part))
        if kind in MAPPINGS:
            parts.extend(part.keys())
            parts.extend(part.values())
            parts.append(metadata_of(part))
        elif kind in SEQUENCES:
            parts.extend(part)
        elif kind not in TENSORS and not is_array(part):
            what = part.name if kind is Name else "a storage without a tensor" if kind is Loaded else "a type"
            raise Refused(f"cannot be loaded: {what} is part of its state; save tensors and plain values alone")
    return state
