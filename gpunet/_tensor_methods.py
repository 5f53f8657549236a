"""The functions of ops as methods of Tensor."""

from __future__ import annotations

import inspect

from gpunet.ops import (
    activation,
    bits,
    broadcasting,
    combining,
    compare,
    conversion,
    diagonal,
    distance,
    divisors,
    einsum,
    exponentials,
    extremes,
    factors,
    fills,
    gathering,
    index_slices,
    inplace,
    join,
    limits,
    linalg,
    matmul,
    matrix_exp,
    moments,
    norms,
    number_parts,
    operators,
    pieces,
    probability,
    products,
    quantiles,
    random,
    rectifiers,
    reduce,
    reorder,
    rounding,
    scan,
    scatter,
    searching,
    shape,
    shape_methods,
    sharing,
    sigmoids,
    softmax,
    sorting,
    special,
    storage,
    trigonometry,
)

_MODULES = (operators, combining, limits, bits, compare, divisors, number_parts, exponentials, trigonometry,
            rounding, special, probability, activation, reduce, moments, extremes, shape_methods, shape, pieces,
            reorder, broadcasting, conversion, gathering, matmul, inplace, join, softmax, scan, sorting, quantiles,
            searching, distance, diagonal, scatter, index_slices, products, einsum, linalg, factors, matrix_exp,
            norms, random, fills, rectifiers, sigmoids, storage, sharing)  # of two of one name the first gives it


def _takes_input(function) -> bool:
    """Whether it is a method as well: an op, or a function whose first parameter is called `input`."""
    return hasattr(function, "op") or inspect.unwrap(function).__code__.co_varnames[:1] == ("input",)


def _in_place_forms(module):
    """(name, what computes the result) of a module's IN_PLACE: a table, or names of functions."""
    table = getattr(module, "IN_PLACE", {})
    return table.items() if isinstance(table, dict) else [(name, getattr(module, name)) for name in table]


def add_methods(Tensor: type) -> None:
    """The functions of ops as methods: those of a module's `__all__` that take `input` first, those of its METHODS, and
    the in-place forms of those in IN_PLACE."""
    for module in _MODULES:
        names = getattr(module, "__all__", ()) if module is not random else ()  # there is no x.rand_like()
        methods = {name: function for name in names if _takes_input(function := getattr(module, name))}
        methods |= getattr(module, "METHODS", {})
        for name, operation in _in_place_forms(module):
            methods[name + "_"] = inplace.in_place_form(name + "_", getattr(module, name), operation)
        for name, function in methods.items():
            if name not in vars(Tensor):
                setattr(Tensor, name, function)
