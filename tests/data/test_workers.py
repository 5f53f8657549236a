"""DataLoader workers: the same batches for any number of them, errors that say where, and nothing left behind."""

import collections
import gc
import os
import random
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

import gpunet
from gpunet.data import DataLoader, Dataset, IterableDataset, TensorDataset, get_worker_info, pinning
from gpunet.data.shared_memory import receive, send

Pair = collections.namedtuple("Pair", "left right")


class Items(Dataset):
    """Small and large tensors, arrays, random numbers, strings and nested containers."""

    def __init__(self, count=11):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return {"large": gpunet.full((40, 40), float(index)), "drawn": gpunet.rand(2), "half": gpunet.ones(
            2500, dtype=gpunet.bfloat16) * index, "array": np.arange(3) + index,
            "pair": Pair(index, (str(index), gpunet.randint(0, 1000, (1,))))}


def flat(batch):
    if isinstance(batch, dict):
        return [each for key in sorted(batch) for each in flat(batch[key])]
    if isinstance(batch, list | tuple):
        return [each for member in batch for each in flat(member)]
    return [batch]


def same(one, other):
    for a, b in zip(flat(one), flat(other), strict=True):
        if isinstance(a, gpunet.Tensor):
            assert a.dtype == b.dtype and a.device == b.device and bool((a == b).all())
        else:
            assert a == b


def passes(dataset, workers, **options):
    gpunet.manual_seed(3)
    loader = DataLoader(dataset, 3, shuffle=True, num_workers=workers, **options)
    return [list(loader) for _ in range(2)], gpunet.rand(1).item()


def joined(items):
    """Draws too, as MixUp does."""
    return len(items), gpunet.rand(1), items[0]["drawn"]


@pytest.mark.parametrize("options", [{}, {"persistent_workers": True, "prefetch_factor": 5}, {"collate_fn": joined}],
                         ids=["plain", "persistent", "collated"])
def test_batches_and_draws_are_the_same_for_any_number_of_workers(options):
    alone = passes(Items(), 0, **{key: value for key, value in options.items() if key == "collate_fn"})
    assert len(alone[0][0]) == 4
    for workers in (1, 3):
        same(passes(Items(), workers, **options), alone)
    first, second = (flat(each) for each in alone[0])
    assert any(bool((a != b).any()) for a, b in zip(first, second, strict=True)
               if isinstance(a, gpunet.Tensor) and a.shape == b.shape)  # each pass draws anew


def test_a_sample_that_comes_twice_draws_twice():
    batch = next(iter(DataLoader(Items(), sampler=[4, 4], batch_size=2)))
    assert batch["drawn"][0].tolist() != batch["drawn"][1].tolist()


def test_spawned_workers_give_the_same():
    loader = DataLoader(TensorDataset(gpunet.arange(6), gpunet.ones(6, 999)), 4, num_workers=1,
                        multiprocessing_context="spawn")
    assert [batch[0].tolist() for batch in loader] == [[0, 1, 2, 3], [4, 5]]


class Parts(IterableDataset):
    def __iter__(self):
        worker = get_worker_info()
        assert worker is None or worker.dataset is self and worker.num_workers == 2
        first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        return iter(range(first, 15 + first, step))


@pytest.mark.parametrize("batch_size, drop_last", [(None, False), (3, False), (3, True)])
@pytest.mark.needs("torch")
def test_streams_come_in_pytorchs_order(batch_size, drop_last):
    import torch

    class Theirs(torch.utils.data.IterableDataset):
        def __iter__(self):
            worker = torch.utils.data.get_worker_info()
            return iter(range(worker.id, 15 + worker.id, worker.num_workers))

    lists = [[batch.tolist() if hasattr(batch, "tolist") else batch for batch in kind(dataset, batch_size,
              drop_last=drop_last, num_workers=2)]
             for kind, dataset in ((DataLoader, Parts()), (torch.utils.data.DataLoader, Theirs()))]
    assert lists[0] == lists[1]


