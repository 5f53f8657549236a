"""Chains of element-wise calls in a recording, each as one generated kernel.

In a recording, neighbouring calls of element-wise ops on arrays of one shape and type read what the call before has
just written. A generated kernel reads every array once, keeps the values in registers from one function to the next,
and writes each result once, unless nobody else sees it. The functions are those of kernels/pointwise.cuh, rounded to
the arrays' type after each, so that all results have the same bits.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gpunet._channels_last import as_rows, order_of
from gpunet.devices.uses import Uses
from gpunet.kernel import Kernel, cache

__all__ = ["Chain", "fused"]

_WIDE = {"float32": "float", "float64": "double", "float16": "float", "bfloat16": "float"}
_IN_DOUBLE = frozenset(("Plus", "Minus", "Times", "Divide", "Relu", "ReluGrad", "Neg", "Abs", "Maximum", "Minimum"))
_MOST_ARRAYS = 16  # of a chain: their addresses stay in registers
_MOST_CALLS = 32
_OPTIONS = ("-fmad=false",)  # as pointwise.cu
_THREADS = 256


class Chain:
    """A chain of calls, which devices run as they run an op.

    Args:
        calls: (op, outs, arrays, attrs), as recorded.
        uses: of the recording's calls.

    Attributes:
        outs: the arrays that it writes, in the order of memory.
        arrays: all its arrays, likewise.
    """

    strided = by_element = False
    takes_channels_last = None

    def __init__(self, calls: list[tuple], uses: Uses) -> None:
        self.name = "chain of " + ", ".join([op.name for op, *_ in calls])
        self.calls = calls
        flat = as_rows if order_of(calls[0][1][0]) == "channels last" else lambda array: array
        places: dict[int, int] = {}  # address -> number of the array
        self.arrays: list[Any] = []
        self.numbers: list[float] = []
        lines: list[str] = []
        values: dict[int, str] = {}  # address -> the variable with its value
        written: dict[int, tuple[tuple, str]] = {}  # address -> the last call that writes it, and the variable

        def place(array: Any) -> int:
            address = array.data.ptr
            if address not in places:
                places[address] = len(self.arrays)
                self.arrays.append(array)
            return places[address]

        def operand(x: Any) -> str:
            if not hasattr(x, "dtype"):
                self.numbers.append(x)
                return f"n{len(self.numbers) - 1}"
            address = x.data.ptr
            if address not in values:
                number = place(x)
                values[address] = f"x{number}"
                lines.append(f"A x{number}[N];\n        operand<N, T, A>(x{number}, a{number}, i, A(0));")
            return values[address] + "[j]"

        for step, call in enumerate(calls):
            op, (out,), arrays, _ = call
            operands = ", ".join(map(operand, arrays))
            lines.append(f"A y{step}[N];\n#pragma unroll\n        for (int j = 0; j < N; ++j) "
                         f"y{step}[j] = to<A>(to<T>({op.pointwise}()({operands})));")
            values[out.data.ptr] = f"y{step}"
            written[out.data.ptr] = call, f"y{step}"
        own = {id(call) for call in calls}
        seen = [(call, value) for call, value in written.values() if not uses.only_in(call, own)]
        for call, value in seen:
            number = place(call[1][0])
            lines.append(f"Pack<T, N> p{number};\n#pragma unroll\n        for (int j = 0; j < N; ++j) "
                         f"p{number}.item[j] = to<T>({value}[j]);\n        store_pack<N>(a{number} + i, p{number});")
        self.outs = tuple([flat(call[1][0]) for call, _ in seen])
        self.arrays = [flat(array) for array in self.arrays]
        self.kernel = _kernel(self.name, len(self.arrays), len(self.numbers), lines)

    def launch(self, cuda: Any, *_: Any) -> None:
        """Launches the kernel."""
        first, packed = self.arrays[0], all([array.data.ptr % 16 == 0 for array in self.arrays])
        size, each = first.size, 16 // first.dtype.itemsize
        blocks = min(-(-size // (each * _THREADS)), cuda.sm_count * 16)
        self.kernel.on(cuda, first.dtype, _WIDE[first.dtype.name])(blocks, _THREADS, *self.arrays, *self.numbers, size,
                                                                   packed)

    def body(self, xp: Any, *_: Any) -> None:
        """The calls one by one."""
        for op, outs, arrays, attrs in self.calls:
            op.body(xp, *outs, *arrays, **attrs)


def _kernel(name: str, arrays: int, numbers: int, lines: list[str]) -> Kernel:
    """The kernel with these statements, which lies in the cache as a file of its own."""
    members = [*(f"T* a{i}" for i in range(arrays)), *(f"A n{i}" for i in range(numbers))]
    text = f"""// {name}
