"""Losses."""

from tests.cases.table import LOOSE, OUTLIERS, each, f, given, i

REDUCTIONS = ("", ", reduction='sum'", ", reduction='none'")
CE = [f"cross_entropy(x, k{r})" for r in REDUCTIONS]
each([f"mse_loss(x, y{r})" for r in REDUCTIONS], dict(x=f(3, 2), y=f(3, 2)), dict(x=f(), y=f()), tolerance=LOOSE)
each([*CE, *[c[:-1] + ", label_smoothing=0.1)" for c in CE]], dict(x=f(4, 3), k=i(4, high=2)),
     dict(x=f(1, 1), k=i(1, high=0)), dict(x=f(3), k=i(high=2)), dict(x=f(2, 5, 3), k=i(2, 3, high=4)),
     dict(x=f(7, 13, layout="columns"), k=i(7, high=12)), tolerance=LOOSE)
each([c[:-1] + ", ignore_index=1, label_smoothing=0.2)" for c in CE], dict(x=f(4, 3), k=given("int64", 0, 1, 2, 1)),
     tolerance=LOOSE)
WEIGHTED = (", weight=w)", ", weight=w, ignore_index=0)", ", weight=w, label_smoothing=0.3)")
each([c[:-1] + options for c in CE for options in WEIGHTED],
     dict(x=f(4, 3), k=given("int64", 0, 1, 2, 1), w=f(3, low=0.5, grad=False)), tolerance=LOOSE)
each([f"cross_entropy(x, y{o}{r})" for r in REDUCTIONS for o in ("", ", w", ", label_smoothing=0.1")],
     dict(x=f(4, 3), y=f(4, 3, low=0, high=1), w=f(3, low=0.5, grad=False)),
     dict(x=f(2, 3, 2), y=f(2, 3, 2, low=0, high=1), w=f(3, low=0.5, grad=False)), tolerance=LOOSE)
each(CE, dict(x=OUTLIERS, k=given("int64", 1, 0)), dict(x=f(2, 3), k=given("int64", -100, -100)), second=False,
     differences=False, tolerance=LOOSE)
each(CE, dict(x=f(0, 3), k=i(0)), second=False, differences=False)
