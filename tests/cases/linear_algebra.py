"""Linear algebra: inverses, decompositions (as far as signs of vectors do not matter), norms."""

from tests.cases.table import case, each, f, given

SINGLE = ("float64", "float32")
# Of a matrix far from singular the results and gradients agree to a few digits less than those of single operations.
OPTIONS = dict(dtypes=SINGLE, tolerance={"float32": (1e-4, 1e-4), "float64": (1e-10, 1e-10)}, sim=(1e-4, 1e-4))
REGULAR = given("value", 2.0, 0.5, -0.3, 0.1, -1.5, 0.4, 0.7, 0.2, 1.8, shape=(3, 3))
BATCH = given("value", 2.0, 0.5, -0.3, 1.5, -1.0, 0.5, 0.25, 3.0, shape=(2, 2, 2))
ONE = dict(x=REGULAR), dict(x=BATCH)

each(["linalg.inv(x)", "linalg.det(x)", "x.det()", "x.inverse()", "linalg.slogdet(x)", "linalg.matrix_power(x, 3)",
      "x.matrix_power(-2)", "linalg.solve(x, x.mT + 1)"], *ONE, **OPTIONS)
each("matrix_power(x, 0)", dict(x=BATCH), second=False, **OPTIONS)
each("logdet(x @ x.mT)", dict(x=BATCH), **OPTIONS)
# PyTorch gives a gradient of 0 where the determinant is 0.
each("linalg.det(x)", dict(x=given("value", 1.0, 2.0, 2.0, 4.0, shape=(2, 2))), second=False, torch=False, **OPTIONS)
each(["linalg.solve(x, y)"], dict(x=REGULAR, y=f(3, 2)), dict(x=BATCH, y=f(2, 2)), **OPTIONS)
each(["linalg.solve(x, y)", "linalg.solve(x, y.mT, left=False)"], dict(x=BATCH, y=f(3, 1, 2, 4)), **OPTIONS)
each(["linalg.solve(x, y)"], dict(x=REGULAR, y=f(3)), **OPTIONS)
each(["linalg.solve_triangular(x, y, upper=False)", "linalg.solve_triangular(x, y.mT, upper=True, left=False)",
      "linalg.solve_triangular(x, y, upper=True, unitriangular=True)"], dict(x=REGULAR, y=f(3, 2)), **OPTIONS)
each(["linalg.cholesky(x @ x.mT)", "linalg.cholesky(x @ x.mT, upper=True)", "linalg.eigvalsh(x + x.mT)"], *ONE,
     **OPTIONS)
each(["linalg.svdvals(x)", "(lambda u, s, v: u @ (s.unsqueeze(-1) ** 2 * v))(*linalg.svd(x, full_matrices=False))",
      "(lambda q, r: q @ r ** 2)(*linalg.qr(x))", "(lambda u, s, v: u[..., :1] @ v[..., :1, :])(*linalg.svd(x, False))",
      "linalg.svd(x).S", "linalg.qr(x).R ** 2", "linalg.pinv(x)"],
     *ONE, dict(x=f(4, 2)), dict(x=f(2, 2, 3)), **OPTIONS)
each(["(lambda s, v: v * s.unsqueeze(-2) ** 2 @ v.mT)(*linalg.eigh(x + x.mT))",
      "linalg.eigh(x + x.mT, UPLO='U').eigenvectors ** 2"], *ONE, **OPTIONS)
each(["linalg.inv(x)", "linalg.det(x)", "linalg.slogdet(x)"], dict(x=f(0, 2, 2)), dict(x=f(0, 0)), second=False,
     differences=False, **OPTIONS)
each(["linalg.matrix_rank(x)", "linalg.multi_dot([x, x, x[:, 0]])", "linalg.cond(x)",
      "linalg.lstsq(x, x[:, :2]).solution", "linalg.diagonal(x)"], dict(x=REGULAR), **OPTIONS)
each("linalg.lstsq(x, y).solution", dict(x=f(4, 2), y=f(4, 3)), dict(x=f(4, 2), y=f(4, 1)), **OPTIONS)
each(["linalg.lu_factor(x).LU", "linalg.lu(x).L", "linalg.lu(x).U", "linalg.matrix_exp(x)",
      "linalg.lu_solve(*linalg.lu_factor(x), x.mT + 1)", "linalg.lu_solve(*linalg.lu_factor(x), x + 1, left=False)",
      "linalg.lu_solve(*linalg.lu_factor(x), x + 1, adjoint=True)"], *ONE, **OPTIONS)
each(["linalg.lu_factor(x).LU", "lu(x)[0]"], dict(x=f(4, 2)), dict(x=f(2, 2, 3)), dict(x=f(0, 2, 2)), **OPTIONS)
each(["linalg.lu(x)[0]", "lu_unpack(*linalg.lu_factor(x))[0]", "linalg.lu_factor(x)[1]", "linalg.lu_factor_ex(x)[2]"],
     *ONE, dict(x=f(4, 2)), second=False, differences=False, **OPTIONS)
