"""The named tuples that functions return, by PyTorch's names: `gpunet.return_types.max`. Functions whose results have
the same names share one class."""

from __future__ import annotations

from gpunet.ops.decompose import EighResult as linalg_eigh
from gpunet.ops.decompose import QRResult as linalg_qr
from gpunet.ops.decompose import SVDResult as linalg_svd
from gpunet.ops.extremes import MinMax as aminmax
from gpunet.ops.extremes import ValuesIndices as max  # noqa: A004
from gpunet.ops.inverse import SlogdetResult as slogdet
from gpunet.ops.linalg import LstsqResult as linalg_lstsq
from gpunet.ops.linalg import OlderSVDResult as svd

__all__ = ["aminmax", "cummax", "cummin", "kthvalue", "linalg_eigh", "linalg_lstsq", "linalg_qr", "linalg_slogdet",
           "linalg_svd", "max", "median", "min", "mode", "nanmedian", "slogdet", "sort", "svd", "topk"]

cummax = cummin = kthvalue = median = min = mode = nanmedian = sort = topk = max
linalg_slogdet = slogdet
