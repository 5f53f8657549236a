"""What a measured rate is worth: the roofline model (Williams, Waterman and Patterson, 2009), as figures and drawn.

A kernel that moves B bytes and does N operations takes at least max(B / bandwidth, N / peak). Both limits are measured
too, on the same device in the same run: the best copy, and the best matrix product, by whichever library. So 100 per
cent is what this machine has been seen to do, not what its data sheet says.

Rows are the results of a benchmark as dictionaries: group, name, samples (seconds of a call, by competitor), amounts.
"""

from __future__ import annotations

import io
import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpunet import files
from gpunet.benchmark.words import rate_in_words

OURS = "gpunet"
# The group whose best rate is the limit of an amount. Half types have a limit of their own.
_LIMITS = {"bytes": "copy", "operations": "matmul", "half_operations": "matmul bfloat16",
           "tf32_operations": "matmul tf32"}


@dataclass(frozen=True)
class Limits:
    """Bytes a second and operations a second, in float32, half types and TF32; None where it has not been measured."""

    bytes: float | None
    operations: float | None
    half_operations: float | None = None
    tf32_operations: float | None = None

    def seconds(self, amounts: dict[str, float]) -> dict[str, float]:
        """The least time for each amount whose limit is known."""
        return {each: amounts[each] / limit for each in _LIMITS
                if each in amounts and (limit := getattr(self, each)) is not None}

    def binding(self, amounts: dict[str, float]) -> str | None:
        """Which amount takes longest at its limit: "bytes" or "operations". Where no limit is known, the operations if
        they are many for the bytes; None where there are no amounts."""
        if least := self.seconds(amounts):
            return max(least, key=least.__getitem__)
        if {"bytes", "operations"} <= amounts.keys():
            return "operations" if amounts["operations"] > 10 * amounts["bytes"] else "bytes"
        return next((each for each in _LIMITS if each in amounts), None)

    def share(self, amounts: dict[str, float], seconds: float) -> float | None:
        """The least time by the time taken: 1 is the limit. None where no limit is known, or no time was seen."""
        least = self.seconds(amounts)
        return max(least.values()) / seconds if least and seconds else None


def limits_of(rows: Iterable[dict[str, Any]]) -> Limits:
    """The best rates among the rows."""
    rows = list(rows)

    def best(amount: str) -> float | None:
        return max((row["amounts"][amount] / time for row in rows
                    if row["group"] == _LIMITS[amount] and row["amounts"].get(amount)
                    for times in row["samples"].values() if (time := statistics.median(times))), default=None)

    return Limits(*map(best, _LIMITS))


@dataclass(frozen=True)
class Point:
    """One competitor in one row: operations a byte, operations a second, and its share of the limit. A kernel that only
    moves memory has no place under the roof, but it has its share."""

    group: str
    name: str
    competitor: str
    intensity: float | None
    rate: float | None
    share: float


def points_of(rows: Iterable[dict[str, Any]], limits: Limits) -> list[Point]:
    """Ours and the peers of all rows whose share of the limit is known and of which we are a competitor."""
    points = []
    for row in rows:
        amounts, samples = row["amounts"], row["samples"]
        if OURS not in samples:
            continue
        both = all(amounts.get(each) for each in ("bytes", "operations"))
        for competitor, times in samples.items():
            seconds = statistics.median(times)
            if (share := limits.share(amounts, seconds)) is not None:
                points.append(Point(row["group"], row["name"], competitor,
                                    amounts["operations"] / amounts["bytes"] if both else None,
                                    amounts["operations"] / seconds if both else None, share))
    return points


