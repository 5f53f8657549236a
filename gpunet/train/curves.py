"""Learning curves as an SVG picture: loss on the left, accuracy on the right."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import ceil, floor, log10

_WIDTH, _HEIGHT = 900, 380
_PANEL_TOP, _PANEL_BOTTOM = 84, 330
_PANELS = (("Loss", "loss", 64, 420), ("Accuracy", "accuracy", 520, 876))  # title, key, left, right
_SERIES = (("", "train", "#4878a8"), ("test_", "test", "#d9662b"))  # key prefix, name, colour


def learning_curves(history: Sequence[dict[str, float]], title: str) -> str:
    """Draws learning curves as SVG: loss on the left, accuracy on the right.

    Args:
        history: rows as in `Trainer.history`: epoch, loss, accuracy and, if there was test data, test_loss and
            test_accuracy. One row at least.
        title: text above the curves.

    Returns:
        The text of the picture.

    Examples:
        >>> history = [{"epoch": 1, "loss": 0.9, "accuracy": 0.6}, {"epoch": 2, "loss": 0.5, "accuracy": 0.8}]
        >>> train.learning_curves(history, "first run")[:5]
        '<svg '
    """
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="12" fill="#444">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        f'<text x="24" y="32" font-size="17" font-weight="bold" fill="#222">{escape(title)}</text>',
    ]
    for position, (_, name, colour) in enumerate(_SERIES):
        x = _WIDTH - 152 + 68 * position
        parts.append(f'<line x1="{x}" y1="27" x2="{x + 22}" y2="27" stroke="{colour}" stroke-width="2.5"/>')
        parts.append(f'<text x="{x + 28}" y="31">{name}</text>')
    for panel in _PANELS:
        parts += _panel(history, *panel)
    return "\n".join([*parts, "</svg>", ""])


def _panel(history: Sequence[dict[str, float]], title: str, key: str, left: float, right: float) -> list[str]:
    series = [(colour, [row[prefix + key] for row in history if prefix + key in row]) for prefix, _, colour in _SERIES]
    values = [value for _, line in series for value in line]
    ticks = _ticks(0.0, max(values)) if key == "loss" else _ticks(min(*values, 0.9), 1.0)
    low, high = ticks[0], ticks[-1]
    epochs = [int(row["epoch"]) for row in history]
    first, last = epochs[0], epochs[-1]

    def x_of(epoch: float) -> float:
        return left + (right - left) * ((epoch - first) / (last - first) if last > first else 0.5)

    def y_of(value: float) -> float:
        return _PANEL_BOTTOM - (_PANEL_BOTTOM - _PANEL_TOP) * (value - low) / (high - low)

    parts = [f'<text x="{left}" y="{_PANEL_TOP - 16}" font-size="14" fill="#222">{title}</text>']
    for tick in ticks:
        y = y_of(tick)
        stroke = "#999" if tick == low else "#e4e4e4"
        parts.append(f'<line x1="{left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="{stroke}"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in _epoch_ticks(first, last):
        x = x_of(tick)
        parts.append(f'<line x1="{x:.1f}" y1="{_PANEL_BOTTOM}" x2="{x:.1f}" y2="{_PANEL_BOTTOM + 4}" stroke="#999"/>')
        parts.append(f'<text x="{x:.1f}" y="{_PANEL_BOTTOM + 18}" text-anchor="middle">{tick}</text>')
    parts.append(f'<text x="{(left + right) / 2}" y="{_PANEL_BOTTOM + 38}" text-anchor="middle">epoch</text>')
    for colour, line in series:
        points = [(x_of(epoch), y_of(value)) for epoch, value in zip(epochs, line, strict=False)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round"/>'
        )
        marked = points if len(points) <= 30 else points[-1:]
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{colour}"/>' for x, y in marked]
    return parts


def _ticks(low: float, high: float) -> list[float]:
    """Four to eight round numbers from at most `low` to at least `high`."""
    span = max(high - low, 1e-6)
    step = 10 ** floor(log10(span / 4))
    step = next(step * factor for factor in (1, 2, 5, 10) if span / (step * factor) <= 6)
    start, end = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [round(step * index, 10) for index in range(start, max(end, start + 1) + 1)]


def _epoch_ticks(first: int, last: int) -> list[int]:
    step = max(1, int(_ticks(0, (last - first) or 1)[1]))
    return sorted({first, *range(step, last + 1, step)} - set(range(step, first)))
