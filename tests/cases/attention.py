"""Scaled dot-product attention."""

from tests.cases.table import LOOSE, b, each, f

QKV = [dict(q=f(2, 3, 4), k=f(2, 5, 4), v=f(2, 5, 2)), dict(q=f(3, 4), k=f(3, 4), v=f(3, 4)),
       dict(q=f(2, 2, 3, 4, layout="columns"), k=f(2, 2, 3, 4), v=f(2, 2, 3, 4))]
call = "scaled_dot_product_attention(q, k, v{})".format
each([call(""), call(", is_causal=True"), call(", scale=0.3")], *QKV, tolerance=LOOSE)
each(call(", attn_mask=m"), dict(q=f(2, 3, 4), k=f(2, 5, 4), v=f(2, 5, 2), m=b(3, 5)),
     dict(q=f(2, 2, 3, 4), k=f(2, 2, 5, 4), v=f(2, 2, 5, 2), m=f(2, 1, 3, 5)), dtypes=("float64", "float32"))
each(call(", m.tril(-1).bool()"), dict(q=f(2, 3, 4), k=f(2, 3, 4), v=f(2, 3, 4), m=f(3, 3, low=1, grad=False)),
     dtypes=("float64", "float32"))  # the first row sees nothing
each(call(", enable_gqa=True, is_causal=True"), dict(q=f(2, 6, 3, 4), k=f(2, 2, 3, 4), v=f(2, 2, 3, 4)),
     second=False, tolerance=LOOSE)  # PyTorch has no second gradient of it
each(call(""), dict(q=f(2, 3, 8, low=-9, high=9), k=f(2, 6, 8, low=-9, high=9), v=f(2, 6, 8, low=-9, high=9)),
     dtypes=("float16", "bfloat16"), tolerance={"float16": (1e-2, 2e-2), "bfloat16": (6e-2, 0.2)})  # large scores
