"""Adaptive softmax: the softmax over many classes of which few are frequent."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from gpunet.dtypes import dtype as Type
from gpunet.nn.container import ModuleList, Sequential
from gpunet.nn.linear import Linear
from gpunet.nn.module import Module
from gpunet.ops.join import cat
from gpunet.tensor import Tensor


class ASMOutput(NamedTuple):
    """What `AdaptiveLogSoftmaxWithLoss` returns."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """The loss of a softmax over classes in the order of their frequency: rare ones are put together in clusters, whose
    layers are small and only computed for the examples that need them.

    log p(class) = log p(cluster) + log p(class in the cluster); of the classes before the first cutoff log p(class).

    Source: Grave, Joulin, Cissé, Grangier and Jégou, "Efficient softmax approximation for GPUs", 2017.

    Args:
        in_features: size of the input.
        n_classes: number of classes.
        cutoffs: where the clusters begin, in ascending order, between 1 and n_classes - 1.
        div_value: by how much the inner size of each cluster's layers is smaller than that of the one before.
        head_bias: whether the layer of the frequent classes and clusters has a bias.
        device: where the parameters are.
        dtype: their type.

    Shape:
        input [N, in_features] and int64 target [N], or [in_features] and []; output [N] or [], and the loss [].

    Attributes:
        head: the layer of the frequent classes and the clusters.
        tail: the layers of each cluster.

    Raises:
        ValueError: the cutoffs are something else.
        RuntimeError: when it is called: the shapes do not fit each other, or a target is no class.

    Examples:
        >>> layer = nn.AdaptiveLogSoftmaxWithLoss(16, 100, cutoffs=[10, 50])
        >>> output, loss = layer(gpunet.randn(4, 16), gpunet.tensor([3, 20, 99, 0]))
        >>> output.shape, layer.log_prob(gpunet.randn(4, 16)).shape
        (gpunet.Size([4]), gpunet.Size([4, 100]))
    """

    def __init__(self, in_features: int, n_classes: int, cutoffs: Sequence[int], div_value: float = 4.0,
                 head_bias: bool = False, device: Any = None, dtype: Type | None = None) -> None:
        super().__init__()
        cutoffs = list(cutoffs)
        if not cutoffs:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        if (cutoffs != sorted(set(cutoffs)) or cutoffs[0] <= 0 or cutoffs[-1] > n_classes - 1
                or any(int(c) != c for c in cutoffs)):
            raise ValueError("cutoffs should be a sequence of unique, positive integers sorted in an increasing order, "
                             "where each value is between 1 and n_classes-1")
        self.in_features, self.n_classes, self.cutoffs = in_features, n_classes, [*cutoffs, n_classes]
        self.div_value, self.head_bias = div_value, head_bias
        self.shortlist_size, self.n_clusters = cutoffs[0], len(cutoffs)
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, bias=head_bias, device=device, dtype=dtype)
        self.tail = ModuleList()
        for i, (first, last) in enumerate(pairwise(self.cutoffs)):
            inner = int(in_features // div_value ** (i + 1))
            self.tail.append(Sequential(Linear(in_features, inner, bias=False, device=device, dtype=dtype),
                                        Linear(inner, last - first, bias=False, device=device, dtype=dtype)))

    def reset_parameters(self) -> None:
        """Draws the parameters anew."""
        for layer in self.modules():
            if isinstance(layer, Linear):
                layer.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> ASMOutput:
        if target_.ndim > 1:
            raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
        if target_.ndim == 1 and input_.shape[0] != target_.shape[0]:
            raise RuntimeError("Input and target should have the same size in the batch dimension.")
        if input_.ndim != target_.ndim + 1:
            raise RuntimeError(f"{target_.ndim}D target tensor expects {target_.ndim + 1}D input tensors, but found "
                               f"inputs with size {input_.size()}")
        x, target = (input_, target_) if target_.ndim else (input_.unsqueeze(0), target_.unsqueeze(0))
        if bool(((target < 0) | (target >= self.n_classes)).any()):
            raise RuntimeError(f"Target values should be in [0, {self.n_classes - 1}], but values in range "
                               f"[{target.min().item()}, {target.max().item()}] were found. ")
        inside, place = x.new_zeros(len(target)), target  # log p(class in the cluster); the place in the head
        for i, (first, last) in enumerate(pairwise(self.cutoffs)):
            rows = ((target >= first) & (target < last)).nonzero().squeeze(1)
            if rows.numel():
                found = self.tail[i](x.index_select(0, rows)).log_softmax(1)
                own = target.index_select(0, rows).unsqueeze(1) - first
                inside = inside.index_copy(0, rows, found.gather(1, own).squeeze(1))
                place = place.index_fill(0, rows, self.shortlist_size + i)
        output = inside + self.head(x).log_softmax(1).gather(1, place.unsqueeze(1)).squeeze(1)
        return ASMOutput(output if target_.ndim else output.squeeze(0), (-output).mean())

    def log_prob(self, input: Tensor) -> Tensor:
        """The logarithms of the probabilities of all classes.

        Args:
            input: the examples [N, in_features].

        Returns:
            Tensor [N, n_classes].
        """
        head = self.head(input).log_softmax(1)
        parts = [head[:, : self.shortlist_size]]
        for i, layers in enumerate(self.tail):
            parts.append(layers(input).log_softmax(1) + head[:, self.shortlist_size + i].unsqueeze(1))
        return cat(parts, 1)

    def predict(self, input: Tensor) -> Tensor:
        """The most likely class of each example.

        Args:
            input: the examples [N, in_features].

        Returns:
            int64 tensor [N].
        """
        return self.log_prob(input).argmax(1)