class Seeds(Dataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        worker = get_worker_info()
        return worker.seed, random.random(), np.random.rand(), os.getpid()


def called_first(worker):
    np.random.seed(1000 + worker)


def test_global_generators_are_seeded_by_worker():
    gpunet.manual_seed(5)
    seeds, python, numpy, pids = zip(*DataLoader(Seeds(), None, num_workers=2), strict=True)
    assert seeds[1] == seeds[0] + 1 and pids[0] != pids[1] and os.getpid() not in pids
    assert python == tuple(random.Random(seed).random() for seed in seeds)
    state = np.random.SeedSequence((1, seeds[0])).generate_state(4)
    assert numpy[1] == np.random.RandomState(state).rand()
    numbers = [each[2] for each in DataLoader(Seeds(), None, num_workers=2, worker_init_fn=called_first)]
    assert numbers == [np.random.RandomState(1000 + worker).rand() for worker in (0, 1)]


def test_persistent_workers_stay_and_a_pass_can_be_abandoned():
    loader = DataLoader(Seeds(), None, num_workers=2, persistent_workers=True, sampler=[0, 1] * 10)
    first = {item[3] for item in loader}
    old = iter(loader)
    next(old)
    assert {item[3] for item in loader} == first and len(first) == 2
    with pytest.raises(RuntimeError, match="another pass"):
        next(old)
    del loader, old
    assert not any(os.path.exists(f"/proc/{pid}") for pid in first)


class Slow(Dataset):
    def __init__(self, seconds):
        self.seconds = seconds

    def __len__(self):
        return 8

    def __getitem__(self, index):
        time.sleep(self.seconds.get(index, 0))
        return index


def test_batches_may_come_as_they_are_ready():
    loader = DataLoader(Slow({0: 0.5}), None, num_workers=2, in_order=False)
    items = list(loader)
    assert sorted(items) == list(range(8)) and items[0] != 0


# ---- errors


class Unusual(Exception):
    def __init__(self, one, two):
        super().__init__(one, two)


class Failing(Dataset):
    def __init__(self, act):
        self.act = act

    def __len__(self):
        return 8

    def __getitem__(self, index):
        if index == 5:
            self.act()
        return index


def act_value():
    raise ValueError("bad sample")


def act_key():
    raise KeyError("left")


def act_unusual():
    raise Unusual(1, 2)


def test_an_exception_says_where_and_the_pass_goes_on():
    batches = iter(DataLoader(Failing(act_value), 2, num_workers=2))
    assert next(batches).tolist() == [0, 1] and next(batches).tolist() == [2, 3]
    with pytest.raises(ValueError) as error:
        next(batches)
    text = str(error.value)
    assert "Caught ValueError in DataLoader worker process 0, which read the sample [5]" in text
    assert "Original Traceback" in text and "in act_value" in text and "bad sample" in text
    assert next(batches).tolist() == [6, 7]


@pytest.mark.parametrize("act, kind", [(act_key, KeyError), (act_unusual, RuntimeError)])
def test_exceptions_of_other_kinds(act, kind):
    with pytest.raises(kind, match="in DataLoader worker process 0.*\n.*Original Traceback|Original Traceback"):
        list(DataLoader(Failing(act), 8, num_workers=1))


def make_unsendable(items):
    return lambda: items


def bad_init(worker):
    raise OSError("no such disk")


@pytest.mark.parametrize(
    "options, says",
    [({"collate_fn": make_unsendable}, "Can't (get|pickle) local object"),
     ({"worker_init_fn": bad_init}, "no such disk")])
def test_what_a_worker_cannot_do_comes_with_its_traceback(options, says):
    with pytest.raises(Exception, match=f"(?s)Caught .* in DataLoader worker process 0.*Traceback.*{says}"):
        next(iter(DataLoader(Items(), 2, num_workers=1, **options)))


@pytest.mark.parametrize(
    "act, says",
    [(lambda: os.kill(os.getpid(), signal.SIGKILL), r"was killed by signal 9 \(SIGKILL\)"),
     (lambda: os.kill(os.getpid(), signal.SIGTERM), r"was killed by signal 15 \(SIGTERM\)"),
     (lambda: os._exit(7), "ended with exit code 7")])
def test_a_worker_that_dies(act, says):
    batches = iter(DataLoader(Failing(act), 2, num_workers=2))
    assert [next(batches).tolist() for _ in range(2)] == [[0, 1], [2, 3]]
    with pytest.raises(RuntimeError, match=rf"worker 0 \(pid \d+\) {says} while it read the samples \[4, 5\]"):
        next(batches)
    assert list(batches) == []


def test_timeout():
    batches = iter(DataLoader(Slow({1: 60}), 2, num_workers=1, timeout=0.3))
    pid = batches._pool.workers[0].process.pid
    with pytest.raises(RuntimeError, match=r"timed out after 0.3 seconds: worker 0 .* reads the samples \[0, 1\]"):
        next(batches)
    assert not os.path.exists(f"/proc/{pid}")


@pytest.mark.parametrize(
    "options, says",
    [({"num_workers": -1}, "must not be negative"), ({"prefetch_factor": 2}, "needs workers"),
     ({"persistent_workers": True}, "needs workers"), ({"num_workers": 1, "prefetch_factor": 0}, "at least 1"),
     ({"num_workers": 1, "multiprocessing_context": "thread"}, "fork, spawn, forkserver")])
def test_refusals(options, says):
    with pytest.raises(ValueError, match=says):
        DataLoader(Items(), **options)


def test_what_spawn_cannot_send():
    with pytest.raises(RuntimeError, match="define it at the top level.*multiprocessing_context='fork'"):
        iter(DataLoader(Items(), num_workers=1, collate_fn=lambda items: items, multiprocessing_context="spawn"))


# ---- nothing is left behind


def test_an_abandoned_iterator_ends_its_workers_and_keeps_no_descriptor():
    gc.collect()  # what other tests have left to the collector is not this one's
    descriptors, shared = len(os.listdir("/proc/self/fd")), set(os.listdir("/dev/shm"))
    for batch in DataLoader(Items(), 1, num_workers=2):
        kept = batch
        break
    assert len(os.listdir("/proc/self/fd")) <= descriptors
    many = list(DataLoader(Items(30), 1, num_workers=1))  # each large batch in memory of its own, without descriptors
    assert len(os.listdir("/proc/self/fd")) <= descriptors and set(os.listdir("/dev/shm")) == shared
    assert kept["large"].sum().item() == 0 and many[29]["large"].mean().item() == 29


SCRIPT = textwrap.dedent("""
    import os, sys, time
    from gpunet.data import DataLoader, Dataset

    class Slow(Dataset):
        def __len__(self):
            return 1000
        def __getitem__(self, index):
            time.sleep(0.01)
            return index

    loader = iter(DataLoader(Slow(), 2, num_workers=2))
    next(loader)
    print(*[worker.process.pid for worker in loader._pool.workers], flush=True)
    for batch in loader:
        pass
""")


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_their_program(sent):
    """Ctrl-C goes to the whole group, as a terminal sends it."""
    with subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          start_new_session=True) as program:
        pids = program.stdout.readline().split()
        (os.killpg if sent == signal.SIGINT else os.kill)(program.pid, sent)
        _, errors = program.communicate(timeout=120)
    assert len(pids) == 2 and program.returncode == -sent
    assert errors.count("Traceback") == (sent == signal.SIGINT), errors
    until = time.monotonic() + 60
    while any(os.path.exists(f"/proc/{pid}") for pid in pids) and time.monotonic() < until:
        time.sleep(0.02)
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)


