"""Making models small and fast: 8-bit integers, pruning, distillation, and what each costs in accuracy.

`quantize_dynamic`, `prepare` and `convert`, `prepare_qat` have the names of PyTorch's `torch.ao.quantization`; masks
are in `gpunet.nn.utils.prune`. Each takes a model and returns a new one.
"""

from gpunet.compress.distillation import distillation_loss
from gpunet.compress.fake import FakeQuantize, fake_quantize
from gpunet.compress.int8 import int8_matmul
from gpunet.compress.layers import QuantizedConv2d, QuantizedLinear
from gpunet.compress.observers import HistogramObserver, MinMaxObserver, MovingAverageMinMaxObserver
from gpunet.compress.pruning import prune_weights, remove_units, sparsity
from gpunet.compress.quantize import convert, load_quantized, prepare, prepare_qat, quantize_dynamic
from gpunet.compress.table import Row, compare, size_of

__all__ = ["FakeQuantize", "HistogramObserver", "MinMaxObserver", "MovingAverageMinMaxObserver", "QuantizedConv2d",
           "QuantizedLinear", "Row", "compare", "convert", "distillation_loss", "fake_quantize", "int8_matmul",
           "load_quantized", "prepare", "prepare_qat", "prune_weights", "quantize_dynamic", "remove_units", "size_of",
           "sparsity"]
