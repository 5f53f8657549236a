"""Batches of sequences of different lengths: padded to one length, or packed without the padding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from gpunet import devices
from gpunet.ops import creation, join
from gpunet.tensor import Tensor

__all__ = ["PackedSequence", "pack_padded_sequence", "pack_sequence", "pad_packed_sequence", "pad_sequence",
           "unpack_sequence", "unpad_sequence"]


class PackedSequence(NamedTuple):
    """Sequences of different lengths without padding: the first elements of all sequences, the longest sequence first,
    then all second elements, and so on. Made by `pack_padded_sequence` or `pack_sequence`; recurrent layers take it.

    Args:
        data: the elements [sum of lengths, ...].
        batch_sizes: int64 [longest], on the CPU: how many sequences reach each time.
        sorted_indices: int64 [N], the order of the sequences by length; None if they were given in that order.
        unsorted_indices: int64 [N], the way back; None likewise.

    Examples:
        >>> packed = nn.utils.rnn.pack_sequence([gpunet.tensor([1, 2, 3]), gpunet.tensor([4, 5])])
        >>> packed.data, packed.batch_sizes
        (tensor([1, 4, 2, 5, 3]), tensor([2, 2, 1]))
    """

    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None = None
    unsorted_indices: Tensor | None = None

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The same with the data on another device or as another dtype; the arguments are those of `Tensor.to`.

        Args:
            args: as for `Tensor.to`.
            kwargs: as for `Tensor.to`.

        Returns:
            A PackedSequence; this one if nothing changes.
        """
        data = self.data.to(*args, **kwargs)
        moved = [x if x is None else x.to(data.device) for x in self[2:]]
        return self if data is self.data else PackedSequence(data, self.batch_sizes, *moved)

    @property
    def device(self) -> devices.device:
        """The device of the data."""
        return self.data.device

    @property
    def is_cuda(self) -> bool:
        """Whether the data is on a GPU."""
        return self.data.is_cuda

    def lengths(self) -> np.ndarray:
        """The sequences' lengths, longest first."""
        sizes = self.batch_sizes.numpy()
        return (sizes[:, None] > np.arange(sizes[0])).sum(0)


