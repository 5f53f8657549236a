"""A recorded step whose arrays share an arena has the bits of the eager step, and needs less memory."""

import random
import threading

import numpy as np
import pytest

import gpunet
import gpunet.nn.functional as F
from gpunet import native, nn, optim
from gpunet.native import memory, plan
from gpunet.utils.checkpoint import checkpoint

LONG = 3 * 4096 + 5  # a chain of element-wise calls has pieces of 4096


def bits(value):
    """The bits of all tensors of a result."""
    if isinstance(value, gpunet.Tensor):
        return value.detach().numpy().tobytes()
    return [bits(each) for each in value]


def check(function, inputs):
    """The plan of a function, which is carried out eagerly and compiled on the same inputs. Before each replay the
    arena is filled with garbage: nothing in it may outlive a step."""
    run = gpunet.compile(function)
    for x in inputs:
        for recording in run.recordings.values():
            for arena in recording.arenas:
                arena.fill(0xFF)
        assert bits(run(x)) == bits(function(x))
    (found,) = memory.plans(run)
    assert found.arena <= found.separate + 64 * found.arrays
    return found


def drawn(*shape, count=5):
    rng = np.random.default_rng(sum(shape))
    return [gpunet.tensor(rng.standard_normal(shape).astype(np.float32)) for _ in range(count)]


# ---- programs --------------------------------------------------------------------------------------------------------


def views(x):
    y = x @ x
    part, turned = (y * 2)[1:, ::2], y.t()[3:].flip(0)
    z = gpunet.cat([part.reshape(-1), turned.reshape(-1)])
    return (z[None].expand(3, -1) * 0.5).sum(1), y.diagonal().exp()


def in_place(x):
    y = x * 2
    y.add_(1)
    y[0].mul_(3)
    y.t()[2:].relu_()
    z = y.exp()
    y.zero_()
    z[:, 1] = y[:, 0] + 4
    return z @ y.add_(1)


def written_in_parts(x):
    room = gpunet.zeros(2 * len(x), len(x))
    room[: len(x)] = x.exp()
    room[len(x) :] = x.sin() @ x
    bare = gpunet.empty(2, len(x))
    bare[0], bare[1] = room.sum(0)[: len(x)], x[0]
    return room.sum(1) + 1, bare * 2


def seen_outside(x):
    y = x.exp()
    return y, (y * 2).t()[1], (x @ y).sum(), {"x": x}["x"]


def of_many_types(x):
    half, mask, order = (x * 2).to(gpunet.bfloat16), x > 0, x.argsort(1)
    largest, where = (x + 1).max(1)
    masked = gpunet.where(mask & (x < 1), half.float(), x.double().float())
    return masked.gather(1, order).cumsum(0).sum(), largest + where, (half + half).float(), (x * 3).long() % 5


def of_no_and_one_element(x):
    none = (x[:0] * 2).exp()
    one = x.sum() * 2 + none.sum()
    return none + 1, one.exp() * (one - one), x * one


def long_chains(x):
    y = ((x * x + x).tanh() - x).exp()
    total = y.sum()
    return (y / total).log().sigmoid() * 2, (x * total).relu().square().mean()


SIMPLE = {function.__name__: (function, shape) for function, shape in [
    (views, (8, 8)), (in_place, (24, 24)), (written_in_parts, (6, 6)), (seen_outside, (7, 7)), (of_many_types, (9, 5)),
    (of_no_and_one_element, (4, 3)), (long_chains, (LONG,))]}


@pytest.mark.parametrize("name", SIMPLE)
def test_programs(name):
    function, shape = SIMPLE[name]
    check(function, drawn(*shape))


@pytest.mark.parametrize("name", SIMPLE)
def test_programs_of_numpy_bodies(name):
    function, shape = SIMPLE[name]
    with native.disabled():
        check(function, drawn(*shape))


# ---- training steps --------------------------------------------------------------------------------------------------


