"""Ranges, and numbers as values of integer types."""

from tests.cases.table import INTS, each, f, given

ONCE = dict(dtypes=("float64",))
NUMPY = "float32 float64 float16 int32 uint8".split()

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
# Sequences, and what their numbers have in common.
RANGE = "__import__('builtins').range"
each([f"tensor({data})" for data in (f"{RANGE}(3)", f"[{RANGE}(2), (3, 4)]", "[1, True]", "[[1, 2.5], [True, 3]]",
      "[[], []]",
      "bytearray(b'ab')", "memoryview(b'ab')", "__import__('collections').deque([1.0, 2.0])",
      "__import__('collections').UserList([1, 2])", "__import__('array').array('f', [1, 2])")], {}, **ONCE)
each([f"tensor([__import__('numpy').{kind}(3), {other}])" for kind in NUMPY for other in ("2", "2.5", "True")] +
     [f"tensor([{other}, __import__('numpy').{kind}(3)])" for kind in NUMPY for other in ("2", "2.5")], {}, **ONCE)
each(["tensor([x.sum(), 2])", "tensor([[x.sum()], [3.5]])", "tensor([x[:1], x[1:2]])", "tensor(x, dtype=int32)"],
     dict(x=f(3, grad=False)), **ONCE)
each(["tensor([-1], dtype=uint8)", "tensor([2.7, -2.7], dtype=int8)", "tensor([2], dtype=bool)",
      "tensor([1e39])", "tensor([7e4], dtype=float16)", "tensor([2**64, 1.5], dtype=bfloat16)",
      "tensor(-2**63 - 1, dtype=bfloat16)"], {}, **ONCE)
each([f"{op}(x, {bounds})" for op in ("clamp", "clip") for bounds in ("-2**63, 2**63", "max=2**63", "0.5, 2**63")]
     + ["clamp_min(x, 2**63)", "clamp_max(x, 2**63)", "nan_to_num(x / x, 2**63)", "nan_to_num(x, 1, 2**63, -2**63)",
        "x.clone().clamp_(0, 2**63)"], dict(x=given("value", 0.0, 1.0, -3.0)), dtypes=("float32", "bfloat16"),
     second=False, differences=False)
each(["x.clamp(-5, 200)", "x.clamp(max=100)", "x + 300", "x == 300", "x * -1", "where(x > 3, x, 7)",
      "addcmul(x, x, x, value=2.5)", "div(x, 2, rounding_mode='trunc')", "div(x, -2, rounding_mode='trunc')"],
     dict(x=f(4, low=-9, high=9)), dtypes=("int16", "int32", "int64"))
each(["x.clamp(-5, 200)", "x.clamp(max=0)"], dict(x=given("bool", True, False)), **ONCE)
each(["full((2,), 2**63, dtype=bfloat16)", "where(x, x.bfloat16(), 2**63)", "x.bfloat16().fill_(-2**63)"],
     dict(x=given("bool", True, False)), **ONCE)
each("div(x, y, rounding_mode='trunc')", dict(x=given("int64", 2**53 + 1, -7, 7, -(2**60) - 1),
                                              y=given("int64", 1, 2, -2, 3)), **ONCE)
each([f"{name}_window({arguments})" for name in ("hann", "hamming", "blackman", "bartlett", "kaiser")
      for arguments in ("0", "1", "2", "7", "8, False", "1, periodic=False", "5, dtype=float64")] +
     ["hamming_window(5, True, 0.6, 0.3)", "kaiser_window(6, False, 3.0)", "kaiser_window(6, True, 0.0)",
      "hann_window(5, dtype=bfloat16)"], {}, **ONCE)