#include "pointwise.cuh"

template <typename T, typename A>
struct Chain {{
    {" ".join(member + ";" for member in members)}
    template <int N>
    __device__ __forceinline__ void operator()(long long i) const {{
        {(chr(10) + " " * 8).join(lines)}
    }}
}};

template <typename T, typename A>
__global__ void __launch_bounds__({_THREADS}) chain({", ".join(members)}, long long size, bool packed) {{
    over<16 / sizeof(T)>(size, packed, Chain<T, A>{{{", ".join(member.split()[1] for member in members)}}});
}}
"""
    if text not in _kernels:
        import hashlib

        path = cache.build(f"chain-{hashlib.sha256(text.encode()).hexdigest()[:16]}", ".cu", text.encode)
        _kernels[text] = Kernel(path.resolve(), "chain", _OPTIONS)
    return _kernels[text]


_kernels: dict[str, Kernel] = {}


def fused(calls: Iterable[tuple], uses: Uses) -> list[tuple]:
    """Recorded calls with each chain as one call.

    Args:
        calls: (op, outs, arrays, attrs), in their order.
        uses: of the recording's calls.

    Returns:
        The calls, in the same order; a chain's op is a `Chain`.
    """
    result: list[tuple] = []
    chain: list[tuple] = []
    arrays: dict[int, Any] = {}  # of the chain, by address

    def end() -> None:
        if len(chain) > 1:
            whole = Chain(list(chain), uses)
            result.append((whole, whole.outs, (), {}))
        else:
            result.extend(chain)
        chain.clear()
        arrays.clear()

    for call in calls:
        own = _arrays_of(call)
        if own is None:
            end()
            result.append(call)
            continue
        if chain and not _fits(own, arrays, len(chain)):
            end()
        if not _fits(own, arrays, len(chain)):  # its own arrays overlap
            result.append(call)
            continue
        chain.append(call)
        arrays.update((array.data.ptr, array) for array in own)
    end()
    return result


def _arrays_of(call: tuple) -> list[Any] | None:
    """The arrays of a call that can be part of a chain; None of others."""
    op, outs, arrays, attrs = call
    if getattr(op, "pointwise", None) is None or len(outs) != 1 or attrs:
        return None
    own = [*outs, *[x for x in arrays if hasattr(x, "dtype")]]
    first = own[0]
    if not first.size or first.dtype.name not in _WIDE:
        return None
    if first.dtype.itemsize == 8 and op.pointwise not in _IN_DOUBLE:
        return None  # there is no kernel of its own that a chain has to agree with
    order = order_of(first)
    alike = all([x.shape == first.shape and x.dtype == first.dtype and order_of(x) == order for x in own])
    return own if order and alike else None


def _fits(own: list[Any], arrays: dict[int, Any], calls: int) -> bool:
    """Whether a call's arrays are like those of a chain, and are the same memory as one of them or apart from all."""
    together = dict(arrays)
    together.update((x.data.ptr, x) for x in own)
    first = next(iter(together.values()))
    if calls >= _MOST_CALLS or len(together) > _MOST_ARRAYS:
        return False
    if own[0].shape != first.shape or own[0].dtype != first.dtype or order_of(own[0]) != order_of(first):
        return False
    addresses = sorted(together)
    return all([b - a >= first.nbytes for a, b in zip(addresses, addresses[1:], strict=False)])
