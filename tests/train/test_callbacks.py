"""What callbacks do to training, and what they leave."""

import csv
import io
import math
import os
import signal
import subprocess
import sys
import threading
from xml.etree import ElementTree

import numpy as np
import pytest

import gpunet
from gpunet import nn, optim
from gpunet.train import (
    Callback,
    CSVLogger,
    EarlyStopping,
    GracefulStop,
    LearningRateMonitor,
    LRFinder,
    ModelCheckpoint,
    ProgressBar,
    ReduceLROnPlateau,
    TensorBoard,
    Trainer,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3)).astype(np.float32)
Y = (X @ [[1.0], [2.0], [-1.0]] + 0.5).astype(np.float32)


def trainer(lr=0.1, **options):
    gpunet.manual_seed(0)
    model = nn.Linear(3, 1)
    return Trainer(model, nn.functional.mse_loss, optim.SGD(model.parameters(), lr=lr), metrics="mae", **options)


class Script(Callback):
    """Sets the numbers of the history as a test wants them, and notes the weights."""

    def __init__(self, name, values):
        self.name, self.values, self.weights = name, values, []

    def on_epoch_end(self, trainer, row):
        row[self.name] = self.values[row["epoch"] - 1]
        self.weights.append(trainer.model.weight.detach().clone())


def scripted(callback, values, name="val_loss", epochs=None, **options):
    each, script = trainer(**options), Script(name, values)
    each.fit((X, Y), epochs=epochs or len(values), batch_size=10, callbacks=[script, callback])
    return each, script


# ---- EarlyStopping, ReduceLROnPlateau and ModelCheckpoint watch a number

@pytest.mark.parametrize(("name", "mode", "values", "last", "best"), [
    ("val_loss", None, [3, 2, 2.5, 2.1, 1], 4, 2),
    ("val_mae", None, [3, 2, 2.5, 2.1, 1], 4, 2),  # the metric says which way is better
    ("score", "max", [1, 2, 1.5, 1.9, 3], 4, 2),
    ("val_loss", None, [3, math.nan, math.nan, 1], 3, 1),
    ("val_loss", None, [5, 4, 3, 2, 1], 5, 5),
])
def test_early_stopping(name, mode, values, last, best):
    stopping = EarlyStopping(name, patience=2, mode=mode)
    trained, script = scripted(stopping, values, name)
    assert len(trained.history) == last and stopping.best_epoch == best and stopping.best == values[best - 1]
    assert (trained.stopping is None) == (last == len(values))
    np.testing.assert_array_equal(trained.model.weight.detach().numpy(), script.weights[best - 1].numpy())


def test_early_stopping_counts_only_what_is_better_by_min_delta():
    trained, _ = scripted(EarlyStopping(patience=2, min_delta=0.5), [3, 2.9, 2.8, 0])
    assert len(trained.history) == 3


def test_the_rate_falls_on_a_plateau():
    trained, _ = scripted(ReduceLROnPlateau(factor=0.5, patience=1, min_lr=0.03), [3, 3, 3, 3, 3, 3, 3, 2, 1])
    assert trained.history["lr"] == [0.1, 0.1, 0.1, 0.05, 0.05, 0.03, 0.03, 0.03, 0.03]


def test_checkpoints_of_the_last_the_best_and_every_nth(tmp_path):
    kept = ModelCheckpoint(tmp_path / "run", every=2, restore_best=True)
    trained, script = scripted(kept, [3, 1, 2, 4])
    assert sorted(os.listdir(tmp_path / "run")) == [
        "best.safetensors", "epoch-0002.safetensors", "epoch-0004.safetensors", "last.safetensors"]
    epochs = {"best": 2, "last": 4, "epoch-0002": 2}
    for name, epoch in epochs.items():
        other = trainer()
        other.load(tmp_path / "run" / f"{name}.safetensors")
        assert len(other.history) == epoch
        np.testing.assert_array_equal(other.model.weight.detach().numpy(), script.weights[epoch - 1].numpy())
    np.testing.assert_array_equal(trained.model.weight.detach().numpy(), script.weights[1].numpy())
    assert (kept.best, kept.best_epoch) == (1, 2)


