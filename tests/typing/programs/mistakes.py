"""Mistakes that a type checker finds: each line would be an error without its comment, which must not be idle."""

# pyright: reportUnnecessaryTypeIgnoreComment=error

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim

x = gpunet.randn(2, 3)
x.no_such_method()  # pyright: ignore[reportAttributeAccessIssue]
x.exp(nonsense=1)  # pyright: ignore[reportCallIssue]
x.size("rows")  # pyright: ignore[reportArgumentType, reportCallIssue]
gpunet.exp(x, nonsense=1)  # pyright: ignore[reportCallIssue]
gpunet.no_such_function(x)  # pyright: ignore[reportAttributeAccessIssue]
nn.Linear("three", 4)  # pyright: ignore[reportArgumentType]
nn.ReLU(nonsense=1)  # pyright: ignore[reportCallIssue]
F.cross_entropy(x, x, no_such=1)  # pyright: ignore[reportCallIssue]
F.conv2d(x)  # pyright: ignore[reportCallIssue]
optim.Adam(nn.Linear(3, 4).parameters(), learning_rate=1.0)  # pyright: ignore[reportCallIssue]