def _places(lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(time, sequence) of each element of a packed sequence; lengths, longest first."""
    times, sequences = np.nonzero(np.arange(lengths[0])[:, None] < lengths)
    return times, sequences


def _index(like: Tensor, numbers: Any) -> Tensor:
    return creation.tensor(np.asarray(numbers, dtype=np.int64), device=like.device)


def pack_padded_sequence(input: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = False,
                         enforce_sorted: bool = True) -> PackedSequence:
    """Packs a padded batch.

    Args:
        input: the batch [T, N, ...], or [N, T, ...] with batch_first.
        lengths: the length of each sequence, integers on the CPU.
        batch_first: whether the batch is dimension 0.
        enforce_sorted: the sequences come in order of decreasing length; if False, they are sorted here.

    Returns:
        A PackedSequence.

    Raises:
        RuntimeError: lengths that do not fit the input, or are not in order.

    Examples:
        >>> batch = gpunet.tensor([[1, 2, 3], [4, 5, 0]])
        >>> nn.utils.rnn.pack_padded_sequence(batch, [3, 2], batch_first=True).data
        tensor([1, 4, 2, 5, 3])
    """
    counts = lengths.numpy() if isinstance(lengths, Tensor) else np.asarray(lengths, dtype=np.int64)
    input = input.transpose(0, 1) if batch_first else input
    if counts.shape != input.shape[1:2]:
        raise RuntimeError(f"pack_padded_sequence: expected one length for each of {input.shape[1]} sequences, got "
                           f"{counts.size}")
    if not counts.size or counts.min() <= 0:
        raise RuntimeError("pack_padded_sequence: every sequence must have a length of at least 1")
    if counts.max() > input.shape[0]:
        raise RuntimeError(f"pack_padded_sequence: a length of {counts.max()} is more than the input's {input.shape[0]}"
                           " time steps")
    order = backwards = None
    if enforce_sorted:
        if (np.diff(counts) > 0).any():
            raise RuntimeError("pack_padded_sequence: lengths must be in decreasing order; or pass "
                               "enforce_sorted=False")
    else:
        numbers = np.argsort(-counts, kind="stable")
        counts, order, backwards = counts[numbers], _index(input, numbers), _index(input, np.argsort(numbers))
        input = input.index_select(1, order)
    times, sequences = _places(counts)
    data = input[_index(input, times), _index(input, sequences)]
    sizes = (np.arange(counts[0])[:, None] < counts).sum(1)
    return PackedSequence(data, creation.tensor(sizes.astype(np.int64)), order, backwards)


def unpack(sequence: PackedSequence, padding_value: float = 0.0, total_length: int | None = None) -> Tensor:
    """[time, batch, ...] with padding, the longest sequence first."""
    lengths = sequence.lengths()
    data, steps = sequence.data, total_length or int(lengths[0])
    # One row more, of padding, which every place outside of the sequences takes.
    rows = join.cat([data, data.new_full((1, *data.shape[1:]), padding_value)])
    numbers = np.full((steps, len(lengths)), len(data), dtype=np.int64)
    numbers[_places(lengths)] = np.arange(len(data))
    return rows[_index(data, numbers)]


def repack(padded: Tensor, like: PackedSequence) -> PackedSequence:
    """[time, batch, ...], the longest sequence first, packed as another one is."""
    times, sequences = _places(like.lengths())
    return PackedSequence(padded[_index(padded, times), _index(padded, sequences)], *like[1:])


def pad_packed_sequence(sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0,
                        total_length: int | None = None) -> tuple[Tensor, Tensor]:
    """The padded batch of a packed one, the sequences in the order in which they were given to be packed.

    Args:
        sequence: the packed batch.
        batch_first: put the batch in dimension 0.
        padding_value: what stands after the end of a sequence.
        total_length: pad to this length; None for the longest sequence's.

    Returns:
        The batch [T, N, ...], or [N, T, ...], and the lengths, int64 [N] on the CPU.

    Raises:
        ValueError: total_length is less than the longest sequence.

    Examples:
        >>> packed = nn.utils.rnn.pack_sequence([gpunet.tensor([1, 2, 3]), gpunet.tensor([4, 5])])
        >>> nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)
        (tensor([[1, 2, 3],
                [4, 5, 0]]), tensor([3, 2]))
    """
    lengths = sequence.lengths()
    if total_length is not None and total_length < lengths[0]:
        raise ValueError(f"pad_packed_sequence: total_length {total_length} is less than the longest sequence's "
                         f"{lengths[0]}")
    padded = unpack(sequence, padding_value, total_length)
    if sequence.unsorted_indices is not None:
        padded = padded.index_select(1, sequence.unsorted_indices)
        lengths = lengths[sequence.unsorted_indices.cpu().numpy()]
    return padded.transpose(0, 1) if batch_first else padded, creation.tensor(lengths.astype(np.int64))


def pad_sequence(sequences: Iterable[Tensor], batch_first: bool = False, padding_value: float = 0.0,
                 padding_side: str = "right") -> Tensor:
    """Stacks sequences, padded to the longest.

    Args:
        sequences: tensors [length, ...].
        batch_first: put the batch in dimension 0.
        padding_value: what stands beyond the end of a sequence.
        padding_side: "right" or "left".

    Returns:
        [T, N, ...], or [N, T, ...] with batch_first.

    Raises:
        RuntimeError: there is no sequence.
        ValueError: padding_side is unknown.

    Examples:
        >>> nn.utils.rnn.pad_sequence([gpunet.tensor([1, 2, 3]), gpunet.tensor([4])], batch_first=True)
        tensor([[1, 2, 3],
                [4, 0, 0]])
    """
    sequences = list(sequences)
    if padding_side not in ("left", "right"):
        raise ValueError(f"pad_sequence: padding_side must be 'left' or 'right', got {padding_side!r}")
    if not sequences:
        raise RuntimeError("pad_sequence: give at least one sequence")
    longest = max(len(s) for s in sequences)
    padded = []
    for s in sequences:
        filler = s.new_full((longest - len(s), *s.shape[1:]), padding_value)
        padded.append(s if len(s) == longest else join.cat([s, filler] if padding_side == "right" else [filler, s]))
    return join.stack(padded, 0 if batch_first else 1)


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """Splits a padded batch into its sequences.

    Args:
        padded_sequences: the batch [T, N, ...], or [N, T, ...] with batch_first.
        lengths: the length of each sequence.
        batch_first: whether the batch is dimension 0.

    Returns:
        A list of tensors [length, ...].

    Examples:
        >>> batch = gpunet.tensor([[1, 2, 3], [4, 0, 0]])
        >>> nn.utils.rnn.unpad_sequence(batch, gpunet.tensor([3, 1]), batch_first=True)
        [tensor([1, 2, 3]), tensor([4])]
    """
    batch = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [sequence[:n] for sequence, n in zip(batch, lengths.tolist(), strict=True)]


def pack_sequence(sequences: Iterable[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Packs sequences.

    Args:
        sequences: tensors [length, ...].
        enforce_sorted: they come in order of decreasing length; if False, they are sorted here.

    Returns:
        A PackedSequence.

    Raises:
        RuntimeError: the lengths are not in order.

    Examples:
        >>> nn.utils.rnn.pack_sequence([gpunet.tensor([1, 2, 3]), gpunet.tensor([4, 5])]).batch_sizes
        tensor([2, 2, 1])
    """
    sequences = list(sequences)
    return pack_padded_sequence(pad_sequence(sequences), [len(s) for s in sequences], enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """Splits a packed batch into its sequences, in the order in which they were given to be packed.

    Args:
        packed_sequences: the packed batch.

    Returns:
        A list of tensors [length, ...].

    Examples:
        >>> packed = nn.utils.rnn.pack_sequence([gpunet.tensor([1, 2, 3]), gpunet.tensor([4, 5])])
        >>> nn.utils.rnn.unpack_sequence(packed)
        [tensor([1, 2, 3]), tensor([4, 5])]
    """
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
