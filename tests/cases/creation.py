"""Ranges, and numbers as values of integer types."""

from tests.cases.table import INTS, each, f

ONCE = dict(dtypes=("float64",))

each([f"arange({bounds}, dtype={dtype})" for bounds in ("0.0, -8.000001, -4.0", "-0.9, 2.1, 2.0", "2.1, -2.9, -1.0",
      "3.7") for dtype in (*INTS[:-1], "float64", "bfloat16")], {}, **ONCE)
each("arange(-0.9, 2.1, 2.0, dtype=uint8)", {}, **ONCE)
each([f"linspace({bounds}, dtype={dtype})" for bounds in ("4.3, -3, 50", "-3, 4.3, 5", "4.7, 0, 1", "0, 2, 0",
      "0, 9, 7") for dtype in (*INTS[:-1], "float64", "float32")], {}, **ONCE)
each([f"logspace({bounds}, dtype={dtype})" for bounds in ("0.7, 2, 4", "0, 1.2, 2, 5.0", "2.7, 0, 1")
      for dtype in ("int64", "int16", "float64")], {}, **ONCE)
each(["full((2,), -9, dtype=uint8)", "full((2,), -255, dtype=uint8)", "full((), 2.7, dtype=int8)",
      "tensor(-9, dtype=uint8)", "full((2,), -1, dtype=bool)"], {}, **ONCE)
each(["x.fill_(-9)", "full_like(x, -9)", "x.new_full((2,), -1)", "x.masked_fill(x > 3, -9)",
      "x.index_fill(0, x.long()[:1] * 0, -2)"], dict(x=f(3, low=0, high=9)), dtypes=INTS)