def test_the_best_weights_survive_a_resumption(tmp_path):
    whole, script = scripted(ModelCheckpoint(tmp_path / "a", restore_best=True), [3, 1, 2, 4])
    scripted(ModelCheckpoint(tmp_path / "b", restore_best=True), [3, 1, 2, 4], epochs=3)
    resumed = trainer()
    resumed.fit((X, Y), epochs=4, batch_size=10, resume=tmp_path / "b",
                callbacks=[Script("val_loss", [3, 1, 2, 4]), ModelCheckpoint(tmp_path / "b", restore_best=True)])
    np.testing.assert_array_equal(resumed.model.weight.detach().numpy(), whole.model.weight.detach().numpy())


def test_a_damaged_checkpoint_is_passed_over(tmp_path):
    trainer().fit((X, Y), epochs=2, callbacks=[ModelCheckpoint(tmp_path, every=1)])
    (tmp_path / "last.safetensors").write_bytes(b"damaged")
    resumed = trainer()
    with pytest.warns(UserWarning, match="last.safetensors .*; going on from .*epoch-0002.safetensors, of epoch 2"):
        resumed.fit((X, Y), epochs=3, resume=tmp_path)
    assert len(resumed.history) == 3
    for path in tmp_path.iterdir():
        path.write_bytes(b"damaged")
    with pytest.raises(ValueError, match="last.safetensors"):
        trainer().fit((X, Y), resume=tmp_path)


def test_nothing_to_resume_is_a_beginning(tmp_path):
    assert len(trainer().fit((X, Y), epochs=2, resume=tmp_path / "none")) == 2


FULL = """
import resource, signal, sys
from gpunet.train import ModelCheckpoint
from tests.train.test_callbacks import X, Y, trainer
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

class Fill(ModelCheckpoint):
    def on_epoch_end(self, trainer, row):
        if row["epoch"] == 3:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        super().on_epoch_end(trainer, row)

trainer().fit((X, Y), epochs=5, callbacks=[Fill(sys.argv[1])])
"""


def test_a_full_disk_leaves_the_old_checkpoint_and_says_so(tmp_path):
    """As `ulimit -f` does it: the new file cannot grow."""
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 1
    says = done.stderr.strip().splitlines()[-1]
    assert f"{tmp_path} keeps epoch 2; make room and go on by fit(..., resume='{tmp_path}')" in says
    assert sorted(os.listdir(tmp_path)) == ["best.safetensors", "last.safetensors"]
    resumed = trainer()
    resumed.load(tmp_path / "last.safetensors")
    assert len(resumed.history) == 2


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="folder of checkpoints cannot be made: .*file"):
        trainer().fit((X, Y), callbacks=[ModelCheckpoint(tmp_path / "file" / "run")])
    (tmp_path / "last.safetensors").mkdir()
    with pytest.raises(OSError, match="not a regular file; .* has no checkpoint of this fit; make room.*last.safe"):
        trainer().fit((X, Y), callbacks=[ModelCheckpoint(tmp_path)])


