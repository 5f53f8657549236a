"""Special functions: of the error function's and the gamma function's families."""

from dataclasses import replace

from tests.cases.table import EDGES, INTS, LOOSE, case, each, f, given, shapes

each(["erf(x)", "erfc(x)", "x.erfc()"], *shapes(f), tolerance=LOOSE)
each("erfinv(x)", *shapes(lambda *s, **o: f(*s, low=-0.9, high=0.9, **o)), tolerance=LOOSE)
PYTORCHS = LOOSE | {"float64": (2e-9, 2e-9), "float32": (1e-5, 1e-5)}  # its trigamma is no better
each(["lgamma(x)", "digamma(x)", "polygamma(1, x)", "polygamma(2, x)", "x.polygamma(0)"],
     dict(x=f(7, low=0.4, high=30)), dict(x=f(2, 3, low=-2.8, high=-2.2, layout="columns")), dict(x=f(low=3, high=4)),
     dict(x=f(0)), tolerance=PYTORCHS)
EDGES = replace(EDGES, grad=False)
each(["erf(x)", "erfc(x)", "erfinv(x)", "lgamma(x)", "digamma(x)"], dict(x=EDGES), tolerance=LOOSE)
each(["erf(x)", "erfc(x)", "lgamma(x)", "digamma(x)"], dict(x=f(4, low=1, high=5)), dtypes=(*INTS, "bool"))
each(["special.ndtr(x)", "special.log_ndtr(x)", "special.erfcx(x)"], *shapes(f), dict(x=replace(EDGES, grad=False)),
     dict(x=given("value", -30.0, -9.0, -5.0, 5.0, 9.0, 30.0, 1e9, grad=False)), dtypes=("float64", "float32"),
     tolerance={"float32": (2e-5, 2e-6)})
each(["special.ndtri(x)", "special.entr(x)"], *shapes(lambda *s, **o: f(*s, low=0.02, high=0.98, **o)),
     dict(x=given("value", 0.0, 1.0, 1e-30, 1e-5, 0.5, -0.5, 2.0, grad=False)), dtypes=("float64", "float32"),
     tolerance={"float32": (1e-5, 2e-6)})
each(["special.xlog1py(x, y)", "special.xlog1py(x, 0.5)", "special.xlog1py(2, y)"],
     dict(x=f(2, 3), y=f(3, low=-0.9)),
     tolerance=LOOSE)
case("special.xlog1py(x, y)", x=given("value", 0.0, 0.0, 1.0, 0.0), y=given("value", -1.0, -3.0, -2.0, float("nan")),
     second=False, differences=False)
each(["mvlgamma(x, 2)", "x.mvlgamma(1)", "special.multigammaln(x, 3)"], dict(x=f(7, low=1.4, high=30)),
     dict(x=f(low=3, high=4)), tolerance=PYTORCHS)
# Poles, tails and zeros.
each(["lgamma(x)", "digamma(x)", "polygamma(3, x)"], dict(x=given("value", -3.0, -1.5, 1e-5, 1.0, 2.0, 1e4,
                                                                          grad=False)),
     tolerance=LOOSE)
each(["erfc(x)", "erf(x)"], dict(x=given("value", -30.0, -9.0, -5.0, 5.0, 9.0, 30.0, grad=False)), tolerance=LOOSE)
