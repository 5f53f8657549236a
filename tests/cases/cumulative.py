"""Scans: sums, products and extremes up to each element."""

from dataclasses import replace

from tests.cases.table import EDGES, INTS, LOOSE, SINGLE, case, each, f, given

WHOLE = [dict(x=f(2, 3)), dict(x=f(5, 1)), dict(x=f(3, 4, 2, layout="columns")), dict(x=f(1, 7, layout="gaps")),
         dict(x=f(2, 3, layout="expand"))]
each(["cumsum(x, 1)", "x.cumsum(0)", "x.cumprod(-1)", "cumprod(x, dim=0)", "logcumsumexp(x, 1)", "x.logcumsumexp(0)"],
     *WHOLE, tolerance=LOOSE)
each(["cummax(x, 1)", "x.cummin(0)", "cummin(x, dim=-1)"], dict(x=f(3, 5, distinct=True)),
     dict(x=f(4, 2, 3, distinct=True, layout="columns")))
each(["cumsum(x, 0)", "cumprod(x, -1)", "cummax(x, 0)", "logcumsumexp(x, 0)"], dict(x=f()), tolerance=LOOSE)
each(["cumsum(x, 1)", "cumprod(x, 0)", "logcumsumexp(x, 1)"], dict(x=f(3, 0)), dict(x=f(0, 2)), second=False,
     differences=False)
each(["cumprod(x, 0)", "cumprod(x, 1)"], dict(x=given("value", 0.0, 2.0, 0.0, 3.0, 4.0, 0.5, shape=(2, 3))),
     second=False)
case("cumprod(x, 0).sum() * cumprod(x, 1)", x=given("value", 0.0, 2.0, 0.0, 3.0, 4.0, 0.5, shape=(2, 3)), torch=False)
each(["cummax(x, 0)", "cummin(x, 0)", "cumsum(x, 0)", "cumprod(x, 0)", "logcumsumexp(x, 0)"],
     dict(x=replace(EDGES, grad=False)), tolerance=LOOSE)
each("logcumsumexp(x, 0)", dict(x=given("value", *[float("-inf")] * 2, 0.0, grad=False)))
case("logcumsumexp(x, 0)", x=given("value", -1000.0, 1000.0, 999.0, -1000.0), dtypes=("float64",),
     second=False, differences=False)
each(["cummax(x, 0)", "cummin(x, 1)"], dict(x=given("value", 1.0, 3.0, 3.0, 2.0, 2.0, 0.0, 0.0, 2.0, shape=(2, 4))),
     second=False, differences=False)  # ties
each(["cumsum(x, 0)", "cumprod(x, 1)", "cummax(x, 1)", "cumsum(x, 1, dtype=float32)", "cumprod(x, 0, dtype=int16)"],
     dict(x=f(2, 5, low=0, high=5)), dtypes=(*INTS, "bool"))

# Gradients of long dimensions, of many rows, and of values far apart.
each(["cumprod(x, 0)", "logcumsumexp(x, 0)", "prod(x, 0)", "x.prod()"], dict(x=f(37, low=0.8, high=1.2)),
     tolerance=LOOSE)
each(["cumprod(x, 0)", "logcumsumexp(x, 0)"], dict(x=f(3, 300)), dtypes=SINGLE)
each("logcumsumexp(x, 0)", dict(x=given("value", 1000.0, -1000.0, 1001.0, 999.0)),
     dict(x=given("value", -5e3, 0.0, 5e3)), dtypes=("float64",), differences=False)