REFUSED = {
    "an unknown column": (lambda: scripted(EarlyStopping("val_los"), [1]), "no 'val_los'; it has .*; give validation"),
    "which way?": (lambda: scripted(EarlyStopping("score"), [1], "score"), "more or less of score is better"),
    "a column of texts": (lambda: scripted(EarlyStopping("score", mode="min"), ["x"], "score"), "no single number"),
    "a mode": (lambda: EarlyStopping(mode="best"), "EarlyStopping: mode must be 'min' or 'max', not 'best'"),
    "no patience": (lambda: EarlyStopping(patience=0), "patience must be at least 1"),
    "a factor": (lambda: ReduceLROnPlateau(factor=1.5), "factor must be below 1"),
    "no steps": (lambda: ModelCheckpoint("x", steps=0), "ModelCheckpoint: steps must be at least 1"),
    "no best": (lambda: ModelCheckpoint("x", None, restore_best=True), "restore_best needs a monitor"),
    "rates": (lambda: LRFinder(trainer(), 1.0, 0.1), "rates must be positive and rise"),
    "a short trial": (lambda: LRFinder(trainer(), steps=3), "steps must be at least 10"),
    "no trial": (lambda: LRFinder(trainer()).plot(), "too few losses"),
    "each": (lambda: LearningRateMonitor("batch"), "must be 'step' or 'epoch'"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_is_refused_in_one_sentence(what):
    call, says = REFUSED[what]
    with pytest.raises(ValueError, match=says) as error:
        call()
    assert "\n" not in str(error.value)


# ---- logs and displays

def test_csv(tmp_path):
    """After a resumption each epoch is there once, and columns that come later are columns too."""
    first = trainer(callbacks=[CSVLogger(tmp_path / "log.csv")])
    first.fit((X, Y), epochs=2)
    first.save(tmp_path / "c")
    second = trainer(callbacks=[CSVLogger(tmp_path / "log.csv")])
    second.fit((X, Y), (X, Y), epochs=3, resume=tmp_path / "c")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "log.csv").read_text())))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert float(rows[2]["val_mae"]) == second.history[2]["val_mae"] and rows[0]["val_mae"] == ""


def test_tensorboard(tmp_path, monkeypatch):
    try:
        import tensorboardX
    except ImportError:
        tensorboardX = None  # a stand-in shows what is written
    written = []

    class Writer:
        def __init__(self, folder, purge_step=None):
            self.folder = os.path.basename(folder)

        def add_scalar(self, name, value, step):
            written.append((self.folder, name, value, step))

        def flush(self):
            pass

        close = flush

    if tensorboardX is not None:
        trainer(callbacks=[TensorBoard(tmp_path)]).fit((X, Y), (X, Y), epochs=2)
        assert all(any("events" in name for name in os.listdir(tmp_path / part)) for part in ("train", "validation"))
    monkeypatch.setitem(sys.modules, "tensorboardX", type("M", (), {"SummaryWriter": Writer}))
    trained = trainer(callbacks=[TensorBoard(tmp_path, steps=1)])
    trained.fit((X, Y), (X, Y), epochs=2, batch_size=20)
    assert ("validation", "mae", trained.history[1]["val_mae"], 4) in written
    assert ("train", "loss", trained.history[0]["loss"], 2) in written
    assert len([each for each in written if each[1] == "running_loss"]) == 4
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match='TensorBoard needs tensorboardX; install it by pip install "gpunet'):
        trainer(callbacks=[TensorBoard(tmp_path)]).fit((X, Y))


def test_plain_lines_for_logs(capsys):
    trainer(callbacks=[ProgressBar(epochs=10)]).fit((X, Y), (X, Y), epochs=2)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and lines[1].startswith("epoch  2/10  loss ") and "val mae" in lines[1]


def test_a_bar_in_a_terminal():
    file = io.StringIO()
    trainer(callbacks=[ProgressBar(every=0, file=file, live=True)]).fit((X, Y), epochs=2)
    shown = file.getvalue()
    assert "━" in shown and "\x1b[" in shown and "examples/s" in shown and "epoch 2" in shown


def test_rates_are_kept_by_epoch():
    monitor = LearningRateMonitor("epoch")
    scripted(monitor, [1, 1])
    assert monitor.steps == [4, 8] and monitor.rates == [[0.1], [0.1]]


# ---- the learning rate finder

@pytest.mark.parametrize("options", [{}, {"compile": True, "accumulate": 2}, {"ema": 0.9}])
def test_the_finder_changes_nothing(options):
    """The training after a trial is the training without it."""
    plain = trainer(**options)
    plain.fit((X, Y), epochs=4, batch_size=10)
    tried = trainer(**options)
    for epochs in (0, 2):
        tried.fit((X, Y), epochs=epochs, batch_size=10)
        finder = LRFinder(tried, steps=40)
        rate = finder.run((X, Y), batch_size=10)
        assert 1e-5 < rate < 1 and finder.rates == sorted(finder.rates) and max(finder.losses) < math.inf
        ElementTree.fromstring(finder.plot())
    tried.fit((X, Y), epochs=4, batch_size=10)
    np.testing.assert_array_equal(plain.model.weight.detach().numpy(), tried.model.weight.detach().numpy())
    assert tried.history["loss"] == plain.history["loss"]


