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

# ---- negative log-likelihood, sequences ----------------------------------------------------------------------------

NLL = [f"nll_loss(x.log_softmax({d}), k{{}}{r})" for d in (1,) for r in REDUCTIONS]
each([c.format("") for c in NLL], dict(x=f(4, 3), k=i(4, high=2)), dict(x=f(2, 5, 3), k=i(2, 3, high=4)),
     tolerance=LOOSE)
each("nll_loss(x, k)", dict(x=f(3), k=i(high=2)), tolerance=LOOSE)
each([c.format(", weight=w, ignore_index=1") for c in NLL],
     dict(x=f(4, 3), k=given("int64", 0, 1, 2, 1), w=f(3, low=0.5, grad=False)), tolerance=LOOSE)
CTC = [f"ctc_loss(x.log_softmax(-1), {{}}{r})" for r in REDUCTIONS]
each([c.format("k, n, m") for c in CTC],
     dict(x=f(9, 3, 4), k=i(3, 3, low=1, high=3), n=given("int64", 9, 8, 7), m=given("int64", 3, 2, 0)),
     dtypes=("float64", "float32"), second=False)  # one labels, then a target without labels
each([c.format("k, n, m, 2, zero_infinity=True") for c in (f"ctc_loss(x.log_softmax(-1), {{}}, reduction='{r}')"
                                                          for r in ("mean", "sum", "none"))],
     dict(x=f(5, 2, 3), k=given("int64", 0, 0, 0, 1, 1, 0, shape=(2, 3)), n=given("int64", 4, 5),
          m=given("int64", 3, 2)), dtypes=("float64", "float32"), second=False, differences=False)
each("ctc_loss(x.log_softmax(-1), k, (6, 5), (2, 3))", dict(x=f(6, 2, 4), k=i(5, low=1, high=3)),
     dtypes=("float64",), second=False)
each("ctc_loss(x.log_softmax(-1), k, tensor(6), tensor(3))", dict(x=f(6, 4), k=i(3, low=1, high=3)),
     dtypes=("float64",), second=False)

# ---- regression and likelihoods ------------------------------------------------------------------------------------

KINKED = dict(x=f(3, 4, avoid=(0,)), y=f(3, 4, low=-0.04, high=0.04))
each([f"{name}(x, y{r})" for name in ("l1_loss", "smooth_l1_loss", "huber_loss") for r in REDUCTIONS], KINKED,
     dict(x=f(), y=f()), tolerance=LOOSE)
each(["smooth_l1_loss(x, y, beta=0.3)", "smooth_l1_loss(x, y, beta=0)", "huber_loss(x, y, delta=0.4)",
      "huber_loss(x, y, delta=1e999)"], KINKED,
     tolerance=LOOSE)
each([f"{name}(x, y, weight=w{r})" for name in ("mse_loss", "l1_loss", "huber_loss") for r in REDUCTIONS],
     KINKED | dict(w=f(3, 4, low=0.5, grad=False)), dtypes=("float64", "float32"))
PROBABILITIES = dict(x=f(3, 4, low=0.05, high=0.95), y=f(3, 4, low=0.05, high=0.95))
each([f"binary_cross_entropy(x, y{r})" for r in REDUCTIONS], PROBABILITIES, tolerance=LOOSE)
each("binary_cross_entropy(x, y, weight=w)", PROBABILITIES | dict(w=f(4, low=0.5, grad=False)),
     dtypes=("float64", "float32"))
each("binary_cross_entropy(x, y, reduction='none')",
     dict(x=given("value", 0.0, 1.0, 0.0, 1.0, 1e-30), y=given("value", 0.0, 1.0, 1.0, 0.0, 1.0, grad=False)),
     second=False, differences=False, dtypes=("float64", "float32"))
each([f"binary_cross_entropy_with_logits(x, y{o}{r})" for r in REDUCTIONS
      for o in ("", ", weight=w", ", pos_weight=w")],
     dict(x=f(3, 4), y=f(3, 4, low=0, high=1), w=f(4, low=0.5, grad=False)), dtypes=("float64", "float32"))
each("binary_cross_entropy_with_logits(x, y, reduction='none')",
     dict(x=given("value", 0.0, 100.0, -100.0, 5.0), y=given("value", 0.0, 1.0, 1.0, 0.0, grad=False)), second=False,
     differences=False, dtypes=("float64", "float32"))
each([f"kl_div(x, y{o}{r})" for r in (*REDUCTIONS, ", reduction='batchmean'") for o in ("", ", log_target=True")],
     dict(x=f(3, 4, high=-0.1), y=f(3, 4, low=0.05, high=0.9)), tolerance=LOOSE)
