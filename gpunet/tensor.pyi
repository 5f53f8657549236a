# Written by `python -m tests.typing.stubs` from the methods themselves. Do not edit.
# Without their `out`, some forms are alike.
# pyright: reportOverlappingOverload=false

from builtins import bool as _bool
from builtins import float as _float
from builtins import int as _int
from builtins import type as _type
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from gpunet import devices
from gpunet import dtypes
from gpunet._layouts import layout as Layout
from gpunet._layouts import memory_format as MemoryFormat
from gpunet.dtypes import Number
from gpunet.dtypes import dtype as DType
from gpunet.dtypes import dtype as Type
from gpunet.dtypes import dtype as _dtype
from gpunet.engine.hooks import RemovableHandle
from gpunet.ops.decompose import QRResult
from gpunet.ops.extremes import MinMax
from gpunet.ops.extremes import ValuesIndices
from gpunet.ops.inverse import SlogdetResult
from gpunet.ops.linalg import OlderSVDResult
from gpunet.ops.number_parts import FrexpResult
from gpunet.ops.pieces import Parts
from gpunet.ops.searching import Histogram
from gpunet.ops.shape_methods import Sizes
from gpunet.ops.storage import TypedStorage
from gpunet.ops.storage import UntypedStorage
from gpunet.random import Generator
from gpunet.size import Size
from typing import Any
from typing import Self
from typing import overload
import builtins
import numpy as np

