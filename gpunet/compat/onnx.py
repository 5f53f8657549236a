"""`torch.onnx`: there is no export."""

from __future__ import annotations

from gpunet.compat.absent import refuses

__all__ = ["dynamo_export", "export", "is_in_onnx_export", "is_onnxrt_backend_supported", "register_custom_op_symbolic"]

_INSTEAD = ("there is no export to ONNX; load the weights into the same model in PyTorch, by safetensors, and export "
            "it there")
export = refuses("onnx.export", _INSTEAD)
dynamo_export = refuses("onnx.dynamo_export", _INSTEAD)
register_custom_op_symbolic = refuses("onnx.register_custom_op_symbolic", _INSTEAD)


def is_in_onnx_export() -> bool:
    """Whether a model is being exported: False."""
    return False


def is_onnxrt_backend_supported() -> bool:
    """Whether ONNX Runtime can run compiled models: False."""
    return False
