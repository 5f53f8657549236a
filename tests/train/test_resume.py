"""Training that was stopped goes on as if it had never stopped: the same weights, bit for bit."""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import gpunet
from gpunet import nn, optim
from gpunet.data import DataLoader, Dataset, RandomSampler, TensorDataset, WeightedRandomSampler
from gpunet.optim.lr_scheduler import CosineAnnealingLR
from gpunet.train import Callback, EarlyStopping, ModelCheckpoint, ReduceLROnPlateau, Trainer


class Noisy(Dataset):
    """Examples that are changed at random whenever they are read, by gpunet's, Python's and NumPy's generators."""

    def __init__(self, count=22, global_generators=True):
        rng = np.random.default_rng(0)
        self.x, self.y = rng.normal(size=(count, 4)).astype(np.float32), rng.integers(0, 3, count)
        self.global_generators = global_generators

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        noise = 0.1 * gpunet.rand(4).numpy()
        if self.global_generators:
            noise = noise + np.float32(random.random()) + np.random.rand(4).astype(np.float32)
        return self.x[index] + noise, self.y[index]


def plain_data():
    data = Noisy()
    return data.x, data.y


def trainer(**options):
    gpunet.manual_seed(1)
    random.seed(1)
    np.random.seed(1)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3))
    updates = optim.Adam(model.parameters(), lr=0.01)
    if options.get("schedule"):
        options["scheduler"] = CosineAnnealingLR(updates, 12)
    return Trainer(model, nn.functional.cross_entropy, updates, "accuracy", **options)


class Killed(BaseException):
    pass


class KillAt(Callback):
    """An end without notice, as far as one process can: nothing is saved by it."""

    def __init__(self, epoch, batch):
        self.where = epoch, batch

    def on_batch_end(self, trainer, progress):
        if (progress.epoch, progress.batches) == self.where:
            raise Killed


def result(trained):
    """The weights, and what training reported but for its time."""
    rows = [{name: value for name, value in row.items() if name not in ("seconds", "examples_per_second")}
            for row in trained.history]
    average = {} if trained.ema is None else trained.ema.averages
    return {name: each.cpu().numpy().tobytes() for name, each in
            [*trained.model.state_dict().items(), *average.items()]}, rows


def batches_of(kind, data):
    return {
        "default generator": lambda: DataLoader(data, 5, shuffle=True),
        "own generator": lambda: DataLoader(data, 5, shuffle=True, generator=gpunet.Generator().manual_seed(3)),
        "several passes in one": lambda: DataLoader(data, 5, sampler=RandomSampler(data, num_samples=40)),
        "weighted": lambda: DataLoader(data, 5, sampler=WeightedRandomSampler([1.0] * 11 + [3.0] * 11, 22)),
        "gathered": lambda: DataLoader(TensorDataset(*map(gpunet.tensor, plain_data())), 5, shuffle=True),
        "a list": lambda: [(gpunet.tensor(data.x[i:i + 5]), gpunet.tensor(data.y[i:i + 5])) for i in range(0, 22, 5)],
    }[kind]()


CASES = {  # options of the Trainer, data, options of fit
    "arrays": ({}, plain_data, {"batch_size": 5}),
    "transforms": ({}, Noisy, {"batch_size": 5}),
    "workers": ({}, lambda: Noisy(global_generators=False), {"batch_size": 5, "num_workers": 2}),
    "float16": ({"precision": "float16"}, plain_data, {"batch_size": 5}),
    "bfloat16": ({"precision": "bfloat16"}, Noisy, {"batch_size": 5}),
    "accumulation": ({"accumulate": 3}, Noisy, {"batch_size": 4}),
    "clipping": ({"clip_norm": 0.1, "class_weights": [1, 2, 3]}, plain_data, {"batch_size": 5}),
    "a schedule and averages": ({"schedule": "step", "ema": 0.9}, plain_data, {"batch_size": 5}),
    "compiled": ({"compile": True}, plain_data, {"batch_size": 5}),
    "compiled accumulation": ({"compile": True, "accumulate": 3}, plain_data, {"batch_size": 4}),
    "all at once": ({"precision": "float16", "accumulate": 2, "ema": 0.9, "schedule": "step"},
                    lambda: Noisy(global_generators=False), {"batch_size": 5, "num_workers": 2}),
    **{kind: ({}, lambda kind=kind: batches_of(kind, Noisy()), {}) for kind in
       ("default generator", "own generator", "several passes in one", "weighted", "gathered", "a list")},
}


