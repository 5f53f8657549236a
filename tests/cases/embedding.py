"""Embeddings and one-hot vectors."""

from tests.cases.table import each, f, given, i

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
