"""GPT-2 (Radford et al. 2019). Layout and names are Hugging Face's, whose safetensors files load."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import gpunet
from gpunet import nn
from gpunet.models._registry import build, register
from gpunet.nn import functional as F
from gpunet.nn.joined import GELU_TANH, LINEAR, activated
from gpunet.ops.dropout import dropout_added
from gpunet.tensor import Tensor

__all__ = ["GPT2", "gpt2", "gpt2_large", "gpt2_medium", "gpt2_xl"]


class _Conv1D(nn.Module):
    """A linear layer whose weight is stored [inputs, outputs], as GPT-2's files have it."""

    def __init__(self, inputs: int, outputs: int, deviation: float = 0.02) -> None:
        super().__init__()
        self.weight = nn.Parameter(gpunet.empty(inputs, outputs).normal_(std=deviation))
        self.bias = nn.Parameter(gpunet.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight.t(), self.bias)


LINEAR[_Conv1D] = lambda layer: (layer.weight.t(), layer.bias)


class _Attention(nn.Module):
    """Causal self-attention."""

    def __init__(self, width: int, heads: int, dropout: float, deviation: float) -> None:
        super().__init__()
        self.c_attn = _Conv1D(width, 3 * width)
        self.c_proj = _Conv1D(width, width, deviation)
        self.heads, self.dropout = heads, dropout

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        query, key, value = (part.reshape(batch, length, self.heads, width // self.heads).transpose(1, 2)
                             for part in self.c_attn(x).split(width, 2))
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True,
                                               dropout_p=self.dropout if self.training else 0.0)
        return self.c_proj(mixed.transpose(1, 2).reshape(batch, length, width))


class _MLP(nn.Module):
    def __init__(self, width: int, deviation: float) -> None:
        super().__init__()
        self.c_fc = _Conv1D(width, 4 * width)
        self.c_proj = _Conv1D(4 * width, width, deviation)

    def forward(self, x: Tensor) -> Tensor:
        return self.c_proj(activated(self.c_fc, GELU_TANH, x))


class _Block(nn.Module):
    def __init__(self, width: int, heads: int, dropout: float, deviation: float) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = _Attention(width, heads, dropout, deviation)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = _MLP(width, deviation)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        x = dropout_added(self.attn(self.ln_1(x)), x, self.dropout, self.training)
        return dropout_added(self.mlp(self.ln_2(x)), x, self.dropout, self.training)


