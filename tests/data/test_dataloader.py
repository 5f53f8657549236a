"""The DataLoader and its samplers against PyTorch's: sizes, order, collation, refusals."""

from collections import defaultdict, deque, namedtuple

import numpy as np
import pytest

import gpunet
from gpunet.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    default_convert,
)

Pair = namedtuple("Pair", "left right")


def dataset(count):
    return TensorDataset(gpunet.arange(count * 3, dtype=gpunet.float32).reshape(count, 3), gpunet.arange(count))


class Squares(Dataset):
    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return index * index


class Stream(IterableDataset):
    def __init__(self, count):
        self.count = count

    def __iter__(self):
        return iter(range(self.count))

    def __len__(self):
        return self.count


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9])
@pytest.mark.parametrize("batch_size", [1, 3, 4, 20])
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("kind", ["tensors", "items", "stream"])
@pytest.mark.needs("torch")
def test_batches_are_pytorchs(count, batch_size, drop_last, kind):
    data = pytest.importorskip("torch.utils.data")
    import torch

    if kind == "tensors":
        ours, theirs = TensorDataset(gpunet.arange(count)), data.TensorDataset(torch.arange(count))
    elif kind == "items":
        ours = theirs = Squares(count)
    else:
        ours = Stream(count)
        theirs = type("TheirStream", (data.IterableDataset,), {"__iter__": lambda _: iter(range(count)),
                                                              "__len__": lambda _: count})()
    ours = DataLoader(ours, batch_size, drop_last=drop_last)
    theirs = data.DataLoader(theirs, batch_size, drop_last=drop_last)
    assert len(ours) == len(theirs)
    lists = [[(b[0] if isinstance(b, list) else b).tolist() for b in loader] for loader in (ours, theirs)]
    assert lists[0] == lists[1]


def test_shuffle_visits_each_item_once_and_anew_each_pass():
    loader = DataLoader(dataset(100), 32, shuffle=True, generator=gpunet.Generator().manual_seed(0))
    passes = [[int(y) for _, labels in loader for y in labels] for _ in range(2)]
    for order in passes:
        assert sorted(order) == list(range(100)) != order
    assert passes[0] != passes[1]
    x, y = next(iter(loader))
    np.testing.assert_array_equal(x.numpy()[:, 0], 3 * y.numpy())  # rows and labels stay together


def test_one_seed_one_order():
    def order(seed):
        generator = gpunet.Generator().manual_seed(seed)
        return [batch.tolist() for batch in DataLoader(Squares(40), 8, shuffle=True, generator=generator)]

    assert order(3) == order(3) != order(4)


def test_default_generator_shuffles_when_none_is_given():
    loader = DataLoader(Squares(30), 30, shuffle=True)
    gpunet.manual_seed(5)
    first = next(iter(loader)).tolist()
    gpunet.manual_seed(5)
    assert next(iter(loader)).tolist() == first


def test_gathering_equals_stacking():
    whole = dataset(20)
    part = Subset(Subset(whole, list(range(19, -1, -1))), [4, 0, 7, 2, 9])
    for each in (whole, part):
        gathered = list(DataLoader(each, 3))
        stacked = list(DataLoader(each, 3, collate_fn=lambda items: default_collate(items)))
        for one, other in zip(gathered, stacked, strict=True):
            assert type(one) is type(other) is list
            for a, b in zip(one, other, strict=True):
                assert a.dtype == b.dtype
                np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_a_subclass_keeps_its_own_items():
    class Doubled(TensorDataset):
        def __getitem__(self, index):
            return tuple(2 * each for each in super().__getitem__(index))

    (batch,) = next(iter(DataLoader(Doubled(gpunet.arange(3)), 3)))
    assert batch.tolist() == [0, 2, 4]


def test_getitems_is_asked_for_whole_batches():
    class Many(Squares):
        def __getitems__(self, indices):
            return [-index for index in indices]

    assert next(iter(DataLoader(Many(5), 3))).tolist() == [0, -1, -2]


