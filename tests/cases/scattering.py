"""Gathering from and scattering to places that tensors name."""

from tests.cases.table import INTS, LOOSE, SINGLE, b, case, each, f, given, i

TWICE = given("int64", 0, 2, 0, 1, 1, 1, shape=(3, 2))  # places that several values meet
ONCE = given("int64", 0, 2, 1, 1, shape=(2, 2))
each(["take(x, k)", "x.take(k)", "take_along_dim(x, k, 1)", "take_along_dim(x, k)"],
     dict(x=f(3, 2), k=given("int64", 0, 1, 1, 0, 0, 0, shape=(3, 2))),
     dict(x=f(3, 3), k=given("int64", 2, 0, 1, shape=(3, 1))))
each(["take(x, k)", "x.take(k)"], dict(x=f(2, 3), k=given("int64", -1, 5, -6)), dict(x=f(4), k=given("int64", 3,
                                                                                                    shape=())))
each(["gather(x, 0, k)", "x.scatter(0, k, 2.0)", "x.scatter_add(0, k, ones_like(x))"],
     dict(x=f(), k=given("int64", 0, shape=())), dict(x=f(3), k=given("int64", 2, 0)), dict(x=f(3), k=i(0)),
     dtypes=SINGLE)
each(["x.scatter(0, k, y)", "scatter(x, dim=0, index=k, src=y)", "x.scatter(0, k, 1.5)", "x.scatter(0, k, value=3)"],
     dict(x=f(3, 2), k=ONCE, y=f(2, 2)), dict(x=f(4, 3, layout="columns"), k=ONCE, y=f(3, 4, grad=False)))  # (PyTorch
# has no gradient for values that are more than indices)
each(["x.scatter_add(0, k, y)", "scatter_add(x, 0, k, y)", "x.clone().scatter_add_(0, k, y)"],
     dict(x=f(3, 2), k=TWICE, y=f(3, 2)), dict(x=f(3, 4), k=TWICE, y=f(3, 3, layout="columns", grad=False)),
     tolerance=LOOSE)
each(["x.scatter_reduce(0, k, y, 'sum')", "x.scatter_reduce(0, k, y, 'prod')", "x.scatter_reduce(0, k, y, 'mean')",
      "x.scatter_reduce(0, k, y, reduce='amax')", "scatter_reduce(x, 0, k, y, 'amin', include_self=False)",
      "x.scatter_reduce(0, k, y, 'mean', include_self=False)", "x.scatter_reduce(0, k, y, 'prod', include_self=False)",
      "x.scatter_reduce(0, k, y, 'sum', include_self=False)"],
     dict(x=f(3, 2, distinct=True), k=TWICE, y=f(3, 2, high=2.1, distinct=True)), dtypes=SINGLE)
each("x.scatter_reduce(0, k, y, 'prod')",
     dict(x=given("value", 0.0, 2.0, 1.0, 3.0, shape=(4,)), k=given("int64", 0, 1, 2, 2),
          y=given("value", 2.0, 0.0, 3.0, 0.0)), dtypes=SINGLE, second=False, differences=False)
each("x.scatter_reduce(0, k, y, 'amax')", dict(x=given("value", 1.0, 2.0), k=given("int64", 0, 0, 1),
                                              y=given("value", 1.0, 1.0, 5.0)), dtypes=SINGLE, second=False,
     differences=False)
each(["x.scatter_add(1, k, x)", "x.scatter(1, k, x)", "x.scatter_reduce(1, k, x, 'prod')",
      "x.scatter_reduce(1, k, x, 'amax', include_self=False)", "x.index_add(0, k[0], x[:2])",
      "x.index_fill(1, k[0], 3)", "x.scatter_reduce(1, k, x, 'mean')", "x.gather(1, k)"],
     dict(x=f(2, 3, low=-4, high=4), k=given("int64", 0, 1, 1, 0, shape=(2, 2))), dtypes=INTS)
each(["x.index_add(0, k, y)", "index_add(x, 0, k, y, alpha=2)", "x.clone().index_add_(0, k, y)"],
     dict(x=f(3, 2), k=given("int64", 2, 0, 2), y=f(3, 2)), dict(x=f(3), k=given("int32", 1, 1), y=f(2)),
     dict(x=f(2, 0), k=i(0), y=f(0, 0)), tolerance=LOOSE)