class Tensor:
    """A multi-dimensional array on a device, which can record how it was computed.

    Make one with `gpunet.tensor(data)`, `zeros`, `randn` and their like. The names and meanings are those of
    `torch.Tensor`. Operations on tensors of different devices raise an error that names both.
    """
    grad: Tensor | None
    retains_grad: _bool
    is_unit: _bool
    _array: Any
    _device: Any
    _version: Any
    _requires_grad: _bool
    _node: Any
    _view: Any
    _hooks: Any
    _post_hooks: Any
    _propagates: _bool
    def __new__(cls, data: Any = ..., *sizes: Any, device: Any = None) -> Any: ...
    def as_subclass(self, cls: _type) -> Any:
        """The same elements, with their history, as a tensor of a subclass of Tensor, or of Tensor itself."""
    @property
    def shape(self) -> Size:
        """The size of each dimension."""
    @overload
    def size(self, dim: None = None) -> Size:
        """The shape, or the size of one dimension."""
    @overload
    def size(self, dim: _int) -> _int: ...
    @property
    def dtype(self) -> dtypes.dtype:
        """The type of the elements, such as gpunet.float32."""
    @property
    def device(self) -> devices.device:
        """The device that holds the elements."""
    @property
    def ndim(self) -> _int:
        """The number of dimensions."""
    def dim(self) -> _int:
        """The number of dimensions."""
    def numel(self) -> _int:
        """The number of elements."""
    def ndimension(self) -> _int:
        """The number of dimensions."""
    def nelement(self) -> _int:
        """The number of elements."""
    def element_size(self) -> _int:
        """The bytes of one element."""
    @property
    def itemsize(self) -> _int:
        """The bytes of one element."""
    @property
    def nbytes(self) -> _int:
        """The bytes of all elements."""
    @overload
    def stride(self, dim: None = None) -> tuple[_int, ...]:
        """The step in memory, in elements, from one index to the next along each dimension."""
    @overload
    def stride(self, dim: _int) -> _int: ...
    def is_contiguous(self, *, memory_format: MemoryFormat = ...) -> _bool:
        """Whether the elements lie in memory in row-major order, or in that of another format, without gaps."""
    def is_floating_point(self) -> _bool:
        """Whether the elements are of a floating-point type."""
    def is_signed(self) -> _bool:
        """Whether the elements can be negative."""
    def is_nonzero(self) -> _bool:
        """Whether the only element is not 0."""
    def data_ptr(self) -> _int:
        """The address of the first element in the device's memory."""
    @property
    def is_cuda(self) -> _bool:
        """Whether a GPU holds the elements."""
    def get_device(self) -> _int:
        """The GPU's index; -1 on the CPU."""
    def __len__(self) -> _int: ...
    def __repr__(self) -> str: ...
    @property
    def requires_grad(self) -> _bool:
        """Whether gradients are collected for this tensor."""
    @requires_grad.setter
    def requires_grad(self, value: _bool) -> None: ...
    def requires_grad_(self, requires_grad: _bool = True) -> Tensor:
        """Turns the collection of gradients for this leaf on or off."""
    @property
    def is_leaf(self) -> _bool:
        """Whether it was made by the user rather than computed from tensors that require gradients."""
    @property
    def grad_fn(self) -> Any:
        """The node of the graph that computed it, None for a leaf. Its `name()` is PyTorch's; `next_functions` leads
        on through the graph.
        """
    def is_inference(self) -> _bool:
        """Whether it was made in `inference_mode`."""
    def backward(self, gradient: Tensor | None = None, retain_graph: _bool | None = None, create_graph: _bool = False, inputs: Tensor | Sequence[Tensor] | None = None) -> None:
        """Computes the gradients of this tensor by the chain rule and adds them to the `.grad` of the leaves."""
    def _unit(self) -> Any: ...
    def retain_grad(self) -> None:
        """Makes backward() keep the gradient of this computed tensor in `.grad`."""
    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
        """Calls hook(gradient) when the gradient of this tensor is computed; what it returns, if not None, replaces
        it. Returns a handle with remove().
        """
    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], None]) -> RemovableHandle:
        """Calls hook(tensor) after backward() has added to this leaf's `.grad`. Returns a handle with remove()."""
    def _of_this_class(self, tensor: Tensor) -> Tensor: ...
    def detach(self) -> Tensor:
        """The same memory without history: gradients stop here."""
    def detach_(self) -> Tensor:
        """Forgets how this tensor was computed."""
    @property
    def data(self) -> Tensor:
        """The same memory, outside of any history. Changes through it go unnoticed by gradients: prefer detach()."""
    @data.setter
    def data(self, value: Tensor) -> None: ...
    def item(self) -> Number:
        """The only element, as a Python number."""
    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
    def numpy(self, *, force: _bool = False) -> np.ndarray:
        """The elements as a NumPy array, which shares memory with a CPU tensor."""
    def __array__(self, dtype: Any = None, copy: _bool | None = None) -> np.ndarray: ...
    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: _bool = False) -> Tensor: ...
    def __dlpack__(self, **options: Any) -> Any: ...
    def __dlpack_device__(self) -> tuple[_int, _int]: ...
    def __bool__(self) -> _bool: ...
    def __float__(self) -> _float: ...
    def __int__(self) -> _int: ...
    def __index__(self) -> _int: ...
    def __format__(self, spec: str) -> str: ...
    def __contains__(self, value: Any) -> _bool: ...
    def __iter__(self) -> Iterator[Tensor]: ...
    def __reduce_ex__(self, protocol: Any) -> tuple: ...
    def __copy__(self) -> Self: ...
    def __deepcopy__(self, memo: dict) -> Self: ...
    def __add__(self, other: Any, /) -> Tensor: ...
    def __radd__(self, other: Any, /) -> Tensor: ...
    def __sub__(self, other: Any, /) -> Tensor: ...
    def __rsub__(self, other: Any, /) -> Tensor: ...
    def __mul__(self, other: Any, /) -> Tensor: ...
    def __rmul__(self, other: Any, /) -> Tensor: ...
    def __truediv__(self, other: Any, /) -> Tensor: ...
    def __rtruediv__(self, other: Any, /) -> Tensor: ...
    def __floordiv__(self, other: Any, /) -> Tensor: ...
    def __rfloordiv__(self, other: Any, /) -> Tensor: ...
    def __mod__(self, other: Any, /) -> Tensor: ...
    def __rmod__(self, other: Any, /) -> Tensor: ...
    def __pow__(self, other: Any, /) -> Tensor: ...
    def __rpow__(self, other: Any, /) -> Tensor: ...
    def __matmul__(self, other: Any, /) -> Tensor: ...
    def __neg__(self) -> Tensor: ...
    def __abs__(self) -> Tensor: ...
    def __invert__(self) -> Tensor: ...
    def __and__(self, other: Any, /) -> Tensor: ...
    def __rand__(self, other: Any, /) -> Tensor: ...
    def __or__(self, other: Any, /) -> Tensor: ...
    def __ror__(self, other: Any, /) -> Tensor: ...
    def __xor__(self, other: Any, /) -> Tensor: ...
    def __rxor__(self, other: Any, /) -> Tensor: ...
    def __lshift__(self, other: Any, /) -> Tensor: ...
    def __rlshift__(self, other: Any, /) -> Tensor: ...
    def __rshift__(self, other: Any, /) -> Tensor: ...
    def __rrshift__(self, other: Any, /) -> Tensor: ...
    def __lt__(self, other: Any, /) -> Tensor: ...
    def __le__(self, other: Any, /) -> Tensor: ...
    def __gt__(self, other: Any, /) -> Tensor: ...
    def __ge__(self, other: Any, /) -> Tensor: ...
    def __getitem__(self, index: Any, /) -> Tensor: ...
    def __pos__(self) -> Tensor: ...
    def __eq__(self, other: Any, /) -> Tensor: ...  # type: ignore[override]
    def __ne__(self, other: Any, /) -> Tensor: ...  # type: ignore[override]
    def where(self, condition: Tensor, other: Tensor | Number) -> Tensor:
        """This tensor where the condition holds, else `other`."""
    def expand_as(self, other: Tensor) -> Tensor:
        """Expanded to the shape of another tensor, without new memory."""
    def reshape_as(self, other: Tensor) -> Tensor:
        """In the shape of another tensor with as many elements."""
    def view_as(self, other: Tensor) -> Tensor:
        """A view in the shape of another tensor with as many elements."""
    @property
    def T(self) -> Tensor:
        """All dimensions in reverse order."""
    @property
    def mT(self) -> Tensor:
        """The last two dimensions exchanged."""
    @property
    def H(self) -> Tensor:
        """All dimensions in reverse order."""
    @property
    def mH(self) -> Tensor:
        """The last two dimensions exchanged."""
    def abs(self) -> Tensor:
        """Absolute value of each element: y = |x|. Its gradient at 0 is 0."""
    def absolute(self) -> Tensor:
        """Absolute value of each element: y = |x|. Its gradient at 0 is 0."""
    def add(self, other: Tensor | Number, *, alpha: Number = 1) -> Tensor:
        """Sum: y = input + alpha * other."""
    def div(self, other: Tensor | Number, *, rounding_mode: str | None = None) -> Tensor:
        """Quotient: y = input / other, or rounded to an integer."""
    def divide(self, other: Tensor | Number, *, rounding_mode: str | None = None) -> Tensor:
        """Quotient: y = input / other, or rounded to an integer."""
    def float_power(self, exponent: Tensor | Number) -> Tensor:
        """Power, computed in float64: y = input^exponent."""
    def floor_divide(self, other: Tensor | Number) -> Tensor:
        """Quotient rounded down: y = floor(input / other), as Python's `//`. Its gradient is zero."""
    def fmod(self, other: Tensor | Number) -> Tensor:
        """Remainder of a division rounded towards zero: y = input - other * trunc(input / other), as C's fmod."""
    def mul(self, other: Tensor | Number) -> Tensor:
        """Product: y = input * other."""
    def multiply(self, other: Tensor | Number) -> Tensor:
        """Product: y = input * other."""
    def neg(self) -> Tensor:
        """Negative of each element: y = -x."""
    def negative(self) -> Tensor:
        """Negative of each element: y = -x."""
    def positive(self) -> Tensor:
        """The input itself: y = +x."""
    def pow(self, exponent: Tensor | Number) -> Tensor:
        """Power: y = input^exponent."""
    def remainder(self, other: Tensor | Number) -> Tensor:
        """Remainder of a division rounded down: y = input - other * floor(input / other), as Python's `%`."""
    def rsub(self, other: Tensor | Number, *, alpha: Number = 1) -> Tensor:
        """Difference, with the operands exchanged: y = other - alpha * input."""
    def square(self) -> Tensor:
        """Square of each element: y = x^2."""
    def sub(self, other: Tensor | Number, *, alpha: Number = 1) -> Tensor:
        """Difference: y = input - alpha * other."""
    def subtract(self, other: Tensor | Number, *, alpha: Number = 1) -> Tensor:
        """Difference: y = input - alpha * other."""
    def true_divide(self, other: Tensor | Number) -> Tensor:
        """Quotient: y = input / other; `div` without a rounding_mode."""
    def abs_(self) -> Tensor:
        """`abs`, the result stored in this tensor, which is returned."""
    def absolute_(self) -> Tensor:
        """`absolute`, the result stored in this tensor, which is returned."""
    def div_(self, other: Tensor | Number, *, rounding_mode: str | None = None) -> Tensor:
        """`div`, the result stored in this tensor, which is returned."""
    def divide_(self, other: Tensor | Number, *, rounding_mode: str | None = None) -> Tensor:
        """`divide`, the result stored in this tensor, which is returned."""
    def float_power_(self, exponent: Tensor | Number) -> Tensor:
        """`float_power`, the result stored in this tensor, which is returned."""
    def floor_divide_(self, other: Tensor | Number) -> Tensor:
        """`floor_divide`, the result stored in this tensor, which is returned."""
    def fmod_(self, other: Tensor | Number) -> Tensor:
        """`fmod`, the result stored in this tensor, which is returned."""
    def mul_(self, other: Tensor | Number) -> Tensor:
        """`mul`, the result stored in this tensor, which is returned."""
    def multiply_(self, other: Tensor | Number) -> Tensor:
        """`multiply`, the result stored in this tensor, which is returned."""
    def neg_(self) -> Tensor:
        """`neg`, the result stored in this tensor, which is returned."""
    def negative_(self) -> Tensor:
        """`negative`, the result stored in this tensor, which is returned."""
    def pow_(self, exponent: Tensor | Number) -> Tensor:
        """`pow`, the result stored in this tensor, which is returned."""
    def remainder_(self, other: Tensor | Number) -> Tensor:
        """`remainder`, the result stored in this tensor, which is returned."""
    def square_(self) -> Tensor:
        """`square`, the result stored in this tensor, which is returned."""
    def true_divide_(self, other: Tensor | Number) -> Tensor:
        """`true_divide`, the result stored in this tensor, which is returned."""
    def addcdiv(self, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
        """A quotient added: y = input + value * tensor1 / tensor2."""
    def addcmul(self, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
        """A product added: y = input + value * tensor1 * tensor2."""
    def lerp(self, end: Tensor, weight: Tensor | _float) -> Tensor:
        """Linear interpolation: y = input + weight * (end - input)."""
    def addcdiv_(self, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
        """`addcdiv`, the result stored in this tensor, which is returned."""
    def addcmul_(self, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
        """`addcmul`, the result stored in this tensor, which is returned."""
    def lerp_(self, end: Tensor, weight: Tensor | _float) -> Tensor:
        """`lerp`, the result stored in this tensor, which is returned."""
    def clamp(self, min: Tensor | Number | None = None, max: Tensor | Number | None = None) -> Tensor:
        """Each element brought into [min, max]: y = min(max(x, min), max)."""
    def clamp_max(self, max: Tensor | Number) -> Tensor:
        """Each element, but no more than `max`: y = min(x, max)."""
    def clamp_min(self, min: Tensor | Number) -> Tensor:
        """Each element, but no less than `min`: y = max(x, min)."""
    def clip(self, min: Tensor | Number | None = None, max: Tensor | Number | None = None) -> Tensor:
        """Each element brought into [min, max]: y = min(max(x, min), max)."""
    def fmax(self, other: Tensor) -> Tensor:
        """The larger of two elements; where one is NaN, the other."""
    def fmin(self, other: Tensor) -> Tensor:
        """The smaller of two elements; where one is NaN, the other."""
    def maximum(self, other: Tensor) -> Tensor:
        """The larger of two elements; NaN if either is."""
    def minimum(self, other: Tensor) -> Tensor:
        """The smaller of two elements; NaN if either is."""
    def nan_to_num(self, nan: _float | None = None, posinf: _float | None = None, neginf: _float | None = None) -> Tensor:
        """NaN and the infinities replaced by numbers. The gradient at these elements is 0."""
    def clamp_(self, min: Tensor | Number | None = None, max: Tensor | Number | None = None) -> Tensor:
        """`clamp`, the result stored in this tensor, which is returned."""
    def clamp_max_(self, max: Tensor | Number) -> Tensor:
        """`clamp_max`, the result stored in this tensor, which is returned."""
    def clamp_min_(self, min: Tensor | Number) -> Tensor:
        """`clamp_min`, the result stored in this tensor, which is returned."""
    def clip_(self, min: Tensor | Number | None = None, max: Tensor | Number | None = None) -> Tensor:
        """`clip`, the result stored in this tensor, which is returned."""
    def nan_to_num_(self, nan: _float | None = None, posinf: _float | None = None, neginf: _float | None = None) -> Tensor:
        """`nan_to_num`, the result stored in this tensor, which is returned."""
    def bitwise_and(self, other: Tensor | Number) -> Tensor:
        """Bits that are set in both numbers."""
    def bitwise_left_shift(self, other: Tensor | Number) -> Tensor:
        """Bits moved to the left: y = input * 2^other. Bits beyond the type's size are lost."""
    def bitwise_not(self) -> Tensor:
        """Every bit inverted: -x - 1 for signed integers, the opposite for bools."""
    def bitwise_or(self, other: Tensor | Number) -> Tensor:
        """Bits that are set in at least one of the numbers."""
    def bitwise_right_shift(self, other: Tensor | Number) -> Tensor:
        """Bits moved to the right: y = floor(input / 2^other)."""
    def bitwise_xor(self, other: Tensor | Number) -> Tensor:
        """Bits that are set in exactly one of the numbers."""
    def bitwise_and_(self, other: Tensor | Number) -> Tensor:
        """`bitwise_and`, the result stored in this tensor, which is returned."""
    def bitwise_left_shift_(self, other: Tensor | Number) -> Tensor:
        """`bitwise_left_shift`, the result stored in this tensor, which is returned."""
    def bitwise_not_(self) -> Tensor:
        """`bitwise_not`, the result stored in this tensor, which is returned."""
    def bitwise_or_(self, other: Tensor | Number) -> Tensor:
        """`bitwise_or`, the result stored in this tensor, which is returned."""
    def bitwise_right_shift_(self, other: Tensor | Number) -> Tensor:
        """`bitwise_right_shift`, the result stored in this tensor, which is returned."""
    def bitwise_xor_(self, other: Tensor | Number) -> Tensor:
        """`bitwise_xor`, the result stored in this tensor, which is returned."""
    def allclose(self, other: Tensor, rtol: _float = 1e-05, atol: _float = 1e-08, equal_nan: _bool = False) -> _bool:
        """Whether all elements are close to each other: |input - other| <= atol + rtol * |other|."""
    def eq(self, other: Tensor | Number) -> Tensor:
        """Whether the elements are equal: input == other."""
    def equal(self, other: Tensor) -> _bool:
        """Whether both tensors have the same shape and the same elements."""
    def ge(self, other: Tensor | Number) -> Tensor:
        """Whether input >= other, element by element."""
    def greater(self, other: Tensor | Number) -> Tensor:
        """Whether input > other, element by element."""
    def greater_equal(self, other: Tensor | Number) -> Tensor:
        """Whether input >= other, element by element."""
    def gt(self, other: Tensor | Number) -> Tensor:
        """Whether input > other, element by element."""
    def isclose(self, other: Tensor, rtol: _float = 1e-05, atol: _float = 1e-08, equal_nan: _bool = False) -> Tensor:
        """Whether the elements are close to each other: |input - other| <= atol + rtol * |other|."""
    def isfinite(self) -> Tensor:
        """Whether the element is neither infinite nor NaN."""
    def isinf(self) -> Tensor:
        """Whether the element is infinite."""
    def isnan(self) -> Tensor:
        """Whether the element is not a number."""
    def isneginf(self) -> Tensor:
        """Whether the element is negative infinity."""
    def isposinf(self) -> Tensor:
        """Whether the element is positive infinity."""
    def isreal(self) -> Tensor:
        """Whether the element is a real number: always, as there are no complex ones."""
    def le(self, other: Tensor | Number) -> Tensor:
        """Whether input <= other, element by element."""
    def less(self, other: Tensor | Number) -> Tensor:
        """Whether input < other, element by element."""
    def less_equal(self, other: Tensor | Number) -> Tensor:
        """Whether input <= other, element by element."""
    def logical_and(self, other: Tensor) -> Tensor:
        """Whether both elements are true."""
    def logical_not(self) -> Tensor:
        """Whether the element is 0."""
    def logical_or(self, other: Tensor) -> Tensor:
        """Whether at least one of the elements is true."""
    def logical_xor(self, other: Tensor) -> Tensor:
        """Whether exactly one of the elements is true."""
    def lt(self, other: Tensor | Number) -> Tensor:
        """Whether input < other, element by element."""
    def ne(self, other: Tensor | Number) -> Tensor:
        """Whether the elements differ: input != other."""
    def not_equal(self, other: Tensor | Number) -> Tensor:
        """Whether the elements differ: input != other."""
    def signbit(self) -> Tensor:
        """Whether the element's sign is minus; -0.0 has one too."""
    def eq_(self, other: Tensor | Number) -> Tensor:
        """`eq`, the result stored in this tensor, which is returned."""
    def ge_(self, other: Tensor | Number) -> Tensor:
        """`ge`, the result stored in this tensor, which is returned."""
    def gt_(self, other: Tensor | Number) -> Tensor:
        """`gt`, the result stored in this tensor, which is returned."""
    def le_(self, other: Tensor | Number) -> Tensor:
        """`le`, the result stored in this tensor, which is returned."""
    def logical_and_(self, other: Tensor) -> Tensor:
        """`logical_and`, the result stored in this tensor, which is returned."""
    def logical_not_(self) -> Tensor:
        """`logical_not`, the result stored in this tensor, which is returned."""
    def logical_or_(self, other: Tensor) -> Tensor:
        """`logical_or`, the result stored in this tensor, which is returned."""
    def logical_xor_(self, other: Tensor) -> Tensor:
        """`logical_xor`, the result stored in this tensor, which is returned."""
    def lt_(self, other: Tensor | Number) -> Tensor:
        """`lt`, the result stored in this tensor, which is returned."""
    def ne_(self, other: Tensor | Number) -> Tensor:
        """`ne`, the result stored in this tensor, which is returned."""
    def greater_(self, other: Tensor | Number) -> Tensor:
        """`greater`, the result stored in this tensor, which is returned."""
    def greater_equal_(self, other: Tensor | Number) -> Tensor:
        """`greater_equal`, the result stored in this tensor, which is returned."""
    def less_(self, other: Tensor | Number) -> Tensor:
        """`less`, the result stored in this tensor, which is returned."""
    def less_equal_(self, other: Tensor | Number) -> Tensor:
        """`less_equal`, the result stored in this tensor, which is returned."""
    def not_equal_(self, other: Tensor | Number) -> Tensor:
        """`not_equal`, the result stored in this tensor, which is returned."""
    def gcd(self, other: Tensor) -> Tensor:
        """Greatest common divisor of the elements; gcd(x, 0) = |x|."""
    def lcm(self, other: Tensor) -> Tensor:
        """Least common multiple of the elements; lcm(x, 0) = 0."""
    def gcd_(self, other: Tensor) -> Tensor:
        """`gcd`, the result stored in this tensor, which is returned."""
    def lcm_(self, other: Tensor) -> Tensor:
        """`lcm`, the result stored in this tensor, which is returned."""
    def frexp(self) -> FrexpResult:
        """Mantissa and exponent: x = mantissa * 2^exponent with 0.5 <= |mantissa| < 1; of 0, infinities and NaN the
        mantissa is x and the exponent 0.
        """
    def heaviside(self, values: Tensor) -> Tensor:
        """Heaviside's step: 0 where x < 0, 1 where x > 0, and `values` where x is 0. It has no gradient."""
    def nextafter(self, other: Tensor) -> Tensor:
        """The next number of the type after `input`, in the direction of `other`; `other` where both are equal."""
    def heaviside_(self, values: Tensor) -> Tensor:
        """`heaviside`, the result stored in this tensor, which is returned."""
    def nextafter_(self, other: Tensor) -> Tensor:
        """`nextafter`, the result stored in this tensor, which is returned."""
    def exp(self) -> Tensor:
        """Exponential of each element: y = e^x."""
    def exp2(self) -> Tensor:
        """Power of two of each element: y = 2^x."""
    def expm1(self) -> Tensor:
        """Exponential minus 1: y = e^x - 1, accurate for x near 0."""
    def ldexp(self, other: Tensor) -> Tensor:
        """Each element times a power of two: y = input * 2^other."""
    def log(self) -> Tensor:
        """Natural logarithm of each element: y = ln x."""
    def log10(self) -> Tensor:
        """Logarithm to base 10 of each element: y = log10 x."""
    def log1p(self) -> Tensor:
        """Natural logarithm of 1 plus each element: y = ln(1 + x), accurate for x near 0."""
    def log2(self) -> Tensor:
        """Logarithm to base 2 of each element: y = log2 x."""
    def logaddexp(self, other: Tensor) -> Tensor:
        """Logarithm of a sum of exponentials: y = ln(e^input + e^other), without overflow for finite values."""
    def logaddexp2(self, other: Tensor) -> Tensor:
        """Logarithm of a sum of powers: y = log2(2^input + 2^other), without overflow for finite values."""
    def reciprocal(self) -> Tensor:
        """Reciprocal of each element: y = 1 / x."""
    def rsqrt(self) -> Tensor:
        """Reciprocal of the square root of each element: y = 1 / sqrt(x)."""
    def sqrt(self) -> Tensor:
        """Square root of each element: y = x^(1/2)."""
    def exp_(self) -> Tensor:
        """`exp`, the result stored in this tensor, which is returned."""
    def exp2_(self) -> Tensor:
        """`exp2`, the result stored in this tensor, which is returned."""
    def expm1_(self) -> Tensor:
        """`expm1`, the result stored in this tensor, which is returned."""
    def log_(self) -> Tensor:
        """`log`, the result stored in this tensor, which is returned."""
    def log2_(self) -> Tensor:
        """`log2`, the result stored in this tensor, which is returned."""
    def log10_(self) -> Tensor:
        """`log10`, the result stored in this tensor, which is returned."""
    def log1p_(self) -> Tensor:
        """`log1p`, the result stored in this tensor, which is returned."""
    def sqrt_(self) -> Tensor:
        """`sqrt`, the result stored in this tensor, which is returned."""
    def rsqrt_(self) -> Tensor:
        """`rsqrt`, the result stored in this tensor, which is returned."""
    def reciprocal_(self) -> Tensor:
        """`reciprocal`, the result stored in this tensor, which is returned."""
    def ldexp_(self, other: Tensor) -> Tensor:
        """`ldexp`, the result stored in this tensor, which is returned."""
    def acos(self) -> Tensor:
        """Inverse cosine: y in [0, pi] with cos y = x."""
    def acosh(self) -> Tensor:
        """Inverse hyperbolic cosine: y = ln(x + sqrt(x^2 - 1))."""
    def arccos(self) -> Tensor:
        """Inverse cosine: y in [0, pi] with cos y = x."""
    def arccosh(self) -> Tensor:
        """Inverse hyperbolic cosine: y = ln(x + sqrt(x^2 - 1))."""
    def arcsin(self) -> Tensor:
        """Inverse sine: y in [-pi/2, pi/2] with sin y = x."""
    def arcsinh(self) -> Tensor:
        """Inverse hyperbolic sine: y = ln(x + sqrt(x^2 + 1))."""
    def arctan(self) -> Tensor:
        """Inverse tangent: y in [-pi/2, pi/2] with tan y = x."""
    def arctan2(self, other: Tensor) -> Tensor:
        """Angle of the point (other, input) in radians, from -pi to pi: the inverse tangent of input / other."""
    def arctanh(self) -> Tensor:
        """Inverse hyperbolic tangent: y = ln((1 + x) / (1 - x)) / 2."""
    def asin(self) -> Tensor:
        """Inverse sine: y in [-pi/2, pi/2] with sin y = x."""
    def asinh(self) -> Tensor:
        """Inverse hyperbolic sine: y = ln(x + sqrt(x^2 + 1))."""
    def atan(self) -> Tensor:
        """Inverse tangent: y in [-pi/2, pi/2] with tan y = x."""
    def atan2(self, other: Tensor) -> Tensor:
        """Angle of the point (other, input) in radians, from -pi to pi: the inverse tangent of input / other."""
    def atanh(self) -> Tensor:
        """Inverse hyperbolic tangent: y = ln((1 + x) / (1 - x)) / 2."""
    def cos(self) -> Tensor:
        """Cosine of each element, an angle in radians: y = cos x."""
    def cosh(self) -> Tensor:
        """Hyperbolic cosine of each element: y = (e^x + e^-x) / 2."""
    def deg2rad(self) -> Tensor:
        """Radians of angles in degrees: y = x * pi / 180."""
    def hypot(self, other: Tensor) -> Tensor:
        """Length of the hypotenuse: y = sqrt(input^2 + other^2), without overflow."""
    def rad2deg(self) -> Tensor:
        """Degrees of angles in radians: y = x * 180 / pi."""
    def sin(self) -> Tensor:
        """Sine of each element, an angle in radians: y = sin x."""
    def sinh(self) -> Tensor:
        """Hyperbolic sine of each element: y = (e^x - e^-x) / 2."""
    def tan(self) -> Tensor:
        """Tangent of each element, an angle in radians: y = tan x."""
    def tanh(self) -> Tensor:
        """Hyperbolic tangent of each element: y = (e^x - e^-x) / (e^x + e^-x)."""
    def sin_(self) -> Tensor:
        """`sin`, the result stored in this tensor, which is returned."""
    def cos_(self) -> Tensor:
        """`cos`, the result stored in this tensor, which is returned."""
    def tan_(self) -> Tensor:
        """`tan`, the result stored in this tensor, which is returned."""
    def asin_(self) -> Tensor:
        """`asin`, the result stored in this tensor, which is returned."""
    def acos_(self) -> Tensor:
        """`acos`, the result stored in this tensor, which is returned."""
    def atan_(self) -> Tensor:
        """`atan`, the result stored in this tensor, which is returned."""
    def sinh_(self) -> Tensor:
        """`sinh`, the result stored in this tensor, which is returned."""
    def cosh_(self) -> Tensor:
        """`cosh`, the result stored in this tensor, which is returned."""
    def tanh_(self) -> Tensor:
        """`tanh`, the result stored in this tensor, which is returned."""
    def asinh_(self) -> Tensor:
        """`asinh`, the result stored in this tensor, which is returned."""
    def acosh_(self) -> Tensor:
        """`acosh`, the result stored in this tensor, which is returned."""
    def atanh_(self) -> Tensor:
        """`atanh`, the result stored in this tensor, which is returned."""
    def deg2rad_(self) -> Tensor:
        """`deg2rad`, the result stored in this tensor, which is returned."""
    def rad2deg_(self) -> Tensor:
        """`rad2deg`, the result stored in this tensor, which is returned."""
    def atan2_(self, other: Tensor) -> Tensor:
        """`atan2`, the result stored in this tensor, which is returned."""
    def hypot_(self, other: Tensor) -> Tensor:
        """`hypot`, the result stored in this tensor, which is returned."""
    def arccos_(self) -> Tensor:
        """`arccos`, the result stored in this tensor, which is returned."""
    def arccosh_(self) -> Tensor:
        """`arccosh`, the result stored in this tensor, which is returned."""
    def arcsin_(self) -> Tensor:
        """`arcsin`, the result stored in this tensor, which is returned."""
    def arcsinh_(self) -> Tensor:
        """`arcsinh`, the result stored in this tensor, which is returned."""
    def arctan_(self) -> Tensor:
        """`arctan`, the result stored in this tensor, which is returned."""
    def arctanh_(self) -> Tensor:
        """`arctanh`, the result stored in this tensor, which is returned."""
    def arctan2_(self, other: Tensor) -> Tensor:
        """`arctan2`, the result stored in this tensor, which is returned."""
    def ceil(self) -> Tensor:
        """Smallest integer that is at least x: y = ceil(x)."""
    def copysign(self, other: Tensor | Number) -> Tensor:
        """Absolute value of `input` with the sign of `other`: y = |input| if other >= +0, else -|input|."""
    def fix(self) -> Tensor:
        """Integer part of each element: x rounded towards zero."""
    def floor(self) -> Tensor:
        """Largest integer that is at most x: y = floor(x)."""
    def frac(self) -> Tensor:
        """Fractional part of each element: y = x - trunc(x), with the sign of x."""
    def round(self, *, decimals: _int = 0) -> Tensor:
        """Each element rounded to the nearest integer, or to `decimals` decimal places."""
    def sgn(self) -> Tensor:
        """Sign of each element: of real numbers what `sign` gives."""
    def sign(self) -> Tensor:
        """Sign of each element: -1, 0 or 1."""
    def trunc(self) -> Tensor:
        """Integer part of each element: x rounded towards zero."""
    def ceil_(self) -> Tensor:
        """`ceil`, the result stored in this tensor, which is returned."""
    def copysign_(self, other: Tensor | Number) -> Tensor:
        """`copysign`, the result stored in this tensor, which is returned."""
    def fix_(self) -> Tensor:
        """`fix`, the result stored in this tensor, which is returned."""
    def floor_(self) -> Tensor:
        """`floor`, the result stored in this tensor, which is returned."""
    def frac_(self) -> Tensor:
        """`frac`, the result stored in this tensor, which is returned."""
    def round_(self, *, decimals: _int = 0) -> Tensor:
        """`round`, the result stored in this tensor, which is returned."""
    def sgn_(self) -> Tensor:
        """`sgn`, the result stored in this tensor, which is returned."""
    def sign_(self) -> Tensor:
        """`sign`, the result stored in this tensor, which is returned."""
    def trunc_(self) -> Tensor:
        """`trunc`, the result stored in this tensor, which is returned."""
    def digamma(self) -> Tensor:
        """Derivative of the logarithm of the gamma function: y = Gamma'(x) / Gamma(x) (DLMF 5.2.2)."""
    def erf(self) -> Tensor:
        """Error function of each element: y = 2/sqrt(pi) * integral of e^(-t^2) from 0 to x (DLMF 7.2.1)."""
    def erfc(self) -> Tensor:
        """Complement of the error function: y = 1 - erf(x), accurate where that is small (DLMF 7.2.2)."""
    def erfinv(self) -> Tensor:
        """Inverse of the error function: erf(y) = x, for x in [-1, 1]; outside it is NaN."""
    def lgamma(self) -> Tensor:
        """Logarithm of the absolute value of the gamma function: y = ln |Gamma(x)| (DLMF 5.2.1)."""
    def logit(self, eps: _float | None = None) -> Tensor:
        """Logarithm of the odds, the inverse of sigmoid: y = ln(x / (1 - x))."""
    def sinc(self) -> Tensor:
        """Cardinal sine of each element: y = sin(pi x) / (pi x), and 1 at 0."""
    def xlogy(self, other: Tensor | Number) -> Tensor:
        """A number times a logarithm: y = input * ln(other)."""
    def polygamma(self, n: _int) -> Tensor:
        """The n-th derivative of digamma at each element: `gpunet.polygamma(n, input)`."""
    def polygamma_(self, n: _int) -> Tensor:
        """`polygamma`, the result stored in this tensor, which is returned."""
    def erf_(self) -> Tensor:
        """`erf`, the result stored in this tensor, which is returned."""
    def erfc_(self) -> Tensor:
        """`erfc`, the result stored in this tensor, which is returned."""
    def erfinv_(self) -> Tensor:
        """`erfinv`, the result stored in this tensor, which is returned."""
    def lgamma_(self) -> Tensor:
        """`lgamma`, the result stored in this tensor, which is returned."""
    def sinc_(self) -> Tensor:
        """`sinc`, the result stored in this tensor, which is returned."""
    def xlogy_(self, other: Tensor | Number) -> Tensor:
        """`xlogy`, the result stored in this tensor, which is returned."""
    def digamma_(self) -> Tensor:
        """`digamma`, the result stored in this tensor, which is returned."""
    def logit_(self, eps: _float | None = None) -> Tensor:
        """`logit`, the result stored in this tensor, which is returned."""
    def mvlgamma(self, p: _int) -> Tensor:
        """Logarithm of the multivariate gamma function of dimension p: p (p - 1) / 4 ln(pi) + the sum of
        ln Gamma(x - i / 2) over i from 0 to p - 1.
        """
    def mvlgamma_(self, p: _int) -> Tensor:
        """`mvlgamma`, the result stored in this tensor, which is returned."""
    def relu(self) -> Tensor:
        """Rectified linear unit of each element: y = max(0, x)."""
    def relu_(self) -> Tensor:
        """`relu`, the result stored in this tensor, which is returned."""
    def all(self, dim: _int | Sequence[_int] | None = None, keepdim: _bool = False, *, axis: _int | Sequence[_int] | None = None, keepdims: _bool | None = None) -> Tensor:
        """Whether all elements are nonzero, of the tensor or over dimensions; True for no elements."""
    def any(self, dim: _int | Sequence[_int] | None = None, keepdim: _bool = False, *, axis: _int | Sequence[_int] | None = None, keepdims: _bool | None = None) -> Tensor:
        """Whether any element is nonzero, of the tensor or over dimensions; False for no elements."""
    def count_nonzero(self, dim: _int | Sequence[_int] | None = None, *, axis: _int | Sequence[_int] | None = None) -> Tensor:
        """Number of the elements that are not zero, of all or over dimensions."""
    def mean(self, dim: _int | Sequence[_int] | None = None, keepdim: _bool = False, *, dtype: DType | None = None, axis: _int | Sequence[_int] | None = None, keepdims: _bool | None = None) -> Tensor:
        """Mean of all elements, or over dimensions: y = (sum_i x_i) / N."""
    def nanmean(self, dim: _int | Sequence[_int] | None = None, keepdim: _bool = False, *, dtype: DType | None = None, axis: _int | Sequence[_int] | None = None, keepdims: _bool | None = None) -> Tensor:
        """Mean of the elements that are not NaN, or over dimensions."""
    def nansum(self, dim: _int | Sequence[_int] | None = None, keepdim: _bool = False, *, dtype: DType | None = None, axis: _int | Sequence[_int] | None = None, keepdims: _bool | None = None) -> Tensor:
        """Sum of the elements that are not NaN, or over dimensions."""
    def prod(self, dim: _int | None = None, keepdim: _bool = False, *, dtype: DType | None = None, axis: _int | None = None, keepdims: _bool | None = None) -> Tensor:
        """Product of all elements, or along a dimension: y = x_1 * x_2 * ... * x_N."""
    def sum(self, dim: _int | Sequence[_int] | None = None, keepdim: _bool = False, *, dtype: DType | None = None, axis: _int | Sequence[_int] | None = None, keepdims: _bool | None = None) -> Tensor:
        """Sum of all elements, or over dimensions: y = sum_i x_i."""
    def corrcoef(self) -> Tensor:
        """Pearson's correlation coefficients of variables, which are the rows: R[i, j] = C[i, j] / sqrt(C[i, i] C[j, j])
        for the covariances C.
        """
    def cov(self, *, correction: _int = 1, fweights: Tensor | None = None, aweights: Tensor | None = None) -> Tensor:
        """Covariances of variables, which are the rows: C[i, j] = sum_k (x_ik - mean_i) (x_jk - mean_j) / (N - correction)."""
    def std(self, dim: _int | Sequence[_int] | _bool | None = None, unbiased: _bool = True, keepdim: _bool = False, *, correction: Number | None = None, axis: _int | Sequence[_int] | None = None, keepdims: _bool | None = None) -> Tensor:
        """Standard deviation of all elements, or over dimensions: the square root of `var`."""
    def std_mean(self, dim: _int | Sequence[_int] | _bool | None = None, unbiased: _bool = True, keepdim: _bool = False, *, correction: Number | None = None, axis: _int | Sequence[_int] | None = None, keepdims: _bool | None = None) -> tuple[Tensor, Tensor]:
        """Standard deviation and mean of all elements, or over dimensions."""
    def var(self, dim: _int | Sequence[_int] | _bool | None = None, unbiased: _bool = True, keepdim: _bool = False, *, correction: Number | None = None, axis: _int | Sequence[_int] | None = None, keepdims: _bool | None = None) -> Tensor:
        """Variance of all elements, or over dimensions: y = (sum_i (x_i - mean)^2) / max(0, N - correction)."""
    def var_mean(self, dim: _int | Sequence[_int] | _bool | None = None, unbiased: _bool = True, keepdim: _bool = False, *, correction: Number | None = None, axis: _int | Sequence[_int] | None = None, keepdims: _bool | None = None) -> tuple[Tensor, Tensor]:
        """Variance and mean of all elements, or over dimensions."""
    def amax(self, dim: _int | Sequence[_int] | None = (), keepdim: _bool = False, *, axis: _int | Sequence[_int] | None = None, keepdims: _bool | None = None) -> Tensor:
        """Largest elements, of all or over dimensions. Equal ones share the gradient evenly."""
    def amin(self, dim: _int | Sequence[_int] | None = (), keepdim: _bool = False, *, axis: _int | Sequence[_int] | None = None, keepdims: _bool | None = None) -> Tensor:
        """Smallest elements, of all or over dimensions. Equal ones share the gradient evenly."""
    def aminmax(self, *, dim: _int | None = None, keepdim: _bool = False, axis: _int | None = None, keepdims: _bool | None = None) -> MinMax:
        """Smallest and largest elements, of all or along a dimension."""
    def argmax(self, dim: _int | None = None, keepdim: _bool = False, *, axis: _int | None = None, keepdims: _bool | None = None) -> Tensor:
        """Index of the largest element, the first of equals: in the flattened tensor, or along a dimension."""
    def argmin(self, dim: _int | None = None, keepdim: _bool = False, *, axis: _int | None = None, keepdims: _bool | None = None) -> Tensor:
        """Index of the smallest element, the first of equals: in the flattened tensor, or along a dimension."""
    @overload
    def max(self) -> Tensor:
        """Largest element: of all, `max(x)`; along a dimension, `max(x, dim)`; or of two tensors, `max(x, other)`."""
    @overload
    def max(self, dim: _int, keepdim: _bool = False) -> ValuesIndices: ...
    @overload
    def max(self, *, axis: _int, keepdims: _bool = False) -> ValuesIndices: ...
    @overload
    def max(self, other: Tensor) -> Tensor: ...
    @overload
    def max(self, *, other: Tensor) -> Tensor: ...
    @overload
    def min(self) -> Tensor:
        """Smallest element: of all, `min(x)`; along a dimension, `min(x, dim)`; or of two tensors, `min(x, other)`."""
    @overload
    def min(self, dim: _int, keepdim: _bool = False) -> ValuesIndices: ...
    @overload
    def min(self, *, axis: _int, keepdims: _bool = False) -> ValuesIndices: ...
    @overload
    def min(self, other: Tensor) -> Tensor: ...
    @overload
    def min(self, *, other: Tensor) -> Tensor: ...
    def reshape(self, *sizes: Sizes, shape: Sequence[_int] | None = None) -> Tensor:
        """The same elements in another shape: `gpunet.reshape`, whose sizes may be given one by one."""
    def view(self, *sizes: Sizes | _dtype | _type, size: Sequence[_int] | None = None, dtype: _dtype | None = None) -> Tensor:
        """The same memory in another shape, or its bits as another type."""
    def permute(self, *order: Sizes, dims: Sequence[_int] | None = None) -> Tensor:
        """A view with the dimensions in another order: `gpunet.permute`, whose dimensions may be given one by one."""
    def expand(self, *sizes: Sizes, size: Sequence[_int] | None = None) -> Tensor:
        """A view with dimensions of size 1 repeated: `gpunet.broadcast_to`, whose sizes may be given one by one."""
    def repeat(self, *times: Sizes, repeats: Sequence[_int] | None = None) -> Tensor:
        """The tensor laid side by side, as often as given along each dimension: a copy."""
    def tile(self, *times: Sizes, dims: Sequence[_int] | None = None) -> Tensor:
        """The tensor laid side by side: `gpunet.tile`, whose numbers may be given one by one."""
    def flip(self, *axes: Sizes, dims: Sizes | None = None) -> Tensor:
        """The order of the elements reversed: `gpunet.flip`, whose dimensions may be given one by one."""
    def contiguous(self, *, memory_format: MemoryFormat = ...) -> Tensor:
        """The tensor itself if its elements lie in memory in row-major order, or in another format, else a copy that does."""
    def split(self, split_size: Sizes, dim: _int = 0) -> tuple[Tensor, ...]:
        """Pieces along a dimension: `gpunet.split`."""
    def unfold(self, dimension: _int, size: _int, step: _int) -> Tensor:
        """A view of all windows along a dimension; their elements become the last dimension."""
    def squeeze_(self, dim: _int | Sequence[_int] | None = None, *, axis: _int | None = None) -> Tensor:
        """`squeeze` of the tensor itself, which is returned."""
    def unsqueeze_(self, dim: _int | None = None, *, axis: _int | None = None) -> Tensor:
        """`unsqueeze` of the tensor itself, which is returned."""
    def t_(self) -> Tensor:
        """`t` of the tensor itself, which is returned."""
    def transpose_(self, dim0: _int, dim1: _int) -> Tensor:
        """`transpose` of the tensor itself, which is returned."""
    def swapdims_(self, dim0: _int, dim1: _int) -> Tensor:
        """`swapdims` of the tensor itself, which is returned."""
    def swapaxes_(self, axis0: _int, axis1: _int) -> Tensor:
        """`swapaxes` of the tensor itself, which is returned."""
    def broadcast_to(self, size: Sequence[_int]) -> Tensor:
        """Dimensions of size 1 repeated up to a shape, without a copy. It is Tensor.expand as a function."""
    def clone(self, *, memory_format: MemoryFormat | None = None) -> Tensor:
        """A copy with memory of its own. Gradients flow through it to `input`."""
    def flatten(self, start_dim: _int = 0, end_dim: _int = -1) -> Tensor:
        """The dimensions from start_dim to end_dim joined into one. A 0-d tensor becomes a vector of one element."""
    def moveaxis(self, source: _int | Sequence[_int], destination: _int | Sequence[_int]) -> Tensor:
        """A view with dimensions moved to other places: `movedim` by NumPy's name."""
    def movedim(self, source: _int | Sequence[_int], destination: _int | Sequence[_int]) -> Tensor:
        """A view with dimensions moved to other places, the rest keeping their order."""
    def ravel(self) -> Tensor:
        """All elements in one dimension: a view where that is possible, else a copy."""
    def squeeze(self, dim: _int | Sequence[_int] | None = None, *, axis: _int | None = None) -> Tensor:
        """A view without dimensions of size 1: all of them, or only those given."""
    def swapaxes(self, axis0: _int, axis1: _int) -> Tensor:
        """A view with two dimensions exchanged: `transpose` by NumPy's name."""
    def swapdims(self, dim0: _int, dim1: _int) -> Tensor:
        """A view with two dimensions exchanged: `transpose` by another name."""
    def t(self) -> Tensor:
        """Transpose of a matrix. Vectors and 0-d tensors are returned as they are."""
    def transpose(self, dim0: _int, dim1: _int) -> Tensor:
        """A view with two dimensions exchanged."""
    def unflatten(self, dim: _int, sizes: Sequence[_int]) -> Tensor:
        """One dimension split into several, the reverse of `flatten`."""
    def unsqueeze(self, dim: _int | None = None, *, axis: _int | None = None) -> Tensor:
        """A view with a new dimension of size 1."""
    def as_strided(self, size: Sequence[_int], stride: Sequence[_int], storage_offset: _int | None = None) -> Tensor:
        """A view of input's memory, with any shape and any steps between its elements."""
    def chunk(self, chunks: _int, dim: _int = 0, *, axis: _int | None = None) -> tuple[Tensor, ...]:
        """At most `chunks` pieces of equal size along a dimension. The last one may be smaller."""
    def dsplit(self, indices_or_sections: _int | Sequence[_int] | None = None, *, sections: _int | None = None, indices: Sequence[_int] | None = None) -> tuple[Tensor, ...]:
        """Pieces along dimension 2: equal ones, or up to given indices."""
    def hsplit(self, indices_or_sections: _int | Sequence[_int] | None = None, *, sections: _int | None = None, indices: Sequence[_int] | None = None) -> tuple[Tensor, ...]:
        """Pieces along dimension 1, or along dimension 0 of a vector: equal ones, or up to given indices."""
    def narrow(self, dim: _int, start: _int | Tensor, length: _int) -> Tensor:
        """A view of `length` elements of a dimension, from `start` on."""
    def select(self, dim: _int, index: _int) -> Tensor:
        """A view at one index of a dimension, which disappears: input[index] for dimension 0."""
    def split_with_sizes(self, split_sizes: Sequence[_int], dim: _int = 0, *, axis: _int | None = None) -> tuple[Tensor, ...]:
        """Pieces of the given sizes along a dimension."""
    def tensor_split(self, indices_or_sections: Parts | None = None, dim: _int = 0, *, sections: _int | None = None, indices: Sequence[_int] | None = None, tensor_indices_or_sections: Tensor | None = None, axis: _int | None = None) -> tuple[Tensor, ...]:
        """Pieces along a dimension: a number of them, whose sizes differ by at most 1, or pieces that end before given
        indices.
        """
    def unbind(self, dim: _int = 0, *, axis: _int | None = None) -> tuple[Tensor, ...]:
        """The slices along a dimension, which disappears."""
    def vsplit(self, indices_or_sections: _int | Sequence[_int] | None = None, *, sections: _int | None = None, indices: Sequence[_int] | None = None) -> tuple[Tensor, ...]:
        """Pieces along dimension 0: equal ones, or up to given indices."""
    def fliplr(self) -> Tensor:
        """The order of dimension 1 reversed: a copy."""
    def flipud(self) -> Tensor:
        """The order of dimension 0 reversed: a copy."""
    def repeat_interleave(self, repeats: _int | Tensor | None = None, dim: _int | None = None, *, output_size: _int | None = None, axis: _int | None = None) -> Tensor:
        """Each element repeated on the spot."""
    def roll(self, shifts: _int | Sequence[_int], dims: _int | Sequence[_int] = ()) -> Tensor:
        """The elements moved on along dimensions; those that leave at one end enter at the other."""
    def rot90(self, k: _int = 1, dims: Sequence[_int] = ...) -> Tensor:
        """The planes of two dimensions turned by k times 90 degrees, from the first dimension towards the second."""
    def combinations(self, r: _int = 2, with_replacement: _bool = False) -> Tensor:
        """All combinations of r elements of a vector, in the order of itertools.combinations."""
    @overload
    def to(self, dtype: dtypes.dtype, non_blocking: _bool = False, copy: _bool = False, *, memory_format: MemoryFormat | None = None) -> Tensor:
        """The tensor on another device or as another type: `to(device)`, `to(dtype)`, `to(device, dtype)`, `to(other)`."""
    @overload
    def to(self, device: devices.device | str | _int | None = None, dtype: dtypes.dtype | None = None, non_blocking: _bool = False, copy: _bool = False, *, memory_format: MemoryFormat | None = None) -> Tensor: ...
    @overload
    def to(self, other: Tensor, non_blocking: _bool = False, copy: _bool = False, *, memory_format: MemoryFormat | None = None) -> Tensor: ...
    def cpu(self, memory_format: MemoryFormat | None = None) -> Tensor:
        """The tensor in the host's memory."""
    def cuda(self, device: devices.device | str | _int | None = None, non_blocking: _bool = False, memory_format: MemoryFormat | None = None) -> Tensor:
        """The tensor on a GPU: that of a name or number, by default the current one."""
    @overload
    def type(self, dtype: None = None, non_blocking: _bool = False) -> str:
        """The tensor as a type; without it the type's older name, such as "gpunet.FloatTensor" or "gpunet.cuda.LongTensor"."""
    @overload
    def type(self, dtype: dtypes.dtype | builtins.type | str, non_blocking: _bool = False) -> Tensor: ...
    def type_as(self, other: Tensor) -> Tensor:
        """The tensor as the type of another one."""
    def new_tensor(self, data: Any, *, dtype: dtypes.dtype | None = None, device: Any = None, requires_grad: _bool = False, layout: Any = None, pin_memory: _bool | None = None) -> Tensor:
        """`gpunet.tensor(data)` with this tensor's type and device; numbers inside a recorded step become fills."""
    def new_full(self, size: Sequence[_int], fill_value: Number, *, dtype: dtypes.dtype | None = None, device: Any = None, requires_grad: _bool = False, layout: Any = None, pin_memory: _bool | None = None) -> Tensor:
        """`gpunet.full(size, fill_value)` with this tensor's type and device."""
    def new_zeros(self, *sizes: Any, size: Any = None, dtype: dtypes.dtype | None = None, device: Any = None, requires_grad: _bool = False, layout: Any = None, pin_memory: _bool | None = None) -> Tensor:
        """`gpunet.zeros(size)` with this tensor's type and device."""
    def new_ones(self, *sizes: Any, size: Any = None, dtype: dtypes.dtype | None = None, device: Any = None, requires_grad: _bool = False, layout: Any = None, pin_memory: _bool | None = None) -> Tensor:
        """`gpunet.ones(size)` with this tensor's type and device."""
    def new_empty(self, *sizes: Any, size: Any = None, dtype: dtypes.dtype | None = None, device: Any = None, requires_grad: _bool = False, layout: Any = None, pin_memory: _bool | None = None) -> Tensor:
        """`gpunet.empty(size)` with this tensor's type and device; its elements are not set."""
    def float(self, memory_format: MemoryFormat | None = None) -> Tensor:
        """The tensor as gpunet.float32; itself if it is that already. `memory_format` is that of the result."""
    def double(self, memory_format: MemoryFormat | None = None) -> Tensor:
        """The tensor as gpunet.float64; itself if it is that already. `memory_format` is that of the result."""
    def half(self, memory_format: MemoryFormat | None = None) -> Tensor:
        """The tensor as gpunet.float16; itself if it is that already. `memory_format` is that of the result."""
    def bfloat16(self, memory_format: MemoryFormat | None = None) -> Tensor:
        """The tensor as gpunet.bfloat16; itself if it is that already. `memory_format` is that of the result."""
    def bool(self, memory_format: MemoryFormat | None = None) -> Tensor:
        """The tensor as gpunet.bool; itself if it is that already. `memory_format` is that of the result."""
    def long(self, memory_format: MemoryFormat | None = None) -> Tensor:
        """The tensor as gpunet.int64; itself if it is that already. `memory_format` is that of the result."""
    def int(self, memory_format: MemoryFormat | None = None) -> Tensor:
        """The tensor as gpunet.int32; itself if it is that already. `memory_format` is that of the result."""
    def short(self, memory_format: MemoryFormat | None = None) -> Tensor:
        """The tensor as gpunet.int16; itself if it is that already. `memory_format` is that of the result."""
    def char(self, memory_format: MemoryFormat | None = None) -> Tensor:
        """The tensor as gpunet.int8; itself if it is that already. `memory_format` is that of the result."""
    def byte(self, memory_format: MemoryFormat | None = None) -> Tensor:
        """The tensor as gpunet.uint8; itself if it is that already. `memory_format` is that of the result."""
    def argwhere(self) -> Tensor:
        """The indices of the elements that are not zero: `nonzero` by NumPy's name."""
    def gather(self, dim: _int, index: Tensor, *, sparse_grad: _bool = False) -> Tensor:
        """One element for each element of an index: for dim 0, y[i][j] = input[index[i][j]][j], and so on."""
    def index_select(self, dim: _int, index: Tensor) -> Tensor:
        """Slices of a dimension, in the order of an index: for dim 0, y[i] = input[index[i]]. A copy."""
    def masked_select(self, mask: Tensor) -> Tensor:
        """The elements where a mask is True, row by row. Reads the mask on the host, since it decides the shape."""
    def nonzero(self, *, as_tuple: _bool = False) -> Any:
        """The indices of the elements that are not zero. Reads the tensor on the host, since it decides the shape."""
    def take(self, index: Tensor) -> Tensor:
        """Elements of the flattened tensor: y[i] = input.flatten()[index[i]]."""
    def take_along_dim(self, indices: Tensor, dim: _int | None = None, *, axis: _int | None = None) -> Tensor:
        """`gather` with shapes that broadcast, as needed to sort by the result of argsort."""
    def bmm(self, mat2: Tensor) -> Tensor:
        """Products of two batches of matrices: y[b] = input[b] @ mat2[b]."""
    def dot(self, tensor: Tensor) -> Tensor:
        """Inner product of two vectors: y = sum of input[i] * tensor[i]."""
    def matmul(self, other: Tensor) -> Tensor:
        """Matrix product: y[..., i, j] = sum over k of input[..., i, k] * other[..., k, j]."""
    def mm(self, mat2: Tensor) -> Tensor:
        """Product of two matrices: y[i, j] = sum over k of input[i, k] * mat2[k, j]."""
    def fill(self, value: Number | Tensor) -> Tensor:
        """A tensor like another one with every element set to a value."""
    def fill_(self, value: Number | Tensor) -> Tensor:
        """Sets every element of a tensor to a value, in place."""
    def zero_(self) -> Tensor:
        """Sets every element of a tensor to 0, in place."""
    def add_(self, other: Tensor | Number, *, alpha: Number = 1) -> Tensor:
        """`add`, the result stored in this tensor, which is returned: self + alpha * other."""
    def sub_(self, other: Tensor | Number, *, alpha: Number = 1) -> Tensor:
        """`sub`, the result stored in this tensor, which is returned: self - alpha * other."""
    def subtract_(self, other: Tensor | Number, *, alpha: Number = 1) -> Tensor:
        """`sub`, the result stored in this tensor, which is returned: self - alpha * other."""
    def copy_(self, other: Tensor | Any, non_blocking: _bool = False) -> Tensor:
        """Copies the elements of `other` into this tensor, broadcasting and casting them."""
    def __setitem__(self, index: Any, value: Any, /) -> None: ...
    def __iadd__(self, other: Any, /) -> Tensor: ...
    def __isub__(self, other: Any, /) -> Tensor: ...
    def __imul__(self, other: Any, /) -> Tensor: ...
    def __itruediv__(self, other: Any, /) -> Tensor: ...
    def __ipow__(self, other: Any, /) -> Tensor: ...
    def __ifloordiv__(self, other: Any, /) -> Tensor: ...
    def __imod__(self, other: Any, /) -> Tensor: ...
    def log_softmax(self, dim: _int | None = None, dtype: Type | None = None, *, axis: _int | None = None) -> Tensor:
        """Logarithm of the softmax along a dimension: y_i = x_i - ln(sum over j of e^x_j)."""
    def logsumexp(self, dim: _int | Sequence[_int] | None = None, keepdim: _bool = False, *, axis: _int | Sequence[_int] | None = None, keepdims: _bool = False) -> Tensor:
        """Logarithm of the sum of exponentials over dimensions: y = ln(sum over i of e^x_i)."""
    def softmax(self, dim: _int | None = None, dtype: Type | None = None, *, axis: _int | None = None) -> Tensor:
        """Softmax along a dimension: y_i = e^x_i / sum over j of e^x_j."""
    def cummax(self, dim: _int) -> ValuesIndices:
        """The largest element so far along a dimension, and where it is; NaN counts as the largest."""
    def cummin(self, dim: _int) -> ValuesIndices:
        """The smallest element so far along a dimension, and where it is; NaN counts as the smallest."""
    def cumprod(self, dim: _int, *, dtype: _dtype | None = None) -> Tensor:
        """Cumulative product along a dimension: y_i = x_1 * ... * x_i. Integers and bools are multiplied in int64."""
    def cumsum(self, dim: _int, *, dtype: _dtype | None = None) -> Tensor:
        """Cumulative sum along a dimension: y_i = x_1 + ... + x_i. Integers and bools are summed in int64."""
    def logcumsumexp(self, dim: _int) -> Tensor:
        """Logarithm of the cumulative sum of exponentials along a dimension: y_i = ln(e^x_1 + ... + e^x_i)."""
    def cumprod_(self, dim: _int, *, dtype: _dtype | None = None) -> Tensor:
        """`cumprod`, the result stored in this tensor, which is returned."""
    def cumsum_(self, dim: _int, *, dtype: _dtype | None = None) -> Tensor:
        """`cumsum`, the result stored in this tensor, which is returned."""
    def argsort(self, dim: _int = -1, descending: _bool = False, stable: _bool = False, *, axis: _int | None = None) -> Tensor:
        """Indices that sort a dimension. Equal elements keep their order; NaN sorts after all numbers."""
    def kthvalue(self, k: _int, dim: _int = -1, keepdim: _bool = False, *, axis: _int | None = None, keepdims: _bool | None = None) -> ValuesIndices:
        """The k-th smallest element of a dimension."""
    @overload
    def median(self) -> Tensor:
        """Median, of all elements or along a dimension; the lower one of two middle elements."""
    @overload
    def median(self, dim: _int, keepdim: _bool = False) -> ValuesIndices: ...
    @overload
    def median(self, *, axis: _int, keepdims: _bool = False) -> ValuesIndices: ...
    def mode(self, dim: _int = -1, keepdim: _bool = False, *, axis: _int | None = None, keepdims: _bool | None = None) -> ValuesIndices:
        """Most frequent element of a dimension, the smallest of several."""
    def msort(self) -> Tensor:
        """The first dimension in ascending order."""
    @overload
    def nanmedian(self) -> Tensor:
        """Median of what is not NaN, of all elements or along a dimension; the lower one of two middle elements."""
    @overload
    def nanmedian(self, dim: _int, keepdim: _bool = False) -> ValuesIndices: ...
    @overload
    def nanmedian(self, *, axis: _int, keepdims: _bool = False) -> ValuesIndices: ...
    def sort(self, dim: _int = -1, descending: _bool = False, *, stable: _bool | None = False, axis: _int | None = None) -> ValuesIndices:
        """A dimension in ascending or descending order. Equal elements keep their order; NaN sorts after all numbers."""
    def topk(self, k: _int, dim: _int = -1, largest: _bool = True, sorted: _bool = True, *, axis: _int | None = None) -> ValuesIndices:
        """The k largest, or smallest, elements of a dimension, in order."""
    def nanquantile(self, q: Tensor | _float, dim: _int | None = None, keepdim: _bool = False, *, interpolation: str = 'linear', axis: _int | None = None, keepdims: _bool | None = None) -> Tensor:
        """Quantile of the elements that are not NaN, of all or along a dimension: what a share q of them is below."""
    def quantile(self, q: Tensor | _float, dim: _int | None = None, keepdim: _bool = False, *, interpolation: str = 'linear', axis: _int | None = None, keepdims: _bool | None = None) -> Tensor:
        """Quantile of the elements, of all or along a dimension: what a share q of them is below."""
    def bincount(self, weights: Tensor | None = None, minlength: _int = 0) -> Tensor:
        """How often each of the integers 0, 1, ... occurs, or the sum of weights where it does."""
    def bucketize(self, boundaries: Tensor, *, out_int32: _bool = False, right: _bool = False) -> Tensor:
        """Which interval of sorted boundaries each value is in: i with b[i-1] < value <= b[i]."""
    def histc(self, bins: _int = 100, min: _float = 0, max: _float = 0) -> Tensor:
        """Histogram: how many elements are in each of `bins` equal intervals from min to max; the last includes max."""
    def histogram(self, bins: _int | Tensor, *, range: Sequence[_float] | None = None, weight: Tensor | None = None, density: _bool = False) -> Histogram:
        """Histogram: how many elements are in each interval; the last includes its end. Elements outside are not counted."""
    def unique(self, sorted: _bool = True, return_inverse: _bool = False, return_counts: _bool = False, dim: _int | None = None) -> Any:
        """The distinct elements, or the distinct slices of a dimension, in ascending order. Reads the tensor on the host."""
    def unique_consecutive(self, return_inverse: _bool = False, return_counts: _bool = False, dim: _int | None = None) -> Any:
        """The elements, or the slices of a dimension, without those that equal the one before."""
    def dist(self, other: Tensor, p: Number = 2) -> Tensor:
        """Distance of two tensors as vectors: y = (sum of |input - other|^p)^(1 / p)."""
    def diag(self, diagonal: _int = 0) -> Tensor:
        """The matrix with a vector on its diagonal, or a copy of a matrix's diagonal."""
    def diag_embed(self, offset: _int = 0, dim1: _int = -2, dim2: _int = -1) -> Tensor:
        """Square matrices with the last dimension on their diagonals and zeros elsewhere."""
    def diagflat(self, offset: _int = 0) -> Tensor:
        """The matrix with all elements of a tensor on its diagonal and zeros elsewhere."""
    def diagonal(self, offset: _int = 0, dim1: _int = 0, dim2: _int = 1) -> Tensor:
        """A view of the diagonals of the planes of two dimensions, as a new last dimension."""
    def diagonal_scatter(self, src: Tensor, offset: _int = 0, dim1: _int = 0, dim2: _int = 1) -> Tensor:
        """A copy of a tensor with another one on its diagonal."""
    def select_scatter(self, src: Tensor, dim: _int, index: _int) -> Tensor:
        """A copy of a tensor with another one at an index of a dimension."""
    def slice_scatter(self, src: Tensor, dim: _int = 0, start: _int | None = None, end: _int | None = None, step: _int = 1, *, axis: _int | None = None) -> Tensor:
        """A copy of a tensor with another one in the slice start:end:step of a dimension."""
    def tril(self, diagonal: _int = 0) -> Tensor:
        """The elements of matrices on and below a diagonal, zeros elsewhere."""
    def triu(self, diagonal: _int = 0) -> Tensor:
        """The elements of matrices on and above a diagonal, zeros elsewhere."""
    def fill_diagonal_(self, fill_value: Number, wrap: _bool = False) -> Tensor:
        """Sets the main diagonal to a number; of more than 2 dimensions, the elements all of whose indices are equal."""
    def tril_(self, diagonal: _int = 0) -> Tensor:
        """`tril`, the result stored in this tensor, which is returned."""
    def triu_(self, diagonal: _int = 0) -> Tensor:
        """`triu`, the result stored in this tensor, which is returned."""
    def index_put(self, indices: Sequence[Tensor | None], values: Tensor, accumulate: _bool = False) -> Tensor:
        """The input with values stored at an index: y[indices] = values."""
    def masked_fill(self, mask: Tensor, value: Tensor | Number) -> Tensor:
        """The input with one value where a mask is True: y = where(mask, value, input)."""
    def masked_scatter(self, mask: Tensor, source: Tensor) -> Tensor:
        """The input with the source's elements, in order, where a mask is True."""
    def put(self, index: Tensor, source: Tensor, accumulate: _bool = False) -> Tensor:
        """The input with values stored at places of the flattened tensor: y.flatten()[index[i]] = source[i]."""
    def scatter(self, dim: _int, index: Tensor, src: Tensor | Number | None = None, *, value: Number | None = None, reduce: str | None = None) -> Tensor:
        """The input with one element stored for each element of an index: for dim 0, y[index[i][j]][j] = src[i][j]."""
    def scatter_add(self, dim: _int, index: Tensor, src: Tensor) -> Tensor:
        """The input with values added at the places of an index: for dim 0, y[index[i][j]][j] += src[i][j]."""
    def scatter_reduce(self, dim: _int, index: Tensor, src: Tensor, reduce: str, *, include_self: _bool = True) -> Tensor:
        """The input with the values that meet at each place of an index reduced to one. Other places stay as they are."""
    def index_put_(self, indices: Sequence[Tensor | None], values: Tensor, accumulate: _bool = False) -> Tensor:
        """`index_put`, the result stored in this tensor, which is returned."""
    def masked_fill_(self, mask: Tensor, value: Tensor | Number) -> Tensor:
        """`masked_fill`, the result stored in this tensor, which is returned."""
    def masked_scatter_(self, mask: Tensor, source: Tensor) -> Tensor:
        """`masked_scatter`, the result stored in this tensor, which is returned."""
    def put_(self, index: Tensor, source: Tensor, accumulate: _bool = False) -> Tensor:
        """`put`, the result stored in this tensor, which is returned."""
    def scatter_(self, dim: _int, index: Tensor, src: Tensor | Number | None = None, *, value: Number | None = None, reduce: str | None = None) -> Tensor:
        """`scatter`, the result stored in this tensor, which is returned."""
    def scatter_add_(self, dim: _int, index: Tensor, src: Tensor) -> Tensor:
        """`scatter_add`, the result stored in this tensor, which is returned."""
    def scatter_reduce_(self, dim: _int, index: Tensor, src: Tensor, reduce: str, *, include_self: _bool = True) -> Tensor:
        """`scatter_reduce`, the result stored in this tensor, which is returned."""
    def index_add(self, dim: _int, index: Tensor, source: Tensor, *, alpha: Number = 1) -> Tensor:
        """The input with slices added: for dim 0, y[index[i]] += alpha * source[i]."""
    def index_copy(self, dim: _int, index: Tensor, source: Tensor) -> Tensor:
        """The input with slices replaced: for dim 0, y[index[i]] = source[i]."""
    def index_fill(self, dim: _int, index: Tensor, value: Tensor | Number) -> Tensor:
        """The input with one value in the slices that an index names: for dim 0, y[index[i]] = value."""
    def index_reduce(self, dim: _int, index: Tensor, source: Tensor, reduce: str, *, include_self: _bool = True) -> Tensor:
        """The input with the slices that meet at each place of an index reduced to one. Other slices stay as they are."""
    def index_add_(self, dim: _int, index: Tensor, source: Tensor, *, alpha: Number = 1) -> Tensor:
        """`index_add`, the result stored in this tensor, which is returned."""
    def index_copy_(self, dim: _int, index: Tensor, source: Tensor) -> Tensor:
        """`index_copy`, the result stored in this tensor, which is returned."""
    def index_fill_(self, dim: _int, index: Tensor, value: Tensor | Number) -> Tensor:
        """`index_fill`, the result stored in this tensor, which is returned."""
    def index_reduce_(self, dim: _int, index: Tensor, source: Tensor, reduce: str, *, include_self: _bool = True) -> Tensor:
        """`index_reduce`, the result stored in this tensor, which is returned."""
    def addbmm(self, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
        """Sum of the products of two batches of matrices: y = beta * input + alpha * (sum over b of batch1[b] @ batch2[b])."""
    def addmm(self, mat1: Tensor, mat2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
        """Product of two matrices with something added: y = beta * input + alpha * (mat1 @ mat2)."""
    def addmv(self, mat: Tensor, vec: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
        """Product of a matrix and a vector with something added: y = beta * input + alpha * (mat @ vec)."""
    def addr(self, vec1: Tensor, vec2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
        """Outer product of two vectors with something added: y = beta * input + alpha * outer(vec1, vec2)."""
    def baddbmm(self, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
        """Products of two batches of matrices with something added: y = beta * input + alpha * (batch1 @ batch2)."""
    def cross(self, other: Tensor, dim: _int | None = None, *, axis: _int | None = None) -> Tensor:
        """Vector product in three dimensions, of all vectors along a dimension."""
    def diff(self, n: _int = 1, dim: _int = -1, prepend: Tensor | None = None, append: Tensor | None = None, *, axis: _int | None = None) -> Tensor:
        """Differences of neighbours along a dimension: y[i] = x[i + 1] - x[i], repeated n times."""
    def ger(self, vec2: Tensor) -> Tensor:
        """Outer product of two vectors: y[i, j] = input[i] * vec2[j]."""
    def inner(self, other: Tensor) -> Tensor:
        """Inner products of all vectors along the last dimensions of two tensors; a tensor without dimensions is a factor."""
    def kron(self, other: Tensor) -> Tensor:
        """Kronecker product: a tensor of blocks, each an element of `input` times all of `other`."""
    def mv(self, vec: Tensor) -> Tensor:
        """Product of a matrix and a vector: y[i] = sum over k of input[i, k] * vec[k]."""
    def outer(self, vec2: Tensor) -> Tensor:
        """Outer product of two vectors: y[i, j] = input[i] * vec2[j]."""
    def trace(self) -> Tensor:
        """Sum of a matrix's diagonal."""
    def vdot(self, other: Tensor) -> Tensor:
        """Inner product of two vectors: y = sum of input[i] * other[i]. There are no complex types, so it is `dot`."""
    def addbmm_(self, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
        """`addbmm`, the result stored in this tensor, which is returned."""
    def addmm_(self, mat1: Tensor, mat2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
        """`addmm`, the result stored in this tensor, which is returned."""
    def addmv_(self, mat: Tensor, vec: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
        """`addmv`, the result stored in this tensor, which is returned."""
    def addr_(self, vec1: Tensor, vec2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
        """`addr`, the result stored in this tensor, which is returned."""
    def baddbmm_(self, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
        """`baddbmm`, the result stored in this tensor, which is returned."""
    def det(self) -> Tensor:
        """Determinant of a square matrix; see `linalg.det`."""
    def inverse(self) -> Tensor:
        """Inverse of a square matrix; see `linalg.inv`."""
    def logdet(self) -> Tensor:
        """Natural logarithm of a determinant; NaN where that is negative, -inf where it is 0."""
    def matrix_power(self, n: _int) -> Tensor:
        """Power of a square matrix, by repeated squaring; of a negative n that of the inverse."""
    def pinverse(self, rcond: _float = 1e-15) -> Tensor:
        """Pseudo-inverse; see `linalg.pinv`."""
    def slogdet(self) -> SlogdetResult:
        """Sign and logarithm of the absolute value of a determinant; see `linalg.slogdet`."""
    def svd(self, some: _bool = True, compute_uv: _bool = True) -> OlderSVDResult:
        """Singular value decomposition in its older form: A = U diag(S) V^T. `gpunet.linalg.svd` returns V^T instead."""
    def cholesky(self, upper: _bool = False) -> Tensor:
        """Cholesky factor of a symmetric positive-definite matrix; see `linalg.cholesky`."""
    def cholesky_inverse(self, upper: _bool = False) -> Tensor:
        """Inverse of a symmetric positive-definite matrix, from its Cholesky factor."""
    def cholesky_solve(self, input2: Tensor, upper: _bool = False) -> Tensor:
        """Solution X of A X = B, from the Cholesky factor of A."""
    def lu_solve(self, LU_data: Tensor, LU_pivots: Tensor) -> Tensor:
        """Solution X of A X = B, from the LU decomposition of A; see `linalg.lu_solve`."""
    def qr(self, some: _bool = True) -> QRResult:
        """QR decomposition; see `linalg.qr`."""
    def lu(self, pivot: _bool = True, get_infos: _bool = False) -> Any:
        """LU decomposition in packed form: the older form of `linalg.lu_factor`."""
    def matrix_exp(self) -> Tensor:
        """Exponential of a square matrix: the sum of all A^k / k!, by scaling and squaring."""
    def norm(self, p: Number | str | None = 'fro', dim: _int | Sequence[_int] | None = None, keepdim: _bool = False, dtype: _dtype | None = None) -> Tensor:
        """Norm of all elements, or along dimensions: PyTorch's older function; see also `linalg.norm`."""
    def renorm(self, p: _float, dim: _int, maxnorm: _float) -> Tensor:
        """Scales down each part of a tensor whose norm is above a bound: by maxnorm / (norm + 1e-7)."""
    def bernoulli(self, p: _float | None = None, *, generator: Generator | None = None) -> Tensor:
        """Ones with the probability that each element gives, else zeros."""
    def multinomial(self, num_samples: _int, replacement: _bool = False, *, generator: Generator | None = None) -> Tensor:
        """Numbers of categories, drawn with probabilities proportional to a vector, or to each row of a matrix."""
    def bernoulli_(self, p: _float | Tensor = 0.5, *, generator: Generator | None = None) -> Tensor:
        """Fills this tensor with ones with probability p, else zeros."""
    def cauchy_(self, median: _float = 0.0, sigma: _float = 1.0, *, generator: Generator | None = None) -> Tensor:
        """Fills this tensor with random numbers of the Cauchy distribution."""
    def exponential_(self, lambd: _float = 1.0, *, generator: Generator | None = None) -> Tensor:
        """Fills this tensor with random numbers of the exponential distribution, of density lambd * e^(-lambd x)."""
    def geometric_(self, p: _float, *, generator: Generator | None = None) -> Tensor:
        """Fills this tensor with the number of trials up to the first success, which each has with probability p."""
    def log_normal_(self, mean: _float = 1.0, std: _float = 2.0, *, generator: Generator | None = None) -> Tensor:
        """Fills this tensor with random numbers whose logarithms are normal."""
    def normal_(self, mean: _float = 0.0, std: _float = 1.0, *, generator: Generator | None = None) -> Tensor:
        """Fills this tensor with normal random numbers."""
    def random_(self, from_: _int | None = None, to: _int | None = None, *, generator: Generator | None = None) -> Tensor:
        """Fills this tensor with random integers: `random_()`, `random_(to)` or `random_(from, to)`."""
    def uniform_(self, from_: _float = 0.0, to: _float = 1.0, *, generator: Generator | None = None) -> Tensor:
        """Fills this tensor with uniform random numbers in [from, to)."""
    def prelu(self, weight: Tensor) -> Tensor:
        """`leaky_relu` with slopes that are learned: y = x for x > 0, else weight * x."""
    def hardshrink(self, lambd: _float = 0.5) -> Tensor:
        """Elements near 0 set to 0: y = x for |x| > lambd, else 0."""
    def sigmoid(self) -> Tensor:
        """Logistic function of each element: y = 1 / (1 + e^-x)."""
    def sigmoid_(self) -> Tensor:
        """`sigmoid`, the result stored in this tensor, which is returned."""
    def is_complex(self) -> _bool:
        """Whether a tensor's elements are complex numbers."""
    def untyped_storage(self) -> UntypedStorage:
        """The memory in which the elements lie, in bytes."""
    def storage(self) -> TypedStorage:
        """The memory in which the elements lie, in elements."""
    def storage_offset(self) -> _int:
        """The place of the first element in the memory, in elements."""
    def pin_memory(self, device: Any = None) -> Tensor:
        """The tensor itself: the host's memory is never page-locked."""
    def is_pinned(self, device: Any = None) -> _bool:
        """Whether the host's memory is page-locked: False."""
    def record_stream(self, stream: Any) -> None:
        """Accepted as in PyTorch; CuPy's pool keeps memory in the queue that freed it."""
    def resize_(self, *sizes: _int | Sequence[_int], memory_format: MemoryFormat | None = None) -> Tensor:
        """Changes the shape. The elements stay in their order in memory; new ones have no particular value."""
    def resize_as_(self, the_template: Tensor, *, memory_format: MemoryFormat | None = None) -> Tensor:
        """Changes the shape to that of another tensor, as `resize_` does."""
    def new(self, *data: Any) -> Tensor:
        """A tensor of this one's type and device. Prefer `new_tensor(values)` and `new_empty(sizes)`."""
    def apply_(self, callable: Callable[[Any], Any]) -> Tensor:
        """Replaces each element by what a Python function makes of it. Slow: for tensors on the CPU, outside of models."""
    def map_(self, tensor: Tensor, callable: Callable[[Any, Any], Any]) -> Tensor:
        """Replaces each element by what a Python function makes of it and another tensor's element. Slow, as `apply_` is."""
    def is_same_size(self, other: Tensor) -> _bool:
        """Whether another tensor has the same shape."""
    def is_set_to(self, tensor: Tensor) -> _bool:
        """Whether another tensor lies at the same place in memory, in the same shape."""
    def is_conj(self) -> _bool:
        """Whether a conjugation is pending: False."""
    def is_neg(self) -> _bool:
        """Whether a negation is pending: False."""
    def is_distributed(self) -> _bool:
        """Whether several processes hold it: False."""
    def resolve_conj(self) -> Tensor:
        """With pending conjugations done: the tensor itself."""
    def resolve_neg(self) -> Tensor:
        """With pending negations done: the tensor itself."""
    def conj(self) -> Tensor:
        """The complex conjugates of real numbers: the tensor itself."""
    def to_dense(self) -> Tensor:
        """As a dense tensor: the tensor itself."""
    @property
    def is_sparse(self) -> _bool:
        """Whether it is sparse: False."""
    @property
    def is_sparse_csr(self) -> _bool:
        """Whether it is sparse, by rows: False."""
    @property
    def is_quantized(self) -> _bool:
        """Whether it is quantised: False."""
    @property
    def is_mkldnn(self) -> _bool:
        """Whether it is in oneDNN's layout: False."""
    @property
    def is_nested(self) -> _bool:
        """Whether it is a list of tensors: False."""
    @property
    def is_mps(self) -> _bool:
        """Whether it is on Apple's GPU: False."""
    @property
    def is_xpu(self) -> _bool:
        """Whether it is on Intel's GPU: False."""
    @property
    def is_xla(self) -> _bool:
        """Whether it is on a TPU: False."""
    @property
    def is_ipu(self) -> _bool:
        """Whether it is on an IPU: False."""
    @property
    def is_vulkan(self) -> _bool:
        """Whether it is on a Vulkan device: False."""
    @property
    def is_cpu(self) -> _bool:
        """Whether the host's memory holds the elements."""
    @property
    def is_meta(self) -> _bool:
        """Whether it has a shape and a type only, and no values."""
    @property
    def layout(self) -> Layout:
        """How the elements are stored: `gpunet.strided`."""
    @property
    def real(self) -> Tensor:
        """The real parts: the tensor itself."""
    def is_shared(self) -> _bool:
        """Whether `share_memory_` has moved the elements into memory that processes share."""
    def share_memory_(self) -> Tensor:
        """Moves the elements into memory that processes share: those that are forked later, and those to which
        `gpunet.multiprocessing` sends the tensor, see every change.
        """
