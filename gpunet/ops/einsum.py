"""Einstein summation: sums of products, written with a letter for each dimension."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from gpunet.dispatch import is_tensor
from gpunet.ops.diagonal import diagonal
from gpunet.ops.matmul import matmul_op
from gpunet.ops.reduce import sum
from gpunet.ops.shape import expand, movedim, permute, reshape, unsqueeze

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["einsum"]


def einsum(equation: str, *operands: Tensor | Sequence[Tensor]) -> Tensor:
    """Sums of products of the operands' elements, written with a letter for each dimension.

    "ij,jk->ik" is the matrix product. A letter that the result does not have is summed over; one that occurs twice in
    an operand takes its diagonal; "..." stands for any other dimensions, which broadcast. Without "->" the result has
    the letters that occur once, in the order of the alphabet. Three and more operands are multiplied in pairs, in an
    order that takes few operations.

    Args:
        equation: the letters of each operand, separated by commas, and those of the result.
        operands: tensors, one by one or as one sequence.

    Returns:
        Tensor of the result's dimensions and the promoted type.

    Raises:
        RuntimeError: the equation does not fit the operands, or the sizes of a letter differ.
        ValueError: there are no operands.

    Example:
        >>> gpunet.einsum("ij,j->i", gpunet.tensor([[1, 2], [3, 4]]), gpunet.tensor([1, 10]))
        tensor([21, 43])
    """
    each: Any = operands
    if len(each) == 1 and not is_tensor(each[0]):
        each = tuple(each[0])
    if not each:
        raise ValueError("einsum: expected at least one operand")
    inputs, output = _parse(equation, each)
    terms: list = [_distinct(labels, x) for labels, x in zip(inputs, each, strict=True)]
    sizes: dict = {}
    for labels, x in terms:
        for label, n in zip(labels, x._array.shape, strict=True):
            if sizes.setdefault(label, n) == 1:  # it broadcasts
                sizes[label] = n
            elif n not in (1, sizes[label]):
                raise RuntimeError(f"einsum: {_name(label)} has size {n} in one operand and {sizes[label]} in another")
    for pair in _path(terms, output, sizes):
        chosen = [terms.pop(i) for i in sorted(pair, reverse=True)][::-1]
        needed = {*output, *(label for labels, _ in terms for label in labels)}
        terms.append(_multiplied(chosen[0], chosen[1], needed, sizes) if len(chosen) == 2 else chosen[0])
    (labels, result), = terms
    result = _summed(labels, result, set(output))
    labels = [label for label in labels if label in output]
    result = permute(result, [labels.index(label) for label in output if label in labels])
    for i, label in enumerate(output):
        if label not in labels:
            result = unsqueeze(result, i)
    return expand(result, [sizes[label] for label in output])


def _name(label) -> str:
    return f"a dimension of '...' ({label})" if isinstance(label, int) else f"dimension '{label}'"


def _parse(equation: str, operands):
    """The labels of each operand and of the result; the dimensions of an ellipsis are numbered, the last one -1."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        raise RuntimeError(f"einsum: '{equation}' names {len(terms)} operands, {len(operands)} were given")
    hidden, inputs = 0, []
    for term, x in zip(terms, operands, strict=True):
        letters = term.replace("...", "", 1)
        _check_letters(letters, equation)
        extra = x._array.ndim - len(letters)
        if extra < 0 or extra and "..." not in term:
            raise RuntimeError(f"einsum: '{term}' in '{equation}' does not fit an operand of shape {tuple(x.shape)}: "
                               "give a letter for each dimension, or '...'")
        before, _, after = term.partition("...")
        inputs.append([*before, *range(-extra, 0), *after] if "..." in term else [*letters])
        hidden = max(hidden, extra)
    if not arrow:
        once = sorted(c for c in set(left) - {",", "."} if left.count(c) == 1)
        return inputs, [*range(-hidden, 0), *once]
    _check_letters(right.replace("...", "", 1), equation)
    before, dots, after = right.partition("...")
    output = [*before, *(range(-hidden, 0) if dots else ()), *after]
    for label in output:
        if output.count(label) > 1 or not any(label in labels for labels in inputs):
            raise RuntimeError(f"einsum: the result of '{equation}' must have each of its letters once, and from an "
                               f"operand; '{label}' is not so")
    return inputs, output