each(["linalg.lu_factor_ex(x @ x.mT)[2]", "lu(x)[0]", "x.lu()[1]"],
     dict(x=given("value", 1.0, 0.0, 0.0, 0.0, shape=(2, 2), grad=False)), **OPTIONS)
case("linalg.lu_factor(x, pivot=False).LU", x=REGULAR, torch=False, **OPTIONS)  # PyTorch's CPU does not do without
each("lu_solve(y, *linalg.lu_factor(x))", dict(x=BATCH, y=f(3, 1, 2, 4)), **OPTIONS)
each(["matrix_exp(x)", "x.matrix_exp()"], dict(x=f(2, 2, low=-20, high=20)), dict(x=f(0, 2, 2)), second=False,
     differences=False, **OPTIONS)
each(["cholesky(x @ x.mT, True)", "(x @ x.mT).cholesky()", "cholesky_inverse(cholesky(x @ x.mT))",
      "cholesky_solve(x, cholesky(x @ x.mT))", "cholesky_solve(x, cholesky(x @ x.mT, True), True)"], *ONE, **OPTIONS)
each(["qr(x).R ** 2", "x.qr(some=False)[1] ** 2"], dict(x=REGULAR), dict(x=f(2, 2, 3)), **OPTIONS)

# ---- norms

ORDERS = ("2", "1", "0", "inf", "-inf", "3", "1.5", "0.5", "-1")
each([f"linalg.vector_norm(x, {order}, dim=-1)" for order in ORDERS], dict(x=f(2, 3, avoid=(0,), distinct=True)),
     **OPTIONS)
each(["linalg.vector_norm(x)", "linalg.norm(x)", "norm(x)", "x.norm(1, 0)", "x.norm(dim=(0, 1), keepdim=True)",
      "linalg.vector_norm(x, 3.5, (0, 1), True)", "x.norm(p='fro', dim=-1)", "linalg.norm(x, inf, 0)"],
     dict(x=f(2, 3, distinct=True)), dict(x=f(3, 4, layout="columns", distinct=True)), **OPTIONS)
each(["linalg.norm(x)", "x.norm()"], dict(x=f()), dict(x=f(0)), second=False, differences=False, **OPTIONS)
each(["renorm(x, 2, 0, 1.5)", "renorm(x, 1, -1, 2.0)", "x.renorm(3.0, 1, 0.5)", "renorm(x, inf, 0, 1.0)"],
     dict(x=f(3, 4)), dict(x=f(2, 3, 2, distinct=True)))
each([f"linalg.vector_norm(x, {order}, 0)" for order in ("2", "1", "3", "1.5", "inf")],
     dict(x=given("value", 0.0, 0.0, 0.0, 1.0, shape=(2, 2))), second=False, differences=False, **OPTIONS)
each(["x.norm()", "x.norm(1, -1)", "linalg.vector_norm(x, 3)", "linalg.vector_norm(x, dtype=float32)"], dict(x=f(40)),
     dtypes=("float16", "bfloat16"), second=False, tolerance={"float16": (2e-3, 2e-3), "bfloat16": (2e-2, 2e-2)})
each([f"linalg.matrix_norm(x, {order})" for order in ("'fro'", "'nuc'", "inf", "-inf", "1", "-1", "2", "-2")],
     *ONE, **OPTIONS)
each(["linalg.norm(x, 'nuc')", "linalg.norm(x, 2, (0, 1))", "linalg.matrix_norm(x, 1, (1, 0), keepdim=True)",
      "linalg.norm(x, 1)", "linalg.norm(x[0], 1)", "norm(x, 'nuc')"], dict(x=REGULAR), **OPTIONS)
each([f"linalg.norm(x, {order})" for order in ("1", "2", "'nuc'", "'fro'", "1e999")],
     *[dict(x=f(*shape)) for shape in ((0, 0), (0, 3), (3, 0))], second=False, differences=False, **OPTIONS)
each([f"linalg.lstsq(x, x[:, :2], driver='{driver}')[{part}]" for part in (1, 2, 3)
      for driver in ("gelsy", "gels", "gelsd")] + ["linalg.lstsq(x, x[:, :2])[3]"], dict(x=f(4, 3)), dict(x=f(3, 3)),
     second=False, differences=False, **OPTIONS)
each(["linalg.matrix_rank(x, rtol=r)", "linalg.matrix_rank(x, atol=r)", "linalg.matrix_rank(x, hermitian=True)"],
     dict(x=f(2, 3, 3, grad=False), r=given("value", 0.1, 0.9, grad=False)), **OPTIONS)
each(["linalg.pinv(x, rtol=r)", "linalg.pinv(x, atol=r)"], dict(x=f(2, 3, 3), r=given("value", 0.1, 0.9, grad=False)),
     dict(x=f(3, 3), r=given("value", 0.5, shape=(), grad=False)), second=False, differences=False, **OPTIONS)
case("linalg.pinv(x + x.mT, hermitian=True)", x=f(3, 3), second=False, **OPTIONS)