class GPT2(nn.Module):
    """A transformer that predicts the next token; the embedding of the tokens is also its last layer.

    Args:
        vocab_size: number of tokens.
        n_positions: greatest length of a sequence.
        n_embd: features.
        n_layer: number of blocks.
        n_head: heads of the attention; divides the features.
        dropout: probability that a value is dropped.

    Shape:
        Input [N, T], tokens in int64; output [N, T, vocab_size], the scores of the token after each, before a softmax.

    Raises:
        ValueError: the heads do not divide the features, or a sequence is too long.

    Examples:
        >>> model = models.GPT2(vocab_size=11, n_positions=8, n_embd=16, n_layer=2, n_head=2)
        >>> model(gpunet.tensor([[1, 2, 3]])).shape
        gpunet.Size([1, 3, 11])
        >>> model.generate(gpunet.tensor([[1, 2, 3]]), 4).shape
        gpunet.Size([1, 7])
    """

    def __init__(self, vocab_size: int = 50257, n_positions: int = 1024, n_embd: int = 768, n_layer: int = 12,
                 n_head: int = 12, dropout: float = 0.1) -> None:
        super().__init__()
        if n_embd % n_head:
            raise ValueError(f"GPT2: {n_head} heads do not divide {n_embd} features; choose a divisor")
        self.n_positions, self.dropout = n_positions, dropout
        deviation = 0.02 / (2 * n_layer) ** 0.5  # of what is added to the residual stream
        self.transformer = nn.ModuleDict({
            "wte": nn.Embedding(vocab_size, n_embd), "wpe": nn.Embedding(n_positions, n_embd),
            "h": nn.ModuleList(_Block(n_embd, n_head, dropout, deviation) for _ in range(n_layer)),
            "ln_f": nn.LayerNorm(n_embd)})
        for name in ("wte", "wpe"):
            nn.init.normal_(self.transformer[name].weight, std=0.02)  # pyright: ignore[reportArgumentType]

    def forward(self, input_ids: Tensor) -> Tensor:
        length = input_ids.shape[-1]
        if length > self.n_positions:
            raise ValueError(f"GPT2: a sequence of {length} tokens is longer than the {self.n_positions} positions; "
                             f"shorten it, or make the model with n_positions=")
        parts = self.transformer
        positions = gpunet.arange(length, device=input_ids.device)
        x = F.dropout(parts["wte"](input_ids) + parts["wpe"](positions), self.dropout, self.training)
        for block in parts["h"]:  # pyright: ignore[reportGeneralTypeIssues]
            x = block(x)
        return F.linear(parts["ln_f"](x), parts["wte"].weight)  # pyright: ignore[reportArgumentType]

    @gpunet.no_grad()
    def generate(self, input_ids: Tensor, max_new_tokens: int, temperature: float = 1.0, top_k: int | None = None,
                 generator: gpunet.Generator | None = None) -> Tensor:
        """Continues sequences token by token.

        Args:
            input_ids: the beginnings [N, T], T at least 1.
            max_new_tokens: how many tokens to add.
            temperature: divides the scores; 0: always the likeliest token.
            top_k: draw among the likeliest so many; None: among all.
            generator: draws; None: the device's own.

        Returns:
            Tensor [N, T + max_new_tokens].
        """
        training = self.training
        self.eval()
        for _ in range(max_new_tokens):
            scores = self(input_ids[:, -self.n_positions:])[:, -1]
            if temperature == 0:
                token = scores.argmax(-1, keepdim=True)
            else:
                scores = scores / temperature
                if top_k is not None:
                    least = scores.topk(min(top_k, scores.shape[-1])).values[:, -1:]
                    scores = scores.masked_fill(scores < least, float("-inf"))
                token = gpunet.multinomial(F.softmax(scores, -1), 1, generator=generator)
            input_ids = gpunet.cat([input_ids, token], 1)
        self.train(training)
        return input_ids

    @staticmethod
    def renamed(state: Mapping[str, Any]) -> dict[str, Any]:
        """A state_dict of Hugging Face by the names here: without causal masks and without the tied last layer.

        Args:
            state: the state_dict.
        """
        return {name if name.startswith("transformer.") else f"transformer.{name}": value
                for name, value in state.items()
                if name != "lm_head.weight" and not re.search(r"\.attn\.(bias|masked_bias)$", name)}


@register
def gpt2(*, weights: Any = None, progress: bool = True, **options: Any) -> GPT2:
    """GPT-2 small, 124 million weights."""
    return build(GPT2, "gpt2", weights, options)


@register
def gpt2_medium(*, weights: Any = None, progress: bool = True, **options: Any) -> GPT2:
    """GPT-2 medium, 355 million weights."""
    return build(GPT2, "gpt2_medium", weights, options, n_embd=1024, n_layer=24, n_head=16)


@register
def gpt2_large(*, weights: Any = None, progress: bool = True, **options: Any) -> GPT2:
    """GPT-2 large, 774 million weights."""
    return build(GPT2, "gpt2_large", weights, options, n_embd=1280, n_layer=36, n_head=20)


@register
def gpt2_xl(*, weights: Any = None, progress: bool = True, **options: Any) -> GPT2:
    """GPT-2 XL, 1558 million weights."""
    return build(GPT2, "gpt2_xl", weights, options, n_embd=1600, n_layer=48, n_head=25)
