"""Learning curves as SVG: a panel for the loss and for each metric, in one picture or one by one for a web page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import ceil, floor, isfinite, log10
from typing import Any

_WIDTH, _ROW = 900, 296  # of the picture, and the height of a row of panels
_LEFTS = ((64, 420), (520, 876))  # left and right of the panels in a row
SERIES = (("", "training"), ("val_", "validation"))  # key prefix, name
_NO_CURVES = ("epoch", "seconds", "examples_per_second", "lr")
# Colours of text, titles, the axis and the grid, and of the series: in a picture of its own, and in a page, whose style
# sheet knows of light and dark.
_PAPER = {"text": "#444", "title": "#222", "axis": "#999", "grid": "#e4e4e4", "": "#4878a8", "val_": "#d9662b"}
PAGE = {"text": "var(--soft)", "title": "var(--ink)", "axis": "var(--axis)", "grid": "var(--line)",
        "": "var(--first)", "val_": "var(--second)"}


def learning_curves(history: Sequence[dict[str, Any]], title: str) -> str:
    """Draws learning curves as SVG: the loss, and beside it each metric, of training and validation.

    Args:
        history: rows as in `Trainer.history`: epoch, loss, metrics and, if there was validation data, the same with
            `val_` before their names. One row at least. Metrics that are no single number are left out.
        title: text above the curves.

    Returns:
        The text of the picture.

    Examples:
        >>> history = [{"epoch": 1, "loss": 0.9, "accuracy": 0.6}, {"epoch": 2, "loss": 0.5, "accuracy": 0.8}]
        >>> train.learning_curves(history, "first run")[:5]
        '<svg '
    """
    keys = _keys(history)
    height = 84 + _ROW * -(-len(keys) // 2)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="12" fill="#444">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="24" y="32" font-size="17" font-weight="bold" fill="#222">{escape(title)}</text>',
    ]
    for position, (prefix, name) in enumerate(SERIES):
        colour = _PAPER[prefix]
        x = _WIDTH - 224 + 104 * position
        parts.append(f'<line x1="{x}" y1="27" x2="{x + 22}" y2="27" stroke="{colour}" stroke-width="2.5"/>')
        parts.append(f'<text x="{x + 28}" y="31">{name}</text>')
    for number, key in enumerate(keys):
        parts += _panel(history, key, *_LEFTS[number % 2], 84 + _ROW * (number // 2), _PAPER)
    return "\n".join([*parts, "</svg>", ""])


def panels(history: Sequence[dict[str, Any]], marked: int | None = None) -> list[str]:
    """The panels as SVG pictures for a web page, in the colours of its style sheet; see `PAGE`.

    marked: an epoch to mark.
    """
    return ["\n".join([_opening(430, 326), *_panel(history, key, 60, 416, 36, PAGE, marked), "</svg>"])
            for key in _keys(history)]


def scatter(right: Sequence[float], said: Sequence[float]) -> str:
    """Predictions over right values as an SVG picture for a web page."""
    left, edge, top, bottom = 76, 460, 16, 380
    ticks = ticks_of(min(*right, *said), max(*right, *said))
    low, span = ticks[0], ticks[-1] - ticks[0]

    def at(x: float, y: float) -> tuple[float, float]:
        return left + (edge - left) * (x - low) / span, bottom - (bottom - top) * (y - low) / span

    parts = [_opening(480, 440)]
    for tick in ticks:
        x, y = at(tick, tick)
        parts.append(f'<line x1="{left}" y1="{y:.1f}" x2="{edge}" y2="{y:.1f}" stroke="var(--line)"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 20}" text-anchor="middle">{tick:g}</text>')
    parts.append(f'<line x1="{left}" y1="{bottom}" x2="{edge}" y2="{top}" stroke="var(--axis)" '
                 'stroke-dasharray="5 4"/>')
    for x, y in map(at, right, said):
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="var(--first)" fill-opacity="0.45"/>')
    parts.append(f'<text x="{(left + edge) / 2}" y="{bottom + 44}" text-anchor="middle">right value</text>')
    parts.append(f'<text transform="translate(16 {(top + bottom) / 2}) rotate(-90)" text-anchor="middle">prediction'
                 '</text>')
    return "\n".join([*parts, "</svg>"])


def _opening(width: int, height: int) -> str:
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-size="13" '
            'fill="var(--soft)" role="img">')


def rate_curve(rates: Sequence[float], losses: Sequence[float], suggestion: float) -> str:
    """Draws the loss over the logarithm of the learning rate, and the suggested rate, as SVG."""
    left, right, top, bottom = 72, 600, 56, 320
    low, high = floor(log10(rates[0])), ceil(log10(rates[-1]))
    ticks = ticks_of(min(losses), min(max(losses), 4 * max(min(losses), 1e-9)))

    def x_of(rate: float) -> float:
        return left + (right - left) * (log10(rate) - low) / max(high - low, 1)

    def y_of(loss: float) -> float:
        return bottom - (bottom - top) * (min(loss, ticks[-1]) - ticks[0]) / (ticks[-1] - ticks[0])

    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 380" width="640" height="380" '
        'font-family="Helvetica, Arial, sans-serif" font-size="12" fill="#444">',
        '<rect width="640" height="380" fill="#fff"/>',
        f'<text x="{left}" y="30" font-size="14" fill="#222">Loss over learning rate; suggested: {suggestion:.2g}'
        '</text>',
    ]
    for tick in ticks:
        y, stroke = y_of(tick), "#999" if tick == ticks[0] else "#e4e4e4"
        parts.append(f'<line x1="{left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="{stroke}"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for power in range(low, high + 1):
        parts.append(f'<text x="{x_of(10.0**power):.1f}" y="{bottom + 18}" text-anchor="middle">1e{power}</text>')
    x = x_of(suggestion)
    parts.append(f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom}" stroke="#d9662b" stroke-dasharray="4"/>')
    path = " ".join(f"{x_of(rate):.1f},{y_of(loss):.1f}" for rate, loss in zip(rates, losses, strict=True))
    parts.append(f'<polyline points="{path}" fill="none" stroke="#4878a8" stroke-width="2"/>')
    return "\n".join([*parts, "</svg>", ""])


def titled(name: str) -> str:
    """A metric's name as a title: `val_loss` is "Validation loss", `mae` "MAE"."""
    words = name.removeprefix("val_").replace("_", " ")
    words = words.upper() if words in ("mae", "mse", "r2", "f1", "auroc") else words
    return f"Validation {words}" if name.startswith("val_") else words[:1].upper() + words[1:]