def test_no_batch_size_gives_the_items():
    class Arrays(Squares):
        def __getitem__(self, index):
            return np.full(2, index, np.float32), index

    x, y = list(DataLoader(Arrays(3), batch_size=None))[2]
    assert isinstance(x, gpunet.Tensor) and x.tolist() == [2.0, 2.0] and y == 2


def test_batch_sampler_and_sampler():
    loader = DataLoader(Squares(6), batch_sampler=[[5, 1], [0]])
    assert [b.tolist() for b in loader] == [[25, 1], [0]] and len(loader) == 2
    loader = DataLoader(Squares(6), 2, sampler=[3, 4, 5])
    assert [b.tolist() for b in loader] == [[9, 16], [25]] and len(loader) == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"batch_size": 0}, "positive integer"),
        ({"batch_size": 2.5}, "positive integer"),
        ({"shuffle": True, "sampler": [0]}, "exclude each other"),
        ({"batch_sampler": [[0]], "batch_size": 2}, "batch_sampler excludes"),
        ({"batch_size": None, "drop_last": True}, "drop_last"),
    ],
)
def test_refusals(arguments, says):
    with pytest.raises(ValueError, match=says):
        DataLoader(Squares(4), **arguments)


def test_a_stream_takes_no_order():
    with pytest.raises(ValueError, match="no indices"):
        DataLoader(Stream(4), shuffle=True)


def test_samplers():
    assert list(SequentialSampler(range(4))) == [0, 1, 2, 3]
    generator = gpunet.Generator().manual_seed(0)
    longer = list(RandomSampler(range(4), num_samples=10, generator=generator))
    assert len(longer) == 10 and sorted(longer[:4]) == sorted(longer[4:8]) == [0, 1, 2, 3]
    drawn = list(RandomSampler(range(4), replacement=True, num_samples=400, generator=generator))
    assert set(drawn) == {0, 1, 2, 3} and max(drawn.count(i) for i in range(4)) < 150
    assert sorted(SubsetRandomSampler([7, 9, 11], generator)) == [7, 9, 11]
    assert list(BatchSampler(range(5), 2, False)) == [[0, 1], [2, 3], [4]]
    assert list(BatchSampler(range(5), 2, True)) == [[0, 1], [2, 3]]
    with pytest.raises(ValueError, match="num_samples"):
        RandomSampler(range(4), num_samples=0)


@pytest.mark.parametrize("count", [1, 7, 8])
@pytest.mark.parametrize("replicas", [1, 3, 10])
@pytest.mark.parametrize("drop_last", [False, True])
def test_distributed_parts_are_pytorchs(count, replicas, drop_last):
    distributed = pytest.importorskip("torch.utils.data.distributed")
    kinds = DistributedSampler, distributed.DistributedSampler
    for rank in range(replicas):
        ours, theirs = (kind(range(count), replicas, rank, shuffle=False, drop_last=drop_last) for kind in kinds)
        assert (list(ours), len(ours), ours.total_size) == (list(theirs), len(theirs), theirs.total_size)
    shuffled = [DistributedSampler(range(count), replicas, rank, seed=4, drop_last=drop_last)
                for rank in range(replicas)]
    everything = [[index for each in shuffled for index in each] for _ in range(2)]
    assert everything[0] == everything[1] and set(everything[0]) <= set(range(count))
    assert drop_last or set(everything[0]) == set(range(count))
    for each in shuffled:
        each.set_epoch(1)
    assert count < 7 or drop_last or [index for each in shuffled for index in each] != everything[0]


def test_distributed_sampler_asks_the_launcher(monkeypatch):
    assert len(DistributedSampler(range(6))) == 6
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setenv("RANK", "2")
    assert list(DistributedSampler(range(6), shuffle=False)) == [2, 5]
    with pytest.raises(ValueError, match="from 0 to 2, not 3"):
        DistributedSampler(range(6), rank=3)


