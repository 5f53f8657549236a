"""Shapes, layouts, joining and splitting."""

from tests.cases.table import INTS, b, each, f, i

each(["x.reshape(3, 4)", "x.reshape(-1)", "x.reshape((2, -1, 3))", "reshape(x, (12, 1))", "x.flatten()", "x.flatten(1)",
      "flatten(x, 0, 1)", "x.ravel()", "x.permute(2, 0, 1)", "permute(x, (0, -1, 1))", "x.transpose(0, 2)",
      "transpose(x, -1, 1)", "x.swapaxes(0, 1)", "movedim(x, 0, -1)", "movedim(x, (0, 1), (2, 0))", "x.unsqueeze(1)",
      "x.unsqueeze(-1)", "x.flip(0)", "x.flip((1, -1))", "flip(x, [0, 2])", "x.narrow(1, 1, 1)", "narrow(x, -1, -2, 2)",
      "x.select(0, 1)", "select(x, -1, -1)", "x.unflatten(2, (1, -1))", "x.split(1, 2)", "split(x, [1, 0, 2], dim=-1)",
      "x.chunk(2, 2)", "chunk(x, 5, 1)", "x.unbind(1)", "unbind(x)", "x.mT", "x.expand(3, 2, 2, 3)",
      "x.expand(-1, 2, 3)", "broadcast_to(x, (1, 2, 2, 3))", "clone(x)",
      "x.contiguous()", "x.type_as(x)", "x.view(4, 3)", "x.squeeze()"], dict(x=f(2, 2, 3)))
each(["x.to(float32)", "x.double()", "x.half().float()", "x.detach() * x"], dict(x=f(2, 3)), differences=False)
each(["x.reshape(-1)", "x.permute(1, 0)", "x.T", "x.t()", "x.contiguous()", "x.reshape(3, 2)", "x.flatten()"],
     dict(x=f(2, 3, layout="columns")), dict(x=f(3, 2, layout="gaps")))
each(["x.squeeze()", "x.squeeze(0)", "x.squeeze(1)", "x.squeeze((0, -1))", "x.expand(3, 4, 5)", "x.expand(2, -1, 4, 2)",
      "x.squeeze(-1).unsqueeze(0)"], dict(x=f(1, 4, 1)))
each(["x.squeeze()", "x.squeeze(1)", "x.expand(2, 3, 1)"], dict(x=f(1, 1, 1)))
each(["x.reshape(1, 1)", "x.reshape(())", "x.unsqueeze(0)", "x.flatten()", "x.permute(())", "x.T", "x.expand(3)",
      "x.expand(2, 2)", "x.squeeze()", "x.squeeze(0)", "x.clone()", "x.transpose(0, -1)", "stack([x, x])",
      "x.view(1)"], dict(x=f()))
each(["x.reshape(0, 5)", "x.reshape(-1)", "x.expand(2, 0)", "x.T", "x.flip(0)", "cat([x, x])", "x.split(2)",
      "x.chunk(3)", "x.unsqueeze(0)", "stack([x, x])"], dict(x=f(0)))
each(["cat([x, y])", "cat((x, y, x), dim=0)", "cat([x, y], -2)"], dict(x=f(2, 3), y=f(1, 3)),
     dict(x=f(2, 3), y=f(0, 3)))
each("cat([x, y], 1)", dict(x=f(2, 3), y=f(2, 1)), dict(x=f(2, 3), y=f(0)),
     dict(x=f(2, 3, layout="columns"), y=f(2, 3)))
each(["cat([x, y])", "stack([x, y])", "stack([y, x], -1)"], dict(x=f(3), y=i(3)), dict(x=b(2), y=i(2)), second=True)
each(["stack([x, y])", "stack((x, y), dim=1)", "stack([x, y, y], -1)"], dict(x=f(2, 3), y=f(2, 3)),
     dict(x=f(1, 0), y=f(1, 0)))
each(["x.int()", "x.long()", "x.bool()", "x.byte()", "x.to(int16)", "x.float()", "x.bfloat16()"],
     dict(x=f(5, low=0, high=9)), dtypes=(*INTS, "float32", "bool"), tolerance={"bfloat16": (0, 0)})
each(["flip(x, dims=(0, 2))", "x.flip(dims=[1])", "flip(x, dims=())", "movedim(x, (), ())"], dict(x=f(2, 1, 3)))
each(["combinations(x)", "combinations(x, 3)"], dict(x=f(1)), second=False, differences=False)
each(["diff(x, 0, 0, y)", "diff(x, 0, append=x)"], dict(x=f(3), y=f(2)))
each(["x.as_strided((2, 2), (1, 2))", "as_strided(x, (3, 3), (1, 1), 0)", "x.as_strided((2, 0), (1, 1))",
      "(x * 1)[1:].as_strided((2, 2), (0, 1))"], dict(x=f(2, 3)), dict(x=f(3, 2)))
each("unravel_index(x, (2, 4))", dict(x=i(2, 3)))
