"""Sums, means, extremes and the softmax family."""

from dataclasses import replace

from tests.cases.table import EDGES, INTS, LOOSE, OUTLIERS, case, each, f, given

WHOLE_SUMS = ["x.sum()", "x.mean()", "x.sum(0)", "x.sum(-1, keepdim=True)", "x.mean(dim=(0, -1))", "sum(x, (0,))",
              "x.mean(0, keepdim=True)", "sum(x, dim=[0, 1])", "x.sum(())", "x.sum(None)", "x.sum(1).mean(0)"]
each(WHOLE_SUMS, dict(x=f(2, 3)), dict(x=f(3, 1, 5)), dict(x=f(4, 3, layout="columns")),
     dict(x=f(3, 2, layout="expand")), tolerance=LOOSE)
each(["x.sum()", "x.mean()", "x.sum(0)", "x.mean(-1)", "x.prod()", "x.amax()", "x.amin(0)", "x.max()",
      "x.sum(0, keepdim=True)", "logsumexp(x, 0)", "x.softmax(0)", "x.log_softmax(-1)", "x.max(0)"], dict(x=f()))
each(["x.sum()", "x.mean()", "x.sum(0)", "x.sum(1)", "x.mean(0)", "x.mean(1)", "x.prod()", "x.prod(1)", "x.amax(0)",
      "x.amin(0)", "x.softmax(0)", "x.log_softmax(1)", "logsumexp(x, 1)", "x.all(1)", "x.any()", "x.argmax(0)",
      "x.max(0)", "var(x)"],
     dict(x=f(3, 0)), second=False, differences=False)
each(["x.prod()", "x.prod(0)", "x.prod(-1, keepdim=True)"], dict(x=f(2, 3)), dict(x=f(5, 1)),
     dict(x=f(1, 4, layout="gaps")), tolerance=LOOSE)
each(["x.prod()", "x.prod(0)", "x.prod(1)"], dict(x=given("value", 0.0, 2.0, 0.0, 3.0, 4.0, 0.5, shape=(2, 3))),
     second=False)
each(["x.sum(dtype=float64)", "x.mean(dtype=float32)", "x.sum(0, dtype=float32)", "x.prod(dtype=float64)"],
     dict(x=f(2, 3)), second=False, tolerance=LOOSE, differences=False)
each(["x.sum()", "x.sum(0)", "x.prod(0)", "x.amax()", "x.amin(1)", "x.max()", "x.min()", "x.max(1)", "x.all()",
      "x.any(0)", "x.sum(dtype=float32)", "x.sum(0, dtype=int16)", "x.mean(dtype=float64)",
      "x.min(0, keepdim=True)"], dict(x=f(2, 3, low=0, high=5)),
     dtypes=(*INTS, "bool"))
each(["logsumexp(x, 1)", "logsumexp(x, (0, 1))"], dict(x=f(2, 3, low=0, high=5)), dtypes=(*INTS, "bool"),
     tolerance=LOOSE)
each(["x.argmax()", "x.argmin(0)"], dict(x=f(2, 3, low=0, high=5)), dtypes=INTS)
each(["var(x)", "std(x)", "x.var(0)", "x.std(-1, keepdim=True)", "x.var(dim=(0, 1), correction=0)",
      "x.std(1, unbiased=False)", "x.var(correction=2)", "x.var(unbiased=False)",
      "var(x, 0, correction=0, keepdim=True)", "var(x, None, correction=None)", "std(x, 0, True)",
      "var(x, False)"],
     dict(x=f(4, 3)), dict(x=f(3, 5, layout="columns")), tolerance=LOOSE)
each(["x.var()", "x.std()"], dict(x=f(1)), second=False, differences=False)  # one element: NaN
DISTINCT = [dict(x=f(3, 4, distinct=True)), dict(x=f(2, 1, 5, distinct=True)),
            dict(x=f(4, 2, distinct=True, layout="columns"))]
each(["x.amax()", "x.amin(0)", "x.amax((0, 1))", "x.amin(-1, keepdim=True)", "x.max()", "x.min()", "x.max(0)",
      "x.min(-1)", "max(x, 1, keepdim=True)", "x.argmax()", "x.argmin(0)", "x.argmax(-1, keepdim=True)", "argmin(x)",
      "x.argmax(keepdim=True)", "x.max(dim=0).values", "x.min(1).indices"], *DISTINCT)
each(["x.amax(1)", "x.amin()", "x.max()", "x.max(1)", "x.argmax(1)", "x.min(0)"],
     dict(x=given("value", 1.0, 3.0, 3.0, 2.0, 2.0, 2.0, shape=(2, 3))), second=False, differences=False)  # ties
each(["x.max()", "x.amin()", "x.argmax()", "x.max(0)", "x.sum()", "x.mean()"], dict(x=replace(EDGES, grad=False)))
each(["max(x, y)", "min(x, y)", "x.max(y)"], dict(x=f(2, 3), y=f(3)))
each(["x.all()", "x.any(1)", "all(x, 0)", "any(x, (0, 1))", "x.all(-1, keepdim=True)"], dict(x=f(2, 3, low=0, high=1)),
     dtypes=("bool", "int64", "uint8", "float32"))
each(["softmax(x, 1)", "log_softmax(x, dim=0)", "x.softmax(-1)", "x.log_softmax(-1)",
      "softmax(x, dim=0, dtype=float64)", "logsumexp(x, 1)", "logsumexp(x, (0, 1))", "x.logsumexp(-1, keepdim=True)"],
     dict(x=f(2, 3)), dict(x=f(5, 1)), dict(x=f(3, 4, 2, layout="columns")), tolerance=LOOSE)
each(["softmax(x, 1)", "log_softmax(x, 1)", "softmax(x, 0)"], dict(x=OUTLIERS), second=False, differences=False,
     tolerance=LOOSE)
case("logsumexp(x, 1)", x=OUTLIERS, second=False, differences=False,
     dtypes=("float64",))  # PyTorch loses digits in float32
each(["softmax(x, 0)", "log_softmax(x, 0)", "logsumexp(x, 0)"], dict(x=given("value", float("-inf"), 1.0, 2.0)),
     second=False, differences=False, tolerance=LOOSE)
each("logsumexp(x, 0)", dict(x=given("value", *[float("-inf")] * 2)), dict(x=given("value", float("inf"), 1.0)),
     second=False, differences=False)
each(["x.std(0, correction=0)", "x.std(correction=0)", "std_mean(x, correction=0)[0]"],
     dict(x=given("value", 2.0, 2.0, 2.0)), second=False, differences=False)  # a root of 0
each(["cov(x)", "x.cov(correction=0)", "cov(x[0])", "corrcoef(x)", "trapezoid(x)", "trapezoid(x, y, dim=0)",
      "trapz(x, dx=0.5, dim=0)", "cumulative_trapezoid(x, y[0])"], dict(x=f(3, 5), y=f(3, 5)), tolerance=LOOSE)
