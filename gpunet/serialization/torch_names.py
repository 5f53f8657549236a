"""The names that PyTorch's files may use, and what they stand for here."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, NoReturn

import numpy as np

from gpunet import devices, dtypes
from gpunet.nn.parameter import Parameter
from gpunet.serialization.memory import Loaded, is_shape, shown
from gpunet.serialization.plain import check_key, is_array_type
from gpunet.serialization.source import Cursor, Refused
from gpunet.serialization.unpickler import Machine, Name, check_plain
from gpunet.size import Size
from gpunet.tensor import Tensor

_NEW = "in PyTorch, save the values anew: "
# Beginnings of names that are refused, what they are, and what to do.
_REFUSED = (
    ("torch._utils._rebuild_sparse", "a sparse tensor", f"{_NEW}tensor.to_dense()"),
    ("torch._utils._rebuild_qtensor", "a quantised tensor", f"{_NEW}tensor.dequantize()"),
    ("torch._utils._rebuild_nested", "a nested tensor", f"{_NEW}tensor.to_padded_tensor(0)"),
    ("torch._utils._rebuild_meta", "a tensor of the meta device", "it has no values to load"),
    ("torch._utils._rebuild_wrapper", "a tensor of a class of its own", f"{_NEW}a plain tensor"),
    ("torch.Complex", "a tensor of complex numbers", f"{_NEW}torch.view_as_real(tensor)"),
    ("torch.complex", "a complex type", f"{_NEW}torch.view_as_real(tensor)"),
    ("torch.Q", "a quantised tensor", f"{_NEW}tensor.dequantize()"),
    ("torch.float8", "an 8-bit floating-point type", f"{_NEW}tensor.float()"),
)


class StorageType(NamedTuple):
    """A class of PyTorch's storages; without a dtype, one of bytes."""

    dtype: np.dtype | None


def run(cursor: Cursor, persistent: Callable[[Any], Any], names: Mapping[str, Any] | None = None) -> Any:
    """The state that one of a file's pickles describes. names: other than NAMES."""
    fill = {np.ndarray: _fill_array, _NumpyType: _fill_type}
    return check_plain(Machine(cursor, names or NAMES, refuse, fill, persistent).run())


def run_small(cursor: Cursor) -> Any:
    """What one of the pickles around the state says: a value without tensors, in which types may be named."""
    return Machine(cursor, NAMES, refuse, {}, _no_storage).run()


def _no_storage(_: Any) -> NoReturn:
    raise Refused("is damaged: a storage is named where none belongs")


def refuse(name: str) -> NoReturn:
    """Refuses a name that is not in the table."""
    for begin, what, remedy in _REFUSED:
        if name.startswith(begin):
            raise Refused(f"cannot be loaded: it holds {what} ({name[:100]}), which gpunet does not have; {remedy}")
    raise Refused(f"cannot be loaded: it holds {name[:200]}, which only code could rebuild, and gpunet runs none; "
                  "where PyTorch and that code are, save tensors and plain values alone, such as model.state_dict(), "
                  "which model.load_state_dict takes here; weights_only=False changes nothing")


# ---- tensors

def _tensor(storage: Any, offset: Any, shape: Any, steps: Any, requires_grad: Any = False, hooks: Any = None,
            metadata: Any = None) -> Tensor:
    return _typed_tensor(storage, offset, shape, steps, requires_grad, hooks, None, metadata)


def _typed_tensor(storage: Any, offset: Any, shape: Any, steps: Any, requires_grad: Any, _hooks: Any, dtype: Any,
                  metadata: Any = None) -> Tensor:
    if type(storage) is not Loaded or type(shape) not in (tuple, Size) or type(steps) is not tuple:
        raise Refused("is damaged: a tensor has no storage, shape or steps")
    if metadata:
        raise Refused("cannot be loaded: it holds a tensor whose values are negated or conjugated when they are used; "
                      f"{_NEW}tensor.resolve_neg().resolve_conj()")
    tensor = storage.tensor(offset, shape, steps, None if dtype is None else dtype.numpy)
    if requires_grad and not tensor.is_floating_point():
        raise Refused(f"is damaged: a tensor of type {tensor.dtype} requires gradients")
    return tensor.requires_grad_(bool(requires_grad))


