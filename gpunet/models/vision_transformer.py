"""The vision transformer (Dosovitskiy et al. 2021, "An Image is Worth 16x16 Words"), as torchvision has it."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any

import gpunet
from gpunet import nn
from gpunet.models._registry import build, register
from gpunet.nn.dropout import added
from gpunet.tensor import Tensor
from gpunet.vision.ops import MLP

__all__ = ["Encoder", "EncoderBlock", "MLPBlock", "VisionTransformer", "vit_b_16", "vit_b_32", "vit_h_14", "vit_l_16",
           "vit_l_32"]

_NORM = partial(nn.LayerNorm, eps=1e-6)


class MLPBlock(MLP):
    """Two linear layers with GELU between them.

    Args:
        in_dim: features of the input, and of the output.
        mlp_dim: features between.
        dropout: probability that a value is dropped after each layer.

    Examples:
        >>> models.vision_transformer.MLPBlock(4, 8, 0.0)(gpunet.zeros(2, 4)).shape
        gpunet.Size([2, 4])
    """

    def __init__(self, in_dim: int, mlp_dim: int, dropout: float) -> None:
        super().__init__(in_dim, [mlp_dim, in_dim], activation_layer=nn.GELU, dropout=dropout)
        for module in self.modules():
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.xavier_uniform_(module.weight)
                nn.init.normal_(module.bias, std=1e-6)


class EncoderBlock(nn.Module):
    """Self-attention, then an `MLPBlock`, each after its layer normalization and with a shortcut.

    Args:
        num_heads: heads of the attention.
        hidden_dim: features.
        mlp_dim: features between the linear layers.
        dropout: probability that a value is dropped.
        attention_dropout: probability that an attention weight is dropped.
        norm_layer: makes the normalizations.

    Examples:
        >>> models.vision_transformer.EncoderBlock(2, 8, 16, 0.0, 0.0)(gpunet.zeros(1, 5, 8)).shape
        gpunet.Size([1, 5, 8])
    """

    def __init__(self, num_heads: int, hidden_dim: int, mlp_dim: int, dropout: float, attention_dropout: float,
                 norm_layer: Callable[..., nn.Module] = _NORM) -> None:
        super().__init__()
        self.ln_1 = norm_layer(hidden_dim)
        self.self_attention = nn.MultiheadAttention(hidden_dim, num_heads, dropout=attention_dropout, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.ln_2 = norm_layer(hidden_dim)
        self.mlp = MLPBlock(hidden_dim, mlp_dim, dropout)

    def forward(self, input: Tensor) -> Tensor:
        x = self.ln_1(input)
        x, _ = self.self_attention(x, x, x, need_weights=False)
        x = added(self.dropout, x, input)
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    """Adds the positions' embeddings, then applies `EncoderBlock`s and a layer normalization.

    Args:
        seq_length: length of the sequences.
        num_layers: number of blocks.
        num_heads: heads of the attention.
        hidden_dim: features.
        mlp_dim: features between the linear layers.
        dropout: probability that a value is dropped.
        attention_dropout: probability that an attention weight is dropped.
        norm_layer: makes the normalizations.

    Examples:
        >>> models.vision_transformer.Encoder(5, 1, 2, 8, 16, 0.0, 0.0)(gpunet.zeros(1, 5, 8)).shape
        gpunet.Size([1, 5, 8])
    """

    def __init__(self, seq_length: int, num_layers: int, num_heads: int, hidden_dim: int, mlp_dim: int, dropout: float,
                 attention_dropout: float, norm_layer: Callable[..., nn.Module] = _NORM) -> None:
        super().__init__()
        self.pos_embedding = nn.Parameter(gpunet.empty(1, seq_length, hidden_dim).normal_(std=0.02))
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.Sequential(OrderedDict(
            (f"encoder_layer_{index}", EncoderBlock(num_heads, hidden_dim, mlp_dim, dropout, attention_dropout,
                                                    norm_layer)) for index in range(num_layers)))
        self.ln = norm_layer(hidden_dim)

    def forward(self, input: Tensor) -> Tensor:
        return self.ln(self.layers(self.dropout(input + self.pos_embedding)))


class VisionTransformer(nn.Module):
    """The image's patches as a sequence, with a class token before them, through a transformer encoder; a linear layer
    upon the class token.

    Args:
        image_size: pixels to a side.
        patch_size: pixels to a side of a patch; divides the image's.
        num_layers: number of encoder blocks.
        num_heads: heads of the attention.
        hidden_dim: features.
        mlp_dim: features between the linear layers of a block.
        dropout: probability that a value is dropped.
        attention_dropout: probability that an attention weight is dropped.
        num_classes: outputs of the last layer.
        representation_size: features of a further layer before it; None: no such layer.
        norm_layer: makes the normalizations.

    Shape:
        Input [N, 3, image_size, image_size]; output [N, num_classes], before a softmax.

    Raises:
        ValueError: the patches do not divide the image, or an input has another size.

    Examples:
        >>> model = models.VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=4)
        >>> model(gpunet.zeros(2, 3, 32, 32)).shape
        gpunet.Size([2, 4])
    """

    def __init__(self, image_size: int, patch_size: int, num_layers: int, num_heads: int, hidden_dim: int, mlp_dim: int,
                 dropout: float = 0.0, attention_dropout: float = 0.0, num_classes: int = 1000,
                 representation_size: int | None = None,
                 norm_layer: Callable[..., nn.Module] = _NORM) -> None:
        super().__init__()
        if image_size % patch_size:
            raise ValueError(f"VisionTransformer: patches of {patch_size} pixels do not divide an image of "
                             f"{image_size}; choose a divisor")
        self.image_size, self.patch_size, self.hidden_dim = image_size, patch_size, hidden_dim
        self.conv_proj = nn.Conv2d(3, hidden_dim, patch_size, patch_size)
        self.class_token = nn.Parameter(gpunet.zeros(1, 1, hidden_dim))
        self.seq_length = (image_size // patch_size) ** 2 + 1
        self.encoder = Encoder(self.seq_length, num_layers, num_heads, hidden_dim, mlp_dim, dropout, attention_dropout,
                               norm_layer)
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        if representation_size is not None:
            layers["pre_logits"] = first = nn.Linear(hidden_dim, representation_size)
            layers["act"] = nn.Tanh()
            nn.init.trunc_normal_(first.weight, std=math.sqrt(1 / hidden_dim))
            nn.init.zeros_(first.bias)  # pyright: ignore[reportArgumentType]
        layers["head"] = nn.Linear(representation_size or hidden_dim, num_classes)
        self.heads = nn.Sequential(layers)
        nn.init.trunc_normal_(self.conv_proj.weight, std=math.sqrt(1 / (3 * patch_size**2)))
        for parameter in (self.conv_proj.bias, layers["head"].weight, layers["head"].bias):
            nn.init.zeros_(parameter)  # pyright: ignore[reportArgumentType]

    def forward(self, x: Tensor) -> Tensor:
        if tuple(x.shape[-2:]) != (self.image_size, self.image_size):
            raise ValueError(f"VisionTransformer: images must be {self.image_size} x {self.image_size}, got "
                             f"{x.shape[-2]} x {x.shape[-1]}; resize them, or make the model with image_size=")
        x = self.conv_proj(x).flatten(2).permute(0, 2, 1)
        x = gpunet.cat([self.class_token.expand(x.shape[0], -1, -1), x], 1)
        return self.heads(self.encoder(x)[:, 0])


def _vit(name: str, weights: Any, options: dict[str, Any], *sizes: int) -> VisionTransformer:
    return build(VisionTransformer, name, weights, {"image_size": 224, **options}, **dict(zip(
        ("patch_size", "num_layers", "num_heads", "hidden_dim", "mlp_dim"), sizes, strict=True)))


@register
def vit_b_16(*, weights: Any = None, progress: bool = True, **options: Any) -> VisionTransformer:
    """Vision transformer Base with patches of 16 pixels, 86.6 million weights."""
    return _vit("vit_b_16", weights, options, 16, 12, 12, 768, 3072)


@register
def vit_b_32(*, weights: Any = None, progress: bool = True, **options: Any) -> VisionTransformer:
    """Vision transformer Base with patches of 32 pixels, 88.2 million weights."""
    return _vit("vit_b_32", weights, options, 32, 12, 12, 768, 3072)


@register
def vit_l_16(*, weights: Any = None, progress: bool = True, **options: Any) -> VisionTransformer:
    """Vision transformer Large with patches of 16 pixels, 304.3 million weights."""
    return _vit("vit_l_16", weights, options, 16, 24, 16, 1024, 4096)


@register
def vit_l_32(*, weights: Any = None, progress: bool = True, **options: Any) -> VisionTransformer:
    """Vision transformer Large with patches of 32 pixels, 306.5 million weights."""
    return _vit("vit_l_32", weights, options, 32, 24, 16, 1024, 4096)


@register
def vit_h_14(*, weights: Any = None, progress: bool = True, **options: Any) -> VisionTransformer:
    """Vision transformer Huge with patches of 14 pixels, 632.0 million weights."""
    return _vit("vit_h_14", weights, options, 14, 32, 16, 1280, 5120)