def _check_letters(letters: str, equation: str) -> None:
    if not all(c.isascii() and c.isalpha() for c in letters):
        raise RuntimeError(f"einsum: '{equation}' may have letters, ',', '->' and one '...' in each term")


def _distinct(labels, x):
    """The operand with each label once: repeated ones take the diagonal."""
    labels = list(labels)
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            one, two = x._array.shape[first], x._array.shape[second]
            if one != two:
                raise RuntimeError(f"einsum: {_name(label)} has sizes {one} and {two} in one operand")
            x = movedim(diagonal(x, 0, first, second), -1, first)
            del labels[second]
    return labels, x


def _path(terms, output, sizes):
    """In which pairs the operands meet: NumPy's greedy search over shapes alone."""
    if len(terms) < 2:
        return []
    if len(terms) == 2:
        return [(0, 1)]
    letter = {label: chr(ord("a") + i if i < 26 else ord("A") + i - 26) for i, label in enumerate(sizes)}
    text = ",".join("".join(letter[label] for label in labels) for labels, _ in terms)
    result = "".join(letter[label] for label in output if label in letter)
    shapes = [np.broadcast_to(np.float32(0), [sizes[label] for label in labels]) for labels, _ in terms]
    path = np.einsum_path(f"{text}->{result}", *shapes, optimize="greedy")[0][1:]
    count, pairs = len(terms), []
    for step in path:  # NumPy may leave the last three and more to one step
        while len(step) > 2:
            pairs.append(tuple(sorted(step)[-2:]))
            count -= 1
            step = (*sorted(step)[:-2], count - 1)
        pairs.append(tuple(step))
        count -= len(step) - 1
    return pairs


def _summed(labels, x, needed):
    dims = [i for i, label in enumerate(labels) if label not in needed]
    return sum(x, dims) if dims else x


def _multiplied(one, two, needed, sizes):
    """The product of two terms, summed over what nobody needs any more: one batch of matrix products."""
    (left, a), (right, b) = ((_kept(labels, needed | set(other)), _summed(labels, x, needed | set(other)))
                             for (labels, x), other in ((one, two[0]), (two, one[0])))
    # A size of 1 beside a larger one: nothing to multiply, so it counts as the one that has the larger size.
    a, b = (expand(x, [sizes[label] if label in other else n for label, n in zip(labels, x._array.shape, strict=True)])
            for labels, x, other in ((left, a, right), (right, b, left)))
    both = [label for label in left if label in right]
    batch = [label for label in both if label in needed]
    shared = [label for label in both if label not in needed]
    rows, columns = ([label for label in labels if label not in both] for labels in (left, right))

    def matrices(labels, x, first, second):
        wanted = [*batch, *first, *second]
        size = dict(zip(labels, x._array.shape, strict=True))
        x = permute(x, [labels.index(label) for label in wanted])
        return reshape(x, [prod(size[label] for label in group) for group in (batch, first, second)])

    size = dict(zip(left, a._array.shape, strict=True)) | dict(zip(right, b._array.shape, strict=True))
    if shared:
        product = matmul_op(matrices(left, a, rows, shared), matrices(right, b, shared, columns), ta=False, tb=False)
    else:
        product = matrices(left, a, rows, []) * matrices(right, b, [], columns)
    labels = [*batch, *rows, *columns]
    return labels, reshape(product, [size[label] for label in labels])


def _kept(labels, needed) -> list:
    return [label for label in labels if label in needed]
