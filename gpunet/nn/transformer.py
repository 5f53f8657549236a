"""The Transformer (Vaswani et al., 2017): encoder and decoder layers, stacks of them, and the whole."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

from gpunet.nn import functional as F
from gpunet.nn import init
from gpunet.nn.attention import MultiheadAttention
from gpunet.nn.common_types import Device, DType
from gpunet.nn.container import ModuleList
from gpunet.nn.dropout import Dropout, added
from gpunet.nn.joined import activated, projected
from gpunet.nn.linear import Linear
from gpunet.nn.module import Module
from gpunet.nn.normalization import LayerNorm
from gpunet.ops import creation
from gpunet.tensor import Tensor

_ACTIVATIONS = {"relu": F.relu, "gelu": F.gelu}


class _Layer(Module):
    """Base of encoder and decoder layers: `attentions`, then the feed-forward part; each a residual with its norm."""

    def __init__(self, attentions: tuple[str, ...], d_model: int, nhead: int, dim_feedforward: int, dropout: float,
                 activation: str | Callable[[Tensor], Tensor], layer_norm_eps: float, batch_first: bool,
                 norm_first: bool, bias: bool, device: Device, dtype: DType) -> None:
        super().__init__()
        if isinstance(activation, str) and activation not in _ACTIVATIONS:
            raise RuntimeError(f"{type(self).__name__}: activation must be 'relu', 'gelu' or a function, got "
                               f"{activation!r}")
        where: dict[str, Any] = {"device": device, "dtype": dtype}
        for name in attentions:
            setattr(self, name, MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, **where))
        self.linear1 = Linear(d_model, dim_feedforward, bias, **where)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, **where)
        self.norm_first = norm_first
        parts = range(1, len(attentions) + 2)
        for i in parts:
            setattr(self, f"norm{i}", LayerNorm(d_model, layer_norm_eps, bias=bias, **where))
        for i in parts:
            setattr(self, f"dropout{i}", Dropout(dropout))
        self.activation = _ACTIVATIONS[activation] if isinstance(activation, str) else activation

    def _residual(self, number: int, x: Tensor, block: Callable[[Tensor], Tensor]) -> Tensor:
        norm, drop = getattr(self, f"norm{number}"), getattr(self, f"dropout{number}")
        return added(drop, block(norm(x)), x) if self.norm_first else norm(added(drop, block(x), x))

    def _feed_forward(self, number: int, x: Tensor) -> Tensor:
        """The feed-forward part, as a residual with its norm."""
        norm, drop = getattr(self, f"norm{number}"), getattr(self, f"dropout{number}")
        hidden = self.dropout(activated(self.linear1, self.activation, norm(x) if self.norm_first else x))
        y = projected(self.linear2, drop, hidden, x)
        return y if self.norm_first else norm(y)


class TransformerEncoderLayer(_Layer):
    """Self-attention, then a feed-forward network of one hidden layer; each is added to its input:
    `x = norm1(x + attention(x))`, `y = norm2(x + linear2(activation(linear1(x))))`.

    Source: Vaswani et al., "Attention Is All You Need", 2017.

    Args:
        d_model: features of the input and of the output.
        nhead: heads of attention, which divide d_model.
        dim_feedforward: features of the hidden layer of the feed-forward part.
        dropout: the probability that an element becomes 0, in training.
        activation: "relu", "gelu" or a function, between the two layers of the feed-forward part.
        layer_norm_eps: eps of the layer norms.
        batch_first: whether the batch is dimension 0 rather than 1.
        norm_first: put the layer norms before each part (Xiong et al., "On Layer Normalization in the Transformer
            Architecture", 2020) rather than after each sum.
        bias: whether linear layers and norms have biases.
        device: where the parameters are kept.
        dtype: floating-point dtype of the parameters.

    Shape:
        src [L, N, d_model], or [N, L, d_model] with batch_first, or [L, d_model]; the output has the same.

    Raises:
        RuntimeError: the activation is unknown.

    Examples:
        >>> layer = nn.TransformerEncoderLayer(8, nhead=2, dim_feedforward=16, batch_first=True)
        >>> layer(gpunet.randn(4, 5, 8)).shape
        gpunet.Size([4, 5, 8])
    """

    def __init__(self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1,
                 activation: str | Callable[[Tensor], Tensor] = F.relu, layer_norm_eps: float = 1e-5,
                 batch_first: bool = False, norm_first: bool = False, bias: bool = True,
                 device: Device = None, dtype: DType = None) -> None:
        super().__init__(("self_attn",), d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps,
                         batch_first, norm_first, bias, device, dtype)

    def forward(self, src: Tensor, src_mask: Tensor | None = None, src_key_padding_mask: Tensor | None = None,
                is_causal: bool = False) -> Tensor:
        """Encodes a sequence.

        Args:
            src: the sequence; see the class for its shape.
            src_mask: [L, L] or [N * nhead, L, L], True where an element must not look, or numbers to add to the scores.
            src_key_padding_mask: [N, L], True for elements to ignore.
            is_causal: a hint that src_mask is causal.
        """
        def attend(x: Tensor) -> Tensor:
            return self.self_attn(x, x, x, src_key_padding_mask, False, src_mask, is_causal=is_causal)[0]

        return self._feed_forward(2, self._residual(1, src, attend))


class TransformerDecoderLayer(_Layer):
    """Self-attention, attention to an encoder's output `memory`, then a feed-forward network of one hidden layer; each
    is added to its input, as in `TransformerEncoderLayer`.

    Source: Vaswani et al., "Attention Is All You Need", 2017.

    Args:
        d_model: features of the input and of the output.
        nhead: heads of attention, which divide d_model.
        dim_feedforward: features of the hidden layer of the feed-forward part.
        dropout: the probability that an element becomes 0, in training.
        activation: "relu", "gelu" or a function, between the two layers of the feed-forward part.
        layer_norm_eps: eps of the layer norms.
        batch_first: whether the batch is dimension 0 rather than 1.
        norm_first: put the layer norms before each part (Xiong et al., "On Layer Normalization in the Transformer
            Architecture", 2020) rather than after each sum.
        bias: whether linear layers and norms have biases.
        device: where the parameters are kept.
        dtype: floating-point dtype of the parameters.

    Shape:
        tgt [T, N, d_model] and memory [S, N, d_model], or the batch first with batch_first, or without N; the output
        has tgt's shape.

    Raises:
        RuntimeError: the activation is unknown.

    Examples:
        >>> layer = nn.TransformerDecoderLayer(8, nhead=2, dim_feedforward=16, batch_first=True)
        >>> layer(gpunet.randn(4, 3, 8), gpunet.randn(4, 5, 8)).shape
        gpunet.Size([4, 3, 8])
    """

    def __init__(self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1,
                 activation: str | Callable[[Tensor], Tensor] = F.relu, layer_norm_eps: float = 1e-5,
                 batch_first: bool = False, norm_first: bool = False, bias: bool = True,
                 device: Device = None, dtype: DType = None) -> None:
        super().__init__(("self_attn", "multihead_attn"), d_model, nhead, dim_feedforward, dropout, activation,
                         layer_norm_eps, batch_first, norm_first, bias, device, dtype)

    def forward(self, tgt: Tensor, memory: Tensor, tgt_mask: Tensor | None = None, memory_mask: Tensor | None = None,
                tgt_key_padding_mask: Tensor | None = None, memory_key_padding_mask: Tensor | None = None,
                tgt_is_causal: bool = False, memory_is_causal: bool = False) -> Tensor:
        """Decodes a sequence.

        Args:
            tgt: the sequence; see the class for its shape.
            memory: the encoder's output.
            tgt_mask: [T, T] or [N * nhead, T, T], True where an element of tgt must not look, or numbers to add to the
                scores.
            memory_mask: [T, S] or [N * nhead, T, S], likewise for its look at memory.
            tgt_key_padding_mask: [N, T], True for elements of tgt to ignore.
            memory_key_padding_mask: [N, S], True for elements of memory to ignore.
            tgt_is_causal: a hint that tgt_mask is causal.
            memory_is_causal: a hint that memory_mask is causal.
        """
        def attend(x: Tensor) -> Tensor:
            return self.self_attn(x, x, x, tgt_key_padding_mask, False, tgt_mask, is_causal=tgt_is_causal)[0]

        def look(x: Tensor) -> Tensor:
            return self.multihead_attn(x, memory, memory, memory_key_padding_mask, False, memory_mask,
                                       is_causal=memory_is_causal)[0]

        return self._feed_forward(3, self._residual(2, self._residual(1, tgt, attend), look))


class _Stack(Module):
    """Base: copies of one layer, one after another, and a norm at the end if there is one."""

    def __init__(self, layer: Module, num_layers: int, norm: Module | None) -> None:
        super().__init__()
        self.layers = ModuleList([copy.deepcopy(layer) for _ in range(num_layers)])
        self.num_layers = num_layers
        self.norm = norm

    def _run(self, x: Tensor, *others: Tensor, **masks: Any) -> Tensor:
        for layer in self.layers:
            x = layer(x, *others, **masks)
        return x if self.norm is None else self.norm(x)


class TransformerEncoder(_Stack):
    """A stack of encoder layers.

    Args:
        encoder_layer: the layer; the stack holds copies of it, which start with the same weights.
        num_layers: how many.
        norm: a layer for the end, or None.
        enable_nested_tensor: accepted as in PyTorch, without effect.
        mask_check: accepted as in PyTorch, without effect.

    Shape:
        As the layers'.

    Examples:
        >>> layer = nn.TransformerEncoderLayer(8, nhead=2, dim_feedforward=16, batch_first=True)
        >>> nn.TransformerEncoder(layer, num_layers=2)(gpunet.randn(4, 5, 8)).shape
        gpunet.Size([4, 5, 8])
    """

    def __init__(self, encoder_layer: Module, num_layers: int, norm: Module | None = None,
                 enable_nested_tensor: bool = True, mask_check: bool = True) -> None:
        super().__init__(encoder_layer, num_layers, norm)

    def forward(self, src: Tensor, mask: Tensor | None = None, src_key_padding_mask: Tensor | None = None,
                is_causal: bool | None = None) -> Tensor:
        """Encodes a sequence by all layers.

        Args:
            src: the sequence.
            mask: [L, L] or [N * nhead, L, L], True where an element must not look, or numbers to add to the scores.
            src_key_padding_mask: [N, L], True for elements to ignore.
            is_causal: a hint that mask is causal.
        """
        return self._run(src, src_mask=mask, src_key_padding_mask=src_key_padding_mask, is_causal=bool(is_causal))


class TransformerDecoder(_Stack):
    """A stack of decoder layers.

    Args:
        decoder_layer: the layer; the stack holds copies of it, which start with the same weights.
        num_layers: how many.
        norm: a layer for the end, or None.

    Shape:
        As the layers'.

    Examples:
        >>> layer = nn.TransformerDecoderLayer(8, nhead=2, dim_feedforward=16, batch_first=True)
        >>> nn.TransformerDecoder(layer, num_layers=2)(gpunet.randn(4, 3, 8), gpunet.randn(4, 5, 8)).shape
        gpunet.Size([4, 3, 8])
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__(decoder_layer, num_layers, norm)

    def forward(self, tgt: Tensor, memory: Tensor, tgt_mask: Tensor | None = None, memory_mask: Tensor | None = None,
                tgt_key_padding_mask: Tensor | None = None, memory_key_padding_mask: Tensor | None = None,
                tgt_is_causal: bool | None = None, memory_is_causal: bool = False) -> Tensor:
        """Decodes a sequence by all layers; the arguments are those of `TransformerDecoderLayer.forward`.

        Args:
            tgt: the sequence.
            memory: the encoder's output.
            tgt_mask: where elements of tgt must not look.
            memory_mask: where they must not look in memory.
            tgt_key_padding_mask: elements of tgt to ignore.
            memory_key_padding_mask: elements of memory to ignore.
            tgt_is_causal: a hint that tgt_mask is causal.
            memory_is_causal: a hint that memory_mask is causal.
        """
        return self._run(tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask,
                         tgt_key_padding_mask=tgt_key_padding_mask, memory_key_padding_mask=memory_key_padding_mask,
                         tgt_is_causal=bool(tgt_is_causal), memory_is_causal=memory_is_causal)


class Transformer(Module):
    """An encoder of `src`, and a decoder of `tgt` that looks at the encoder's output. Embeddings, positions and the
    last projection are left to the user. Weights start by `nn.init.xavier_uniform_`.

    Source: Vaswani et al., "Attention Is All You Need", 2017.

    Args:
        d_model: features of the inputs and of the output.
        nhead: heads of attention, which divide d_model.
        num_encoder_layers: layers of the encoder.
        num_decoder_layers: layers of the decoder.
        dim_feedforward: features of the hidden layer of the feed-forward parts.
        dropout: the probability that an element becomes 0, in training.
        activation: "relu", "gelu" or a function, between the two layers of the feed-forward parts.
        custom_encoder: an encoder to use instead.
        custom_decoder: a decoder to use instead.
        layer_norm_eps: eps of the layer norms.
        batch_first: whether the batch is dimension 0 rather than 1.
        norm_first: put the layer norms before each part rather than after each sum.
        bias: whether linear layers and norms have biases.
        device: where the parameters are kept.
        dtype: floating-point dtype of the parameters.

    Shape:
        src [S, N, d_model] and tgt [T, N, d_model], or the batch first with batch_first, or without N; the output has
        tgt's shape.

    Raises:
        RuntimeError: the batches of src and tgt differ, or their features are not d_model.

    Examples:
        >>> model = nn.Transformer(8, nhead=2, num_encoder_layers=1, num_decoder_layers=1, dim_feedforward=16)
        >>> model(gpunet.randn(5, 4, 8), gpunet.randn(3, 4, 8)).shape
        gpunet.Size([3, 4, 8])
    """

    def __init__(self, d_model: int = 512, nhead: int = 8, num_encoder_layers: int = 6, num_decoder_layers: int = 6,
                 dim_feedforward: int = 2048, dropout: float = 0.1,
                 activation: str | Callable[[Tensor], Tensor] = F.relu, custom_encoder: Module | None = None,
                 custom_decoder: Module | None = None, layer_norm_eps: float = 1e-5, batch_first: bool = False,
                 norm_first: bool = False, bias: bool = True, device: Device = None, dtype: DType = None) -> None:
        super().__init__()
        options = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias,
                   device, dtype)

        def norm() -> LayerNorm:
            return LayerNorm(d_model, layer_norm_eps, bias=bias, device=device, dtype=dtype)

        self.encoder = custom_encoder or TransformerEncoder(TransformerEncoderLayer(*options), num_encoder_layers,
                                                            norm())
        self.decoder = custom_decoder or TransformerDecoder(TransformerDecoderLayer(*options), num_decoder_layers,
                                                            norm())
        for p in self.parameters():
            if p.ndim > 1:
                init.xavier_uniform_(p)
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

    def forward(self, src: Tensor, tgt: Tensor, src_mask: Tensor | None = None, tgt_mask: Tensor | None = None,
                memory_mask: Tensor | None = None, src_key_padding_mask: Tensor | None = None,
                tgt_key_padding_mask: Tensor | None = None, memory_key_padding_mask: Tensor | None = None,
                src_is_causal: bool | None = None, tgt_is_causal: bool | None = None,
                memory_is_causal: bool = False) -> Tensor:
        """Encodes src and decodes tgt.

        Args:
            src: the sequence to encode.
            tgt: the sequence to decode.
            src_mask: [S, S] or [N * nhead, S, S], True where an element of src must not look, or numbers to add to the
                scores.
            tgt_mask: [T, T] or [N * nhead, T, T], likewise for tgt; see `generate_square_subsequent_mask`.
            memory_mask: [T, S] or [N * nhead, T, S], likewise for tgt's look at the encoder's output.
            src_key_padding_mask: [N, S], True for elements of src to ignore in the encoder.
            tgt_key_padding_mask: [N, T], True for elements of tgt to ignore.
            memory_key_padding_mask: [N, S], True for elements of src to ignore in the decoder.
            src_is_causal: a hint that src_mask is causal.
            tgt_is_causal: a hint that tgt_mask is causal.
            memory_is_causal: a hint that memory_mask is causal.
        """
        shapes = tuple(src.shape), tuple(tgt.shape)
        batch = 0 if self.batch_first else 1
        if src.ndim == 3 and (tgt.ndim != 3 or shapes[0][batch] != shapes[1][batch]):
            raise RuntimeError(f"Transformer: src and tgt must have the same batch, got shapes {shapes[0]} and "
                               f"{shapes[1]}")
        if shapes[0][-1] != self.d_model or shapes[1][-1] != self.d_model:
            raise RuntimeError(f"Transformer: src and tgt must have d_model = {self.d_model} features, got shapes "
                               f"{shapes[0]} and {shapes[1]}")
        memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal)
        return self.decoder(tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask,
                            tgt_is_causal, memory_is_causal)

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Device = None, dtype: DType = None) -> Tensor:
        """A causal mask: -infinity above the diagonal, so that no element sees a later one, and 0 elsewhere.

        Args:
            sz: the length of the sequence.
            device: where the mask is kept.
            dtype: its floating-point dtype.

        Returns:
            [sz, sz], to be added to the scores.

        Examples:
            >>> nn.Transformer.generate_square_subsequent_mask(2)
            tensor([[0., -inf],
                    [0., 0.]])
        """
        return creation.full((sz, sz), -math.inf, device=device, dtype=dtype).triu(1)