each("kl_div(x, y)", dict(x=f(4), y=given("value", 0.0, 0.5, 0.0, 1.0, grad=False)), differences=False, second=False,
     tolerance=LOOSE)
each([f"poisson_nll_loss(x, y{o}{r})" for r in REDUCTIONS
      for o in ("", ", log_input=False", ", full=True")],
     dict(x=f(3, 4, low=0.1), y=f(3, 4, low=0.1, high=6, avoid=(1.0,), grad=False)), tolerance=LOOSE)
each([f"gaussian_nll_loss(x, y, v{o}{r})" for r in REDUCTIONS for o in ("", ", full=True")],
     dict(x=f(3, 4), y=f(3, 4), v=f(3, 4, low=0.3)), tolerance=LOOSE)
each("gaussian_nll_loss(x, y, v)", dict(x=f(3, 4), y=f(3, 4), v=f(3, low=0.3)),
     dict(x=f(3, 4), y=f(3, 4), v=f(3, 1, low=0.3)), tolerance=LOOSE)
each("gaussian_nll_loss(x, y, 0.5)", dict(x=f(3), y=f(3)), tolerance=LOOSE)
each("gaussian_nll_loss(x, y, v, eps=0.5)", dict(x=f(3), y=f(3), v=given("value", 0.0, 0.25, 1.0)), second=False,
     differences=False, tolerance=LOOSE)

# ---- margins -------------------------------------------------------------------------------------------------------

SIGNS = given("value", 1.0, -1.0, 1.0, -1.0, shape=(4,), grad=False)
TWO = ("float64", "float32")
each([f"hinge_embedding_loss(x, y, margin=0.7{r})" for r in REDUCTIONS], dict(x=f(3, 4, avoid=(0.7,)), y=SIGNS),
     dtypes=TWO)
each([f"margin_ranking_loss(x, z, y, margin=0.3{r})" for r in REDUCTIONS],
     dict(x=f(4, distinct=True), z=f(4, distinct=True), y=SIGNS), dtypes=TWO)
each([f"soft_margin_loss(x, y{r})" for r in REDUCTIONS], dict(x=f(3, 4), y=SIGNS), dtypes=TWO)
each([f"multilabel_soft_margin_loss(x, y{r})" for r in REDUCTIONS], dict(x=f(3, 4), y=f(3, 4, low=0, high=1)),
     dict(x=f(4), y=f(4, low=0, high=1)), dtypes=TWO)
each([f"multi_margin_loss(x, k{o}{r})" for r in REDUCTIONS for o in ("", ", p=2, margin=0.5")],
     dict(x=f(4, 3, distinct=True), k=i(4, high=2)), dict(x=f(3, distinct=True), k=i(high=2)), dtypes=TWO,
     second=False)
each("multi_margin_loss(x, k, weight=w)",
     dict(x=f(4, 3, distinct=True), k=i(4, high=2), w=f(3, low=0.5, grad=False)), dtypes=TWO, second=False)
each([f"multilabel_margin_loss(x, k{r})" for r in REDUCTIONS],
     dict(x=f(2, 4, distinct=True), k=given("int64", 3, 0, -1, 1, 2, -1, 0, 1, shape=(2, 4))),
     dict(x=f(3, distinct=True), k=given("int64", 0, 2, 1)), dict(x=f(3), k=given("int64", -1, 0, 1)), dtypes=TWO,
     second=False)
each([f"cosine_embedding_loss(x, z, y, margin=0.1{r})" for r in REDUCTIONS],
     dict(x=f(4, 3), z=f(4, 3), y=SIGNS), dtypes=TWO)
each("cosine_embedding_loss(x, z, y)", dict(x=f(3), z=f(3), y=given("value", 1.0, shape=(), grad=False)),
     dtypes=TWO)
ANCHORED = dict(x=f(3, 4), y=f(3, 4), z=f(3, 4))
each([f"triplet_margin_loss(x, y, z{o}{r})" for r in REDUCTIONS
      for o in ("", ", swap=True, margin=2.0", ", p=1.0, eps=0")], ANCHORED, dtypes=TWO)
each("triplet_margin_with_distance_loss(x, y, z, margin=2.5, swap=True)", ANCHORED, dtypes=TWO)

# Classes without a batch and a single class; small integers.
each(["multilabel_margin_loss(x, k)", "multilabel_margin_loss(x, k, reduction='none')",
      "multi_margin_loss(x, k, reduction='sum')"], dict(x=f(), k=given("int64", 0, shape=())), second=False,
     dtypes=("float32", "float64"))
each("margin_ranking_loss(x, y, t, 0.5, reduction='none')",
     dict(x=f(5, low=0, high=255), y=f(5, low=0, high=255), t=f(5, low=0, high=3)), dtypes=("uint8",))
