# Written by `python -m tests.typing.stubs` from the methods themselves. Do not edit.

from builtins import bool as _bool
from builtins import float as _float
from builtins import int as _int
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from gpunet import devices
from gpunet import dtypes
from gpunet.dtypes import Number
from gpunet.engine.hooks import RemovableHandle
from gpunet.size import Size
from typing import Any
from typing import overload
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
    def __init__(self, data: Any = (), *, device: Any = None) -> None: ...
    def _adopt(self, other: Tensor) -> None: ...
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
    def is_contiguous(self, memory_format: Any = None) -> _bool:
        """Whether the elements lie in memory in row-major order, without gaps; `memory_format` changes nothing."""
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
        """The node of the graph that computed it, None for a leaf."""
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
    def __bool__(self) -> _bool: ...
    def __float__(self) -> _float: ...
    def __int__(self) -> _int: ...
    def __index__(self) -> _int: ...
    def __format__(self, spec: str) -> str: ...
    def __contains__(self, value: Any) -> _bool: ...
    def __iter__(self) -> Iterator[Tensor]: ...
    def __reduce__(self) -> tuple: ...
    def __deepcopy__(self, memo: dict) -> Tensor: ...
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
    def addcdiv(self, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
        """input + value * tensor1 / tensor2, with broadcasting."""
    def addcmul(self, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
        """input + value * tensor1 * tensor2, with broadcasting. For integers `value` loses its fraction."""
    def clamp(self, min: Any = None, max: Any = None) -> Any:
        """Every element brought into [min, max]; either may be None, a number or a tensor."""
    def clamp_max(self, max: Any) -> Any:
        """Every element, but no more than `max`, a number or a tensor."""
    def clamp_min(self, min: Any) -> Any:
        """Every element, but no less than `min`, a number or a tensor."""
    def clip(self, min: Any = None, max: Any = None) -> Any:
        """Every element brought into [min, max]; either may be None, a number or a tensor."""
    def copysign(self, y: Any) -> Any:
        """|input| with the sign of other."""
    def fmax(self, y: Any) -> Any:
        """The larger of two elements; a number rather than NaN. At a tie the input gets the gradient."""
    def fmin(self, y: Any) -> Any:
        """The smaller of two elements; a number rather than NaN. At a tie the input gets the gradient."""
    def lerp(self, end: Any, weight: Any) -> Any:
        """input + weight * (end - input), with broadcasting; `weight` may be a number."""
    def maximum(self, y: Any) -> Any:
        """The larger of two elements; NaN if either is. At a tie each input gets half of the gradient."""
    def minimum(self, y: Any) -> Any:
        """The smaller of two elements; NaN if either is. At a tie each input gets half of the gradient."""
    def nan_to_num(self, nan: _float = 0.0, posinf: _float | None = None, neginf: _float | None = None) -> Any:
        """NaN and the infinities replaced by numbers: by default 0, and the type's largest and smallest."""
    def addcdiv_(self, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
        """`addcdiv`, the result stored in this tensor, which is returned."""
    def addcmul_(self, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
        """`addcmul`, the result stored in this tensor, which is returned."""
    def clamp_(self, min: Any = None, max: Any = None) -> Any:
        """`clamp`, the result stored in this tensor, which is returned."""
    def clamp_max_(self, max: Any) -> Any:
        """`clamp_max`, the result stored in this tensor, which is returned."""
    def clamp_min_(self, min: Any) -> Any:
        """`clamp_min`, the result stored in this tensor, which is returned."""
    def clip_(self, min: Any = None, max: Any = None) -> Any:
        """`clip`, the result stored in this tensor, which is returned."""
    def copysign_(self, y: Any) -> Any:
        """`copysign`, the result stored in this tensor, which is returned."""
    def lerp_(self, end: Any, weight: Any) -> Any:
        """`lerp`, the result stored in this tensor, which is returned."""
    def nan_to_num_(self, nan: _float = 0.0, posinf: _float | None = None, neginf: _float | None = None) -> Any:
        """`nan_to_num`, the result stored in this tensor, which is returned."""
    def abs(self, *, out: Tensor | None = None) -> Tensor:
        """Absolute value of each element: y = |x|. Its gradient at 0 is 0."""
    def absolute(self, *, out: Tensor | None = None) -> Tensor:
        """Absolute value of each element: y = |x|. Its gradient at 0 is 0."""
    def add(self, other: Tensor | Number, *, alpha: Number = 1, out: Tensor | None = None) -> Tensor:
        """Sum: y = input + alpha * other."""
    def div(self, other: Tensor | Number, *, rounding_mode: str | None = None, out: Tensor | None = None) -> Tensor:
        """Quotient: y = input / other, or rounded to an integer."""
    def divide(self, other: Tensor | Number, *, rounding_mode: str | None = None, out: Tensor | None = None) -> Tensor:
        """Quotient: y = input / other, or rounded to an integer."""
    def float_power(self, exponent: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """Power, computed in float64: y = input^exponent."""
    def floor_divide(self, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """Quotient rounded down: y = floor(input / other), as Python's `//`. Its gradient is zero."""
    def fmod(self, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """Remainder of a division rounded towards zero: y = input - other * trunc(input / other), as C's fmod."""
    def mul(self, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """Product: y = input * other."""
    def multiply(self, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """Product: y = input * other."""
    def neg(self, *, out: Tensor | None = None) -> Tensor:
        """Negative of each element: y = -x."""
    def negative(self, *, out: Tensor | None = None) -> Tensor:
        """Negative of each element: y = -x."""
    def positive(self) -> Tensor:
        """The input itself: y = +x."""
    def pow(self, exponent: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """Power: y = input^exponent."""
    def remainder(self, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
        """Remainder of a division rounded down: y = input - other * floor(input / other), as Python's `%`."""
    def rsub(self, other: Tensor | Number, *, alpha: Number = 1) -> Tensor:
        """Difference, with the operands exchanged: y = other - alpha * input."""
    def square(self, *, out: Tensor | None = None) -> Tensor:
        """Square of each element: y = x^2."""
    def sub(self, other: Tensor | Number, *, alpha: Number = 1, out: Tensor | None = None) -> Tensor:
        """Difference: y = input - alpha * other."""
    def subtract(self, other: Tensor | Number, *, alpha: Number = 1, out: Tensor | None = None) -> Tensor:
        """Difference: y = input - alpha * other."""
    def true_divide(self, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
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
    def allclose(self, other: Any, rtol: _float = 1e-05, atol: _float = 1e-08, equal_nan: _bool = False) -> _bool:
        """Whether all elements are close (see `isclose`): a Python bool, read on the host."""
    def bitwise_and(self, y: Any) -> Any:
        """`bitwise_and` of integers or bools, element by element."""
    def bitwise_left_shift(self, y: Any) -> Any:
        """input * 2^other, what overflows being lost."""
    def bitwise_not(self) -> Any:
        """Every bit inverted; for bool, logical not."""
    def bitwise_or(self, y: Any) -> Any:
        """`bitwise_or` of integers or bools, element by element."""
    def bitwise_right_shift(self, y: Any) -> Any:
        """The largest integer not above input / 2^other."""
    def bitwise_xor(self, y: Any) -> Any:
        """`bitwise_xor` of integers or bools, element by element."""
    def eq(self, y: Any) -> Any:
        """Whether input == other, element by element: a bool tensor."""
    def equal(self, other: Any) -> _bool:
        """Whether both have one shape and the same elements: a Python bool, read on the host."""
    def ge(self, y: Any) -> Any:
        """Whether input >= other, element by element: a bool tensor."""
    def greater(self, y: Any) -> Any:
        """Whether input > other, element by element: a bool tensor."""
    def greater_equal(self, y: Any) -> Any:
        """Whether input >= other, element by element: a bool tensor."""
    def gt(self, y: Any) -> Any:
        """Whether input > other, element by element: a bool tensor."""
    def isclose(self, other: Any, rtol: _float = 1e-05, atol: _float = 1e-08, equal_nan: _bool = False) -> Any:
        """Whether |input - other| <= atol + rtol |other|, element by element. Infinities are close to themselves only, NaN
        to NaN if `equal_nan`. Both must have one type.
        """
    def isfinite(self) -> Any:
        """Whether the element is neither infinite nor NaN."""
    def isinf(self) -> Any:
        """Whether the element is infinite."""
    def isnan(self) -> Any:
        """Whether the element is not a number."""
    def le(self, y: Any) -> Any:
        """Whether input <= other, element by element: a bool tensor."""
    def less(self, y: Any) -> Any:
        """Whether input < other, element by element: a bool tensor."""
    def less_equal(self, y: Any) -> Any:
        """Whether input <= other, element by element: a bool tensor."""
    def logical_and(self, y: Any) -> Any:
        """Whether both are nonzero, element by element: a bool tensor."""
    def logical_not(self) -> Any:
        """Whether the element is zero."""
    def logical_or(self, y: Any) -> Any:
        """Whether one of both is nonzero, element by element: a bool tensor."""
    def logical_xor(self, y: Any) -> Any:
        """Whether exactly one of both is nonzero, element by element: a bool tensor."""
    def lt(self, y: Any) -> Any:
        """Whether input < other, element by element: a bool tensor."""
    def ne(self, y: Any) -> Any:
        """Whether input != other, element by element: a bool tensor."""
    def not_equal(self, y: Any) -> Any:
        """Whether input != other, element by element: a bool tensor."""
    def signbit(self) -> Any:
        """Whether the sign is minus, that of -0.0 too."""
    def bitwise_and_(self, y: Any) -> Any:
        """`bitwise_and`, the result stored in this tensor, which is returned."""
    def bitwise_left_shift_(self, y: Any) -> Any:
        """`bitwise_left_shift`, the result stored in this tensor, which is returned."""
    def bitwise_not_(self) -> Any:
        """`bitwise_not`, the result stored in this tensor, which is returned."""
    def bitwise_or_(self, y: Any) -> Any:
        """`bitwise_or`, the result stored in this tensor, which is returned."""
    def bitwise_right_shift_(self, y: Any) -> Any:
        """`bitwise_right_shift`, the result stored in this tensor, which is returned."""
    def bitwise_xor_(self, y: Any) -> Any:
        """`bitwise_xor`, the result stored in this tensor, which is returned."""
    def eq_(self, y: Any) -> Any:
        """`eq`, the result stored in this tensor, which is returned."""
    def ge_(self, y: Any) -> Any:
        """`ge`, the result stored in this tensor, which is returned."""
    def greater_(self, y: Any) -> Any:
        """`greater`, the result stored in this tensor, which is returned."""
    def greater_equal_(self, y: Any) -> Any:
        """`greater_equal`, the result stored in this tensor, which is returned."""
    def gt_(self, y: Any) -> Any:
        """`gt`, the result stored in this tensor, which is returned."""
    def le_(self, y: Any) -> Any:
        """`le`, the result stored in this tensor, which is returned."""
    def less_(self, y: Any) -> Any:
        """`less`, the result stored in this tensor, which is returned."""
    def less_equal_(self, y: Any) -> Any:
        """`less_equal`, the result stored in this tensor, which is returned."""
    def logical_and_(self, y: Any) -> Any:
        """`logical_and`, the result stored in this tensor, which is returned."""
    def logical_not_(self) -> Any:
        """`logical_not`, the result stored in this tensor, which is returned."""
    def logical_or_(self, y: Any) -> Any:
        """`logical_or`, the result stored in this tensor, which is returned."""
    def logical_xor_(self, y: Any) -> Any:
        """`logical_xor`, the result stored in this tensor, which is returned."""
    def lt_(self, y: Any) -> Any:
        """`lt`, the result stored in this tensor, which is returned."""
    def ne_(self, y: Any) -> Any:
        """`ne`, the result stored in this tensor, which is returned."""
    def not_equal_(self, y: Any) -> Any:
        """`not_equal`, the result stored in this tensor, which is returned."""
    def exp(self, *, out: Tensor | None = None) -> Tensor:
        """Exponential of each element: y = e^x."""
    def exp2(self, *, out: Tensor | None = None) -> Tensor:
        """Power of two of each element: y = 2^x."""
    def expm1(self, *, out: Tensor | None = None) -> Tensor:
        """Exponential minus 1: y = e^x - 1, accurate for x near 0."""
    def log(self, *, out: Tensor | None = None) -> Tensor:
        """Natural logarithm of each element: y = ln x."""
    def log10(self, *, out: Tensor | None = None) -> Tensor:
        """Logarithm to base 10 of each element: y = log10 x."""
    def log1p(self, *, out: Tensor | None = None) -> Tensor:
        """Natural logarithm of 1 plus each element: y = ln(1 + x), accurate for x near 0."""
    def log2(self, *, out: Tensor | None = None) -> Tensor:
        """Logarithm to base 2 of each element: y = log2 x."""
    def logaddexp(self, other: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Logarithm of a sum of exponentials: y = ln(e^input + e^other), without overflow for finite values."""
    def logaddexp2(self, other: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Logarithm of a sum of powers: y = log2(2^input + 2^other), without overflow for finite values."""
    def reciprocal(self, *, out: Tensor | None = None) -> Tensor:
        """Reciprocal of each element: y = 1 / x."""
    def rsqrt(self, *, out: Tensor | None = None) -> Tensor:
        """Reciprocal of the square root of each element: y = 1 / sqrt(x)."""
    def sqrt(self, *, out: Tensor | None = None) -> Tensor:
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
    def acos(self, *, out: Tensor | None = None) -> Tensor:
        """Inverse cosine: y in [0, pi] with cos y = x."""
    def acosh(self, *, out: Tensor | None = None) -> Tensor:
        """Inverse hyperbolic cosine: y = ln(x + sqrt(x^2 - 1))."""
    def arccos(self, *, out: Tensor | None = None) -> Tensor:
        """Inverse cosine: y in [0, pi] with cos y = x."""
    def arccosh(self, *, out: Tensor | None = None) -> Tensor:
        """Inverse hyperbolic cosine: y = ln(x + sqrt(x^2 - 1))."""
    def arcsin(self, *, out: Tensor | None = None) -> Tensor:
        """Inverse sine: y in [-pi/2, pi/2] with sin y = x."""
    def arcsinh(self, *, out: Tensor | None = None) -> Tensor:
        """Inverse hyperbolic sine: y = ln(x + sqrt(x^2 + 1))."""
    def arctan(self, *, out: Tensor | None = None) -> Tensor:
        """Inverse tangent: y in [-pi/2, pi/2] with tan y = x."""
    def arctan2(self, other: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Angle of the point (other, input) in radians, from -pi to pi: the inverse tangent of input / other."""
    def arctanh(self, *, out: Tensor | None = None) -> Tensor:
        """Inverse hyperbolic tangent: y = ln((1 + x) / (1 - x)) / 2."""
    def asin(self, *, out: Tensor | None = None) -> Tensor:
        """Inverse sine: y in [-pi/2, pi/2] with sin y = x."""
    def asinh(self, *, out: Tensor | None = None) -> Tensor:
        """Inverse hyperbolic sine: y = ln(x + sqrt(x^2 + 1))."""
    def atan(self, *, out: Tensor | None = None) -> Tensor:
        """Inverse tangent: y in [-pi/2, pi/2] with tan y = x."""
    def atan2(self, other: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Angle of the point (other, input) in radians, from -pi to pi: the inverse tangent of input / other."""
    def atanh(self, *, out: Tensor | None = None) -> Tensor:
        """Inverse hyperbolic tangent: y = ln((1 + x) / (1 - x)) / 2."""
    def cos(self, *, out: Tensor | None = None) -> Tensor:
        """Cosine of each element, an angle in radians: y = cos x."""
    def cosh(self, *, out: Tensor | None = None) -> Tensor:
        """Hyperbolic cosine of each element: y = (e^x + e^-x) / 2."""
    def deg2rad(self, *, out: Tensor | None = None) -> Tensor:
        """Radians of angles in degrees: y = x * pi / 180."""
    def hypot(self, other: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Length of the hypotenuse: y = sqrt(input^2 + other^2), without overflow."""
    def rad2deg(self, *, out: Tensor | None = None) -> Tensor:
        """Degrees of angles in radians: y = x * 180 / pi."""
    def sin(self, *, out: Tensor | None = None) -> Tensor:
        """Sine of each element, an angle in radians: y = sin x."""
    def sinh(self, *, out: Tensor | None = None) -> Tensor:
        """Hyperbolic sine of each element: y = (e^x - e^-x) / 2."""
    def tan(self, *, out: Tensor | None = None) -> Tensor:
        """Tangent of each element, an angle in radians: y = tan x."""
    def tanh(self, *, out: Tensor | None = None) -> Tensor:
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
    def ceil(self, *, out: Tensor | None = None) -> Tensor:
        """Smallest integer that is at least x: y = ceil(x)."""
    def fix(self, *, out: Tensor | None = None) -> Tensor:
        """Integer part of each element: x rounded towards zero."""
    def floor(self, *, out: Tensor | None = None) -> Tensor:
        """Largest integer that is at most x: y = floor(x)."""
    def frac(self, *, out: Tensor | None = None) -> Tensor:
        """Fractional part of each element: y = x - trunc(x), with the sign of x."""
    def round(self, *, decimals: _int = 0, out: Tensor | None = None) -> Tensor:
        """Each element rounded to the nearest integer, or to `decimals` decimal places."""
    def sign(self, *, out: Tensor | None = None) -> Tensor:
        """Sign of each element: -1, 0 or 1."""
    def trunc(self, *, out: Tensor | None = None) -> Tensor:
        """Integer part of each element: x rounded towards zero."""
    def ceil_(self) -> Tensor:
        """`ceil`, the result stored in this tensor, which is returned."""
    def fix_(self) -> Tensor:
        """`fix`, the result stored in this tensor, which is returned."""
    def floor_(self) -> Tensor:
        """`floor`, the result stored in this tensor, which is returned."""
    def frac_(self) -> Tensor:
        """`frac`, the result stored in this tensor, which is returned."""
    def round_(self, *, decimals: _int = 0) -> Tensor:
        """`round`, the result stored in this tensor, which is returned."""
    def sign_(self) -> Tensor:
        """`sign`, the result stored in this tensor, which is returned."""
    def trunc_(self) -> Tensor:
        """`trunc`, the result stored in this tensor, which is returned."""
    def digamma(self) -> Any:
        """The derivative of lgamma."""
    def erf(self) -> Any:
        """The error function, 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x."""
    def erfc(self) -> Any:
        """1 - erf(x), exact where that is small."""
    def erfinv(self) -> Any:
        """The inverse of the error function, on [-1, 1]."""
    def lgamma(self) -> Any:
        """The logarithm of the absolute value of the gamma function."""
    def logit(self, eps: _float | None = None) -> Any:
        """log(x / (1 - x)), the inverse of sigmoid; with `eps` the input is first brought into [eps, 1 - eps]."""
    def sinc(self) -> Any:
        """sin(pi x) / (pi x), 1 at 0."""
    def xlogy(self, y: Any) -> Any:
        """input * log(other); 0 where the input is 0, but for a NaN in other."""
    def polygamma(self, n: Any) -> Any: ...
    def polygamma_(self, n: Any) -> Any: ...
    def digamma_(self) -> Any:
        """`digamma`, the result stored in this tensor, which is returned."""
    def erf_(self) -> Any:
        """`erf`, the result stored in this tensor, which is returned."""
    def erfc_(self) -> Any:
        """`erfc`, the result stored in this tensor, which is returned."""
    def erfinv_(self) -> Any:
        """`erfinv`, the result stored in this tensor, which is returned."""
    def lgamma_(self) -> Any:
        """`lgamma`, the result stored in this tensor, which is returned."""
    def logit_(self, eps: _float | None = None) -> Any:
        """`logit`, the result stored in this tensor, which is returned."""
    def sinc_(self) -> Any:
        """`sinc`, the result stored in this tensor, which is returned."""
    def xlogy_(self, y: Any) -> Any:
        """`xlogy`, the result stored in this tensor, which is returned."""
    def hardshrink(self, lambd: _float = 0.5) -> Any:
        """x, but 0 where |x| <= lambd."""
    def prelu(self, weight: Any) -> Any:
        """x, but weight * x where x <= 0: one weight, or one for each channel (dimension 1)."""
    def relu(self) -> Any:
        """max(x, 0)."""
    def sigmoid(self) -> Any:
        """1 / (1 + exp(-x)); for large -x the exponential is infinite and the result 0, as it should be."""
    def relu_(self) -> Any:
        """`relu`, the result stored in this tensor, which is returned."""
    def sigmoid_(self) -> Any:
        """`sigmoid`, the result stored in this tensor, which is returned."""
    def all(self, dim: Any = None, keepdim: Any = False) -> Any:
        """Whether all elements (along the dimensions) are nonzero."""
    def amax(self, dim: Any = (), keepdim: Any = False) -> Any:
        """The largest elements over the given dimensions (all by default); equal ones share the gradient."""
    def amin(self, dim: Any = (), keepdim: Any = False) -> Any:
        """The smallest elements over the given dimensions (all by default); equal ones share the gradient."""
    def aminmax(self, *, dim: Any = None, keepdim: Any = False) -> Any:
        """The pair (min, max) of all elements, or along a dimension."""
    def any(self, dim: Any = None, keepdim: Any = False) -> Any:
        """Whether any element (along the dimensions) is nonzero."""
    def argmax(self, dim: Any = None, keepdim: Any = False) -> Any:
        """The index (int64) of the largest element, the first of equals: of all elements flattened, or along `dim`."""
    def argmin(self, dim: Any = None, keepdim: Any = False) -> Any:
        """The index (int64) of the smallest element, the first of equals: of all elements flattened, or along `dim`."""
    def count_nonzero(self, dim: Any = None) -> Any:
        """How many elements (along the dimensions) are not zero."""
    def max(self, dim: Any = None, keepdim: Any = False) -> Any:
        """Without `dim` the maximum of all elements; with `dim` a pair (values, indices) along it; with a tensor as second argument the element-wise maximum."""
    def mean(self, dim: Any = None, keepdim: Any = False, *, dtype: Any = None) -> Any:
        """The mean over all elements, or over the given dimensions; floating-point types only (or give `dtype`)."""
    def min(self, dim: Any = None, keepdim: Any = False) -> Any:
        """Without `dim` the minimum of all elements; with `dim` a pair (values, indices) along it; with a tensor as second argument the element-wise minimum."""
    def nanmean(self, dim: Any = None, keepdim: Any = False, *, dtype: Any = None) -> Any:
        """The mean of what is not NaN."""
    def nansum(self, dim: Any = None, keepdim: Any = False, *, dtype: Any = None) -> Any:
        """The sum of what is not NaN."""
    def prod(self, dim: Any = None, keepdim: Any = False, *, dtype: Any = None) -> Any:
        """The product of all elements, or along one dimension. Integers and bools multiply in int64."""
    def std(self, dim: Any = None, unbiased: Any = None, keepdim: Any = False, *, correction: Any = 1) -> Any:
        """The standard deviation: the square root of `var`."""
    def std_mean(self, dim: Any = None, unbiased: Any = None, keepdim: Any = False, *, correction: Any = 1) -> Any:
        """The pair (std, mean)."""
    def sum(self, dim: Any = None, keepdim: Any = False, *, dtype: Any = None) -> Any:
        """The sum over all elements, or over the given dimensions. Integers and bools sum in int64, half types in
        float32 before the result is rounded.
        """
    def var(self, dim: Any = None, unbiased: Any = None, keepdim: Any = False, *, correction: Any = 1) -> Any:
        """The variance with divisor N - correction (Bessel's correction by default); `unbiased` True or False is an older
        way to say correction 1 or 0, and may come first: var(x, False).
        """
    def var_mean(self, dim: Any = None, unbiased: Any = None, keepdim: Any = False, *, correction: Any = 1) -> Any:
        """The pair (var, mean)."""
    def broadcast_to(self, shape: Any) -> Any:
        """`expand` to a shape."""
    def chunk(self, chunks: _int, dim: _int = 0) -> Any:
        """At most `chunks` pieces of equal size (the last may be smaller) along a dimension: views."""
    def clone(self, *, memory_format: Any = None) -> Any:
        """A copy with memory of its own; gradients flow through it."""
    def flatten(self, start_dim: _int = 0, end_dim: _int = -1) -> Any:
        """The dimensions from start_dim to end_dim made into one. A 0-d tensor becomes one element."""
    def moveaxis(self, source: Any, destination: Any) -> Any:
        """Dimensions moved to other places, the rest keeping their order."""
    def movedim(self, source: Any, destination: Any) -> Any:
        """Dimensions moved to other places, the rest keeping their order."""
    def narrow(self, dim: _int, start: _int, length: _int) -> Any:
        """`length` elements of a dimension from `start` on: a view."""
    def permute(self, *dims: Any) -> Any:
        """The dimensions in another order: a view."""
    def ravel(self) -> Any:
        """All elements in one dimension."""
    def reshape(self, *shape: Any) -> Any:
        """The same elements in another shape: a view where that is possible, else a copy. One size may be -1."""
    def select(self, dim: _int, index: _int) -> Any:
        """One index of a dimension, which disappears: a view."""
    def squeeze(self, dim: Any = None) -> Any:
        """Without the dimensions of size 1: all of them, or only those given."""
    def swapaxes(self, dim0: _int, dim1: _int) -> Any:
        """Two dimensions exchanged: a view."""
    def swapdims(self, dim0: _int, dim1: _int) -> Any:
        """Two dimensions exchanged: a view."""
    def t(self) -> Any:
        """The transpose of a matrix; tensors of fewer dimensions are returned as they are."""
    def transpose(self, dim0: _int, dim1: _int) -> Any:
        """Two dimensions exchanged: a view."""
    def unbind(self, dim: _int = 0) -> Any:
        """A tuple of the slices along a dimension: views."""
    def unflatten(self, dim: _int, sizes: Any) -> Any:
        """One dimension split into several; one size may be -1."""
    def unsqueeze(self, dim: _int) -> Any:
        """A new dimension of size 1 at `dim`."""
    def contiguous(self) -> Any:
        """The tensor itself if its elements lie in memory in row-major order, else a copy that does."""
    def expand(self, *shape: Any) -> Any:
        """Size-1 dimensions repeated without a copy; -1 keeps a size; new dimensions may be added in front."""
    def split(self, split_size_or_sections: Any, dim: _int = 0) -> Any:
        """Pieces of one size (the last may be smaller), or of the given sizes, along a dimension: views."""
    def unfold(self, dimension: _int, size: _int, step: _int) -> Any:
        """All windows of `size` elements, `step` apart, along a dimension; their elements become the last one: a view."""
    def view(self, *shape: Any) -> Any:
        """The same memory in another shape, or its bits as another type (without gradients). An error where that would
        need a copy (use `reshape`).
        """
    def squeeze_(self, *arguments: Any) -> Any:
        """`squeeze` of the tensor itself."""
    def swapaxes_(self, *arguments: Any) -> Any:
        """`transpose` of the tensor itself."""
    def swapdims_(self, *arguments: Any) -> Any:
        """`transpose` of the tensor itself."""
    def t_(self, *arguments: Any) -> Any:
        """`t` of the tensor itself."""
    def transpose_(self, *arguments: Any) -> Any:
        """`transpose` of the tensor itself."""
    def unsqueeze_(self, *arguments: Any) -> Any:
        """`unsqueeze` of the tensor itself."""
    @overload
    def to(self, dtype: dtypes.dtype, non_blocking: _bool = False, copy: _bool = False, *, memory_format: Any = None) -> Tensor:
        """The tensor on another device or as another type: `to(device)`, `to(dtype)`, `to(device, dtype)`, `to(other)`."""
    @overload
    def to(self, device: devices.device | str | _int | None = None, dtype: dtypes.dtype | None = None, non_blocking: _bool = False, copy: _bool = False, *, memory_format: Any = None) -> Tensor: ...
    @overload
    def to(self, other: Tensor, non_blocking: _bool = False, copy: _bool = False, *, memory_format: Any = None) -> Tensor: ...
    def cpu(self, memory_format: Any = None) -> Tensor:
        """The tensor in the host's memory."""
    def cuda(self, device: devices.device | str | _int | None = None, non_blocking: _bool = False, memory_format: Any = None) -> Tensor:
        """The tensor on a GPU: that of a name or number, by default the current one."""
    @overload
    def type(self, dtype: None = None, non_blocking: _bool = False) -> str:
        """The tensor as a type; without it the type's name."""
    @overload
    def type(self, dtype: dtypes.dtype, non_blocking: _bool = False) -> Tensor: ...
    def type_as(self, other: Tensor) -> Tensor:
        """The tensor as the type of another one."""
    def new_tensor(self, data: Any, *, dtype: dtypes.dtype | None = None, device: Any = None, requires_grad: _bool = False, layout: Any = None, pin_memory: _bool = False) -> Tensor:
        """`gpunet.tensor(data)` with this tensor's type and device; numbers inside a recorded step become fills."""
    def new_full(self, size: Sequence[_int], fill_value: Number, *, dtype: dtypes.dtype | None = None, device: Any = None, requires_grad: _bool = False, layout: Any = None, pin_memory: _bool = False) -> Tensor:
        """`gpunet.full(size, fill_value)` with this tensor's type and device."""
    def new_zeros(self, *size: Any, dtype: dtypes.dtype | None = None, device: Any = None, requires_grad: _bool = False, layout: Any = None, pin_memory: _bool = False) -> Tensor:
        """`gpunet.zeros(size)` with this tensor's type and device."""
    def new_ones(self, *size: Any, dtype: dtypes.dtype | None = None, device: Any = None, requires_grad: _bool = False, layout: Any = None, pin_memory: _bool = False) -> Tensor:
        """`gpunet.ones(size)` with this tensor's type and device."""
    def new_empty(self, *size: Any, dtype: dtypes.dtype | None = None, device: Any = None, requires_grad: _bool = False, layout: Any = None, pin_memory: _bool = False) -> Tensor:
        """`gpunet.empty(size)` with this tensor's type and device."""
    def float(self, memory_format: Any = None) -> Tensor:
        """The tensor as gpunet.float32."""
    def double(self, memory_format: Any = None) -> Tensor:
        """The tensor as gpunet.float64."""
    def half(self, memory_format: Any = None) -> Tensor:
        """The tensor as gpunet.float16."""
    def bfloat16(self, memory_format: Any = None) -> Tensor:
        """The tensor as gpunet.bfloat16."""
    def bool(self, memory_format: Any = None) -> Tensor:
        """The tensor as gpunet.bool."""
    def long(self, memory_format: Any = None) -> Tensor:
        """The tensor as gpunet.int64."""
    def int(self, memory_format: Any = None) -> Tensor:
        """The tensor as gpunet.int32."""
    def short(self, memory_format: Any = None) -> Tensor:
        """The tensor as gpunet.int16."""
    def char(self, memory_format: Any = None) -> Tensor:
        """The tensor as gpunet.int8."""
    def byte(self, memory_format: Any = None) -> Tensor:
        """The tensor as gpunet.uint8."""
    def gather(self, dim: _int, index: Any, *, sparse_grad: _bool = False) -> Any:
        """out[i][j] = input[index[i][j]][j] for dim 0, and so on: one element for each element of `index` (int64)."""
    def index_select(self, dim: _int, index: Any) -> Any:
        """The entries `index` (1-d integer tensor) of a dimension: a copy."""
    def masked_fill(self, mask: Any, value: Any) -> Any:
        """`value` where the mask holds, else `input`."""
    def nonzero(self, *, as_tuple: _bool = False) -> Any:
        """The indices of the nonzero elements: int64 of shape [count, dimensions], or with as_tuple a tensor for each
        dimension, as an index takes them. Reads the tensor on the host.
        """
    def masked_fill_(self, mask: Any, value: Any) -> Any:
        """`masked_fill`, the result stored in this tensor, which is returned."""
    def bmm(self, mat2: Any) -> Any:
        """The matrix product of tensors with exactly 3 dimensions."""
    def dot(self, tensor: Any) -> Any:
        """The inner product of two vectors."""
    def matmul(self, other: Any) -> Any:
        """The matrix product as `torch.matmul`: vectors are rows on the left and columns on the right, and leading
        dimensions are a batch that broadcasts.
        """
    def mm(self, mat2: Any) -> Any:
        """The matrix product of tensors with exactly 2 dimensions."""
    def fill(self, value: Any) -> Any:
        """A tensor like `input` with every element set to a number or to a 0-d tensor's value."""
    def add_(self, other: Any, *, alpha: Any = 1) -> Any:
        """`add`, the result stored in this tensor."""
    def sub_(self, other: Any, *, alpha: Any = 1) -> Any:
        """`sub`, the result stored in this tensor."""
    def subtract_(self, other: Any, *, alpha: Any = 1) -> Any:
        """`sub`, the result stored in this tensor."""
    def copy_(self, source: Any, non_blocking: _bool = False) -> Any:
        """Copies `source` into the tensor, broadcasting and casting. It may be on another device."""
    def fill_(self, value: Any) -> Any:
        """Sets every element to a number or to a 0-d tensor's value."""
    def zero_(self) -> Any:
        """Sets every element to 0."""
    def __setitem__(self, index: Any, value: Any, /) -> None: ...
    def __iadd__(self, other: Any, /) -> Tensor: ...
    def __isub__(self, other: Any, /) -> Tensor: ...
    def __imul__(self, other: Any, /) -> Tensor: ...
    def __itruediv__(self, other: Any, /) -> Tensor: ...
    def __ipow__(self, other: Any, /) -> Tensor: ...
    def __ifloordiv__(self, other: Any, /) -> Tensor: ...
    def __imod__(self, other: Any, /) -> Tensor: ...
    def combinations(self, r: _int = 2, with_replacement: _bool = False) -> Any:
        """All combinations of r elements of a vector, as rows, in the order of itertools.combinations."""
    def dsplit(self, indices_or_sections: Any) -> Any:
        """Equal pieces, or pieces up to the given indices, along dimension 2."""
    def flip(self, *axes: Any, dims: Any = ()) -> Any:
        """The order of the elements reversed along the given dimensions (by place or as dims=): a copy, as in PyTorch."""
    def fliplr(self) -> Any:
        """The order of dimension 1 reversed."""
    def flipud(self) -> Any:
        """The order of dimension 0 reversed."""
    def hsplit(self, indices_or_sections: Any) -> Any:
        """Equal pieces, or pieces up to the given indices, along dimension 1."""
    def repeat_interleave(self, repeats: Any = None, dim: _int | None = None, *, output_size: _int | None = None) -> Any:
        """Each element repeated on the spot: all as often as a number says, or each as a vector says (which is read on the
        host). Without `dim` of the flattened tensor. With one argument, that is the vector: 0 so often, 1 so often ...
        """
    def roll(self, shifts: Any, dims: Any = None) -> Any:
        """The elements moved on along dimensions, those that leave entering at the other end; without dims, of the
        flattened tensor.
        """
    def rot90(self, k: _int = 1, dims: Any = ...) -> Any:
        """The planes of two dimensions turned by k times 90 degrees, from the first towards the second."""
    def split_with_sizes(self, split_sizes: Any, dim: _int = 0) -> Any:
        """Pieces of the given sizes along a dimension."""
    def tensor_split(self, indices_or_sections: Any, dim: _int = 0) -> Any:
        """So many pieces along a dimension, the first ones larger by 1 where the size is no multiple; or pieces that end
        before the given indices, as slices do.
        """
    def tile(self, *dims: Any) -> Any:
        """As `repeat`, where numbers that are missing in front are 1."""
    def vsplit(self, indices_or_sections: Any) -> Any:
        """Equal pieces, or pieces up to the given indices, along dimension 0."""
    def repeat(self, *repeats: Any) -> Any:
        """The tensor laid side by side: as often as given along each dimension; new dimensions may be added in front."""
    def log_softmax(self, dim: _int | None = None, dtype: Any = None) -> Any:
        """log(softmax(x)) along a dimension, without losing the small probabilities."""
    def logsumexp(self, dim: Any, keepdim: Any = False) -> Any:
        """log(sum(exp(x))) over the dimensions, safe for any finite x."""
    def softmax(self, dim: _int | None = None, dtype: Any = None) -> Any:
        """exp(x) / sum(exp(x)) along a dimension; safe for any finite x. Without `dim` PyTorch's old choice is taken, 0 or
        1, with a warning.
        """
    def cummax(self, dim: _int) -> Any:
        """Along a dimension, the largest of each element and all before it, NaN counting as the largest: a pair (values,
        indices), the last of equals.
        """
    def cummin(self, dim: _int) -> Any:
        """Along a dimension, the smallest of each element and all before it, NaN counting as the smallest: a pair (values,
        indices), the last of equals.
        """
    def cumprod(self, dim: _int, *, dtype: Any = None) -> Any:
        """Along a dimension, the product of each element and all before it. Integers and bools multiply in int64."""
    def cumsum(self, dim: _int, *, dtype: Any = None) -> Any:
        """Along a dimension, the sum of each element and all before it. Integers and bools sum in int64."""
    def logcumsumexp(self, dim: _int) -> Any:
        """Along a dimension, log(sum(exp(x))) of each element and all before it, without overflow."""
    def cumprod_(self, dim: _int, *, dtype: Any = None) -> Any:
        """`cumprod`, the result stored in this tensor, which is returned."""
    def cumsum_(self, dim: _int, *, dtype: Any = None) -> Any:
        """`cumsum`, the result stored in this tensor, which is returned."""
    def argsort(self, dim: _int = -1, descending: _bool = False, stable: _bool = False) -> Any:
        """The indices (int64) that sort a dimension; equal elements keep their order."""
    def kthvalue(self, k: _int, dim: _int = -1, keepdim: _bool = False) -> Any:
        """The k-th smallest element of a dimension, counted from 1: a pair (values, indices)."""
    def median(self, dim: _int | None = None, keepdim: _bool = False) -> Any:
        """The median; NaN if any element is, the lower one of two middle elements: of all elements, or along `dim` as a pair (values, indices)."""
    def mode(self, dim: _int = -1, keepdim: _bool = False) -> Any:
        """The most frequent element of a dimension, the smallest of several: a pair (values, indices)."""
    def msort(self) -> Any:
        """The first dimension in ascending order."""
    def nanmedian(self, dim: _int | None = None, keepdim: _bool = False) -> Any:
        """The median of what is not NaN, the lower one of two middle elements: of all elements, or along `dim` as a pair (values, indices)."""
    def nanquantile(self, q: Any, dim: _int | None = None, keepdim: _bool = False, *, interpolation: str = 'linear') -> Any:
        """The quantile of what is not NaN: q (a number or a vector, from 0 to 1) is the share of elements below. Of all elements, or along `dim`; a vector's results stand along a new first dimension. Between two elements: interpolation linear, lower, higher, midpoint or nearest."""
    def quantile(self, q: Any, dim: _int | None = None, keepdim: _bool = False, *, interpolation: str = 'linear') -> Any:
        """The quantile; NaN if any element is: q (a number or a vector, from 0 to 1) is the share of elements below. Of all elements, or along `dim`; a vector's results stand along a new first dimension. Between two elements: interpolation linear, lower, higher, midpoint or nearest."""
    def sort(self, dim: _int = -1, descending: _bool = False, *, stable: _bool = False) -> Any:
        """A dimension in ascending or descending order: a pair (values, indices). Equal elements keep their order."""
    def topk(self, k: _int, dim: _int = -1, largest: _bool = True, sorted: _bool = True) -> Any:
        """The k largest (or smallest) elements of a dimension, in order: a pair (values, indices)."""
    def bincount(self, weights: Any = None, minlength: _int = 0) -> Any:
        """How often each of the integers 0, 1, ... occurs, or the sum of the weights where it does: as many as the largest
        integer needs, at least `minlength`. Reads the tensor on the host.
        """
    def bucketize(self, boundaries: Any, *, out_int32: _bool = False, right: _bool = False) -> Any:
        """Which interval of the sorted boundaries (a vector) each element is in; a boundary belongs to the interval below
        it, or for right=True above it.
        """
    def histc(self, bins: _int = 100, min: _float = 0, max: _float = 0) -> Any:
        """How many elements are in each of `bins` equal intervals from min to max, the last with its end; if both are
        equal, from the smallest to the largest element. What is outside is not counted.
        """
    def unique(self, sorted: _bool = True, return_inverse: _bool = False, return_counts: _bool = False, dim: _int | None = None) -> Any:
        """The distinct elements in ascending order, or the distinct slices along `dim`; each NaN is distinct. With them, if
        wanted, where each element went, and how often each occurs. Reads the tensor on the host.
        """
    def unique_consecutive(self, return_inverse: _bool = False, return_counts: _bool = False, dim: _int | None = None) -> Any:
        """The elements, or the slices along `dim`, without those that equal their predecessor. Reads the tensor on the
        host.
        """
    def dist(self, other: Any, p: _float = 2) -> Any:
        """The norm of order p of input - other."""
    def diag(self, diagonal: _int = 0) -> Any:
        """The matrix with a vector on its diagonal, or a copy of a matrix's diagonal."""
    def diag_embed(self, offset: _int = 0, dim1: _int = -2, dim2: _int = -1) -> Any:
        """Square matrices with the last dimension on their diagonals and zeros elsewhere; their dimensions are dim1 and
        dim2 of the result.
        """
    def diagflat(self, offset: _int = 0) -> Any:
        """The matrix with all elements on its diagonal."""
    def diagonal(self, offset: _int = 0, dim1: _int = 0, dim2: _int = 1) -> Any:
        """The diagonal of the planes of two dimensions, as a new last dimension: a view. A positive offset is above the
        main diagonal, a negative one below.
        """
    def diagonal_scatter(self, src: Any, offset: _int = 0, dim1: _int = 0, dim2: _int = 1) -> Any:
        """`input` with `src` on its diagonal (see `diagonal`)."""
    def select_scatter(self, src: Any, dim: _int, index: _int) -> Any:
        """`input` with `src` at one index of a dimension (see `select`)."""
    def slice_scatter(self, src: Any, dim: _int = 0, start: Any = None, end: Any = None, step: _int = 1) -> Any:
        """`input` with `src` in the slice start:end:step of a dimension."""
    def tril(self, diagonal: _int = 0) -> Any:
        """The elements of matrices on and below a diagonal, zeros elsewhere."""
    def triu(self, diagonal: _int = 0) -> Any:
        """The elements of matrices on and above a diagonal, zeros elsewhere."""
    def fill_diagonal_(self, fill_value: Any, wrap: _bool = False) -> Any:
        """Sets the main diagonal to a number; of more than 2 dimensions, which must be of one size, where all indices are
        equal. wrap: in a matrix of more rows than columns the diagonal begins anew after each column's end.
        """
    def tril_(self, diagonal: _int = 0) -> Any:
        """`tril`, the result stored in this tensor, which is returned."""
    def triu_(self, diagonal: _int = 0) -> Any:
        """`triu`, the result stored in this tensor, which is returned."""
    def index_add(self, dim: _int, index: Any, source: Any, *, alpha: Any = 1) -> Any:
        """`input` with the slices of the source, times alpha, added to those that the index names along a dimension."""
    def index_copy(self, dim: _int, index: Any, source: Any) -> Any:
        """`input` with the slices of the source in place of those that the index names along a dimension."""
    def index_fill(self, dim: _int, index: Any, value: Any) -> Any:
        """`input` with a number, or a 0-d tensor's value, in the slices that the index names along a dimension."""
    def index_put(self, indices: Any, values: Any, accumulate: _bool = False) -> Any:
        """`input` with x[indices] = values, or with accumulate x[indices] += values where each place counts as often as it
        occurs. indices: a tuple of tensors of integers or bools, None for a whole dimension.
        """
    def index_reduce(self, dim: _int, index: Any, source: Any, reduce: str, *, include_self: _bool = True) -> Any:
        """As `scatter_reduce`, with slices along a dimension; reduce is prod, mean, amax or amin."""
    def masked_scatter(self, mask: Any, source: Any) -> Any:
        """`input` with the source's elements, in order, where the mask holds; mask and input broadcast."""
    def put(self, index: Any, source: Any, accumulate: _bool = False) -> Any:
        """`input` with the source's elements at places of the flattened tensor, or with accumulate added there."""
    def scatter(self, dim: _int, index: Any, src: Any = None, *, value: Any = None, reduce: Any = None) -> Any:
        """`input` with out[index[i][j]][j] = src[i][j] for dim 0, and so on. The source is a tensor or a number; the last
        of several values for one place stays. reduce: "add" or "multiply" combines instead.
        """
    def scatter_add(self, dim: _int, index: Any, src: Any) -> Any:
        """`input` with src[i][j] added at [index[i][j]][j] for dim 0, and so on; in a fixed order on every device."""
    def scatter_reduce(self, dim: _int, index: Any, src: Any, reduce: str, *, include_self: _bool = True) -> Any:
        """The values that meet at each place, and with include_self what stood there, reduced to their sum, product
        ("prod"), mean, largest ("amax") or smallest ("amin"). What nothing meets stays.
        """
    def argwhere(self) -> Any:
        """The indices of the nonzero elements: int64 of shape [count, dimensions]. Reads the tensor on the host."""
    def masked_select(self, mask: Any) -> Any:
        """The elements where the mask holds (both broadcast), in one dimension. Reads the mask on the host."""
    def take(self, index: Any) -> Any:
        """The elements at places of the flattened tensor, in the index's shape."""
    def take_along_dim(self, indices: Any, dim: _int | None = None) -> Any:
        """`gather` with sizes that broadcast, where negative indices count from the back; without `dim` of the flattened
        tensor.
        """
    def index_add_(self, dim: _int, index: Any, source: Any, *, alpha: Any = 1) -> Any:
        """`index_add`, the result stored in this tensor, which is returned."""
    def index_copy_(self, dim: _int, index: Any, source: Any) -> Any:
        """`index_copy`, the result stored in this tensor, which is returned."""
    def index_fill_(self, dim: _int, index: Any, value: Any) -> Any:
        """`index_fill`, the result stored in this tensor, which is returned."""
    def index_put_(self, indices: Any, values: Any, accumulate: _bool = False) -> Any:
        """`index_put`, the result stored in this tensor, which is returned."""
    def index_reduce_(self, dim: _int, index: Any, source: Any, reduce: str, *, include_self: _bool = True) -> Any:
        """`index_reduce`, the result stored in this tensor, which is returned."""
    def masked_scatter_(self, mask: Any, source: Any) -> Any:
        """`masked_scatter`, the result stored in this tensor, which is returned."""
    def put_(self, index: Any, source: Any, accumulate: _bool = False) -> Any:
        """`put`, the result stored in this tensor, which is returned."""
    def scatter_(self, dim: _int, index: Any, src: Any = None, *, value: Any = None, reduce: Any = None) -> Any:
        """`scatter`, the result stored in this tensor, which is returned."""
    def scatter_add_(self, dim: _int, index: Any, src: Any) -> Any:
        """`scatter_add`, the result stored in this tensor, which is returned."""
    def scatter_reduce_(self, dim: _int, index: Any, src: Any, reduce: str, *, include_self: _bool = True) -> Any:
        """`scatter_reduce`, the result stored in this tensor, which is returned."""
    def addbmm(self, batch1: Any, batch2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
        """beta * input + alpha * (the sum of the products of all pairs of matrices of two batches)."""
    def addmm(self, mat1: Any, mat2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
        """beta * input + alpha * (mat1 @ mat2); the input broadcasts, and does not count where beta is 0."""
    def addmv(self, mat: Any, vec: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
        """beta * input + alpha * (mat @ vec), of a matrix and a vector."""
    def addr(self, vec1: Any, vec2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
        """beta * input + alpha * (outer product of two vectors)."""
    def baddbmm(self, batch1: Any, batch2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
        """beta * input + alpha * (batch1 @ batch2), of batches of matrices."""
    def cross(self, other: Any, dim: _int | None = None) -> Any:
        """The vector product along a dimension of size 3, by default the input's first of that size; other dimensions
        broadcast.
        """
    def diff(self, n: _int = 1, dim: _int = -1, prepend: Any = None, append: Any = None) -> Any:
        """The differences of neighbours along a dimension, n times; of bools whether they differ. prepend, append: what is
        joined to the input first.
        """
    def ger(self, vec2: Any) -> Any:
        """All products of an element of one vector and one of another."""
    def inner(self, other: Any) -> Any:
        """The products of all vectors along the last dimensions; numbers multiply."""
    def kron(self, other: Any) -> Any:
        """The Kronecker product: every element of `input` times all of `other`, in blocks."""
    def mv(self, vec: Any) -> Any:
        """The product of a matrix and a vector."""
    def outer(self, vec2: Any) -> Any:
        """All products of an element of one vector and one of another."""
    def trace(self) -> Any:
        """The sum of a matrix's diagonal."""
    def vdot(self, other: Any) -> Any:
        """The inner product of two vectors."""
    def addbmm_(self, batch1: Any, batch2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
        """`addbmm`, the result stored in this tensor, which is returned."""
    def addmm_(self, mat1: Any, mat2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
        """`addmm`, the result stored in this tensor, which is returned."""
    def addmv_(self, mat: Any, vec: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
        """`addmv`, the result stored in this tensor, which is returned."""
    def addr_(self, vec1: Any, vec2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
        """`addr`, the result stored in this tensor, which is returned."""
    def baddbmm_(self, batch1: Any, batch2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
        """`baddbmm`, the result stored in this tensor, which is returned."""
    def logdet(self) -> Any:
        """The logarithm of the determinant; NaN where that is negative."""
    def pinverse(self, rcond: _float = 1e-15) -> Any:
        """The pseudo-inverse; see `linalg.pinv`."""
    def det(self) -> Any:
        """The determinant."""
    def inverse(self) -> Any:
        """The inverse. LinAlgError if a matrix is singular."""
    def matrix_power(self, n: _int) -> Any:
        """A multiplied n times with itself, by repeated squaring; of a negative n the inverse."""
    def slogdet(self) -> Any:
        """The sign of the determinant and the logarithm of its absolute value: a pair (sign, logabsdet)."""
    def norm(self, p: Any = 'fro', dim: Any = None, keepdim: _bool = False, dtype: Any = None) -> Any:
        """The norm of order p of all elements, or along dimensions; "fro" is 2, "nuc" the sum of a matrix's singular
        values.
        """
    def bernoulli(self, p: _float | None = None, *, generator: Any = None) -> Any:
        """1 with the probability that each element gives (or with probability p), else 0."""
    def bernoulli_(self, p: Any = 0.5, *, generator: Any = None) -> Any:
        """Fills the tensor with ones with probability p (a number, or a tensor of probabilities), else zeros."""
    def cauchy_(self, median: _float = 0.0, sigma: _float = 1.0, *, generator: Any = None) -> Any:
        """Fills the tensor with Cauchy-distributed numbers."""
    def exponential_(self, lambd: _float = 1.0, *, generator: Any = None) -> Any:
        """Fills the tensor with exponentially distributed numbers of rate lambd."""
    def geometric_(self, p: _float, *, generator: Any = None) -> Any:
        """Fills the tensor with the number of trials up to the first success, each with probability p."""
    def log_normal_(self, mean: _float = 1.0, std: _float = 2.0, *, generator: Any = None) -> Any:
        """Fills the tensor with numbers whose logarithms are normal, of the given mean and standard deviation."""
    def multinomial(self, num_samples: _int, replacement: _bool = False, *, generator: Any = None) -> Any:
        """Category numbers (int64) drawn with probabilities proportional to a vector, or to each row of a matrix."""
    def normal_(self, mean: _float = 0.0, std: _float = 1.0, *, generator: Any = None) -> Any:
        """Fills the tensor with normal numbers."""
    def random_(self, low: _int | None = None, high: _int | None = None, *, generator: Any = None) -> Any:
        """Fills the tensor with integers from low (0 if left out) up to, not including, high; without both up to the
        largest that the type counts exactly (at most 2^32 - 1).
        """
    def uniform_(self, a: _float = 0.0, b: _float = 1.0, *, generator: Any = None) -> Any:
        """Fills the tensor with uniform numbers in [a, b)."""