def _keys(history: Sequence[dict[str, Any]]) -> list[str]:
    """The columns to draw."""
    names = dict.fromkeys(name.removeprefix("val_") for row in history for name in row)
    return [name for name in names if name not in _NO_CURVES and any(_points(history, prefix + name)
                                                                     for prefix, _ in SERIES)]


def _points(history: Sequence[dict[str, Any]], key: str) -> list[tuple[int, float]]:
    """Epochs and values of a column, where it is a finite number."""
    return [(int(row["epoch"]), float(row[key])) for row in history
            if isinstance(row.get(key), int | float) and isfinite(row[key])]


def _panel(history: Sequence[dict[str, Any]], key: str, left: float, right: float, top: float,
           colours: dict[str, str], marked: int | None = None) -> list[str]:
    series = [(colours[prefix], name, _points(history, prefix + key)) for prefix, name in SERIES]
    values = [value for _, _, line in series for _, value in line]
    shares = key != "loss" and 0 <= min(values) and max(values) <= 1
    ticks = ticks_of(min(*values, 0.9), 1.0) if shares else ticks_of(min(0.0, *values), max(0.0, *values))
    low, high, bottom = ticks[0], ticks[-1], top + 246
    epochs = [int(row["epoch"]) for row in history]
    first, last = epochs[0], epochs[-1]

    def x_of(epoch: float) -> float:
        return left + (right - left) * ((epoch - first) / (last - first) if last > first else 0.5)

    def y_of(value: float) -> float:
        return bottom - (bottom - top) * (value - low) / (high - low)

    parts = [f'<text x="{left}" y="{top - 16}" font-size="14" fill="{colours["title"]}">'
             f'{escape(titled(key))}</text>']
    for tick in ticks:
        y = y_of(tick)
        stroke = colours["axis"] if tick == low else colours["grid"]
        parts.append(f'<line x1="{left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="{stroke}"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in _epoch_ticks(first, last):
        x = x_of(tick)
        parts.append(f'<line x1="{x:.1f}" y1="{bottom}" x2="{x:.1f}" y2="{bottom + 4}" stroke="{colours["axis"]}"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{tick}</text>')
    parts.append(f'<text x="{(left + right) / 2}" y="{bottom + 34}" text-anchor="middle">epoch</text>')
    if marked is not None:
        x = x_of(marked)
        parts.append(f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom}" stroke="{colours["axis"]}" '
                     'stroke-dasharray="4 3"/>')
    for colour, what, line in series:
        points = [(x_of(epoch), y_of(value)) for epoch, value in line]
        if not points:
            continue
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round"/>'
        )
        shown = range(len(points)) if len(points) <= 30 else [len(points) - 1]
        parts += [f'<circle cx="{points[i][0]:.1f}" cy="{points[i][1]:.1f}" r="2.6" fill="{colour}"><title>'
                  f'{what}, epoch {line[i][0]}: {line[i][1]:.5g}</title></circle>' for i in shown]
    return parts


def ticks_of(low: float, high: float) -> list[float]:
    """Four to eight round numbers from at most `low` to at least `high`."""
    span = max(high - low, 1e-6)
    step = 10 ** floor(log10(span / 4))
    step = next(step * factor for factor in (1, 2, 5, 10) if span / (step * factor) <= 6)
    start, end = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [round(step * index, 10) for index in range(start, max(end, start + 1) + 1)]


def _epoch_ticks(first: int, last: int) -> list[int]:
    step = max(1, int(ticks_of(0, (last - first) or 1)[1]))
    return sorted({first, *range(step, last + 1, step)} - set(range(step, first)))
