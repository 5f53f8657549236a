"""Datasets and random_split: what they hold, in which order, and what they refuse."""

import numpy as np
import pytest

import gpunet
from gpunet.data import (
    ChainDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)


def numbers(count, width=2):
    return gpunet.arange(count * width, dtype=gpunet.float32).reshape(count, width)


def test_tensor_dataset_gives_rows():
    dataset = TensorDataset(numbers(5), gpunet.arange(5))
    x, y = dataset[3]
    assert len(dataset) == 5
    assert x.tolist() == [6.0, 7.0] and y.item() == 3


@pytest.mark.parametrize(
    ("tensors", "says"),
    [((), "at least one"), ((numbers(3), numbers(4)), r"\[3, 4\]"), ((gpunet.tensor(1.0),), "no dimensions")],
)
def test_tensor_dataset_refuses(tensors, says):
    with pytest.raises(ValueError, match=says):
        TensorDataset(*tensors)


def test_subset_and_concat():
    first, second = TensorDataset(gpunet.arange(3)), TensorDataset(gpunet.arange(10, 14))
    both = first + second
    assert isinstance(both, ConcatDataset) and len(both) == 7
    assert [both[i][0].item() for i in range(7)] == [0, 1, 2, 10, 11, 12, 13]
    assert both[-1][0].item() == 13 and both[-7][0].item() == 0
    for outside in (7, -8):
        with pytest.raises(IndexError, match="length of 7"):
            both[outside]
    picked = Subset(both, [6, 0])
    assert len(picked) == 2 and picked[0][0].item() == 13


class Counted(IterableDataset):
    def __init__(self, count):
        self.count = count

    def __iter__(self):
        return iter(range(self.count))

    def __len__(self):
        return self.count


def test_chain():
    chain = Counted(2) + Counted(3)
    assert isinstance(chain, ChainDataset) and len(chain) == 5 and list(chain) == [0, 1, 0, 1, 2]
    with pytest.raises(TypeError, match="ConcatDataset"):
        list(ChainDataset([[1, 2]]))


class Many(Dataset):
    def __init__(self):
        self.asked = []

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return -index

    def __getitems__(self, indices):
        self.asked.append(indices)
        return [10 * index for index in indices]


def test_stack():
    pairs, named = StackDataset([1, 2, 3, 4], Many()), StackDataset(a=[1, 2, 3, 4], b=Many())
    assert len(pairs) == 4 and pairs[1] == (2, -1) and named[1] == {"a": 2, "b": -1}
    assert pairs.__getitems__([2, 0]) == [(3, 20), (1, 0)] and named.__getitems__([3]) == [{"a": 4, "b": 30}]
    first = next(iter(DataLoader(named, 2)))
    assert first["a"].tolist() == [1, 2] and first["b"].tolist() == [0, 10]
    for arguments, named, says in (((), {}, "at least one"), (([1],), {"a": [1]}, "not both"),
                                   (([1], [1, 2]), {}, "1, 2")):
        with pytest.raises(ValueError, match=says):
            StackDataset(*arguments, **named)


def test_a_subset_reads_many_items_as_its_dataset_does():
    many = Many()
    assert [batch.tolist() for batch in DataLoader(Subset(many, [3, 1, 2]), 2)] == [[30, 10], [20]]
    assert many.asked == [[3, 1], [2]]

    class Changed(Subset):
        def __getitem__(self, index):
            return super().__getitem__(index) - 100

    assert next(iter(DataLoader(Changed(many, [3, 1]), 2))).tolist() == [-103, -101]


def test_dataset_without_getitem_says_so():
    class Empty(Dataset):
        pass

    with pytest.raises(NotImplementedError, match="Empty"):
        Empty()[0]


@pytest.mark.filterwarnings("ignore:Length of split")
@pytest.mark.parametrize(
    ("count", "lengths", "expected"),
    [
        (10, [7, 3], [7, 3]),
        (10, [0.8, 0.2], [8, 2]),
        (11, [0.5, 0.3, 0.2], [6, 3, 2]),
        (3, [0.34, 0.33, 0.33], [2, 1, 0]),
        (5, [5, 0], [5, 0]),
        (1, [1], [1]),
        (0, [0], [0]),
    ],
)
@pytest.mark.needs("torch")
def test_random_split_sizes_are_pytorchs(count, lengths, expected):
    import torch

    ours = random_split(TensorDataset(gpunet.zeros(count)), lengths)
    theirs = torch.utils.data.random_split(torch.utils.data.TensorDataset(torch.zeros(count)), lengths)
    assert [len(part) for part in ours] == [len(part) for part in theirs] == expected
    assert sorted(i for part in ours for i in part.indices) == list(range(count))


def test_random_split_follows_its_generator():
    dataset = TensorDataset(gpunet.arange(50))

    def split(seed):
        return [part.indices for part in random_split(dataset, [30, 20], gpunet.Generator().manual_seed(seed))]

    assert split(1) == split(1) != split(2)


@pytest.mark.parametrize(
    ("lengths", "says"),
    [([4, 5], "add up to 9"), ([0.5, 0.4], "neither"), ([11, -1], "neither"), ([1.5, -0.5], "within 0 to 1")],
)
def test_random_split_refuses(lengths, says):
    with pytest.raises(ValueError, match=says):
        random_split(TensorDataset(gpunet.zeros(10)), lengths)


def test_batches_are_copies():
    data = numbers(4)
    (batch,) = next(iter(DataLoader(TensorDataset(data), batch_size=4)))
    batch.zero_()
    np.testing.assert_array_equal(data.numpy(), numbers(4).numpy())
