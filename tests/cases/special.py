"""Special functions: of the error function's and the gamma function's families."""

from dataclasses import replace

from tests.cases.table import EDGES, INTS, LOOSE, each, f, given, shapes

each(["erf(x)", "erfc(x)", "x.erfc()"], *shapes(f), tolerance=LOOSE)
each("erfinv(x)", *shapes(lambda *s, **o: f(*s, low=-0.9, high=0.9, **o)), tolerance=LOOSE)
PYTORCHS = LOOSE | {"float64": (2e-9, 2e-9), "float32": (1e-5, 1e-5)}  # its trigamma is no better
each(["lgamma(x)", "digamma(x)", "polygamma(1, x)", "polygamma(2, x)", "x.polygamma(0)"],
     dict(x=f(7, low=0.4, high=30)), dict(x=f(2, 3, low=-2.8, high=-2.2, layout="columns")), dict(x=f(low=3, high=4)),
     dict(x=f(0)), tolerance=PYTORCHS)
EDGES = replace(EDGES, grad=False)
each(["erf(x)", "erfc(x)", "erfinv(x)", "lgamma(x)", "digamma(x)"], dict(x=EDGES), tolerance=LOOSE)
each(["erf(x)", "erfc(x)", "lgamma(x)", "digamma(x)"], dict(x=f(4, low=1, high=5)), dtypes=(*INTS, "bool"))
# Poles, tails and zeros.
each(["lgamma(x)", "digamma(x)", "polygamma(3, x)"], dict(x=given("value", -3.0, -1.5, 1e-5, 1.0, 2.0, 1e4,
                                                                          grad=False)),
     tolerance=LOOSE)
each(["erfc(x)", "erf(x)"], dict(x=given("value", -30.0, -9.0, -5.0, 5.0, 9.0, 30.0, grad=False)), tolerance=LOOSE)
