"""Splitting, stacking, repeating, turning, diagonals and triangles."""

from tests.cases.table import each, f, given, i

SINGLE = ("float64", "float32")
PAIR = [dict(x=f(), y=f()), dict(x=f(3), y=f(3)), dict(x=f(2, 3), y=f(2, 3, layout="columns"))]
each(["hstack([x, y])", "vstack((x, y))", "dstack([x, y])", "column_stack([x, y])"], *PAIR, dtypes=SINGLE)
each(["atleast_1d(x)", "atleast_2d(x)", "atleast_3d(x)"], dict(x=f()), dict(x=f(2)), dict(x=f(2, 3)), dict(x=f(0)),
     dtypes=SINGLE)
each(["hstack([x, y])", "column_stack([x, y])"], dict(x=f(3), y=i(3)), dict(x=f(2, 1), y=f(2, 3)), dtypes=SINGLE)
each(["concat([x, y])", "concatenate((x, y), dim=-1)"], dict(x=f(2, 3), y=f(2, 3)), dtypes=SINGLE)
each(["x.tensor_split(3)", "tensor_split(x, (1, 2), dim=1)", "x.tensor_split([1, 5, 2], -1)", "x.hsplit([1, 2])",
      "vsplit(x, 2)", "x.dsplit((1,))", "x.split_with_sizes([1, 3], 0)", "hsplit(x, 3)"], dict(x=f(4, 3, 2)),
     dtypes=SINGLE)
each(["x.tensor_split(2)", "hsplit(x, 1)", "x.tile(3)", "x.repeat(2)"], dict(x=f(3)), dict(x=f(0)), dtypes=SINGLE)
each(["x.repeat(2, 1)", "x.repeat(3, 2, 2)", "x.repeat(0, 2)", "tile(x, (2,))", "x.tile(2, 1, 3)",
      "x.repeat_interleave(2)", "repeat_interleave(x, 3, dim=-1)", "x.repeat_interleave(k, 0)", "x.repeat(1, 1)"],
     dict(x=f(2, 3), k=given("int64", 2, 0)), dict(x=f(2, 3, layout="columns"), k=given("int64", 1)), dtypes=SINGLE)
each(["x.repeat(2, 2)", "x.tile(2)", "x.repeat_interleave(2)", "x.roll(1)", "x.flip(())"], dict(x=f()), dtypes=SINGLE)
each("repeat_interleave(k)", dict(k=given("int64", 2, 0, 3)), dtypes=("float32",))
each(["x.roll(1)", "x.roll(-2, 1)", "roll(x, (1, 5), (0, -1))", "x.rot90()", "rot90(x, -1, (1, 2))", "x.rot90(2)",
      "rot90(x, 3, [2, 0])", "x.rot90(0)", "x.fliplr()", "flipud(x)"], dict(x=f(2, 3, 2)), dtypes=SINGLE)
each(["x.roll(1, 0)", "x.flipud()", "x.roll(0)"], dict(x=f(0)), dict(x=f(4, layout="gaps")), dtypes=SINGLE)
each(["broadcast_tensors(x, y)", "meshgrid(x.flatten(), y.flatten(), indexing='ij')",
      "meshgrid([x.flatten(), y.flatten()], indexing='xy')"], dict(x=f(2, 1), y=f(3)), dict(x=f(), y=f(0, 1)),
     dtypes=SINGLE)
each(["cartesian_prod(x, y)", "combinations(x)", "combinations(x, 3, True)"],
     dict(x=f(4), y=f(3)), dtypes=SINGLE)
each(["moveaxis(x, 0, -1)", "x.swapdims(0, 2)", "x.expand_as(y)", "x.view_as(x)", "x.reshape_as(x)"],
     dict(x=f(2, 1, 3), y=f(2, 2, 4, 3)), dtypes=SINGLE)
each(["x.unfold(0, 3, 1)", "x.unfold(0, 2, 3)", "x.unfold(-1, 1, 1)", "x.unfold(0, 0, 1)", "x.unfold(0, 5, 2)"],
     dict(x=f(5)), dict(x=f(6, 2, layout="columns")), dtypes=SINGLE)
each("x.unfold(1, 2, 1).unfold(2, 2, 1)", dict(x=f(2, 4, 3)), dtypes=SINGLE)

# ---- diagonals

each(["x.diagonal()", "diagonal(x, 1)", "x.diagonal(-1, 1, 0)", "x.diagonal(7)", "x.diagonal(-7)", "x.diag()",
      "diag(x, -1)", "x.tril()", "triu(x, 1)", "x.triu(-1)", "tril(x, diagonal=-2)", "x.diagflat(1)",
      "x.diag_embed()"], dict(x=f(3, 4)), dict(x=f(4, 2, layout="columns")), dict(x=f(0, 2)), dtypes=SINGLE)
each(["x.diagonal(0, -2, -1)", "x.diagonal(1, 2, 0)", "x.triu()", "x.diag_embed(1, 0, -1)", "diag_embed(x, -1, 1, 3)"],
     dict(x=f(2, 3, 3)), dtypes=SINGLE)
each(["diag(x)", "x.diag(2)", "diag(x, -1)", "diagflat(x)"], dict(x=f(3)), dict(x=f(0)), dtypes=SINGLE)
each(["x.tril()", "x.triu(1)", "x.diag()", "x.roll(1)", "x.repeat(2, 2)"], dict(x=f(3, 3, low=0, high=1)),
     dtypes=("bool", "int8", "bfloat16"))
each("tril(x)", dict(x=given("value", float("inf"), float("nan"), 1.0, float("inf"), shape=(2, 2))), second=False,
     differences=False)
each(["diagonal_scatter(x, y)", "x.diagonal_scatter(y, 0, 1, 0)", "x.select_scatter(y, 0, -1)",
      "select_scatter(x, y, 1, 0)", "x.slice_scatter(y.expand(1, 3), 0, 1, 2)",
      "slice_scatter(x, x[:2] * 2, 0, 0, None, 2)"], dict(x=f(3, 3), y=f(3)), dtypes=SINGLE)
each("block_diag(x, y)", dict(x=f(2, 3), y=f(2)), dict(x=f(), y=f(1, 2)), dtypes=SINGLE)
each(["tril_indices(3, 4)", "triu_indices(3, 2, -1)", "tril_indices(0, 3)", "triu_indices(4, 4, 1, dtype=int32)"],
     {}, dtypes=("int64",))
each(["x.view(int32)", "x.view(int64)", "x.T", "x.mT"], dict(x=f(2, 4)), dtypes=("float32",), differences=False)
each(["(x * 1).fill_diagonal_(7)", "(x * 1).fill_diagonal_(7, wrap=True)"], dict(x=f(7, 3)), dict(x=f(2, 4)),
     dtypes=SINGLE)
each("(x * 1).fill_diagonal_(2.5)", dict(x=f(3, 3, 3)), dtypes=SINGLE)