# ---- stopping

class Interrupt(Callback):
    def __init__(self, epoch, batch, number=signal.SIGINT):
        self.where, self.number = (epoch, batch), number

    def on_batch_end(self, trainer, progress):
        if (progress.epoch, progress.batches) == self.where:
            os.kill(os.getpid(), self.number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_finishes_the_batch_and_writes_a_checkpoint(tmp_path, number):
    before, said = signal.getsignal(number), []
    signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    try:
        stop = GracefulStop(tmp_path / "c.safetensors", said.append)
        stopped = trainer(callbacks=[Interrupt(2, 3, number), stop])
        stopped.fit((X, Y), epochs=5, batch_size=10)
    finally:
        signal.signal(number, before)
    assert stop.signal == number and len(stopped.history) == 1
    assert said[-1].startswith(f"Stopped after epoch 2, batch 3. {tmp_path}/c.safetensors has it all: go on by fit(...")
    whole = trainer()
    whole.fit((X, Y), epochs=5, batch_size=10)
    resumed = trainer()
    resumed.fit((X, Y), epochs=5, batch_size=10, resume=tmp_path / "c.safetensors")
    np.testing.assert_array_equal(resumed.model.weight.detach().numpy(), whole.model.weight.detach().numpy())


def test_a_stop_at_the_end_of_an_epoch_keeps_the_last_weights(tmp_path):
    """Training is to go on from these, not from the best ones."""
    class Signalled(GracefulStop):
        def on_epoch_end(self, trainer, row):
            self.signal = signal.SIGINT if row["epoch"] == 3 else None
            super().on_epoch_end(trainer, row)

    def watched():
        return [EarlyStopping(patience=9), Script("val_loss", [1, 2, 3, 4, 5])]

    whole = trainer()
    whole.fit((X, Y), epochs=5, batch_size=10, callbacks=watched()[1:])
    stopped = trainer()
    stopped.fit((X, Y), epochs=5, batch_size=10,
                callbacks=[Signalled(tmp_path / "c", lambda _: None), *watched()[::-1]])
    resumed = trainer()
    resumed.load(tmp_path / "c")
    for each in (stopped, resumed):
        assert len(each.history) == 3
        each.fit((X, Y), epochs=5, batch_size=10, callbacks=watched()[1:])
        np.testing.assert_array_equal(each.model.weight.detach().numpy(), whole.model.weight.detach().numpy())


def test_a_checkpoint_has_what_the_other_callbacks_did(tmp_path):
    """In whatever order they are given."""
    values = [1, 2, 3, 4, 5]
    for folder, epochs in (("whole", 9), ("cut", 2)):
        each = trainer()
        each.fit((X, Y), epochs=epochs, callbacks=[ModelCheckpoint(tmp_path / folder), Script("val_loss", values),
                                                   EarlyStopping(patience=3)])
    assert len(each.history) == 2
    resumed = trainer()
    resumed.fit((X, Y), epochs=9, resume=tmp_path / "cut", callbacks=[Script("val_loss", values),
                                                                     EarlyStopping(patience=3)])
    assert len(resumed.history) == 4


def test_a_second_ctrl_c_interrupts(tmp_path):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        class Twice(Interrupt):
            def on_batch_end(self, trainer, progress):
                super().on_batch_end(trainer, progress)
                super().on_batch_end(trainer, progress)

        with pytest.raises(KeyboardInterrupt):
            trainer().fit((X, Y), epochs=5, callbacks=[GracefulStop(tmp_path / "c", lambda _: None), Twice(1, 1)])
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler and os.listdir(tmp_path) == []
    finally:
        signal.signal(signal.SIGINT, before)


def test_graceful_stop_in_a_thread_leaves_signals_alone():
    done = []
    thread = threading.Thread(target=lambda: done.append(trainer().fit((X, Y), callbacks=[GracefulStop(None)])))
    thread.start()
    thread.join()
    assert len(done[0]) == 1
