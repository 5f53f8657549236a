"""What a Trainer trains on: arrays, Datasets, DataLoaders or any iterable of batches, all seen as batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

import gpunet
from gpunet import Generator, Tensor
from gpunet.data import DataLoader, Dataset, IterableDataset, TensorDataset
from gpunet.record import map_tensors


class Batch(NamedTuple):
    """A batch, taken apart.

    Args:
        inputs: what the model gets: a tensor, a tuple of its arguments, or a dictionary of its keyword arguments.
        target: what the loss compares the output with; None: the loss gets the output alone.
        weight: how much each example counts, [N]; None: all alike.

    Examples:
        >>> train.Batch(gpunet.ones(2, 3), gpunet.tensor([0, 1])).weight is None
        True
    """

    inputs: Any
    target: Any = None
    weight: Tensor | None = None


def unpack(batch: Any) -> Batch:
    """A batch as DataLoaders give it: `x`, `(x,)`, `(x, y)` or `(x, y, weight)`."""
    if isinstance(batch, Batch):
        return batch
    if isinstance(batch, tuple | list):
        if not 1 <= len(batch) <= 3:
            raise ValueError(f"A batch is x, (x, y) or (x, y, weight), and this one has {len(batch)} parts; join them "
                             "as ((x1, x2), y), or override Trainer.unpack.")
        return Batch(*batch)
    return Batch(batch)


def moved(value: Any, device: Any) -> Any:
    """Tensors, in tuples, lists and dictionaries, on a device."""
    if isinstance(value, Tensor):  # as most are
        return value if value.device == device else value.to(device)
    return map_tensors(value, lambda tensor: moved(tensor, device))


def size_of(inputs: Any) -> int:
    """The number of examples: the first size of the first tensor."""
    found = inputs if isinstance(inputs, Tensor) else next(_tensors(inputs), None)
    if found is None or found.ndim == 0:
        raise ValueError("A batch has no tensor of examples [N, ...].")
    return found.shape[0]


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _tensors(each)
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _tensors(each)


class _Nested(Dataset):
    """Examples of tensors in tuples and dictionaries."""

    def __init__(self, parts: Any) -> None:
        self.parts = parts

    def __len__(self) -> int:
        return size_of(self.parts)

    def __getitem__(self, index: int) -> Any:
        return map_tensors(self.parts, lambda tensor: tensor[index])


def as_batches(data: Any, batch_size: int, shuffle: bool, workers: int, generator: Generator | None, what: str) -> Any:
    """An iterable of batches. A DataLoader, or an iterable of batches, is taken as it is.

    Args:
        data: a DataLoader; a Dataset; a tuple of arrays `(x, y)` or `(x, y, weight)`, of which x and y may be tuples or
            dictionaries of arrays; an array; or an iterable of batches that can be iterated several times.
        what: how errors call it.
    """
    if isinstance(data, DataLoader):
        return data
    if isinstance(data, IterableDataset):
        return DataLoader(data, batch_size, num_workers=workers)
    if isinstance(data, tuple | np.ndarray | Tensor) or _is_table(data):
        data = _dataset_of_arrays(data if isinstance(data, tuple) else (data,), what)
    if isinstance(data, Dataset) or hasattr(data, "__getitem__") and hasattr(data, "__len__") and not isinstance(
            data, list | Mapping):
        dataset: Any = data
        if not len(dataset):
            raise ValueError(f"{what} has no examples.")
        return DataLoader(dataset, batch_size, shuffle=shuffle, num_workers=workers, generator=generator)
    if isinstance(data, Iterable) and not isinstance(data, str | Mapping):
        return data
    raise TypeError(f"{what} must be arrays (x, y), a Dataset, a DataLoader or an iterable of batches, not "
                    f"{type(data).__name__}.")


def _is_table(data: Any) -> bool:
    """Whether it is an array of another library, such as a pandas DataFrame."""
    return hasattr(data, "__array__") and not isinstance(data, Dataset)


def _dataset_of_arrays(parts: tuple[Any, ...], what: str) -> Dataset:
    if not 1 <= len(parts) <= 3:
        raise ValueError(f"{what} must be arrays (x, y) or (x, y, weight), and has {len(parts)} parts.")
    tensors = tuple(_converted(part) for part in parts if part is not None)
    sizes = [each.shape[:1] for each in _tensors(tensors)]
    if not sizes or () in [tuple(size) for size in sizes]:
        raise ValueError(f"{what} must be arrays of examples [N, ...].")
    if len({size[0] for size in sizes}) > 1:
        raise ValueError(f"{what} has arrays of different lengths: {', '.join(str(size[0]) for size in sizes)}; each "
                         "needs one entry an example.")
    if all(isinstance(each, Tensor) for each in tensors):
        return TensorDataset(*tensors)
    return _Nested(tensors)


def _converted(part: Any) -> Any:
    """Arrays as tensors. Floats of other libraries become float32, whole numbers (but bytes) int64."""
    if isinstance(part, Tensor):
        return part
    if isinstance(part, tuple):
        return tuple(map(_converted, part))
    if isinstance(part, Mapping):
        return {name: _converted(each) for name, each in part.items()}
    array = np.asarray(part)
    if array.dtype.kind == "f" and array.dtype != np.float16:
        array = array.astype(gpunet.get_default_dtype().numpy, copy=False)
    elif array.dtype.kind in "iu" and array.dtype != np.uint8:
        array = array.astype(np.int64, copy=False)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"Arrays to train on must hold numbers, not {array.dtype}; encode them as numbers first.")
    return gpunet.from_numpy(np.ascontiguousarray(array))


def iterate(batches: Any, skip: int) -> Iterator[Any]:
    """A pass over the batches from which the first `skip` are left out."""
    if isinstance(batches, DataLoader):
        return batches.iterate(skip)
    iterator = iter(batches)
    for _ in islice(iterator, skip):  # now: what this draws belongs to the beginning of the pass
        pass
    return iterator


def generators_of(batches: Any) -> dict[str, Generator]:
    """The random number generators of a DataLoader and of its samplers, by where they are."""
    found: dict[str, Generator] = {}
    places: list[tuple[str, Any]] = [("loader", batches)]
    for name in ("batch_sampler", "sampler"):
        places.append((name, getattr(places[-1][1] if name == "sampler" else batches, name, None)))
    places.append(("loader.sampler", getattr(batches, "sampler", None)))
    for name, place in places:
        for key, value in getattr(place, "__dict__", {}).items():
            if isinstance(value, Generator) and all(value is not each for each in found.values()):
                found[f"{name}.{key}"] = value
    return found


def length_of(batches: Any) -> int | None:
    """How many batches a pass has, if it says so."""
    try:
        return len(batches)
    except TypeError:
        return None


def detached(value: Any) -> Any:
    """Tensors, in tuples, lists and dictionaries, without their graph."""
    return value.detach() if isinstance(value, Tensor) else map_tensors(value, detached)


def joined(outputs: list[Any]) -> Any:
    """The outputs of all batches as one."""
    first = outputs[0]
    if isinstance(first, Tensor):
        return gpunet.cat(outputs)
    if isinstance(first, Mapping):
        return {name: joined([each[name] for each in outputs]) for name in first}
    if isinstance(first, tuple | list):
        return tuple(joined([each[place] for each in outputs]) for place in range(len(first)))
    raise TypeError(f"Trainer.predict joins tensors, tuples and dictionaries, not {type(first).__name__}.")
