"""Loops of a program, on the graph of what may follow what."""

from collections.abc import Iterable, Sequence

__all__ = ["natural_loops"]


def natural_loops(successors: Sequence[Iterable[int]], entries: Iterable[int] = (0,)) -> list[frozenset[int]]:
    """The loops of a graph: each has a node that dominates the others (every path from an entry to them goes by it),
    and edges that lead back to it. A jump back to anything else, as from a rare case that was moved behind the
    function's end, makes none.

    Source: Cooper, Harvey, Kennedy: A simple, fast dominance algorithm (2001).

    Args:
        successors: which nodes may follow each node.
        entries: where paths begin; what they do not reach is in no loop.

    Returns:
        The nodes of each loop, inner loops' with them, in the order of the nodes that dominate them.

    Examples:
        >>> from gpunet.kernel.loops import natural_loops
        >>> natural_loops([[1], [2], [1, 3], []])
        [frozenset({1, 2})]
    """
    root = len(successors)  # that leads to the entries
    following = [*map(tuple, successors), tuple(entries)]
    order = _postorder(following, root)
    number = {node: place for place, node in enumerate(order)}
    before: dict[int, list[int]] = {node: [] for node in order}
    for node in order:
        for each in following[node]:
            before[each].append(node)
    dominator = _dominators(order, number, before)
    loops: dict[int, set[int]] = {}
    for node in order:
        for head in following[node]:
            if _dominates(head, node, dominator, number):
                loops.setdefault(head, {head}).update(_reaching(node, head, before))
    return [frozenset(loops[head]) for head in sorted(loops)]


def _postorder(following: list[tuple[int, ...]], root: int) -> list[int]:
    """Nodes after all that are first reached from them."""
    order, seen, path = [], {root}, [(root, iter(following[root]))]
    while path:
        node, rest = path[-1]
        fresh = next((each for each in rest if each not in seen), None)
        if fresh is None:
            order.append(node)
            path.pop()
        else:
            seen.add(fresh)
            path.append((fresh, iter(following[fresh])))
    return order


def _dominators(order: list[int], number: dict[int, int], before: dict[int, list[int]]) -> dict[int, int]:
    """Of each node the nearest other one that dominates it; the root has itself."""
    *others, root = order
    dominator, changed = {root: root}, True
    while changed:
        changed = False
        for node in reversed(others):
            known = [each for each in before[node] if each in dominator]
            nearest = known[0]
            for each in known[1:]:
                while nearest != each:
                    if number[nearest] < number[each]:
                        nearest = dominator[nearest]
                    else:
                        each = dominator[each]
            if dominator.get(node) != nearest:
                dominator[node] = nearest
                changed = True
    return dominator


def _dominates(head: int, node: int, dominator: dict[int, int], number: dict[int, int]) -> bool:
    while number[node] < number[head]:
        node = dominator[node]
    return node == head


def _reaching(node: int, head: int, before: dict[int, list[int]]) -> set[int]:
    """What leads to a node without passing the head."""
    found, rest = {head, node}, [node] if node != head else []
    while rest:
        for each in before[rest.pop()]:
            if each not in found:
                found.add(each)
                rest.append(each)
    return found