class _Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.qkv, self.out = nn.LayerNorm(16), nn.Linear(16, 48), nn.Linear(16, 16)

    def forward(self, x):
        q, k, v = self.qkv(self.norm(x)).reshape(len(x), -1, 3, 2, 8).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return x + self.out(F.gelu(y.transpose(1, 2).reshape(x.shape)))


class _Last(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(6, 8, num_layers=2, batch_first=True, bidirectional=True)

    def forward(self, x):
        return self.lstm(x)[0][:, -1]


class _Again(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Dropout(0.3), nn.Linear(32, 32), nn.ReLU())

    def forward(self, x):
        return checkpoint(self.inner, x, use_reentrant=False)


MODELS = {
    "linear": (lambda: nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 16), nn.GELU()),
               (8, 12)),
    "images": (lambda: nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
                                     nn.Conv2d(8, 4, 3), nn.BatchNorm2d(4), nn.SiLU(), nn.Flatten()), (4, 3, 10, 10)),
    "attention": (lambda: nn.Sequential(_Attention(), _Attention(), nn.Flatten()), (3, 5, 16)),
    "recurrent": (_Last, (4, 7, 6)),
    "checkpoint": (_Again, (9, 6)),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("zero", [True, False], ids=["zero_grad", "gradients add up"])
def test_training_steps(name, zero):
    make, shape = MODELS[name]
    watched = []

    def steps():
        gpunet.manual_seed(5)
        model = make()
        optimizer = optim.AdamW(model.parameters(), lr=0.01)
        watched.append((model, gpunet.get_rng_state()))

        def step(x):
            if zero:
                optimizer.zero_grad()
            y = model(x)
            loss = (y * y.softmax(1)).mean()
            loss.backward()
            optimizer.step()
            return loss

        return step

    inputs = drawn(*shape)
    eager, compiled = steps(), gpunet.compile(steps())
    results = []
    for run, (model, state) in zip((eager, compiled), watched, strict=True):
        gpunet.set_rng_state(state)
        results.append(([run(x) for x in inputs], [p.grad for p in model.parameters()], [*model.state_dict().values()]))
    assert bits(results[0]) == bits(results[1])
    (found,) = memory.plans(compiled)
    assert found.arena < found.separate
    if zero:
        assert found.kept >= sum([p.numel() * 4 for p in model.parameters()])  # the gradients


# ---- what can be reached ---------------------------------------------------------------------------------------------


def test_what_is_kept_anywhere_keeps_its_memory():
    kept = {}
    w = gpunet.ones(8, 8, requires_grad=True)

    def step(x):
        w.grad = None
        y = x @ w
        y.retain_grad()
        kept["inner"], kept["view"] = y, (y * 2).detach()[2:, ::2]
        z = y.exp()
        z.register_hook(lambda g: kept.update(hook=g))
        (z * z).sum().backward()

    run = gpunet.compile(step)
    for x in drawn(8, 8):
        run(x)
        for recording in run.recordings.values():
            recording.arenas[0].fill(0xFF)
    found = [kept["inner"], kept["view"], kept["hook"], kept["inner"].grad, w.grad]
    step(x)
    right = [kept["inner"], kept["view"], kept["hook"], kept["inner"].grad, w.grad]
    assert bits(found) == bits(right)


def test_arrays_that_are_needed_in_turn_share_a_place():
    def chain(x):
        for _ in range(10):
            x = (x @ x) * 0.1
        return x

    found = check(chain, drawn(64, 64))
    assert found.calls == 20 and found.arrays == 19
    assert found.separate == 19 * 64 * 64 * 4 and found.arena == 2 * 64 * 64 * 4
    assert found.kept == 64 * 64 * 4