def _parameter(data: Any, requires_grad: Any, _hooks: Any = None, _state: Any = None) -> Parameter:
    if type(data) is not Tensor or requires_grad and not data.is_floating_point():
        raise Refused("is damaged: a parameter has no tensor that fits")
    return Parameter(data, bool(requires_grad))


def _of_type(function: Any, kind: Any, arguments: Any, _state: Any) -> Tensor:
    """A tensor with attributes, which are left out."""
    if type(kind) is not Name or kind.name not in _TENSOR_CLASSES or type(arguments) is not tuple or (
            function not in (NAMES[name] for name in _REBUILD)):
        raise Refused(f"cannot be loaded: it holds a tensor of the class {getattr(kind, 'name', shown(kind))[:200]}; "
                      f"{_NEW}a plain tensor")
    return function.call(*arguments)


# ---- other values

def _size(sizes: Any) -> Size:
    if type(sizes) is not tuple or any(type(each) is not int for each in sizes):
        raise Refused("is damaged: a size is not made of integers")
    return Size(sizes)


def _device(name: Any, index: Any = None) -> devices.device:
    try:
        return devices.device(name, index)
    except (RuntimeError, TypeError):
        raise Refused(f"cannot be loaded: it names the device {shown(name)}, which gpunet does not have; save its name "
                      "as a text") from None


def _encode(text: Any, encoding: Any) -> bytes:
    if type(text) is not str or encoding not in ("latin1", "latin-1"):
        raise Refused("is damaged: a text in its pickle stands for no bytes")
    return text.encode("latin1")


def _bytearray(*arguments: Any) -> bytearray:
    if arguments and type(arguments[0]) is bytes and len(arguments) == 1:
        return bytearray(arguments[0])
    return bytearray(_encode(*arguments)) if arguments else bytearray()


def _bytes() -> bytes:
    return b""


def _complex(real: Any, imaginary: Any) -> complex:
    if type(real) is not float or type(imaginary) is not float:
        raise Refused("is damaged: a complex number is not made of two numbers")
    return complex(real, imaginary)


def _list(members: Any) -> list[Any]:
    if type(members) not in (list, tuple):
        raise Refused("is damaged: a set has no list of members")
    return list(map(check_key, members))


def _ordered(pairs: Any = ()) -> OrderedDict:
    if type(pairs) not in (list, tuple):
        raise Refused("is damaged: a dictionary has no list of items")
    return OrderedDict((check_key(key), value) for key, value in pairs)


def _counter(counts: Any = None) -> Counter:
    if counts is not None and type(counts) is not dict:
        raise Refused("is damaged: a Counter has no dictionary")
    return Counter(counts)


# ---- NumPy's

class _NumpyType:
    """A NumPy type of numbers or texts, whose byte order comes later."""

    def __init__(self, name: Any, *_: Any) -> None:
        if type(name) is not str or name[1:].isdecimal() is False or len(name) > 10:
            raise Refused(f"cannot be loaded: it holds a NumPy type {shown(name)}; in PyTorch, save numbers or tensors")
        self.dtype = np.dtype(name)
        if not self.dtype.itemsize or not is_array_type(self.dtype):
            raise Refused(f"cannot be loaded: it holds NumPy values of type {self.dtype}; in PyTorch, save numbers or "
                          "tensors")


def _fill_type(target: _NumpyType, state: Any) -> int:
    if type(state) is not tuple or len(state) < 2 or state[1] not in ("<", ">", "=", "|") or any(
            each is not None for each in state[2:5]):
        raise Refused("cannot be loaded: it holds a NumPy type with fields; in PyTorch, save numbers or tensors")
    target.dtype = target.dtype.newbyteorder(state[1])
    return 0


