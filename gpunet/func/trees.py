"""Tensors in nested tuples, lists and dictionaries: what functions take and return."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from typing import Any


def _parts(tree: Any) -> list[Any] | None:
    """The parts of a container, None of a leaf."""
    if isinstance(tree, dict):
        return list(tree.values())
    return list(tree) if type(tree) in (tuple, list) or isinstance(tree, tuple) and hasattr(tree, "_fields") else None


def _made(tree: Any, parts: Sequence[Any]) -> Any:
    """A container like `tree` of other parts."""
    if isinstance(tree, dict):
        made = copy(tree)  # of its class, with what else it holds, such as the default of a defaultdict
        made.update(zip(tree, parts, strict=True))
        return made
    return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)


def leaves_of(tree: Any) -> list[Any]:
    """The leaves, in order."""
    parts = _parts(tree)
    return [tree] if parts is None else [leaf for part in parts for leaf in leaves_of(part)]


def rebuilt(tree: Any, leaves: Sequence[Any]) -> Any:
    """A tree like `tree` with other leaves."""
    return _rebuilt(tree, iter(leaves))


def _rebuilt(tree: Any, leaves: Iterator[Any]) -> Any:
    parts = _parts(tree)
    return next(leaves) if parts is None else _made(tree, [_rebuilt(part, leaves) for part in parts])


def mapped(function: Callable[[Any], Any], tree: Any) -> Any:
    """A tree of what a function makes of the leaves."""
    return rebuilt(tree, [function(leaf) for leaf in leaves_of(tree)])


def structure(tree: Any) -> Any:
    """What is equal of trees that differ in their leaves alone; as text, PyTorch's."""
    return rebuilt(tree, [Star] * len(leaves_of(tree)))


class _Star:
    def __repr__(self) -> str:
        return "*"


Star = _Star()


def spread(dims: Any, tree: Any) -> list[Any] | None:
    """For each leaf of `tree` the entry of `dims`, a tree with the beginning of its structure; None if it has not."""
    if dims is None or isinstance(dims, int):
        return [dims] * len(leaves_of(tree))
    parts, entries = _parts(tree), _parts(dims)
    if parts is None or entries is None or type(dims) is not type(tree) or len(parts) != len(entries) or isinstance(
            tree, dict) and list(tree) != list(dims):
        return None
    found = [spread(entry, part) for entry, part in zip(entries, parts, strict=True)]
    return None if None in found else [dim for each in found for dim in each or ()]
