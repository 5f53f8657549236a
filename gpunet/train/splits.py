"""Splits of data into parts for training and testing, and cross-validation, under scikit-learn's names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import gpunet
from gpunet import Generator, Tensor
from gpunet.data import Dataset, Subset, TensorDataset
from gpunet.random import default_generator
from gpunet.train.trainer import Trainer


def train_test_split(*arrays: Any, test_size: float | int = 0.25, random_state: int | Generator | None = None,
                     shuffle: bool = True, stratify: Any = None, groups: Any = None) -> list[Any]:
    """Splits arrays or Datasets of the same length in two parts, in the same way.

    For three parts, split twice: first the test set off, then the validation set off the rest.

    Args:
        arrays: NumPy arrays, tensors, sequences, or Datasets, which become Subsets.
        test_size: the share of the second part, in (0, 1), or its number of examples; with groups the share or number
            of groups.
        random_state: a seed, or a Generator; None: gpunet's default generator.
        shuffle: choose at random; otherwise the last examples are the second part.
        stratify: a class for each example; both parts then have the classes in the same shares.
        groups: a group for each example, such as a patient; no group is then in both parts.

    Returns:
        The first and the second part of each array: [x_train, x_test, y_train, y_test].

    Raises:
        ValueError: lengths differ, a part would be empty, a class is too rare, or options exclude each other.

    Examples:
        >>> x, y = numpy.arange(10), numpy.array([0] * 5 + [1] * 5)
        >>> x_train, x_test, y_train, y_test = train.train_test_split(x, y, test_size=0.4, random_state=0, stratify=y)
        >>> len(x_train), sorted(y_test.tolist())
        (6, [0, 0, 1, 1])
    """
    if not arrays:
        raise ValueError("train_test_split: give at least one array to split.")
    counts = {len(each) for each in arrays}
    if len(counts) > 1:
        raise ValueError(f"train_test_split: the arrays have different lengths: {sorted(counts)}.")
    (count,) = counts
    if stratify is not None and groups is not None:
        raise ValueError("train_test_split: stratify and groups exclude each other; leave one out.")
    generator = _generator(random_state)
    if not shuffle:
        if stratify is not None or groups is not None:
            raise ValueError("train_test_split: stratify and groups need shuffle=True.")
        test = np.arange(count - _size(test_size, count, "examples"), count)
    elif groups is not None:
        labels = _labels(groups, count, "groups")
        names = np.unique(labels)
        chosen = names[_permutation(len(names), generator)[:_size(test_size, len(names), "groups")]]
        test = np.flatnonzero(np.isin(labels, chosen))
    elif stratify is not None:
        test = _stratified(_labels(stratify, count, "stratify"), _size(test_size, count, "examples"), generator)
    else:
        test = np.sort(_permutation(count, generator)[:_size(test_size, count, "examples")])
    kept = np.setdiff1d(np.arange(count), test)
    if shuffle:
        kept, test = (part[_permutation(len(part), generator)] for part in (kept, test))
    return [_taken(each, part) for each in arrays for part in (kept, test)]


class KFold:
    """Splits examples in k parts, each of which is the test set once.

    Args:
        n_splits: k.
        shuffle: divide at random; otherwise in the order of the examples.
        random_state: a seed, or a Generator; None: gpunet's default generator.

    Raises:
        ValueError: n_splits is below 2, or in `split`: above the number of examples.

    Examples:
        >>> for train_index, test_index in train.KFold(2).split([10, 20, 30]):
        ...     print(train_index, test_index)
        [2] [0 1]
        [0 1] [2]
    """

    def __init__(self, n_splits: int = 5, shuffle: bool = False, random_state: int | Generator | None = None) -> None:
        if isinstance(n_splits, bool) or not isinstance(n_splits, int) or n_splits < 2:
            raise ValueError(f"{type(self).__name__}: n_splits must be a whole number of at least 2, not {n_splits!r}.")
        self.n_splits, self.shuffle, self.random_state = n_splits, shuffle, random_state

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Indices of the examples to train on and to test on, k times.

        Args:
            X: the examples, of which only the number counts.
            y: their classes.
            groups: their groups.
        """
        folds = self._folds(len(X), y, groups)
        for number in range(self.n_splits):
            yield np.flatnonzero(folds != number), np.flatnonzero(folds == number)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """k.

        Args:
            X: without effect.
            y: without effect.
            groups: without effect.
        """
        return self.n_splits

    def _folds(self, count: int, y: Any, groups: Any) -> np.ndarray:
        """The fold of each example."""
        if self.n_splits > count:
            raise ValueError(f"{type(self).__name__}: {count} examples cannot make {self.n_splits} parts.")
        folds = np.sort(np.arange(count) % self.n_splits)
        if self.shuffle:
            shuffled = np.empty_like(folds)
            shuffled[_permutation(count, _generator(self.random_state))] = folds
            return shuffled
        return folds


