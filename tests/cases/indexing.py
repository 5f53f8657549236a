"""Indexing; combinations at random are in tests/ops/test_indexing.py."""

from tests.cases.table import b, each, f, given, i

each(["x[1]", "x[-1]", "x[0, 1]", "x[..., 0]", "x[:, 1:]", "x[::2]", "x[None, 1]", "x[1:1]", "x[:, None, ::2]",
      "x[...]", "x[()]", "x[[0, 1, 1]]", "x[:, [2, 0]]", "x[[0, 1], [2, 2]]", "x[..., [0, 0, 0]]", "x[1, [0, 2]]",
      "x[[1], :, None]", "x[None, [1]]"],
     dict(x=f(2, 3)), dict(x=f(2, 3, layout="columns")))
each(["x[k]", "x[k, k]", "x[:, k]", "x[k, 1:]", "x[k, :, k]", "x[:, k, None, k]"],
     dict(x=f(4, 4, 4), k=given("int64", 0, 3, -1, 0)), dict(x=f(4, 4, 4), k=given("int64", 1, 2, 2, 3, shape=(2, 2))))
each(["x[c]", "x[c, 0]", "x[c.sum(1) > 0]", "x[~c]", "x[c] * 2"], dict(x=f(3, 4, 2), c=b(3, 4)))
each("x[x > 0]", dict(x=f(2, 5)), second=False, differences=False)
each(["index_select(x, 0, k)", "x.index_select(-1, k)"], dict(x=f(3, 3), k=given("int64", 0, 2, 2)))
each(["gather(x, 0, k)", "x.gather(0, k)"], dict(x=f(3, 2), k=i(4, 2, high=2)), dict(x=f(3, 2), k=i(2, 1, high=2)))
each("gather(x, -1, k)", dict(x=f(3, 2), k=i(3, 5, high=1)), dict(x=f(3, 2), k=i(0, 5, high=1)))
each(["nonzero(x)", "x.nonzero()"], dict(x=f(3, 4, low=0, high=1)), dict(x=f(low=1, high=1)),
     dtypes=("int64", "bool", "float32"))
