"""Products of matrices, and the layers made of them."""

from tests.cases.table import INTS, LOOSE, each, f

MATMULS = [(f(3), f(3)), (f(2, 3), f(3)), (f(3), f(3, 2)), (f(2, 3), f(3, 5)), (f(1, 1), f(1, 1)), (f(7, 13), f(13, 5)),
           (f(2, 2, 3), f(3, 4)), (f(2, 3), f(5, 3, 2)), (f(2, 1, 2, 3), f(3, 3, 2)), (f(3), f(2, 3, 4)),
           (f(2, 4, 3), f(3)),
           (f(0, 3), f(3, 2)), (f(2, 0), f(0, 3)), (f(2, 3), f(3, 0)), (f(0, 2, 3), f(0, 3, 2)), (f(0), f(0)),
           (f(3, 2, layout="columns"), f(2, 3, layout="columns")), (f(2, 3, layout="gaps"), f(3, 2)),
           (f(2, 3, layout="expand"), f(3, 2, layout="expand"))]
each("x @ y", *[dict(x=x, y=y) for x, y in MATMULS], tolerance=LOOSE)
each(["x.T @ y.T", "x.mT.matmul(y.t())", "mm(x.t(), y.t())"], dict(x=f(3, 4), y=f(5, 3)), tolerance=LOOSE)
each(["bmm(x, y)", "x.bmm(y)", "x @ y.mT.mT"], dict(x=f(2, 3, 4), y=f(2, 4, 1)), tolerance=LOOSE)
each("x.dot(y)", dict(x=f(5), y=f(5)), tolerance=LOOSE)
each("x @ y", dict(x=f(2, 3, low=-5, high=5), y=f(3, 2, low=-5, high=5)),
     dict(x=f(3, low=0, high=5), y=f(3, low=0, high=5)), dtypes=INTS)
each("linear(x, w, v)", dict(x=f(4, 3), w=f(5, 3), v=f(5)), dict(x=f(3), w=f(5, 3), v=f(5)),
     dict(x=f(2, 4, 3), w=f(1, 3), v=f(1)),
     dict(x=f(0, 3), w=f(2, 3), v=f(2)), dict(x=f(4, 3, layout="columns"), w=f(3, 3, layout="columns"), v=f(3)),
     tolerance=LOOSE)
each(["linear(x, w)", "linear(x, w, None)"], dict(x=f(4, 3), w=f(5, 3)), dict(x=f(2, 2, 3), w=f(7, 3)),
     dict(x=f(3), w=f(2, 3)), tolerance=LOOSE)
each("linear_relu(x, w, v)", dict(x=f(4, 3), w=f(5, 3), v=f(5)), dict(x=f(2, 3, 3), w=f(2, 3), v=f(2)), torch=False,
     tolerance=LOOSE)
each(["linear_with(x, w, v, 0, y)", "linear_with(x, w, v, 2)", "linear_with(x, w, v, 3, y)",
      "linear_with(x, w, v, 4, y)"],
     dict(x=f(4, 3), w=f(5, 3), v=f(5), y=f(4, 5)), dict(x=f(2, 3, 3), w=f(2, 3), v=f(2), y=f(2, 3, 2)), torch=False,
     tolerance=LOOSE)
each("bias_relu(x, v)", dict(x=f(4, 3), v=f(3)), dict(x=f(2, 2, 5), v=f(5)), dict(x=f(0, 3), v=f(3)),
     dict(x=f(1), v=f(1)), dict(x=f(3, 4, layout="columns"), v=f(4)), torch=False)
each("column_sum(x)", dict(x=f(4, 3)), dict(x=f(1, 1)), dict(x=f(0, 2)), torch=False, tolerance=LOOSE)
each(["addmm(x, y, y, alpha=2.5, beta=1.5)", "addmv(x[0], y, x[1], alpha=0.6, beta=2.2)",
      "baddbmm(x, y[None], y[None], alpha=2.5, beta=0.2)", "addbmm(x, y[None], y[None], alpha=1.5, beta=0.5)",
      "addr(x, y[0], y[1], alpha=2)"], dict(x=f(2, 2, low=0, high=5), y=f(2, 2, low=0, high=5)), dtypes=INTS)
each("addr(x, x[0], x[1], alpha=2, beta=3)", dict(x=f(3, 3)), dtypes=("bool",))
each("addbmm(x, y, y.mT)", dict(x=f(3, 3), y=f(4, 3, 2)), tolerance=LOOSE)
each("tensordot(x, y, ([0, 1], [2, 0]))", dict(x=f(1, 1, 2, low=0, high=5), y=f(3, 2, 4, low=0, high=5)), dtypes=INTS)
each(["vander(x)", "vander(x, 2)", "vander(x, N=5, increasing=True)", "vander(x, 1)", "vander(x, 0)"],
     dict(x=f(3, grad=False)), dict(x=f(0, grad=False)), tolerance=LOOSE)  # PyTorch finds no gradient of it
each(["vander(x)", "vander(x, 5, True)"], dict(x=f(3, low=0, high=3)), dtypes=INTS)
