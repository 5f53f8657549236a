"""Dropout."""

from __future__ import annotations

from gpunet.nn import functional as F
from gpunet.nn.module import Module
from gpunet.tensor import Tensor


class Dropout(Module):
    """In training, zeroes elements with probability p and scales the rest by 1 / (1 - p) (Srivastava et al., 2014); in
    evaluation, the input itself. The masks come from the default generator and are the same on every device."""

    _function = staticmethod(F.dropout)

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        if not 0 <= p <= 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        super().__init__()
        self.p = p
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return self._function(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


def _variant(name: str, function) -> type[Dropout]:
    return type(name, (Dropout,), {"__doc__": function.__doc__, "__module__": __name__,
                                   "_function": staticmethod(function)})


Dropout1d = _variant("Dropout1d", F.dropout1d)
Dropout2d = _variant("Dropout2d", F.dropout2d)
Dropout3d = _variant("Dropout3d", F.dropout3d)
AlphaDropout = _variant("AlphaDropout", F.alpha_dropout)
FeatureAlphaDropout = _variant("FeatureAlphaDropout", F.feature_alpha_dropout)