def test_weighted_sampler():
    generator = gpunet.Generator().manual_seed(0)
    drawn = list(WeightedRandomSampler([1, 0, 3], 4000, generator=generator))
    assert len(drawn) == 4000 and drawn.count(1) == 0 and abs(drawn.count(2) - 3000) < 150
    assert sorted(WeightedRandomSampler(gpunet.tensor([0.1, 5.0, 1.0]), 3, False)) == [0, 1, 2]
    for arguments, says in ((([1.0], 0), "positive integer"), (([1.0], 2, 1), "True or False"),
                            (([[1.0]], 1), "one dimension")):
        with pytest.raises(ValueError, match=says):
            WeightedRandomSampler(*arguments)


class Extended(dict):
    """A dict with more than its members."""

    def __init__(self, *given, **named):
        if given and isinstance(given[0], dict):
            raise TypeError("not made from a dict")
        super().__init__(*given, **named)
        self.extra = 7


@pytest.mark.parametrize("function", [default_collate, lambda batch: default_convert(batch[0])])
def test_containers_keep_their_type(function):
    made = function([Extended(a=np.ones(1)), Extended(a=np.zeros(1))])
    assert type(made) is Extended and made.extra == 7 and isinstance(made["a"], gpunet.Tensor)
    made = function([deque([np.ones(1), 2]), deque([np.ones(1), 3])])
    assert type(made) is deque and isinstance(made[0], gpunet.Tensor)
    made = function([defaultdict(list, a=np.ones(1)), {"a": np.ones(1)}])
    assert made.default_factory is list and isinstance(made["a"], gpunet.Tensor)


@pytest.mark.parametrize(
    "batch",
    [
        [1, 2, 3],
        [1.5, 2.5],
        [True, False],
        ["a", "b"],
        [np.float32(1), np.float32(2)],
        [np.arange(3), np.arange(3)],
        [(1, 2.0), (3, 4.0)],
        [[1, "x"], [2, "y"]],
        [("x", b"1", ("y", 0)), ("z", b"2", ("w", 1))],
        [{"a": 1, "b": (2.0, "s")}, {"a": 3, "b": (4.0, "t")}],
        [Pair(1, 2.0), Pair(3, 4.0)],
    ],
    ids=str,
)
def test_collate_is_pytorchs(batch):
    theirs = pytest.importorskip("torch.utils.data").default_collate(batch)

    def same(a, b):
        if isinstance(a, gpunet.Tensor):
            assert str(a.dtype).split(".")[1] == str(b.dtype).split(".")[1]
            np.testing.assert_array_equal(a.numpy(), b.numpy())
        elif isinstance(a, dict):
            assert a.keys() == b.keys()
            for key in a:
                same(a[key], b[key])
        elif isinstance(a, list | tuple):
            assert type(a) is type(b)
            for one, other in zip(a, b, strict=True):
                same(one, other)
        else:
            assert a == b

    same(default_collate(batch), theirs)


@pytest.mark.parametrize(
    ("batch", "error", "says"),
    [
        ([object()], TypeError, "collate_fn"),
        ([[1, 2], [1, 2], [1]], RuntimeError, "entry 2 of the batch has length 1, entry 0 2"),
            ([np.ones(2), np.ones(3)], RuntimeError, r"entry 1 of the batch has shape \(3,\), entry 0 \(2,\)"),
            ([gpunet.ones(2), gpunet.ones(2), gpunet.ones(3)], RuntimeError, r"\(3,\) for entry 2"),
            ([gpunet.ones(2), 1.0], TypeError, "entry 1 of the batch is a float, entry 0 a Tensor"),
            ([{"a": 1}, {"b": 1}], KeyError, "entry 1 of the batch has no 'a'"),
        ([np.array(["a"])], TypeError, "<U1"),
    ],
)
def test_collate_refuses(batch, error, says):
    with pytest.raises(error, match=says):
        default_collate(batch)
