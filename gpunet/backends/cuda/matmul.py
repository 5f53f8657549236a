"""Settings of matrix products on NVIDIA GPUs.

`allow_tf32` and `fp32_precision` are those of `gpunet.set_float32_matmul_precision`. Half types accumulate in float32:
`allow_fp16_reduced_precision_reduction` and its like allow what is never done.
"""

from __future__ import annotations

import sys

from gpunet.backends.absent import WithTf32

__all__ = ["allow_bf16_reduced_precision_reduction", "allow_fp16_accumulation",
           "allow_fp16_reduced_precision_reduction", "allow_tf32", "fp32_precision"]

allow_fp16_reduced_precision_reduction = True
allow_bf16_reduced_precision_reduction = True
allow_fp16_accumulation = False
allow_tf32: bool
fp32_precision: str

sys.modules[__name__].__class__ = WithTf32