class StratifiedKFold(KFold):
    """As KFold, and each part has the classes in the same shares.

    Args:
        n_splits: k.
        shuffle: divide at random; otherwise in the order of the examples.
        random_state: a seed, or a Generator; None: gpunet's default generator.

    Raises:
        ValueError: n_splits is below 2; in `split`: there are no classes, or every class has fewer examples.

    Examples:
        >>> y = [0, 0, 1, 1]
        >>> [test_index.tolist() for _, test_index in train.StratifiedKFold(2).split(y, y)]
        [[0, 2], [1, 3]]
    """

    def _folds(self, count: int, y: Any, groups: Any) -> np.ndarray:
        if y is None:
            raise ValueError("StratifiedKFold: split needs the classes, as y.")
        labels = _labels(y, count, "y")
        _, first, codes = np.unique(labels, return_index=True, return_inverse=True)
        codes = np.argsort(np.argsort(first))[codes]  # numbered by their first occurrence
        counts = np.bincount(codes)
        if (counts < self.n_splits).all():
            raise ValueError(f"StratifiedKFold: no class has {self.n_splits} examples; take fewer splits.")
        ordered = np.sort(codes)
        share = np.array([np.bincount(ordered[fold::self.n_splits], minlength=len(counts))
                          for fold in range(self.n_splits)])
        generator, folds = _generator(self.random_state), np.empty(count, int)
        for each in range(len(counts)):
            of_class = np.arange(self.n_splits).repeat(share[:, each])
            if self.shuffle:
                of_class = of_class[_permutation(len(of_class), generator)]
            folds[codes == each] = of_class
        return folds


class GroupKFold(KFold):
    """As KFold, and no group is in two parts, which are about equally large.

    Args:
        n_splits: k.

    Raises:
        ValueError: n_splits is below 2; in `split`: there are no groups, or fewer than k.

    Examples:
        >>> groups = ["a", "a", "b", "c", "c"]
        >>> [test_index.tolist() for _, test_index in train.GroupKFold(2).split(groups, groups=groups)]
        [[2, 3, 4], [0, 1]]
    """

    def __init__(self, n_splits: int = 5) -> None:
        super().__init__(n_splits)

    def _folds(self, count: int, y: Any, groups: Any) -> np.ndarray:
        if groups is None:
            raise ValueError("GroupKFold: split needs the groups.")
        _, codes = np.unique(_labels(groups, count, "groups"), return_inverse=True)
        sizes = np.bincount(codes)
        if len(sizes) < self.n_splits:
            raise ValueError(f"GroupKFold: {len(sizes)} groups cannot make {self.n_splits} parts.")
        loads, fold_of = np.zeros(self.n_splits, int), np.empty(len(sizes), int)
        for group in np.argsort(sizes, kind="stable")[::-1]:  # the largest first, each to the part that has least
            lightest = int(np.argmin(loads))
            loads[lightest] += sizes[group]
            fold_of[group] = lightest
        return fold_of[codes]