def _fill_array(target: np.ndarray, state: Any) -> int:
    _version, shape, kind, by_columns, content = state
    found = _array(content, kind, shape, "F" if by_columns else "C")
    target.__setstate__((1, found.shape, found.dtype, by_columns, found.tobytes("A")))  # type: ignore[arg-type]
    return len(content)


def _array(content: Any, kind: Any, shape: Any, order: Any) -> np.ndarray:
    if type(kind) is not _NumpyType or type(content) not in (bytes, bytearray) or type(shape) is not tuple or (
            order not in ("C", "F")) or not is_shape(shape, kind.dtype.itemsize):
        raise Refused("cannot be loaded: it holds a NumPy array of objects; in PyTorch, save numbers or tensors")
    return np.frombuffer(bytearray(content), kind.dtype).reshape(shape, order=order)


def _number(kind: Any, content: Any) -> Any:
    return _array(content, kind, (), "C")[()]


def _new_array(kind: Any, _shape: Any, _type: Any) -> np.ndarray:
    if type(kind) is not Name or kind.name != "numpy.ndarray":
        raise Refused("cannot be loaded: it holds a NumPy array of a class of its own; save a plain array")
    return np.empty(0, np.int8)


# ---- the table

_STORAGES = {"Double": "float64", "Float": "float32", "Half": "float16", "BFloat16": "bfloat16", "Long": "int64",
             "Int": "int32", "Short": "int16", "Char": "int8", "Byte": "uint8", "Bool": "bool"}
_TENSOR_CLASSES = ("torch.Tensor", "torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer")
_REBUILD = {"torch._utils._rebuild_tensor": _tensor, "torch._utils._rebuild_tensor_v2": _tensor,
            "torch._utils._rebuild_tensor_v3": _typed_tensor, "torch._utils._rebuild_parameter": _parameter,
            "torch._utils._rebuild_parameter_with_state": _parameter}
_REBUILD_AS = [f"torch.{module}._rebuild_from_type{version}" for module in ("tensor", "_tensor")
               for version in ("", "_v2")]
_CALLS = {
    **_REBUILD, **dict.fromkeys(_REBUILD_AS, _of_type), "torch.Size": _size, "torch.device": _device,
    "collections.OrderedDict": _ordered, "collections.Counter": _counter, "_codecs.encode": _encode,
    "builtins.bytearray": _bytearray, "builtins.bytes": _bytes, "builtins.complex": _complex,
    "builtins.set": lambda *members: set(_list(*members or ((),))),
    "builtins.frozenset": lambda *members: frozenset(_list(*members or ((),))),
    "numpy.dtype": _NumpyType,
    **{f"numpy.{core}.multiarray._reconstruct": _new_array for core in ("core", "_core")},
    **{f"numpy.{core}.multiarray.scalar": _number for core in ("core", "_core")},
    **{f"numpy.{core}.numeric._frombuffer": _array for core in ("core", "_core")},
}
NAMES: dict[str, Any] = {
    **{name: Name(name, call) for name, call in _CALLS.items()},
    **{name: Name(name) for name in (*_TENSOR_CLASSES, "numpy.ndarray")},
    **{f"{module}.{name}Tensor": Name(f"{module}.{name}Tensor") for name in _STORAGES
       for module in ("torch", "torch.cuda")},
    **{f"{module}.{name}Storage": StorageType(dtypes._BY_NAME[dtype].numpy) for name, dtype in _STORAGES.items()
       for module in ("torch", "torch.cuda")},
    **{f"{module}.UntypedStorage": StorageType(None) for module in ("torch", "torch.storage", "torch.cuda")},
    **{f"torch.{name}": dtype for name, dtype in dtypes._BY_NAME.items()},
}
# With empty tensors, for reading which storages there are.
WITHOUT_VALUES: dict[str, Any] = {
    **NAMES,
    **{name: Name(name, lambda *_: Tensor()) for name in (*_REBUILD, *_REBUILD_AS)},
}