def test_a_chain_writes_none_of_what_lies_between():
    if native.library.loaded().__name__ != "gpunet_native":
        pytest.skip("through ctypes calls are carried out one by one")
    found = check(lambda x: ((x * x + x).tanh() - x).exp(), drawn(LONG))
    assert found.arena == 0 and found.unwritten == found.separate == 4 * LONG * 4


def test_recording_takes_no_more_memory_than_an_eager_step():
    if not memory.statistics():
        pytest.skip("memory is not counted here")

    def chain(x):
        for _ in range(20):
            x = x.softmax(1)
        return x

    def peak():
        memory.empty_cache()  # the peak is from now on
        before = memory.statistics()["peak"]
        run(x)
        return (memory.statistics()["peak"] - before) / x._array.nbytes

    x, run = gpunet.ones(512, 512), gpunet.compile(chain)
    eager, recording, replay = peak(), peak(), peak()
    assert eager == 2 and recording <= 5 and replay <= 1  # a recording has its input, the arena, result and its copy
    assert str(memory.plans(run)[0]) == ("20 calls: 19 arrays, 19.9 MB, in an arena of 2.1 MB (0.0 MB are never "
                                         "written); 1.0 MB are kept outside of it")


def test_recordings_of_one_function_share_the_arena():
    run = gpunet.compile(lambda x: (((x @ x) @ x) @ x).sum())
    inputs = drawn(32, 32, count=3) + drawn(16, 16, count=3) + drawn(48, 48, count=3) + drawn(16, 16) + drawn(32, 32)
    for x in inputs:
        assert bits(run(x)) == bits((((x @ x) @ x) @ x).sum())
    arenas = {id(recording.arenas[0]) for recording in run.recordings.values()}
    assert len(memory.plans(run)) == 3 and len(arenas) == 1


def test_two_threads_replay_one_step():
    def function(x):
        for _ in range(6):
            x = (x @ x).tanh()
        return x

    run = gpunet.compile(function)
    inputs = drawn(96, 96, count=8)
    right = [bits(function(x)) for x in inputs]
    run(inputs[0])
    wrong = []

    def work(shift):
        for k in range(24):
            i = (k + shift) % len(inputs)
            if bits(run(inputs[i])) != right[i]:
                wrong.append((shift, k))

    threads = [threading.Thread(target=work, args=(shift,)) for shift in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not wrong and len(run.recordings) == 1


def test_plans_are_of_compiled_functions():
    with pytest.raises(TypeError, match=r"plans: expected a function that gpunet.compile returned, got function"):
        memory.plans(views)


# ---- places ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_places_never_overlap(seed):
    draw = random.Random(seed)
    count = draw.randrange(1, 60)
    sizes = [draw.choice([0, 1, 4, 64, 65, 1000, draw.randrange(5000)]) for _ in range(count)]
    firsts = [draw.randrange(40) for _ in range(count)]
    lasts = [first + int(draw.expovariate(0.2)) for first in firsts]
    found, total = plan.places(sizes, firsts, lasts)
    assert all(place % 64 == 0 and place + size <= total for place, size in zip(found, sizes, strict=True))
    for i in range(count):
        for j in range(i):
            if firsts[i] <= lasts[j] and firsts[j] <= lasts[i]:
                assert found[i] + sizes[i] <= found[j] or found[j] + sizes[j] <= found[i]
    rooms = [-(-size // 64) * 64 for size in sizes]
    most = max(sum(room for room, first, last in zip(rooms, firsts, lasts, strict=True) if first <= time <= last)
               for time in range(max(lasts) + 1))
    assert most <= total <= 1.5 * most


def test_calls_of_a_chain_are_carried_out_at_one_time():
    assert plan.spans([1, 1, 2, 0, 1, 3, 1], [(1, 2), (6, 3)]) == ([0, 1, 1, 3, 4, 5, 5], [0, 2, 2, 3, 4, 6, 6])
    assert plan.spans([1, 2, 1], [(0, 2), (2, 2)]) == ([0, 0, 1], [1, 2, 2])
