"""Sorting, medians, quantiles, boundaries, and counting."""

from dataclasses import replace

from tests.cases.table import EDGES, INTS, SINGLE, b, case, each, f, given, i

ROWS = [dict(x=f(3, 5, distinct=True)), dict(x=f(4, 1, 3, distinct=True)),
        dict(x=f(4, 3, distinct=True, layout="columns")), dict(x=f(2, 5, distinct=True, layout="gaps"))]
AWKWARD = dict(x=replace(EDGES, grad=False, values=EDGES.values[:4] + EDGES.values[5:], shape=(7,)))  # zeros would tie
TIES = dict(x=given("value", 1.0, 3.0, 3.0, 2.0, 2.0, 2.0, 1.0, 1.0, shape=(2, 4)))

# ---- order

each(["sort(x)", "x.sort(0)", "sort(x, dim=-2, descending=True)", "argsort(x)", "x.argsort(0, True)", "topk(x, 2)",
      "x.topk(1, 0, largest=False)", "topk(x, 1, dim=-1, sorted=True)", "kthvalue(x, 2, 0)",
      "x.kthvalue(1, keepdim=True)", "msort(x)", "x.sort(stable=True, dim=0, descending=True)", "topk(x, 0)"],
     ROWS[0], ROWS[2])
each(["sort(x)", "topk(x, 1, 0)", "median(x)", "median(x, 0)", "x.nanmedian(-1, keepdim=True)"], *ROWS[1:])
each(["sort(x, stable=True)", "sort(x, stable=True, descending=True)", "argsort(x, dim=0, stable=True)", "mode(x)",
      "mode(x, 0, True)"], TIES, second=False, differences=False)
each(["sort(x)", "sort(x, descending=True)", "topk(x, 5)", "median(x)", "median(x, 0)", "nanmedian(x)",
      "nanmedian(x, 0)", "kthvalue(x, 6)", "argsort(x)"], AWKWARD)
each(["sort(x, stable=True)", "sort(x, descending=True, stable=True)", "mode(x)"], dict(x=f(2, 9, low=0, high=5)),
     dtypes=(*INTS, "bool"))
each(["median(x)", "x.median(1).values", "nanmedian(x)", "topk(x, 3).values", "kthvalue(x, 2).values"],
     dict(x=f(2, 9, low=0, high=5)), dtypes=INTS)
each(["sort(x)", "topk(x, 1)", "median(x)", "median(x, 0)", "kthvalue(x, 1)", "argsort(x)", "mode(x)"], dict(x=f()))
each(["sort(x)", "sort(x, 0)", "argsort(x)", "topk(x, 0)", "median(x)", "nanmedian(x)"], dict(x=f(0, 3)), dict(x=f(0)),
     second=False, differences=False)
each(["median(x)", "nanmedian(x)"], TIES, second=False, differences=False)
case("nanmedian(x, 1)", x=given("value", *[float("nan")] * 3, 2.0, float("nan"), 1.0, shape=(2, 3), grad=False))

# ---- quantiles

each([f"quantile(x, {q}, {options})" for q in ("0.3", "q") for options in
      ("", "dim=1", "dim=0, keepdim=True", "dim=-1, interpolation='lower'", "dim=0, interpolation='higher'",
       "dim=0, interpolation='midpoint'", "dim=1, keepdim=True, interpolation='nearest'", "keepdim=True")],
     dict(x=f(3, 6, distinct=True), q=given("value", 0.0, 0.25, 0.9, 1.0, grad=False)), dtypes=SINGLE)
each(["quantile(x, 0.5)", "nanquantile(x, 0.6)", "nanquantile(x, 0.4, dim=0)"], dict(x=f(3, distinct=True)),
     dict(x=f(1)), dtypes=SINGLE)
each(["quantile(x, 0.5, dim=1)", "nanquantile(x, 0.5, dim=1)", "nanquantile(x, q, dim=1, keepdim=True)"],
     dict(x=given("value", 1.0, float("nan"), 3.0, 2.0, 5.0, 0.0, *[float("nan")] * 3, shape=(3, 3)),
          q=given("value", 0.1, 0.8, grad=False)), dtypes=SINGLE, second=False, differences=False)

each("quantile(x, q, dim=1)", dict(x=f(3, 6, distinct=True), q=given("value", 0.13, 0.77)), dtypes=SINGLE)
each(["quantile(x, 0.5, 0, True)", "quantile(x, q)"], dict(x=f(), q=given("value", 0.5, 1.0, grad=False)),
     dtypes=SINGLE)

# ---- boundaries

