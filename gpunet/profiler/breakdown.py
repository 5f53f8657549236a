"""Breakdown: the time of each operation or module, forward and backward."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gpunet.profiler.events import Event, duration


@dataclass
class Cost:
    """What an operation or a module took. Times in microseconds: on the GPU where the work was there, else on the host.

    Args:
        name: the operation's name, or the module's path.
        kind: the module's class; of an operation "".
        calls: number of forward calls.
        forward: time of the forward calls.
        backward: time of their backward passes.
        own: time without that of the modules inside; of an operation all of it.
        memory: bytes of new results in forward calls, if they were recorded.

    Examples:
        >>> gpunet.profiler.Cost("exp", calls=2, forward=3.0, backward=1.0).total
        4.0
    """

    name: str
    kind: str = ""
    calls: int = 0
    forward: float = 0.0
    backward: float = 0.0
    own: float = 0.0
    memory: int = 0

    @property
    def total(self) -> float:
        """Forward and backward."""
        return self.forward + self.backward


class Breakdown(list[Cost]):
    """Costs of operations or modules; printed as a table.

    Args:
        costs: the rows.
        whole: the time, in microseconds, of which shares are taken.

    Examples:
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.Tanh())
        >>> with gpunet.profiler.profile() as prof:
        ...     model(gpunet.ones(2, 4)).sum().backward()
        >>> [(cost.name, cost.kind, cost.calls) for cost in prof.by_module()]
        [('Sequential', 'Sequential', 1), ('Sequential.0', 'Linear', 1), ('Sequential.1', 'Tanh', 1)]
        >>> {cost.name for cost in prof.by_op()} >= {"linear", "tanh", "sum"}
        True
    """

    def __init__(self, costs: Iterable[Cost] = (), whole: float = 0.0) -> None:
        super().__init__(costs)
        self.whole = whole

    def table(self, sort_by: str | None = "own", row_limit: int = 100) -> str:
        """The table as a text.

        Args:
            sort_by: "own", "total", "forward", "backward", "calls" or "memory", the largest first; None: in the order
                of the first call.
            row_limit: how many rows there are at most; -1: all.

        Raises:
            ValueError: sort_by names nothing to sort by.
        """
        sorts = ("own", "total", "forward", "backward", "calls", "memory")
        if sort_by is not None and sort_by not in sorts:
            raise ValueError(f"table: sort_by must be one of {', '.join(sorts)} or None, not {sort_by!r}.")
        rows = list(self) if sort_by is None else sorted(self, key=lambda cost: -getattr(cost, sort_by))
        rows = rows if row_limit < 0 else rows[:row_limit]
        modules = any(cost.kind for cost in self)
        head = ["Module" if modules else "Operation", "Calls", "Forward", "Backward", "Own" if modules else "Total",
                "Share"]
        lines = [head]
        for cost in rows:
            label = f"{cost.name} ({cost.kind})" if cost.kind and cost.kind != cost.name else cost.name
            lines.append([label, f"{cost.calls:,}", duration(cost.forward), duration(cost.backward),
                          duration(cost.own), f"{100 * cost.own / (self.whole or 1):.1f}%"])
        widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
        return "\n".join("  ".join(cell.rjust(width) if i else cell.ljust(width) for i, (cell, width) in
                                   enumerate(zip(line, widths, strict=True))) for line in lines) + "\n"

    def __str__(self) -> str:
        return self.table()


def by_op(events: Iterable[Event]) -> Breakdown:
    """The time of each operation."""
    costs: dict[str, Cost] = {}
    for event in events:
        outer = event.parent is None or event.parent.kind != "backward"
        if event.kind == "op" and not event.backward:
            cost = costs.setdefault(event.name, Cost(event.name))
            cost.calls += 1
            cost.forward += event.time
            cost.memory += event.cpu_memory_usage
        elif event.kind == "backward" or event.kind == "op" and outer:  # sums of gradients happen outside of nodes
            costs.setdefault(event.op, Cost(event.op)).backward += event.time if outer else 0.0
    for cost in costs.values():
        cost.own = cost.total
    return Breakdown(costs.values(), sum(cost.own for cost in costs.values()))


def by_module(events: Iterable[Event], classes: dict[str, str]) -> Breakdown:
    """The time of each module."""
    costs: dict[str, Cost] = {}
    for event in events:
        outer = event.parent is None or event.parent.kind != "backward"
        if event.kind == "module" and not event.backward:
            cost = costs.setdefault(event.name, Cost(event.name, classes.get(event.name, "")))
            cost.calls += 1
            cost.forward += event.time
            cost.own += event.time
            cost.memory += event.cpu_memory_usage
            above = event.parent and event.parent.module
            if above in costs:
                costs[above].own -= event.time
        elif event.kind == "backward" and outer and event.module in costs:
            costs[event.module].own += event.time
            path = event.module
            while path:
                if path in costs:
                    costs[path].backward += event.time
                path = path.rpartition(".")[0]
    return Breakdown(costs.values(), sum(cost.own for cost in costs.values()))
