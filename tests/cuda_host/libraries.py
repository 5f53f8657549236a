"""cuBLAS's products of matrices, by NumPy, where kernels run. The other functions of NVIDIA's libraries are refused."""

from __future__ import annotations

import ctypes
import re

import ml_dtypes
import numpy as np

_LETTERS = {"S": np.float32, "D": np.float64, "C": np.complex64, "Z": np.complex128}
_TYPES = {0: np.float32, 1: np.float64, 2: np.float16, 4: np.complex64, 5: np.complex128, 14: ml_dtypes.bfloat16}
_COMPUTE_64F = (70, 71)  # cublasComputeType_t; all others here are 32F
_NAME = re.compile(r"cublas([SDCZ]?)[gG]emm(Batched|StridedBatched)?(Ex)?(_v2)?")


def is_computed(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def compute(name: str, arguments: list[int]) -> None:
    """C = alpha op(A) op(B) + beta C, of columns; once or for each of a batch."""
    letter, batched, extended, _ = _NAME.fullmatch(name).groups()
    rest = iter(arguments[1:])  # all but the handle

    def number() -> int:
        return ctypes.c_int32(next(rest)).value

    op_a, op_b, m, n, k = (number() for _ in range(5))

    def operand() -> tuple[int, np.dtype, int, int]:
        address, dtype = next(rest), _TYPES[number()] if extended else _LETTERS[letter]
        return address, np.dtype(dtype), number(), next(rest) if batched == "StridedBatched" else 0

    alpha, a, b, beta, c = next(rest), operand(), operand(), next(rest), operand()
    count = number() if batched else 1
    wide = a[1].kind == "c" and a[1] or np.dtype(np.float64 if a[1] == np.float64 else np.float32)
    scale = wide
    if extended and not letter and number() in _COMPUTE_64F:
        scale = np.dtype(np.complex128 if wide.kind == "c" else np.float64)
    alpha, beta = (np.frombuffer(ctypes.string_at(each, scale.itemsize), scale)[0] for each in (alpha, beta))

    def one(operand: tuple[int, np.dtype, int, int], index: int, rows: int, columns: int, op: int) -> np.ndarray:
        address, dtype, apart, stride = operand
        if batched == "Batched":
            address = ctypes.c_uint64.from_address(address + 8 * index).value
        address += index * stride * dtype.itemsize
        rows, columns = (columns, rows) if op else (rows, columns)
        memory = (ctypes.c_char * (((columns - 1) * apart + rows) * dtype.itemsize)).from_address(address)
        stored = np.lib.stride_tricks.as_strided(np.frombuffer(memory, dtype), (rows, columns),
                                                 (dtype.itemsize, apart * dtype.itemsize))
        return stored.T.conj() if op == 2 else stored.T if op else stored

    for index in range(count if m and n else 0):
        result = one(c, index, m, n, 0)
        product = np.zeros((m, n), wide)
        if k:
            product = one(a, index, m, k, op_a).astype(wide) @ one(b, index, k, n, op_b).astype(wide)
        result[...] = alpha * product + (beta * result.astype(wide) if beta else 0)
