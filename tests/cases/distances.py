"""Sums that skip NaN, statistics in pairs, and distances."""


from dataclasses import replace

from tests.cases.table import INTS, LOOSE, case, each, f, given

NANS = given("value", 1.0, float("nan"), -2.0, 0.5, float("nan"), float("nan"), shape=(2, 3))
each(["nansum(x)", "x.nansum(0)", "nansum(x, (0, 1), True)", "nanmean(x)", "nanmean(x, 1)", "nansum(x, dtype=float64)"],
     dict(x=NANS), second=False, differences=False, tolerance=LOOSE)
case("x.nanmean(0, keepdim=True)", x=replace(NANS, grad=False), tolerance=LOOSE)
each(["nansum(x, -1)", "nanmean(x)"], dict(x=f(2, 3)), dict(x=f()), tolerance=LOOSE)
each(["nansum(x)", "nansum(x, 0)"], dict(x=f(2, 3, low=0, high=9)), dtypes=(*INTS, "bool"))
each(["std_mean(x)", "var_mean(x, 1)", "std_mean(x, 0, correction=0, keepdim=True)",
      "var_mean(x, (0, 1), unbiased=False)", "aminmax(x)",
      "aminmax(x, dim=0, keepdim=True)"], dict(x=f(4, 3, distinct=True)), tolerance=LOOSE)

PAIR = dict(x=f(2, 3), y=f(2, 3))
each(["dist(x, y)", "x.dist(y, 1)", "dist(x, y, 3)", "dist(x, y, inf)", "dist(x, y, 0.5)"], PAIR,
     dict(x=f(3), y=f(2, 1)), tolerance=LOOSE)
each([f"cdist(x, y, {p})" for p in ("2.0", "1", "3.0", "inf", "0")],
     dict(x=f(4, 3), y=f(2, 3)), dict(x=f(3, 2, 4), y=f(1, 5, 4, layout="columns")), dict(x=f(0, 3), y=f(2, 3)),
     dtypes=("float64", "float32"), tolerance={"float32": (1e-5, 1e-5)}, second=False)
each(["cdist(x, y)", "cdist(x, y, 1.5)"], dict(x=f(4, 3), y=f(2, 3)), dict(x=f(26, 3), y=f(1, 3)), torch=False)
each(["cdist(x, y)", "cdist(x, y, compute_mode='donot_use_mm_for_euclid_dist')"], dict(x=f(26, 3), y=f(2, 3)),
     dtypes=("float64", "float32"), second=False, tolerance={"float32": (1e-4, 1e-4)})
case("cdist(x, x)", x=f(3, 2), second=False, differences=False, dtypes=("float64",))
each(["normalize(x)", "normalize(x, p=1, dim=0)", "normalize(x, 3.0, -1)", "cosine_similarity(x, y)",
      "cosine_similarity(x, y, dim=0)", "pairwise_distance(x, y)", "pairwise_distance(x, y, 1, keepdim=True)"],
     PAIR, dict(x=f(2, 3, layout="columns"), y=f(1, 3)), tolerance=LOOSE)
each(["normalize(x, dim=0)", "cosine_similarity(x, x, dim=0)", "pairwise_distance(x, x, eps=0.0)"],
     dict(x=given("value", 0.0, 0.0, 0.0, grad=False)))
