"""Embedding and EmbeddingBag: a table of vectors that are learned."""

from __future__ import annotations

from gpunet.engine.modes import no_grad
from gpunet.nn import functional as F
from gpunet.nn import init
from gpunet.nn.common_types import Device, DType
from gpunet.nn.module import Module
from gpunet.nn.parameter import Parameter
from gpunet.ops import creation
from gpunet.tensor import Tensor


class Embedding(Module):
    """A table of vectors: gives row `input[i]` of `weight` for each integer.

    The table starts with standard normal numbers.

    Args:
        num_embeddings: the number of rows.
        embedding_dim: the size of a row.
        padding_idx: a row that starts as zeros and gets no gradient, for padding.
        max_norm: rows that are looked up and are longer are scaled to this norm, in place.
        norm_type: the order of that norm.
        scale_grad_by_freq: divide a row's gradient by how often it occurs in the batch.
        sparse: accepted as in PyTorch; gradients are dense.
        device: where the table is kept.
        dtype: floating-point dtype of the table.

    Shape:
        Input: any shape, int64 or int32, values in [0, num_embeddings); output [..., embedding_dim].

    Attributes:
        weight: the table [num_embeddings, embedding_dim].

    Raises:
        ValueError: padding_idx is not a row.

    Examples:
        >>> table = nn.Embedding(10, 3, padding_idx=0)
        >>> table(gpunet.tensor([[1, 2, 0, 0]])).shape
        gpunet.Size([1, 4, 3])
    """

    weight: Parameter

    def __init__(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None,
                 max_norm: float | None = None, norm_type: float = 2.0, scale_grad_by_freq: bool = False,
                 sparse: bool = False, _weight: Tensor | None = None, _freeze: bool = False, device: Device = None,
                 dtype: DType = None) -> None:
        super().__init__()
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise ValueError(f"Embedding: padding_idx {padding_idx} is no row of a table of {num_embeddings}")
            padding_idx %= num_embeddings
        self.padding_idx, self.max_norm, self.norm_type = padding_idx, max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        if _weight is None:
            self.weight = Parameter(creation.empty(num_embeddings, embedding_dim, device=device, dtype=dtype),
                                    requires_grad=not _freeze)
            self.reset_parameters()
        else:
            if tuple(_weight.shape) != (num_embeddings, embedding_dim):
                raise ValueError(f"Embedding: expected a weight of shape {(num_embeddings, embedding_dim)}, got "
                                 f"{tuple(_weight.shape)}")
            self.weight = Parameter(_weight, requires_grad=not _freeze)

    def reset_parameters(self) -> None:
        """Draws standard normal numbers, and sets row padding_idx to zeros."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx].fill_(0)

    def forward(self, input: Tensor) -> Tensor:
        return F.embedding(input, self.weight, self.padding_idx, self.max_norm, self.norm_type,
                           self.scale_grad_by_freq, self.sparse)

    def extra_repr(self) -> str:
        options = {"padding_idx": None, "max_norm": None, "norm_type": 2, "scale_grad_by_freq": False, "sparse": False}
        return ", ".join([str(self.num_embeddings), str(self.embedding_dim),
                          *(f"{name}={getattr(self, name)}" for name, default in options.items()
                            if getattr(self, name) != default)])

    @classmethod
    def from_pretrained(cls, embeddings: Tensor, freeze: bool = True, padding_idx: int | None = None,
                        max_norm: float | None = None, norm_type: float = 2.0, scale_grad_by_freq: bool = False,
                        sparse: bool = False) -> Embedding:
        """An embedding whose table is given.

        Args:
            embeddings: the table [num_embeddings, embedding_dim], floating point.
            freeze: do not train it.
            padding_idx: as in the constructor, but its row is not set to zeros.
            max_norm: as in the constructor.
            norm_type: as in the constructor.
            scale_grad_by_freq: as in the constructor.
            sparse: as in the constructor.

        Returns:
            The layer, which shares the table's memory.

        Raises:
            ValueError: the table has not 2 dimensions.

        Examples:
            >>> nn.Embedding.from_pretrained(gpunet.tensor([[1.0, 2.0], [3.0, 4.0]]))(gpunet.tensor([1]))
            tensor([[3., 4.]])
        """
        if embeddings.ndim != 2:
            raise ValueError("Embedding.from_pretrained: expected a table of shape [count, features], got "
                             f"{tuple(embeddings.shape)}")
        rows, features = embeddings.shape
        return cls(rows, features, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, embeddings, freeze)


class EmbeddingBag(Module):
    """A table of vectors: gives the sum, mean or maximum of each bag of its rows.

    The table starts with standard normal numbers.

    Args:
        num_embeddings: the number of rows.
        embedding_dim: the size of a row.
        max_norm: rows that are looked up and are longer are scaled to this norm, in place.
        norm_type: the order of that norm.
        scale_grad_by_freq: divide a row's gradient by how often it occurs in the batch; not for "max".
        mode: "sum", "mean" or "max".
        sparse: accepted as in PyTorch; gradients are dense.
        include_last_offset: the last offset is where the last bag ends.
        padding_idx: a row that starts as zeros, is left out of the bags and gets no gradient.
        device: where the table is kept.
        dtype: floating-point dtype of the table.

    Shape:
        Input [bags, rows of each], or all bags in a row [rows] with offsets [bags], int64 or int32; weights of the rows
        (for "sum") have the input's shape; output [bags, embedding_dim].

    Attributes:
        weight: the table [num_embeddings, embedding_dim].

    Raises:
        ValueError: padding_idx is not a row.

    Examples:
        >>> bags = nn.EmbeddingBag(10, 3, mode="sum")
        >>> bags(gpunet.tensor([1, 2, 4, 5]), gpunet.tensor([0, 3])).shape
        gpunet.Size([2, 3])
    """

    weight: Parameter

    def __init__(self, num_embeddings: int, embedding_dim: int, max_norm: float | None = None, norm_type: float = 2.0,
                 scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False,
                 _weight: Tensor | None = None, include_last_offset: bool = False, padding_idx: int | None = None,
                 device: Device = None, dtype: DType = None) -> None:
        super().__init__()
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise ValueError(f"EmbeddingBag: padding_idx {padding_idx} is no row of a table of {num_embeddings}")
            padding_idx %= num_embeddings
        self.padding_idx, self.max_norm, self.norm_type = padding_idx, max_norm, norm_type
        self.scale_grad_by_freq, self.sparse, self.mode = scale_grad_by_freq, sparse, mode
        self.include_last_offset = include_last_offset
        if _weight is None:
            self.weight = Parameter(creation.empty(num_embeddings, embedding_dim, device=device, dtype=dtype))
            self.reset_parameters()
        else:
            if tuple(_weight.shape) != (num_embeddings, embedding_dim):
                raise ValueError(f"EmbeddingBag: expected a weight of shape {(num_embeddings, embedding_dim)}, got "
                                 f"{tuple(_weight.shape)}")
            self.weight = Parameter(_weight)

    reset_parameters = Embedding.reset_parameters

    def forward(self, input: Tensor, offsets: Tensor | None = None,
                per_sample_weights: Tensor | None = None) -> Tensor:
        return F.embedding_bag(input, self.weight, offsets, self.max_norm, self.norm_type, self.scale_grad_by_freq,
                               self.mode, False, per_sample_weights, self.include_last_offset, self.padding_idx)

    def extra_repr(self) -> str:
        options = {"max_norm": None, "norm_type": 2, "scale_grad_by_freq": False}
        return ", ".join([str(self.num_embeddings), str(self.embedding_dim),
                          *(f"{name}={getattr(self, name)}" for name, default in options.items()
                            if getattr(self, name) != default), f"mode={self.mode!r}",
                          *([f"padding_idx={self.padding_idx}"] if self.padding_idx is not None else [])])

    @classmethod
    def from_pretrained(cls, embeddings: Tensor, freeze: bool = True, max_norm: float | None = None,
                        norm_type: float = 2.0, scale_grad_by_freq: bool = False, mode: str = "mean",
                        sparse: bool = False, include_last_offset: bool = False,
                        padding_idx: int | None = None) -> EmbeddingBag:
        """A layer whose table is given.

        Args:
            embeddings: the table [num_embeddings, embedding_dim], floating point.
            freeze: do not train it.
            max_norm: as in the constructor.
            norm_type: as in the constructor.
            scale_grad_by_freq: as in the constructor.
            mode: as in the constructor.
            sparse: as in the constructor.
            include_last_offset: as in the constructor.
            padding_idx: as in the constructor, but its row is not set to zeros.

        Returns:
            The layer, which shares the table's memory.

        Raises:
            ValueError: the table has not 2 dimensions.

        Examples:
            >>> bags = nn.EmbeddingBag.from_pretrained(gpunet.tensor([[1.0, 2.0], [3.0, 4.0]]))
            >>> bags(gpunet.tensor([[0, 1]]))
            tensor([[2., 3.]])
        """
        if embeddings.ndim != 2:
            raise ValueError("EmbeddingBag.from_pretrained: expected a table of shape [count, features], got "
                             f"{tuple(embeddings.shape)}")
        rows, features = embeddings.shape
        layer = cls(rows, features, max_norm, norm_type, scale_grad_by_freq, mode, sparse, embeddings,
                    include_last_offset, padding_idx)
        layer.weight.requires_grad = not freeze
        return layer