# ---- what is sent


@pytest.mark.parametrize("count", [0, 1, 700])
def test_messages_of_all_sizes(count):
    import multiprocessing

    one, other = multiprocessing.Pipe()
    with one, other:
        message = [gpunet.arange(2000) + i for i in range(count)], "x" * 9000, gpunet.ones(3, requires_grad=True)
        send(one, message)
        arrays, text, small = receive(other)
    assert len(arrays) == count and all(bool((a == b).all()) for a, b in zip(arrays, message[0], strict=True))
    assert text == message[1] and small.requires_grad
    for each in arrays[:1]:
        each.add_(1)  # writable memory of its own
        assert message[0][0][0].item() == 0 and each[0].item() == 1


class Large(Dataset):
    """Samples of several sizes, one after the other."""

    def __len__(self):
        return 60

    def __getitem__(self, index):
        return gpunet.full((40 + index // 20 * 100, 50), float(index))


def test_memory_is_used_again_and_never_while_an_array_is_left():
    batches = iter(DataLoader(Large(), None, num_workers=2))
    kept = {}
    for number, batch in enumerate(batches):
        if number % 7 == 0:
            kept[number] = batch[1:]  # a view of it
        assert bool((batch == number).all())
        if number == 30:
            memory = [len(worker.receiver._memory) for worker in batches._pool.workers]
    del batch
    assert max(memory) < 12 and all(bool((rest == number).all()) for number, rest in kept.items())


def test_a_forked_process_keeps_what_it_has():
    batches = iter(DataLoader(Large(), None, num_workers=1, sampler=range(20)))
    first = next(batches)
    child = os.fork()
    if not child:
        time.sleep(0.3)  # meanwhile the loop goes on
        os._exit(int(bool((first == 0).all())))
    del first
    assert [int(batch[0, 0]) for batch in batches] == list(range(1, 20))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1


class Batch:
    def __init__(self, content):
        self.content = content

    def pin_memory(self):
        return Batch("pinned")


def test_pinning_goes_into_every_container(monkeypatch):
    monkeypatch.setattr(pinning, "pinned", lambda tensor: tensor + 100)
    batch = {"a": gpunet.ones(1), "b": Pair([gpunet.ones(1), "text"], (gpunet.ones(1), 3)), "c": Batch("plain"),
             "d": collections.defaultdict(list, {"e": gpunet.ones(1)})}
    result = pinning.pin(batch)
    assert [each.item() for each in (result["a"], result["b"].left[0], result["b"].right[0], result["d"]["e"])] == [
        101] * 4
    assert result["b"].left[1] == "text" and result["b"].right[1] == 3 and result["c"].content == "pinned"
    assert type(result["b"]) is Pair and result["d"].default_factory is list and batch["a"].item() == 1
