"""The encoder of BERT (Devlin et al. 2019). Layout and names are Hugging Face's, whose safetensors files load."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import gpunet
from gpunet import nn
from gpunet.models._registry import build, register
from gpunet.nn import functional as F
from gpunet.nn.joined import activated, projected
from gpunet.tensor import Tensor

__all__ = ["BERT", "BERTOutput", "bert_base", "bert_large"]


class BERTOutput(NamedTuple):
    """What `BERT` gives.

    Args:
        last_hidden_state: the features of every token [N, T, hidden_size].
        pooler_output: the features of the whole sequence [N, hidden_size].

    Examples:
        >>> models.bert.BERTOutput._fields
        ('last_hidden_state', 'pooler_output')
    """

    last_hidden_state: Tensor
    pooler_output: Tensor


class _Embeddings(nn.Module):
    def __init__(self, vocab_size: int, width: int, positions: int, types: int, dropout: float) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(vocab_size, width, padding_idx=0)
        self.position_embeddings = nn.Embedding(positions, width)
        self.token_type_embeddings = nn.Embedding(types, width)
        self.LayerNorm = nn.LayerNorm(width, eps=1e-12)
        self.dropout = nn.Dropout(dropout)

    def forward(self, input_ids: Tensor, token_type_ids: Tensor) -> Tensor:
        positions = gpunet.arange(input_ids.shape[1], device=input_ids.device)
        return self.dropout(self.LayerNorm(self.word_embeddings(input_ids) + self.position_embeddings(positions)
                                           + self.token_type_embeddings(token_type_ids)))


class _Added(nn.Module):
    """A linear layer whose output is added to the layer's input and normalized."""

    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.dense = nn.Linear(inputs, outputs)
        self.LayerNorm = nn.LayerNorm(outputs, eps=1e-12)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, before: Tensor) -> Tensor:
        return self.LayerNorm(projected(self.dense, self.dropout, x, before))


class _SelfAttention(nn.Module):
    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.heads, self.dropout = heads, dropout

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        batch, length, width = x.shape
        query, key, value = (layer(x).reshape(batch, length, self.heads, width // self.heads).transpose(1, 2)
                             for layer in (self.query, self.key, self.value))
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask,
                                               dropout_p=self.dropout if self.training else 0.0)
        return mixed.transpose(1, 2).reshape(batch, length, width)


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.self = _SelfAttention(width, heads, dropout)
        self.output = _Added(width, width, dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        return self.output(self.self(x, mask), x)


class _Intermediate(nn.Module):
    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, inner)

    def forward(self, x: Tensor) -> Tensor:
        return activated(self.dense, F.gelu, x)


class _Layer(nn.Module):
    def __init__(self, width: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.attention = _Attention(width, heads, dropout)
        self.intermediate = _Intermediate(width, inner)
        self.output = _Added(inner, width, dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        x = self.attention(x, mask)
        return self.output(self.intermediate(x), x)


class BERT(nn.Module):
    """A transformer encoder over tokens, and a linear layer with Tanh upon the first token's features.

    Args:
        vocab_size: number of tokens.
        hidden_size: features.
        num_hidden_layers: number of layers.
        num_attention_heads: heads of the attention; divides the features.
        intermediate_size: features between the linear layers.
        max_position_embeddings: greatest length of a sequence.
        type_vocab_size: number of segments.
        dropout: probability that a value is dropped.

    Raises:
        ValueError: the heads do not divide the features.

    Examples:
        >>> model = models.BERT(vocab_size=11, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        ...                     intermediate_size=32)
        >>> output = model(gpunet.tensor([[1, 2, 3]]))
        >>> output.last_hidden_state.shape, output.pooler_output.shape
        (gpunet.Size([1, 3, 16]), gpunet.Size([1, 16]))
    """

    def __init__(self, vocab_size: int = 30522, hidden_size: int = 768, num_hidden_layers: int = 12,
                 num_attention_heads: int = 12, intermediate_size: int = 3072, max_position_embeddings: int = 512,
                 type_vocab_size: int = 2, dropout: float = 0.1) -> None:
        super().__init__()
        if hidden_size % num_attention_heads:
            raise ValueError(f"BERT: {num_attention_heads} heads do not divide {hidden_size} features; choose a "
                             f"divisor")
        self.embeddings = _Embeddings(vocab_size, hidden_size, max_position_embeddings, type_vocab_size, dropout)
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(
            _Layer(hidden_size, num_attention_heads, intermediate_size, dropout) for _ in range(num_hidden_layers))})
        self.pooler = nn.ModuleDict({"dense": nn.Linear(hidden_size, hidden_size)})
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)
        with gpunet.no_grad():
            self.embeddings.word_embeddings.weight[0] = 0  # of the padding

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None
                ) -> BERTOutput:
        """Encodes sequences of tokens.

        Args:
            input_ids: tokens [N, T], int64.
            attention_mask: [N, T], 1 or True where a token is, 0 or False where padding is; None: tokens everywhere.
            token_type_ids: the segment of each token [N, T]; None: all are of the first.

        Returns:
            The features of every token [N, T, hidden_size], and of the whole sequence [N, hidden_size].
        """
        mask = None if attention_mask is None else (attention_mask != 0)[:, None, None, :]
        x = self.embeddings(input_ids, gpunet.zeros_like(input_ids) if token_type_ids is None else token_type_ids)
        for layer in self.encoder["layer"]:  # pyright: ignore[reportGeneralTypeIssues]
            x = layer(x, mask)
        return BERTOutput(x, gpunet.tanh(self.pooler["dense"](x[:, 0])))

    @staticmethod
    def renamed(state: Mapping[str, Any]) -> dict[str, Any]:
        """A state_dict of Hugging Face by the names here: without "bert.", and without the heads of pretraining.

        Args:
            state: the state_dict.
        """
        found = {name.removeprefix("bert.").replace("LayerNorm.gamma", "LayerNorm.weight")
                 .replace("LayerNorm.beta", "LayerNorm.bias"): value for name, value in state.items()}
        return {name: value for name, value in found.items()
                if name.startswith(("embeddings.", "encoder.", "pooler.")) and not name.endswith("position_ids")}


@register
def bert_base(*, weights: Any = None, progress: bool = True, **options: Any) -> BERT:
    """BERT base, 109 million weights, for the uncased English vocabulary unless `vocab_size` says otherwise."""
    return build(BERT, "bert_base", weights, options)


@register
def bert_large(*, weights: Any = None, progress: bool = True, **options: Any) -> BERT:
    """BERT large, 335 million weights."""
    return build(BERT, "bert_large", weights, options, hidden_size=1024, num_hidden_layers=24,
                 num_attention_heads=16, intermediate_size=4096)