def broken_off_and_resumed(tmp_path, case, device, epoch, batch):
    options, data, fitting = CASES[case]

    def fit(each, *callbacks):
        validation = plain_data()
        watch = [EarlyStopping(patience=50, restore_best=False), ReduceLROnPlateau(patience=0, factor=0.9), *callbacks]
        return each.fit(data(), validation, 3, **fitting, callbacks=watch, resume=tmp_path / "run")

    whole = trainer(device=device, **options)
    fit(whole)
    stopped = trainer(device=device, **options)
    with pytest.raises(Killed):
        fit(stopped, ModelCheckpoint(tmp_path / "run", steps=1), KillAt(epoch, batch))
    gpunet.manual_seed(999)  # whatever another program does between
    random.seed(999)
    resumed = trainer(device=device, **options)
    fit(resumed)
    assert result(resumed) == result(whole)


QUICK = ("all at once", "own generator", "weighted", "a list")


@pytest.mark.parametrize("case", [pytest.param(case, marks=() if case in QUICK else pytest.mark.slow)
                                  for case in CASES])
def test_resumed_training_equals_one_that_never_stopped(tmp_path, case):
    broken_off_and_resumed(tmp_path, case, "cpu", 2, 4 if "accumulation" in case else 3)


@pytest.mark.slow
def test_on_the_simulator(tmp_path):
    try:
        gpunet.zeros(1, device="sim")
    except RuntimeError as error:
        pytest.skip(str(error))
    broken_off_and_resumed(tmp_path, "all at once", "sim", 2, 3)


@pytest.mark.parametrize(("epoch", "batch"), [(1, 1), (1, 5), (2, 1), (2, 5), (3, 4)])
def test_at_the_ends_of_epochs_too(tmp_path, epoch, batch):
    broken_off_and_resumed(tmp_path, "transforms", "cpu", epoch, batch)


def test_training_that_was_stopped_goes_on_in_the_same_process():
    class StopAt(Callback):
        def on_batch_end(self, trainer, progress):
            if (progress.epoch, progress.batches) == (2, 3):
                trainer.stop()

    whole, stopped = trainer(), None
    whole.fit(Noisy(), epochs=3, batch_size=5)
    stopped = trainer()
    stopped.fit(Noisy(), epochs=3, batch_size=5, callbacks=[StopAt()])
    assert len(stopped.history) == 1 and not stopped.finished
    gpunet.rand(7)  # training has its own place in the stream
    stopped.fit(Noisy(), epochs=3, batch_size=5)
    assert result(stopped) == result(whole)


# ---- killed

PROGRAM = """
import sys
from gpunet.train import Callback, GracefulStop, ModelCheckpoint
from tests.train.test_resume import Noisy, plain_data, trainer

class Begun(Callback):
    def on_batch_end(self, trainer, progress):
        if progress.batches == 1 and progress.epoch % 10 == 1:
            print("begun", flush=True)

trainer().fit(Noisy(), plain_data(), 1_000_000, batch_size=5, callbacks=[{}, Begun()], resume=sys.argv[1])
"""


def started(folder, callback):
    """A process that trains, and has come to its first batch."""
    # Whoever started these tests in the background has made them, and their children, deaf to SIGINT.
    process = subprocess.Popen([sys.executable, "-c", PROGRAM.format(callback), str(folder)], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    line = process.stdout.readline()
    if line != "begun\n":
        process.kill()
        pytest.fail(line + process.communicate()[0])
    return process


def goes_on_as_if_never_stopped(folder):
    epochs = len(gpunet.load(folder / "last.safetensors")["history"]) + 2
    resumed, whole = trainer(), trainer()
    resumed.fit(Noisy(), plain_data(), epochs, batch_size=5, resume=folder)
    whole = trainer()
    whole.fit(Noisy(), plain_data(), epochs, batch_size=5)
    assert result(resumed) == result(whole)


def test_killed_at_any_moment(tmp_path):
    """There is always a checkpoint that loads, and training ends with the weights of one that was never killed.
    GPUNET_TEST_KILLS: how often it is killed (2)."""
    rng = random.Random(0)
    for _ in range(int(os.environ.get("GPUNET_TEST_KILLS", "2"))):
        process = started(tmp_path, "ModelCheckpoint(sys.argv[1], steps=1, every=50)")
        while not (tmp_path / "last.safetensors").exists() and process.poll() is None:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.3))
        process.kill()
        process.communicate()
        trainer().load(tmp_path / "last.safetensors")
    goes_on_as_if_never_stopped(tmp_path)


def test_a_program_is_stopped_and_resumed(tmp_path):
    """Ctrl-C finishes the batch, writes a checkpoint, and says how to go on."""
    process = started(tmp_path, "GracefulStop(sys.argv[1] + '/last.safetensors')")
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and "Stopping after this batch" in output
    assert f"has it all: go on by fit(..., resume='{tmp_path}/last.safetensors')" in output
    goes_on_as_if_never_stopped(tmp_path)
