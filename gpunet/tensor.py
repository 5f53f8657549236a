"""Tensor: an array on a device, its operators and methods. No mathematics: that is in `ops`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self, overload
from weakref import ref

import numpy as np

from gpunet import _tensor_copies, devices, dtypes
from gpunet._layouts import contiguous_format, is_dense
from gpunet._layouts import memory_format as MemoryFormat
from gpunet._tensor_methods import add_methods
from gpunet._tensor_text import to_text
from gpunet.dispatch import host_read, wrap
from gpunet.dtypes import Number
from gpunet.engine import differentiate
from gpunet.engine.extensions import extensions
from gpunet.engine.graph import Node
from gpunet.engine.hooks import RemovableHandle
from gpunet.engine.modes import no_grad
from gpunet.engine.tensors import address, wrap_as
from gpunet.ops import (
    arithmetic,
    bits,
    compare,
    conditions,
    creation,
    exponentials,
    index,
    pieces,
    shape_methods,
)
from gpunet.ops import matmul as matrices  # Tensor has members called `matmul` and `shape`
from gpunet.ops import shape as shaping
from gpunet.size import Size

_units: dict = {}


def _reflected(operation):
    def method(self, other):
        return operation(other, self)

    return method


def _divided(self, other):
    """number / tensor, as PyTorch computes it: the gradient needs the reciprocal, not the tensor. Half types are
    divided at once, as the reciprocal would be rounded too."""
    if self._array.dtype in dtypes.HALF_TYPES:
        return arithmetic.true_divide_op(other, self)
    return exponentials.reciprocal(self) * other


class Tensor:
    """A multi-dimensional array on a device, which can record how it was computed.

    Make one with `gpunet.tensor(data)`, `zeros`, `randn` and their like. The names and meanings are those of
    `torch.Tensor`. Operations on tensors of different devices raise an error that names both.
    """

    # _array: NumPy or CuPy array. _device: its device object. _version: see engine/views.py. _node: the Node or Slot
    # it came from (None for a leaf). _view: see engine/views.py, if it is a view of another tensor.
    __slots__ = ("_array", "_device", "_version", "_requires_grad", "_node", "_view", "grad", "__dict__", "__weakref__")
    __array_priority__ = 1000  # NumPy leaves `array + tensor` to us
    __hash__ = object.__hash__
    is_unit = False  # a gradient of 1 that backward() began with
    retains_grad = False  # whether retain_grad() was called on this computed tensor
    _hooks = _post_hooks = None  # dicts of the functions that were registered

    if TYPE_CHECKING:  # the methods that _add_methods makes
        def __getattr__(self, name: str) -> Any: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...

    grad: Tensor | None

    _propagates = True  # operations on a tensor of a subclass give tensors of that subclass

    def __new__(cls, data: Any = (), *sizes: int, device: Any = None) -> Self:
        if isinstance(data, Tensor):
            made = data if device is None else data.to(device)
        elif sizes or isinstance(data, int | Size):
            made = creation.empty(data, *sizes, device=device)
        else:
            made = creation.tensor(data, dtype=dtypes.get_default_dtype(), device=device)
        return wrap_as(cls, made._array, made._device, made._version)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__torch_function__" in cls.__dict__:
            raise TypeError(f"{cls.__name__}: gpunet calls no __torch_function__; override the methods instead. "
                            "Operations on a subclass of Tensor give tensors of that subclass without it")
        if cls._propagates:
            extensions.set_subclassed()

    @staticmethod
    def _make_subclass(cls: type, data: Tensor, require_grad: bool = False) -> Any:
        """PyTorch's name for a leaf of a subclass that shares a tensor's memory."""
        return wrap_as(cls, data._array, data._device, data._version).requires_grad_(require_grad)

    def as_subclass(self, cls: type) -> Any:
        """The same elements, with their history, as a tensor of a subclass of Tensor, or of Tensor itself.

        Args:
            cls: the class, whose __new__ and __init__ are not called.

        Returns:
            A tensor of that class, which shares this one's memory.

        Raises:
            TypeError: cls is no subclass of Tensor.
        """
        if not isinstance(cls, type) or not issubclass(cls, Tensor):
            raise TypeError(f"as_subclass: expected a subclass of gpunet.Tensor, got {cls!r}")
        view: Any = self.view_as(self)
        view.__class__ = cls
        return view

    # ---- what it is

    @property
    def shape(self) -> Size:
        """The size of each dimension."""
        return Size(self._array.shape)

    @overload
    def size(self, dim: None = None) -> Size: ...
    @overload
    def size(self, dim: int) -> int: ...

    def size(self, dim: int | None = None) -> Size | int:
        """The shape, or the size of one dimension."""
        return self.shape if dim is None else self._array.shape[dim]

    @property
    def dtype(self) -> dtypes.dtype:
        """The type of the elements, such as gpunet.float32."""
        return dtypes.public(self._array.dtype)

    @property
    def device(self) -> devices.device:
        """The device that holds the elements."""
        return self._device.name

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self._array.ndim

    def dim(self) -> int:
        """The number of dimensions."""
        return self._array.ndim

    def numel(self) -> int:
        """The number of elements."""
        return int(self._array.size)

    ndimension, nelement = dim, numel

    def element_size(self) -> int:
        """The bytes of one element."""
        return self._array.dtype.itemsize

    itemsize = property(element_size)

    @property
    def nbytes(self) -> int:
        """The bytes of all elements."""
        return int(self._array.nbytes)

    @overload
    def stride(self, dim: None = None) -> tuple[int, ...]: ...
    @overload
    def stride(self, dim: int) -> int: ...

    def stride(self, dim: int | None = None) -> tuple[int, ...] | int:
        """The step in memory, in elements, from one index to the next along each dimension."""
        steps = tuple(s // self._array.dtype.itemsize for s in self._array.strides)
        return steps if dim is None else steps[dim]

    def is_contiguous(self, *, memory_format: MemoryFormat = contiguous_format) -> bool:
        """Whether the elements lie in memory in row-major order, or in that of another format, without gaps."""
        array = self._array
        if memory_format is contiguous_format:
            return bool(array.flags.c_contiguous)
        return is_dense("is_contiguous", array, memory_format)

    def is_floating_point(self) -> bool:
        """Whether the elements are of a floating-point type."""
        return self.dtype.is_floating_point

    def is_signed(self) -> bool:
        """Whether the elements can be negative."""
        return self.dtype.is_signed

    def is_nonzero(self) -> bool:
        """Whether the only element is not 0."""
        return bool(self)

    def data_ptr(self) -> int:
        """The address of the first element in the device's memory."""
        return address(self._array)

    @property
    def is_cuda(self) -> bool:
        """Whether a GPU holds the elements."""
        return self._device.type == "cuda"

    def get_device(self) -> int:
        """The GPU's index; -1 on the CPU."""
        return self._device.index if self._device.type == "cuda" else -1

    def __len__(self) -> int:
        if self._array.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return self._array.shape[0]

    def __repr__(self) -> str:
        return to_text(self)

    # ---- gradients

    @property
    def requires_grad(self) -> bool:
        """Whether gradients are collected for this tensor."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        self.requires_grad_(wanted)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Turns the collection of gradients for this leaf on or off.

        Args:
            requires_grad: whether backward passes are to fill `.grad`.

        Returns:
            This tensor.

        Raises:
            RuntimeError: the tensor's type is no floating-point one, or it was computed and cannot be turned off.
        """
        if requires_grad and not self.is_floating_point():
            raise RuntimeError(f"only tensors of floating-point type can require gradients, this one is {self.dtype}")
        if not requires_grad and self._node is not None:
            raise RuntimeError("requires_grad can be turned off for leaf tensors only; use detach() on a computed one")
        if requires_grad and self._version is None:
            raise RuntimeError("a tensor made in inference_mode cannot require gradients; clone() it outside first")
        self._requires_grad = bool(requires_grad)
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether it was made by the user rather than computed from tensors that require gradients."""
        return self._node is None

    @property
    def grad_fn(self) -> Any:
        """The node of the graph that computed it, None for a leaf. Its `name()` is PyTorch's; `next_functions` leads
        on through the graph."""
        return getattr(self._node, "node", self._node)

    def is_inference(self) -> bool:
        """Whether it was made in `inference_mode`."""
        return self._version is None

    def backward(self, gradient: Tensor | None = None, retain_graph: bool | None = None, create_graph: bool = False,
                 inputs: Tensor | Sequence[Tensor] | None = None) -> None:
        """Computes the gradients of this tensor by the chain rule and adds them to the `.grad` of the leaves.

        Args:
            gradient: the gradient that the walk begins with, of this tensor's shape; only a tensor of one element
                needs none.
            retain_graph: keep what the graph holds, so that backward can be called again; create_graph by default.
            create_graph: record the backward pass itself, for gradients of gradients.
            inputs: the leaves that collect gradients; all by default.

        Raises:
            RuntimeError: the tensor does not require gradients, or has several elements and no `gradient` is given.
        """
        differentiate.backward(self, gradient, retain_graph, create_graph, inputs)

    def _unit(self):
        """A gradient of ones in this tensor's shape. Whoever sees `is_unit` may leave out a multiplication by it."""
        key = self._device, self._array.shape, self._array.dtype
        unit = _units.get(key) if extensions.recorder is None else None
        if unit is None:
            with no_grad():
                unit = creation.ones_like(self)
            unit.is_unit = True
            if extensions.recorder is None:
                _units[key] = unit
        return unit

    def retain_grad(self) -> None:
        """Makes backward() keep the gradient of this computed tensor in `.grad`."""
        if not self._requires_grad:
            raise RuntimeError("retain_grad: the tensor does not require gradients, so it has none to keep")
        if self._node is None or self.retains_grad:
            return
        self.retains_grad = True
        this = ref(self)

        def keep(gradient):
            tensor = this()
            if tensor is not None:
                tensor.grad = gradient.clone() if tensor.grad is None else tensor.grad + gradient

        self.register_hook(keep)

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
        """Calls hook(gradient) when the gradient of this tensor is computed; what it returns, if not None, replaces
        it. Returns a handle with remove()."""
        if not self._requires_grad:
            raise RuntimeError("register_hook: the tensor does not require gradients, so it has none to see")
        if self._node is None:
            if self._hooks is None:
                self._hooks = {}
            return RemovableHandle(self._hooks, hook)
        node, slot = (self._node, 0) if type(self._node) is Node else self._node
        if node.hooks is None:
            node.hooks = {}
        return RemovableHandle(node.hooks.setdefault(slot, {}), hook)

    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], None]) -> RemovableHandle:
        """Calls hook(tensor) after backward() has added to this leaf's `.grad`. Returns a handle with remove()."""
        if self._node is not None or not self._requires_grad:
            raise RuntimeError("register_post_accumulate_grad_hook: only for leaf tensors that require gradients")
        if self._post_hooks is None:
            self._post_hooks = {}
        return RemovableHandle(self._post_hooks, hook)

    def _of_this_class(self, tensor: Tensor) -> Tensor:
        if extensions.subclassed and self._propagates and self.__class__ is not Tensor:
            tensor.__class__ = self.__class__
        return tensor

    def detach(self) -> Tensor:
        """The same memory without history: gradients stop here."""
        return self._of_this_class(wrap(self._array, self._device, self._version))

    def detach_(self) -> Tensor:
        """Forgets how this tensor was computed."""
        if self._view is not None and self._requires_grad:
            raise RuntimeError("detach_: a view cannot be detached in place; use detach()")
        self._node, self._requires_grad = None, False
        return self

    @property
    def data(self) -> Tensor:
        """The same memory, outside of any history. Changes through it go unnoticed by gradients: prefer detach()."""
        return self._of_this_class(wrap(self._array, self._device))

    @data.setter
    def data(self, new: Tensor) -> None:
        self._array, self._device = new._array, new._device
        self._version = [0]

    # ---- values on the host

    def item(self) -> Number:
        """The only element, as a Python number."""
        if self._array.size != 1:
            raise RuntimeError(f"item: a tensor of shape {tuple(self.shape)} has {self.numel()} elements, not one; "
                               "use tolist()")
        return _number(host_read(self, "item()").reshape(())[()])

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        values = host_read(self, "tolist()")
        return (values.astype("float32") if values.dtype.kind == "V" else values).tolist()

    def numpy(self, *, force: bool = False) -> np.ndarray:
        """The elements as a NumPy array, which shares memory with a CPU tensor.

        Args:
            force: detach the tensor, and copy it to the host, where that is needed.

        Raises:
            RuntimeError: the tensor requires gradients, and `force` is not set.
            TypeError: the tensor is not on the CPU, and `force` is not set.
        """
        if not force:
            if self._requires_grad:
                raise RuntimeError("numpy: the tensor requires gradients, which NumPy cannot follow; use "
                                   "tensor.detach().numpy()")
            if self._device.type != "cpu":
                raise TypeError(f"numpy: the tensor is on {self.device}; copy it to the host with tensor.cpu().numpy()")
        return host_read(self, "numpy()")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        values = self.numpy()
        return values.astype(dtype) if dtype is not None else values.copy() if copy else values

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Tensor:
        """What NumPy's functions make of a tensor, `np.sqrt(tensor)`: a tensor again; bools are numbers, as in
        PyTorch."""
        return creation.from_numpy(array.astype("uint8") if array.dtype == bool else np.asarray(array))

    def __dlpack__(self, **options: Any) -> Any:
        """The memory, for another library: `numpy.from_dlpack(tensor)`. Called by it."""
        from gpunet.ops.exchange import capsule_of

        return capsule_of(self, options)

    def __dlpack_device__(self) -> tuple[int, int]:
        """DLPack's number of the kind of device, and the device's index."""
        from gpunet.ops.exchange import device_of

        return device_of(self)

    def __bool__(self) -> bool:
        if self._array.size != 1:
            raise RuntimeError("the truth of a tensor with more than one element, or none, is not defined; use any() "
                               "or all()")
        return bool(host_read(self, "bool()").reshape(())[()])

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self._array.dtype.kind not in "iub" or self._array.ndim:
            raise TypeError("only 0-d integer tensors can be used as an index")
        return int(self.item())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self._array.ndim == 0 else object.__format__(self, spec)

    def __contains__(self, value: Any) -> bool:
        return bool((self == value).any())

    def __iter__(self) -> Iterator[Tensor]:
        if self._array.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return iter(pieces.unbind(self))

    def __reduce_ex__(self, protocol: Any) -> tuple:
        return _tensor_copies.reduced(self)

    def __copy__(self) -> Self:
        return _tensor_copies.shallow(self)

    def __deepcopy__(self, memo: dict) -> Self:
        return _tensor_copies.deep(self, memo)

    # ---- operators

    __add__ = arithmetic.add_op
    __radd__ = arithmetic.add_op
    __sub__ = arithmetic.sub_op
    __rsub__ = _reflected(arithmetic.sub_op)
    __mul__ = arithmetic.mul_op
    __rmul__ = arithmetic.mul_op
    __truediv__ = arithmetic.true_divide_op
    __rtruediv__ = _divided
    __floordiv__ = arithmetic.floor_divide_op
    __rfloordiv__ = _reflected(arithmetic.floor_divide_op)
    __mod__ = arithmetic.remainder_op
    __rmod__ = _reflected(arithmetic.remainder_op)
    __pow__ = arithmetic.pow_op
    __rpow__ = _reflected(arithmetic.pow_op)
    __matmul__ = matrices.matmul
    __neg__ = arithmetic.neg_op
    __abs__ = arithmetic.abs_op
    __invert__ = bits.bitwise_not_op
    __and__ = bits.bitwise_and_op
    __rand__ = _reflected(bits.bitwise_and_op)
    __or__ = bits.bitwise_or_op
    __ror__ = _reflected(bits.bitwise_or_op)
    __xor__ = bits.bitwise_xor_op
    __rxor__ = _reflected(bits.bitwise_xor_op)
    __lshift__ = bits.bitwise_left_shift_op
    __rlshift__ = _reflected(bits.bitwise_left_shift_op)
    __rshift__ = bits.bitwise_right_shift_op
    __rrshift__ = _reflected(bits.bitwise_right_shift_op)
    __lt__, __le__, __gt__, __ge__ = conditions.lt_op, conditions.le_op, conditions.gt_op, conditions.ge_op
    __getitem__ = index.getitem

    def __pos__(self) -> Tensor:
        return self

    def __eq__(self, other: Any) -> Tensor:  # type: ignore[override]
        return conditions.eq_op(self, other) if isinstance(other, _COMPARABLE) else NotImplemented

    def __ne__(self, other: Any) -> Tensor:  # type: ignore[override]
        return conditions.ne_op(self, other) if isinstance(other, _COMPARABLE) else NotImplemented

    # ---- methods; those that are functions too are added at the end of this file

    def where(self, condition: Tensor, other: Tensor | Number) -> Tensor:
        """This tensor where the condition holds, else `other`."""
        return compare.where(condition, self, other)

    def expand_as(self, other: Tensor) -> Tensor:
        """Expanded to the shape of another tensor, without new memory."""
        return shaping.expand(self, other.shape)

    def reshape_as(self, other: Tensor) -> Tensor:
        """In the shape of another tensor with as many elements."""
        return shaping.reshape(self, other.shape)

    def view_as(self, other: Tensor) -> Tensor:
        """A view in the shape of another tensor with as many elements."""
        return shape_methods.view(self, other.shape)

    @property
    def T(self) -> Tensor:
        """All dimensions in reverse order."""
        return shaping.permute(self, range(self.ndim)[::-1])

    @property
    def mT(self) -> Tensor:
        """The last two dimensions exchanged."""
        return shaping.transpose(self, -2, -1)

    H, mH = T, mT  # there are no complex numbers


def _number(value):
    return value.item() if value.dtype.kind != "V" else float(value)


add_methods(Tensor)

# What == compares element by element; to Python, a tensor and anything else are just not equal.
_COMPARABLE = (Tensor, int, float, np.generic, np.ndarray)

extensions.tensor = Tensor
