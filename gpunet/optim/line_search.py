"""Line searches: how far to go along a direction of descent."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from gpunet.tensor import Tensor


class Point(NamedTuple):
    """A place on the line: how far along, the loss there, its gradient (a vector) and its slope along the line."""

    step: float
    loss: float
    gradient: Tensor
    slope: float


def armijo(evaluate: Callable[[float], Point], start: Point, step: float, *, c1: float = 1e-4, shrink: float = 0.5,
           most: int = 25) -> Point:
    """Shortens the step until the loss has fallen by at least c1 times what the slope promises (Nocedal and Wright,
    2006, Algorithm 3.1). Returns `start` if no step of `most` does it."""
    for _ in range(most):
        point = evaluate(step)
        if point.loss <= start.loss + c1 * step * start.slope:
            return point
        step *= shrink
    return start


def strong_wolfe(evaluate: Callable[[float], Point], start: Point, step: float, *, longest: float, c1: float = 1e-4,
                 c2: float = 0.9, tolerance: float = 1e-9, most: int = 25) -> Point:
    """A point where the loss has fallen by c1 and the slope's size by c2 of what it was: the strong Wolfe conditions
    (Nocedal and Wright, 2006, Algorithms 3.5 and 3.6), with the steps of PyTorch's LBFGS.

    longest: the largest element of the direction; brackets in which nothing moves by `tolerance` are not divided.
    """
    before, now = start, evaluate(step)

    def too_high(point: Point) -> bool:
        return point.loss > start.loss + c1 * point.step * start.slope

    def flat(point: Point) -> bool:
        return abs(point.slope) <= -c2 * start.slope

    turns = 0
    while turns < most:  # until two points have a good one between them
        if too_high(now) or turns > 1 and now.loss >= before.loss:
            bracket = before, now
            break
        if flat(now):
            return now
        if now.slope >= 0:
            bracket = before, now
            break
        step = _cubic(before, now, now.step + 0.01 * (now.step - before.step), now.step * 10)
        before, now = now, evaluate(step)
        turns += 1
    else:
        bracket = start, now

    stuck = False  # whether the last step was near an end of the bracket
    low, high = sorted(bracket, key=lambda point: point.loss)
    while turns < most and abs(high.step - low.step) * longest >= tolerance:
        left, right = sorted((low.step, high.step))
        step = _cubic(low, high, left, right)
        margin = 0.1 * (right - left)
        near = min(right - step, step - left) < margin
        if near and (stuck or step >= right or step <= left):
            step = right - margin if abs(step - right) < abs(step - left) else left + margin
            near = False
        stuck = near
        now = evaluate(step)
        turns += 1
        if too_high(now) or now.loss >= low.loss:
            low, high = sorted((low, now), key=lambda point: point.loss)
            continue
        if flat(now):
            return now
        if now.slope * (high.step - low.step) >= 0:
            high = low
        low = now
    return low


def _cubic(a: Point, b: Point, least: float, most: float) -> float:
    """The minimum, between two bounds, of the cubic through two points with their slopes; the middle if it has none."""
    if a.step > b.step:
        a, b = b, a
    if a.step == b.step:
        return (least + most) / 2
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.step - b.step)
    square = d1 * d1 - a.slope * b.slope
    if not square >= 0:
        return (least + most) / 2
    d2 = math.sqrt(square)
    divisor = b.slope - a.slope + 2 * d2
    if divisor == 0:
        return (least + most) / 2
    return min(max(b.step - (b.step - a.step) * ((b.slope + d2 - d1) / divisor), least), most)