BOUNDS = given("value", 1, 2, 2, 5)
VALUES = given("value", 0, 1, 2, 3, 5, 9, shape=(2, 3))
each(["searchsorted(w, x)", "searchsorted(w, x, right=True)", "searchsorted(w, x, side='right', out_int32=True)",
      "searchsorted(w, 2)", "bucketize(x, w)", "bucketize(x, w, right=True)", "bucketize(3, w, out_int32=True)"],
     dict(w=replace(BOUNDS, grad=False), x=replace(VALUES, grad=False)),
     dtypes=("float32", "float16", "int64", "uint8"))
each(["searchsorted(w, x)", "searchsorted(w, x, side='right')"],
     dict(w=given("value", 1, 2, 2, 5, 0, 0, 1, 1, shape=(2, 4), grad=False), x=replace(VALUES, grad=False)),
     dict(w=given("value", 1, 2, shape=(1, 2), grad=False), x=f(1, 0, grad=False)),
     dict(w=f(2, 0, grad=False), x=f(2, 3, grad=False)), dtypes=("float32", "int32"))
each("searchsorted(w, x)", dict(w=BOUNDS, x=EDGES), dict(w=f(0), x=f(2)), dict(w=given("int64", 1, 3), x=f(3)),
     dtypes=("float32",))
case("searchsorted(w, x, sorter=k)", w=given("value", 5.0, 1.0, 2.0), k=given("int64", 1, 2, 0), x=f(4, high=6),
     dtypes=("float32",))

# ---- distinct values, and counting

each(["unique(x)", "x.unique(return_inverse=True, return_counts=True)", "unique(x, return_counts=True)",
      "unique(x, dim=1, return_inverse=True, return_counts=True)", "unique(x, dim=0)", "unique_consecutive(x)",
      "unique_consecutive(x, True, True)", "x.unique_consecutive(return_counts=True, dim=1)"],
     dict(x=f(3, 5, low=0, high=1)), dict(x=f(2, 4, low=0, high=2)), dtypes=(*INTS, "bool"))
each(["unique(x)", "unique_consecutive(x, return_inverse=True)"], dict(x=replace(EDGES, grad=False)),
     dict(x=f(0, grad=False)), dict(x=f(grad=False)))
each(["bincount(x)", "bincount(x, minlength=12)", "bincount(x, w)", "x.bincount(w, 2)"],
     dict(x=f(9, low=0, high=7), w=given("float32", *range(9))), dtypes=INTS)
each(["bincount(x)", "bincount(x, minlength=2)"], dict(x=i(0)))
case("bincount(x, w)", x=i(4), w=given("int64", 1, 2, 3, 4))
each(["histc(x)", "histc(x, 4)", "histc(x, bins=5, min=-1, max=1)"], dict(x=f(3, 7, grad=False)),
     dict(x=given("value", 1.0, 1.0, 1.0, grad=False)), dict(x=f(0, grad=False)), dtypes=SINGLE)
each(["histogram(x, 4)", "histogram(x, bins=5, range=(-1.0, 1.0))", "histogram(x, 3, density=True)",
      "histogram(x, 4, weight=x * x)", "histogram(x, x.new_tensor([-1.0, 0.0, 0.25, 2.0]))"],
     dict(x=f(3, 7, grad=False)), dict(x=given("value", 1.0, 1.0, 1.0, grad=False)),
     dict(x=given("value", -1.0, 0.0, 2.0, 2.0, 3.0, grad=False)), dtypes=SINGLE)
case("histc(x, 4, 0, 4)", x=given("value", 0.0, 1.0, 2.0, 4.0, 5.0, float("inf"), -1.0, grad=False), dtypes=SINGLE)
each(["count_nonzero(x)", "x.count_nonzero(0)", "count_nonzero(x, (0, 1))"], dict(x=f(3, 4, low=0, high=1)),
     dict(x=f(0, 2)), dtypes=("int64", "bool", "float32"))
each("count_nonzero(x)", dict(x=b(3)), dict(x=EDGES), dtypes=("float32",))

# ---- choosing without sorting

each(["topk(x, 3)", "topk(x, 2, 0, largest=False)", "topk(x, 1, 1, True, False)", "kthvalue(x, 7)",
      "kthvalue(x, 2, 0)", "median(x)", "median(x, 1)"], dict(x=f(19, 23, distinct=True)),
     dict(x=f(23, 17, distinct=True, layout="columns")),
     second=False, tolerance={"float16": (0, 0), "bfloat16": (0, 0)}, dtypes=SINGLE)
each(["topk(x, 2).values", "topk(x, 3, largest=False).values", "kthvalue(x, 19).values", "median(x, 0).values"],
     dict(x=f(20, low=0, high=9)), dtypes=INTS)
NAMED = dict(x=given("value", *[float("nan"), 1.0, float("inf"), 3.0] * 2, *range(10, 20), grad=False))
each(["topk(x, 2).values", "topk(x, 3).values", "topk(x, 3, largest=False).values", "kthvalue(x, 17).values",
      "kthvalue(x, 5)"],
     NAMED, dtypes=SINGLE)
