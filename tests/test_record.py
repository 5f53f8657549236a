"""gpunet.compile: a recorded step is the eager step, bit for bit."""

import threading
import time

import numpy as np
import pytest

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim


def batches(device, sizes):
    rng = np.random.default_rng(7)
    for size in sizes:
        yield (gpunet.tensor(rng.normal(size=(size, 12)).astype(np.float32), device=device),
               gpunet.tensor(rng.integers(0, 5, size), device=device))


def train(device, compiled, sizes, make_optimizer, schedule=None):
    """Losses and final parameters of a small network with dropout."""
    gpunet.manual_seed(3)
    model = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 5)).to(device)
    optimizer = make_optimizer(model.parameters())

    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    run = gpunet.compile(step) if compiled else step
    losses = []
    for i, (x, y) in enumerate(batches(device, sizes)):
        if schedule:
            optimizer.param_groups[0]["lr"] = schedule(i)
        losses.append(run(x, y).item())
    return losses, [p.detach().cpu().numpy() for p in model.parameters()], run


OPTIMIZERS = {
    "adam": lambda p: optim.Adam(p, lr=0.01),
    "adamw": lambda p: optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "sgd": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
}


@pytest.mark.parametrize("device", ["cpu", "sim"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_replay_is_bit_identical_to_eager(device, name):
    eager, weights, _ = train(device, False, [8] * 20, OPTIMIZERS[name])
    recorded, recorded_weights, run = train(device, True, [8] * 20, OPTIMIZERS[name])
    assert recorded == eager
    assert all(np.array_equal(a, b) for a, b in zip(weights, recorded_weights, strict=True))
    assert len(run.recordings) == 1


def test_new_shapes_are_recorded_anew():
    sizes = [8, 8, 8, 3, 8, 3, 3, 3, 8]
    eager, _, _ = train("cpu", False, sizes, OPTIMIZERS["adam"])
    recorded, _, run = train("cpu", True, sizes, OPTIMIZERS["adam"])
    assert recorded == eager
    assert len(run.recordings) == 2


def test_learning_rates_set_between_steps_are_followed():
    def schedule(i):
        return 0.01 * 0.8**i

    eager, _, _ = train("cpu", False, [8] * 8, OPTIMIZERS["adam"], schedule)
    recorded, _, _ = train("cpu", True, [8] * 8, OPTIMIZERS["adam"], schedule)
    assert recorded == eager


def test_seeding_again_repeats_the_masks():
    drop = gpunet.compile(lambda x: F.dropout(x, 0.5))
    x = gpunet.ones(1000)
    drop(x), drop(x)
    gpunet.manual_seed(5)
    first, second = drop(x).tolist(), drop(x).tolist()
    gpunet.manual_seed(5)
    assert drop(x).tolist() == first == (gpunet.manual_seed(5) and F.dropout(x, 0.5)).tolist()
    assert first != second


def test_results_are_the_callers_own():
    double = gpunet.compile(lambda x: {"twice": x * 2, "pair": (x + 1, "text")})
    results = [double(gpunet.full((3,), float(i))) for i in range(5)]
    assert [r["twice"].tolist()[0] for r in results] == [0.0, 2.0, 4.0, 6.0, 8.0]
    assert results[4]["pair"][1] == "text" and results[3]["pair"][0].tolist() == [4.0] * 3


def test_gradients_stay_in_place_between_replays():
    w = gpunet.ones(3, requires_grad=True)

    @gpunet.compile
    def step(x):
        w.grad = None
        (w * x).sum().backward()

    for i in range(4):
        step(gpunet.full((3,), float(i)))
    assert w.grad.tolist() == [3.0] * 3


@pytest.mark.parametrize("read", [
    lambda t: t.sum().item(), lambda t: bool(t.sum() > 0), lambda t: t.tolist(), lambda t: t.numpy(),
    lambda t: t[t > 0], lambda t: float(t.sum()),
], ids=["item", "bool", "tolist", "numpy", "mask", "float"])
def test_reading_on_the_host_raises(read):
    step = gpunet.compile(lambda x: (x * 1, read(x))[0])
    x = gpunet.ones(3)
    step(x)
    with pytest.raises(RuntimeError, match="cannot be read on the host inside a recorded function"):
        step(x)
    assert (x + 1).sum().item() == 6  # recording has ended


def test_data_from_the_host_raises():
    step = gpunet.compile(lambda x: x + gpunet.tensor([1.0, 2.0]))
    step(gpunet.ones(2))
    with pytest.raises(RuntimeError, match="cannot come from the host inside a recorded function"):
        step(gpunet.ones(2))


def test_another_thread_is_not_recorded():
    found = []

    def load():  # the next batch, say
        found.append((gpunet.tensor([1.0, 2.0]) * 2).tolist())

    def function(x):
        thread = threading.Thread(target=load)
        thread.start()
        thread.join()
        return x + 1

    step = gpunet.compile(function)
    for _ in range(3):
        assert step(gpunet.ones(2)).tolist() == [2.0, 2.0]
    assert found == [[2.0, 4.0]] * 2


def test_a_second_thread_records_after_the_first():
    inside, results = threading.Event(), []

    def slow(x):
        inside.set()
        time.sleep(0.02)
        return x * 2

    first, second = gpunet.compile(slow), gpunet.compile(lambda x: x * 3)
    first(gpunet.ones(2)), second(gpunet.ones(2))
    inside.clear()
    thread = threading.Thread(target=lambda: results.append(first(gpunet.ones(2)).tolist()))
    thread.start()
    inside.wait()
    results.append(second(gpunet.ones(2)).tolist())
    thread.join()
    assert sorted(results) == [[2.0, 2.0], [3.0, 3.0]]


def test_a_compiled_function_inside_a_recording_raises():
    inner = gpunet.compile(lambda x: x + 1)
    for _ in range(3):
        inner(gpunet.ones(2))
    outer = gpunet.compile(lambda x: inner(x) * 2)
    outer(gpunet.ones(2))
    with pytest.raises(RuntimeError, match="cannot be called inside another one's recording"):
        outer(gpunet.ones(2))


def test_two_devices_in_one_recording_raise():
    x = gpunet.ones(2)
    y = gpunet.ones(2, device="sim")
    step = gpunet.compile(lambda: (x + 1, y + 1))
    step()
    with pytest.raises(RuntimeError, match="computes on cpu and on sim"):
        step()