def draw(rows: Iterable[dict[str, Any]], title: str, path: Path) -> None:
    """The roofline picture as PNG or SVG, by the file's ending. Left, operations a second over operations a byte, under
    the two limits; right, each case's share of its limit; ours filled, the best peer hollow.

    Raises ValueError where the limits or our own figures are missing, and RuntimeError without matplotlib.
    """
    rows = list(rows)
    limits = limits_of(rows)
    points = points_of(rows, limits)
    if limits.bytes is None or limits.operations is None or not points:
        raise ValueError("a roofline needs the rates of a copy and of a matrix product, and a kernel of ours")
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise RuntimeError("the picture needs matplotlib: pip install matplotlib") from error

    figure = Figure(figsize=(12, 5.2), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    groups = list(dict.fromkeys(point.group for point in points))
    colours = {group: f"C{number}" for number, group in enumerate(groups)}
    _draw_roof(left, points, limits.operations, limits.bytes, colours)
    _draw_shares(right, points, groups, colours)
    _save(figure, path)


def _draw_roof(axes: Any, points: list[Point], peak: float, bandwidth: float, colours: dict[str, str]) -> None:
    ridge = peak / bandwidth
    intensities = [ridge, *(point.intensity for point in points if point.intensity is not None)]
    rates = [point.rate for point in points if point.rate is not None]
    low, high = min(intensities) / 3, max(intensities) * 3
    axes.loglog([low, ridge, high], [low * bandwidth, peak, peak], color="0.25", lw=1.8, zorder=1)
    axes.annotate(f"best product: {rate_in_words(peak, 'FLOP/s')}", (high, peak), (-6, 6), textcoords="offset points",
                  ha="right", color="0.25")
    half = math.sqrt(low * ridge)  # half of the slope's way, where its label has room on the left
    axes.annotate(f"copy: {rate_in_words(bandwidth, 'B/s')}", (half, half * bandwidth), (-10, 4),
                  textcoords="offset points", ha="right", color="0.25")
    placed = [point for point in points if point.intensity is not None]
    for group, colour in colours.items():
        ours = [point for point in placed if point.group == group and point.competitor == OURS]
        if not ours:
            continue
        axes.plot([p.intensity for p in ours], [p.rate for p in ours], "o", color=colour, ms=6, label=group, zorder=3)
        best = _best_peers(placed, group)
        axes.plot([p.intensity for p in best], [p.rate for p in best], "o", color=colour, ms=9, mfc="none", zorder=2)
    axes.set_xlim(low, high)
    axes.set_ylim(min([low * bandwidth, *rates]) / 2, peak * 2.5)
    axes.set_xlabel("operations a byte of memory traffic (at least)")
    axes.set_ylabel("operations a second")
    axes.set_axisbelow(True)
    axes.grid(True, which="major", color="0.9")
    axes.legend(loc="lower right", frameon=False, title="filled: gpunet; hollow: best peer")


def _draw_shares(axes: Any, points: list[Point], groups: list[str], colours: dict[str, str]) -> None:
    for height, group in enumerate(reversed(groups)):
        ours = [point.share for point in points if point.group == group and point.competitor == OURS]
        axes.plot([100 * share for share in ours], [height + 0.12] * len(ours), "o", color=colours[group], ms=6)
        best = [100 * point.share for point in _best_peers(points, group)]
        axes.plot(best, [height - 0.12] * len(best), "o", color=colours[group], ms=7, mfc="none")
    axes.axvline(100, color="0.25", lw=1.8, zorder=1)
    axes.set_yticks(range(len(groups)), list(reversed(groups)))
    axes.set_ylim(-0.6, len(groups) - 0.4)
    axes.set_xlim(0, max(105.0, 105 * max(point.share for point in points)))
    axes.set_xlabel("per cent of the limit, a dot a case")
    axes.set_axisbelow(True)
    axes.grid(True, axis="x", color="0.9")


def _best_peers(points: list[Point], group: str) -> list[Point]:
    """The fastest other library in each case of a group."""
    best: dict[str, Point] = {}
    for point in points:
        peer = point.group == group and not point.competitor.startswith(OURS)
        if peer and (point.name not in best or point.share > best[point.name].share):
            best[point.name] = point
    return list(best.values())


def _save(figure: Any, path: Path) -> None:
    """Under its final name at once: whoever looks finds the old picture or the new one."""
    kind = path.suffix.removeprefix(".") or "png"
    if kind not in ("png", "svg"):
        raise ValueError(f"{path}: the picture is a .png or a .svg")
    path.parent.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    # Without a date in it, the same figures give the same file.
    figure.savefig(content, format=kind, dpi=130, metadata={"Date": None} if kind == "svg" else None)
    files.replace(path, content.getvalue(), durable=False)
