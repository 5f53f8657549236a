"""Names: of layers, counted as in Keras, and of what users may give by name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

_used: Counter[str] = Counter()


def automatic(kind: str) -> str:
    """The next name of a kind of layers: dense, dense_1, dense_2."""
    words = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", kind))
    name = re.sub("([a-z])([A-Z])", r"\1_\2", words).lower()
    _used[name] += 1
    return name if _used[name] == 1 else f"{name}_{_used[name] - 1}"


def restart() -> None:
    """Begins to count anew."""
    _used.clear()


def found(what: str, given: Any, table: Mapping[str, Any]) -> Any:
    """What a name stands for, made by its class or, as it is, its function. Raises ValueError naming the nearest."""
    if given in table:
        member = table[given]
        return member() if isinstance(member, type) else member
    near = get_close_matches(given, table, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(table)}."
    raise ValueError(f"There is no {what} {given!r}; {hint}")