each("x.index_add(-1, k, y)", dict(x=f(2, 3), k=given("int64", 1, 1), y=f(2, 2)), dtypes=SINGLE)
each(["x.index_copy(1, k, y)", "x.index_fill(1, k, 0.5)", "x.index_fill(-1, k, z)", "x.clone().index_fill_(1, k, 2)",
      "(x * 1).index_copy_(1, k, y)"], dict(x=f(2, 3), k=given("int64", 2, 0), y=f(2, 2), z=f()), dtypes=SINGLE)
each(["x.index_reduce(0, k, y, 'mean')", "x.index_reduce(0, k, y, 'amax', include_self=False)"],
     dict(x=f(3, 2, distinct=True), k=given("int64", 2, 0, 2), y=f(3, 2, high=2.1, distinct=True)),
     dtypes=SINGLE, second=False)
each(["index_put(x, (k,), y)", "x.index_put((k, k), z[0])",
      "(x * 1).index_put_([k], y)"], dict(x=f(3, 3), k=given("int64", 2, 0), y=f(2, 3), z=f(1)), dtypes=SINGLE)
each(["x.index_put((k,), y, accumulate=True)", "x.index_put((k, k), z, True)", "(x * 1).index_put_((k,), z, True)"],
     dict(x=f(3, 3), k=given("int64", 2, 0, -1), y=f(3, 3), z=f(1)), dtypes=SINGLE)
each("x.index_put((c,), y)", dict(x=f(2, 2), c=given("bool", True, False, True, True, shape=(2, 2)), y=f(3)),
     dtypes=SINGLE)
each(["masked_scatter(x, c, y)", "(x * 1).masked_scatter_(c, y)"], dict(x=f(2, 3), c=b(2, 3), y=f(2, 4)),
     dict(x=f(2, 3), c=b(3), y=f(7)), dtypes=SINGLE)
each(["masked_select(x, c)", "x.masked_select(c[0])"], dict(x=f(2, 3), c=b(2, 3)), dict(x=f(3), c=b(4, 3)),
     dtypes=SINGLE)
each(["argwhere(x)", "nonzero(x, as_tuple=True)", "where(x)"], dict(x=f(3, 4, low=0, high=1)), dict(x=f(0)),
     dtypes=("int64", "bool"))
each(["x[k]", "x[:, k]", "x[k, :, k]"], dict(x=f(4, 3, 4), k=given("int64", *([1] * 70 + [-1, 2, 0, 1]))),
     dtypes=SINGLE, tolerance=LOOSE, second=False)
each("x[k] + x.gather(0, g)", dict(x=f(3, 40), k=given("int64", 2), g=i(200, 40, high=2)), dtypes=SINGLE, second=False)

# Indices that are empty, negative, or of a 0-d tensor.
each(["gather(x, 0, k)", "scatter(x, 0, k, x[:0])", "scatter_add(x, 0, k, x[:0])", "scatter(x, 0, k, 2.0)"],
     dict(x=f(3), k=given("uint8")), dict(x=f(3), k=i(0)), dtypes=SINGLE)
each("take_along_dim(x, k, 1)", dict(x=f(2, 3), k=given("int64", -1, 0, 1, -2, shape=(2, 2))),
     dtypes=SINGLE)
each(["index_select(x, 0, k)", "index_select(x, -1, k[0])"], dict(x=f(), k=given("int64", 0)), dtypes=SINGLE)
case("masked_scatter(x, b, y)", x=f(), b=given("bool", True, shape=()), y=f(), dtypes=SINGLE)

# Places that are named more than once: which values count there, and whose gradients.
AGAIN = dict(x=f(4, 3), k=given("int64", 0, 0, 3), y=f(3, 3), z=f())
each(["x.index_fill(0, k, z)", "x.index_fill(0, k, -1.5)", "x.index_add(0, k, y)", "x.index_put((k,), y, True)",
      "x.put(k, y[0], accumulate=True)", "x.index_reduce(0, k, y, 'prod')", "x.index_reduce(0, k, y, 'mean')", "x[k]",
      "x.index_select(0, k)", "x.masked_fill(x > 0, z)"], AGAIN, dtypes=SINGLE, second=False)
# PyTorch gives the same gradient to all values for one place, also to those that others replace.
each(["x.index_copy(0, k, y)", "x.index_put((k,), z)", "x.index_put((k,), y)", "x.put(k, y[0])",
      "x.index_put((k, k[[1, 0, 0]]), z)"], AGAIN, dtypes=SINGLE, second=False, differences=False)
each("x[k] * 2", dict(x=f(3), k=given("uint8", 1, 0, 2)),
     dict(x=f(2, 3), k=given("uint8", 1, 0, 0, 1, 1, 1, shape=(2, 3))))
