"""What the files of cases share: how a row is written.

`f(2, 3)` is a floating-point tensor (or of the row's `dtypes`), `i(2, 3)` int64, `b(2, 3)` bool.
"""

from __future__ import annotations

from tests.oracle import FLOATS, Case, Input
from tests.oracle import INTS as INTS
from tests.oracle import SIGNED as SIGNED

CASES: list[Case] = []

# What rows warn of on purpose: they call what one should not. For pytest's filterwarnings.
WARNED = (
    "ignore:.*softm.*dim should be given",
    "ignore:dropout2d. expected 4 dimensions",
    "ignore:indexing with a uint8 tensor takes it as a mask",
)


def case(text: str, *, dtypes=FLOATS, second=True, torch=True, differences=True, tolerance=None, sim=(1e-5, 1e-5),
         **inputs: Input):
    CASES.append(Case(text, inputs, dtypes, second, torch, differences, tolerance or {}, sim))


def each(texts, *inputs: dict, **options):
    """Every expression with every set of inputs."""
    for text in [texts] if isinstance(texts, str) else texts:
        for tensors in inputs:
            case(text, **tensors, **options)


def f(*shape, low=-2.0, high=2.0, **options) -> Input:
    return Input(shape, "value", low, high, **options)


def i(*shape, low=0, high=9, **options) -> Input:
    return Input(shape, "int", low, high, **options)


def b(*shape, **options) -> Input:
    return Input(shape, "bool", **options)


def given(kind, *values, shape=None, **options) -> Input:
    """A tensor of a fixed type with these values."""
    return Input((len(values),) if shape is None else shape, kind, values=values, **options)


def kink(*shape, at=0.0, **options) -> Input:
    return f(*shape, avoid=(at,), **options)


HALF = ("float16", "bfloat16")
LOOSE = {"float16": (1e-2, 1e-2), "bfloat16": (6e-2, 6e-2)}  # rounded more than once
SINGLE = ("float64", "float32")
EDGES = given("value", float("inf"), float("-inf"), float("nan"), 0.0, -0.0, 1.0, -1.5, 1e-3)
OUTLIERS = given("value", 1000.0, -1000.0, 0.0, 1e4, 1e4, -1e4, shape=(2, 3))


def shapes(make, *more):
    """One tensor x in the shapes that every element-wise op must take."""
    return [dict(x=make()), dict(x=make(0)), dict(x=make(7)), dict(x=make(2, 3, layout="columns")),
            dict(x=make(1, 5, layout="gaps")), *more]
