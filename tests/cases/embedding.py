"""Embeddings and one-hot vectors."""

from tests.cases.table import LOOSE, each, f, given, i

TABLES = [dict(k=i(4, 3, high=4), w=f(5, 2)), dict(k=i(high=2), w=f(3, 4))]
each("embedding(k, w)", *TABLES)
each("embedding(k, w)", dict(k=i(0, 2), w=f(3, 2)), second=False)
each(["embedding(k, w, padding_idx=1)", "embedding(k, w, padding_idx=-1)"], *TABLES,
     differences=False)  # one row's gradient is left out
each("embedding(k, w, scale_grad_by_freq=True)", dict(k=given("int64", 0, 2, 2, 2, 1), w=f(4, 3)), second=False,
     differences=False)
each("embedding(k, w.clone(), max_norm=1.0, norm_type=1.0)", dict(k=given("int64", 0, 2, 2), w=f(4, 3)), second=False,
     differences=False, dtypes=("float64", "float32"))
each(["one_hot(k)", "one_hot(k, 7)", "one_hot(k, num_classes=5)"], dict(k=i(2, 3, high=4)), dict(k=i(high=4)))

BAG = dict(x=given("int64", 1, 4, 2, 2, 0), w=f(5, 3, distinct=True), o=given("int64", 0, 2, 2))
each([f"nn.functional.embedding_bag(x, w, o, mode={mode!r}{more})" for mode in ("sum", "mean", "max")
      for more in ("", ", padding_idx=2")], BAG, tolerance=LOOSE,
     second=False)  # PyTorch has no second derivatives
each([f"nn.functional.embedding_bag(x, w, mode={mode!r}, padding_idx=-1)" for mode in ("sum", "mean", "max")],
     dict(x=given("int64", 1, 4, 2, 4, 4, 4, shape=(2, 3)), w=f(5, 2, distinct=True)), tolerance=LOOSE, second=False,
     differences=False)  # one row gets no gradient
each("nn.functional.embedding_bag(x, w, o, mode='sum', per_sample_weights=v)", BAG | dict(v=f(5)), tolerance=LOOSE,
     second=False)
each("nn.functional.embedding_bag(x, w, o, scale_grad_by_freq=True, mode='sum')", BAG, differences=False,
     second=False, tolerance=LOOSE, torch=False)  # PyTorch halves the gradient of a row that occurs once
each("nn.functional.embedding_bag(x, w, o, mode='mean', include_last_offset=True)",
     BAG | dict(o=given("int64", 0, 2, 2, 5)), tolerance=LOOSE, second=False)