def cross_validate(make: Callable[[], Trainer], data: Any, cv: int | KFold = 5, *, epochs: int, batch_size: int = 32,
                   groups: Any = None) -> dict[str, np.ndarray]:
    """Trains k times, each time on all but one of k parts, and evaluates on that part.

    Args:
        make: a function that makes a new Trainer with a new model.
        data: arrays (x, y), or a Dataset.
        cv: how to split; a number is that of a KFold, or of a StratifiedKFold where y has classes.
        epochs: number of epochs.
        batch_size: examples in a batch.
        groups: the groups of the examples, for GroupKFold.

    Returns:
        Loss and metrics of each part after training, by name, arrays [k].

    Raises:
        ValueError: the data cannot be split so.

    Examples:
        >>> def make():
        ...     model = nn.Linear(2, 2)
        ...     return train.Trainer(model, F.cross_entropy, optim.Adam(model.parameters(), lr=0.1), "accuracy")
        >>> x = gpunet.randn(60, 2)
        >>> scores = train.cross_validate(make, (x, (x[:, 0] > 0).long()), cv=3, epochs=10)
        >>> scores["accuracy"].shape, bool(scores["accuracy"].mean() > 0.8)
        ((3,), True)
    """
    arrays = list(data) if isinstance(data, tuple) else [data]
    target = arrays[1] if len(arrays) > 1 else data.tensors[1] if isinstance(data, TensorDataset) and len(
        data.tensors) > 1 else None
    classes = None if target is None else np.asarray(target)
    if isinstance(cv, int):
        whole = classes is not None and classes.ndim == 1 and classes.dtype.kind in "iub"
        cv = StratifiedKFold(cv, shuffle=True) if whole else KFold(cv, shuffle=True)
    found: dict[str, list[Any]] = {}
    for kept, tested in cv.split(arrays[0], classes, groups):
        trainer = make()
        fitted, held_out = (tuple(_taken(each, part) for each in data) if isinstance(data, tuple) else
                            _taken(data, part) for part in (kept, tested))
        trainer.fit(fitted, epochs=epochs, batch_size=batch_size)
        for name, value in trainer.evaluate(held_out).items():
            found.setdefault(name, []).append(value)
    return {name: np.array(values) for name, values in found.items()}


def _generator(random_state: int | Generator | None) -> Generator:
    if random_state is None:
        return default_generator
    return random_state if isinstance(random_state, Generator) else Generator().manual_seed(random_state)


def _permutation(count: int, generator: Generator) -> np.ndarray:
    return gpunet.randperm(int(count), generator=generator, device="cpu").numpy()


def _labels(given: Any, count: int, what: str) -> np.ndarray:
    labels = given.cpu().numpy() if isinstance(given, Tensor) else np.asarray(given)
    if labels.shape != (count,):
        raise ValueError(f"{what} must have one label for each of the {count} examples, not shape {labels.shape}.")
    return labels


def _size(size: float | int, count: int, what: str) -> int:
    """A part's size as a number, which leaves something for the other part."""
    if isinstance(size, bool) or not isinstance(size, int | float):
        raise ValueError(f"train_test_split: test_size must be a share or a number, not {size!r}.")
    number = int(np.ceil(size * count)) if isinstance(size, float) and 0 < size < 1 else size
    if not isinstance(number, int) or not 0 < number < count:
        raise ValueError(f"train_test_split: a test_size of {size} cannot be taken from {count} {what}.")
    return number


def _stratified(labels: np.ndarray, size: int, generator: Generator) -> np.ndarray:
    """The second part, with every class in its share: whole numbers by the largest remainders."""
    names, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if counts.min() < 2:
        raise ValueError(f"train_test_split: the class {names[counts.argmin()]} has one example, which cannot be in "
                         "both parts; leave stratify out, or the class.")
    if size < len(names) or len(labels) - size < len(names):
        raise ValueError(f"train_test_split: a part of {min(size, len(labels) - size)} cannot have all {len(names)} "
                         "classes.")
    exact = counts * size / len(labels)
    taken = np.floor(exact).astype(int)
    taken[np.argsort(taken - exact, kind="stable")[: size - taken.sum()]] += 1
    return np.concatenate([np.flatnonzero(codes == each)[_permutation(counts[each], generator)[: taken[each]]]
                           for each in range(len(names))])


def _taken(data: Any, part: np.ndarray) -> Any:
    """The examples of a part."""
    if isinstance(data, Dataset):
        return Subset(data, part.tolist())
    if isinstance(data, Tensor):
        return data[gpunet.tensor(part, device=data.device)]
    if hasattr(data, "iloc"):  # a table of pandas
        return data.iloc[part]
    return np.asarray(data)[part] if hasattr(data, "__array__") else [data[place] for place in part]
