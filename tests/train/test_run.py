"""A run keeps what it has, whatever happens, and goes on as if it had never stopped."""

import errno
import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

import gpunet
from gpunet import files
from gpunet.serialization.safetensors_file import load_file, read_file, save_file
from gpunet.train import Callback, TrainingDiverged
from gpunet.train.recipes import RECIPES
from gpunet.train.run import Run
from gpunet.train.run_folder import (
    CHECKPOINT,
    CONFIG,
    CURVES,
    FILES,
    HISTORY,
    STARTED,
    WEIGHTS,
    RunError,
    new_folder,
    state_of,
)
from gpunet.train.run_model import load_model

NAMES = {"optimizer": "optimizer.name", "lr": "optimizer.lr", "dropout": "model.dropout", "hidden": "model.hidden"}


def settings(**chosen):
    """A short run, of a constant learning rate: so that more epochs are as if they had been asked for at once."""
    given = {"epochs": 3, "batch_size": 128, "seed": 1, "hidden": [128, 64], "schedule": "constant"} | chosen
    names = NAMES | {"schedule": "optimizer.schedule"}
    return RECIPES["digits"].config({names.get(name, f"train.{name}"): value for name, value in given.items()})


def weights(run):
    return {name: value.numpy() for name, value in run.trainer.model.state_dict().items()}


class StopIn(Callback):
    def __init__(self, epoch, batch):
        self.where = epoch, batch

    def on_batch_end(self, trainer, progress):
        if (progress.epoch, progress.batches) == self.where:
            raise KeyboardInterrupt


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_resumed_run_equals_one_that_never_stopped(tmp_path, optimizer):
    chosen = settings(optimizer=optimizer)
    whole = Run.start(chosen, "cpu", tmp_path / "whole")
    whole.fit()

    stopped = Run.start(chosen, "cpu", tmp_path / "stopped")
    with pytest.raises(KeyboardInterrupt):
        stopped.fit([StopIn(epoch=3, batch=4)])
    gpunet.manual_seed(999)  # whatever another program does between
    resumed = Run.resume(tmp_path / "stopped")
    assert [row["epoch"] for row in resumed.trainer.history] == [1, 2]
    resumed.fit()

    for name, value in weights(whole).items():
        np.testing.assert_array_equal(value, weights(resumed)[name], err_msg=name)
    for key in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert [row[key] for row in whole.trainer.history] == [row[key] for row in resumed.trainer.history]


def test_one_seed_one_run(tmp_path):
    def loss(seed, name):
        return Run.start(settings(epochs=1, seed=seed), "cpu", tmp_path / name).fit()[0]["loss"]

    assert loss(4, "a") == loss(4, "b") != loss(5, "c")


def test_folder(tmp_path):
    run = Run.start(settings(epochs=2), "cpu", tmp_path / "a" / "b")
    run.fit()
    assert sorted(os.listdir(run.folder)) == sorted(FILES)
    history = json.loads((run.folder / HISTORY).read_text())
    assert history["ended"] == "after 2 epochs" and [row["epoch"] for row in history["epochs"]] == [1, 2]
    assert history["test"]["accuracy"] == run.test["accuracy"] and state_of(run.folder) == "finished"
    model, about = load_model(run.folder)
    assert about["recipe"] == "digits" and about["model"]["sizes"] == [64, 128, 64, 10]
    assert about["image_shape"] == [8, 8] and about["classes"] == list("0123456789")
    assert about["epoch"] == history["best"]["epoch"] == 2  # so the run's model has the same weights
    images = run.loaders["test"].dataset.tensors[0]
    model.eval()
    with gpunet.no_grad():
        np.testing.assert_array_equal(model(images).argmax(1).numpy(), run.trainer.predict(images).argmax(1).numpy())


def test_refusals(tmp_path):
    full = tmp_path / "full"
    full.mkdir()
    (full / "file").write_text("")
    with pytest.raises(RunError, match="not empty; choose another --out"):
        Run.start(settings(), "cpu", full)
    with pytest.raises(RunError, match="cannot be made"):
        Run.start(settings(), "cpu", full / "file" / "run")
    with pytest.raises(RunError, match="no epoch was finished"):
        Run.resume(full)
    with pytest.raises(RunError, match="does not exist"):
        load_model(full)
    (full / CHECKPOINT).write_bytes(b"damaged")
    with pytest.raises(RunError, match="is damaged"):
        Run.resume(full)
    (full / WEIGHTS).write_bytes(b"damaged")
    with pytest.raises(RunError, match="cannot be read as weights"):
        load_model(full)
    save_file({"x": gpunet.zeros(2)}, full / WEIGHTS)
    with pytest.raises(RunError, match="not written by `gpunet train`"):
        load_model(full)


def test_resume_checks_recipe_and_data(tmp_path, monkeypatch):
    Run.start(settings(epochs=1), "cpu", tmp_path / "run").fit()
    with pytest.raises(RunError, match="is a run of the recipe digits; resume it by gpunet resume"):
        Run.resume(tmp_path / "run", recipe="mnist")
    read = type(RECIPES["digits"]).read

    def changed(self, config):
        return replace(read(self, config), digest="another")

    monkeypatch.setattr(type(RECIPES["digits"]), "read", changed)
    with pytest.raises(RunError, match="run cannot be resumed: its data have changed since it began; bring them back"):
        Run.resume(tmp_path / "run", epochs=2)


# ---- one run, one folder

def test_a_folder_belongs_to_one_run(tmp_path):
    first = Run.start(settings(epochs=1), "cpu", tmp_path / "run")
    with pytest.raises(RunError, match="run is in use by another run"):
        Run.start(settings(), "cpu", tmp_path / "run")

    class Other(Callback):
        def on_epoch_end(self, trainer, row):
            with pytest.raises(RunError, match="run is in use by another run"):
                Run.resume(tmp_path / "run", epochs=2)

    first.fit([Other()])
    Run.resume(tmp_path / "run", epochs=2).fit()
    with pytest.raises(RunError, match="not empty; choose another --out"):
        Run.start(settings(), "cpu", tmp_path / "run")


def testnew_folders_are_never_shared(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: new_folder("digits"), range(24)))
    assert len(set(folders)) == 24 and all(each.is_dir() for each in folders)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/runs").write_text("")
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(RunError, match="runs cannot be made: .*; choose another --out"):
        Run.start(settings(), "cpu")


def test_what_a_killed_run_has_left(tmp_path):
    """Half a file does not stop the next run; files that were not yet written are written by resuming."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / f".{CHECKPOINT}.12345.tmp").write_bytes(b"half")
    Run.start(settings(epochs=1), "cpu", folder).fit()
    whole = {name: (folder / name).read_bytes() for name in FILES}
    assert sorted(os.listdir(folder)) == sorted(whole)
    (folder / f".{WEIGHTS}.1-01234567.tmp").write_bytes(b"half")
    for name in sorted({*FILES} - {CHECKPOINT}):
        (folder / name).unlink()
        Run.resume(folder).release()
        assert {name: (folder / name).read_bytes() for name in os.listdir(folder)} == whole, name
    (folder / WEIGHTS).write_bytes(whole[WEIGHTS][:-1])
    Run.resume(folder).release()
    assert (folder / WEIGHTS).read_bytes() == whole[WEIGHTS]


# ---- what is not kept

class Spoil(Callback):
    """Makes something NaN or infinite after the last step of an epoch."""

    def __init__(self, epoch, change):
        self.epoch, self.change = epoch, change

    def on_batch_end(self, trainer, progress):
        if (progress.epoch, progress.examples) == (self.epoch, 1298):
            with gpunet.no_grad():
                self.change(trainer)


SPOILT = {
    "NaN weights": (lambda trainer: next(trainer.model.parameters()).fill_(math.nan), "The validation loss became nan"),
    # A unit that is never active: no loss shows it.
    "infinite bias": (lambda trainer: list(trainer.model.parameters())[1][:1].fill_(-math.inf), "The model's 1.bias"),
    "NaN moments": (lambda trainer: next(iter(trainer.optimizer.state.values()))["exp_avg"].fill_(math.nan),
                    "The optimizer's exp_avg has NaN"),
}


@pytest.mark.parametrize("what", SPOILT)
@pytest.mark.parametrize("epoch", [1, 2])
def test_nothing_good_is_replaced_by_what_is_not_finite(tmp_path, what, epoch):
    change, says = SPOILT[what]
    run = Run.start(settings(epochs=3, dropout=0), "cpu", tmp_path / "run")
    kept = "No epoch is kept" if epoch == 1 else "run keeps epoch 1: go on with gpunet resume .*run"
    with pytest.raises(TrainingDiverged, match=f"{says}.* in epoch {epoch}; a lower learning rate may help. .*{kept}"):
        run.fit([Spoil(epoch, change)])
    assert [row["epoch"] for row in run.trainer.history] == [1][: epoch - 1]
    if epoch == 1:
        assert sorted(os.listdir(run.folder)) == sorted([CONFIG, STARTED])
        Run.start(settings(), "cpu", run.folder).release()  # the folder is free
        return
    history = json.loads((run.folder / HISTORY).read_text(), parse_constant=pytest.fail)
    assert len(history["epochs"]) == 1 and "nan" not in (run.folder / CURVES).read_text()
    for name in (WEIGHTS, CHECKPOINT):
        for value in load_file(run.folder / name).values():
            assert np.isfinite(value.double().numpy()).all()
    assert len(Run.resume(run.folder, epochs=2).fit()) == 2


def test_a_full_disk_keeps_the_last_epoch(tmp_path, monkeypatch):
    run = Run.start(settings(epochs=3), "cpu", tmp_path / "run")
    write = files.replace

    def replace(path, *arguments, **options):
        if path.name == full and run.kept >= 1:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write(path, *arguments, **options)

    monkeypatch.setattr(files, "replace", replace)
    for full, kept in ((CHECKPOINT, 1), (HISTORY, 2)):  # the checkpoint of epoch 2 comes before its history
        with pytest.raises(RunError, match=f"{full} cannot be written: No space left .*run keeps epoch {kept}"):
            run.fit()
        full = None
        run = Run.resume(tmp_path / "run")
        assert len(run.trainer.history) == kept


# ---- a checkpoint's notes

def _set(section, **values):
    return lambda state: state["notes"]["config"][section].update(values)


NOTES = {
    "an empty history": (lambda state: state.update(history=[]), "its history has no epochs"),
    "no history": (lambda state: state.pop("history"), "its part 'history' is missing"),
    "an epoch missing": (lambda state: state["history"][0].update(epoch=2), "its history has no epoch 1"),
    "a loss that is no number": (lambda state: state["history"][0].update(loss="x"), "has loss x in epoch 1"),
    "a loss missing": (lambda state: state["history"][0].pop("val_loss"), "has val_loss None in epoch 1"),
    "no settings": (lambda state: state["notes"].pop("config"), "no 'config'"),
    "a setting missing": (lambda state: state["notes"]["config"]["optimizer"].pop("lr"), "setting optimizer.lr"),
    "a setting too many": (_set("train", x=1), "train.x is no setting of the recipe digits"),
    "another optimizer": (_set("optimizer", name="sgd"), "saved with the optimizer AdamW"),
    "an unknown optimizer": (_set("optimizer", name="foo"), "optimizer.name is 'foo'; it must be one of sgd, adam"),
    "batches of 0": (_set("train", batch_size=0), "train.batch_size is 0; it must be a whole number of at least 1"),
    "a seed that is text": (_set("train", seed="1"), "train.seed is '1'"),
    "a dropout of 1": (_set("model", dropout=1.0), "model.dropout is 1.0; it must be from 0 to below 1"),
    "an unknown recipe": (lambda state: state["notes"]["config"].update(recipe="cifar"), "its recipe is 'cifar'"),
    "a negative rate": (_set("optimizer", lr=-0.1), "optimizer.lr is -0.1; it must be a positive number"),
    "no best weights": (lambda state: state["callbacks"].pop("_Best"), "no '_Best'"),
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    run = Run.start(settings(epochs=1), "cpu", tmp_path_factory.mktemp("finished") / "run")
    run.fit()
    return run.folder


@pytest.mark.parametrize("what", NOTES)
def test_a_checkpoint_whose_notes_cannot_be_is_refused(finished, tmp_path, what):
    change, says = NOTES[what]
    folder = shutil.copytree(finished, tmp_path / "run")
    state = gpunet.load(folder / CHECKPOINT)
    change(state)
    gpunet.save(state, folder / CHECKPOINT)
    with pytest.raises(RunError, match=says) as error:
        Run.resume(folder, epochs=2)
    assert "\n" not in str(error.value) and "resumed" in str(error.value)


def test_a_checkpoint_without_optimizer_state_is_refused(finished, tmp_path):
    """It would resume with other numbers: an optimizer without state begins anew."""
    folder = shutil.copytree(finished, tmp_path / "run")
    state = gpunet.load(folder / CHECKPOINT)
    state["optimizer"]["state"] = {}
    gpunet.save(state, folder / CHECKPOINT)
    with pytest.raises(RunError, match="it has no state of its optimizer, and AdamW keeps some after its first step"):
        Run.resume(folder, epochs=2)


def _model(**values):
    return lambda about: about["model"].update(values)


ABOUT = {
    "no metadata": (lambda about: about.clear(), "no 'recipe'"),
    "sizes of text": (_model(sizes="abc"), "sizes"),
    "other sizes": (_model(sizes=[64, 128, 10]), "weights, which do not make layers of the sizes"),
    "absurd sizes": (_model(sizes=[64, 2**30, 2**30, 10]), "which do not make layers"),
    "images that do not fit": (lambda about: about.update(image_shape=[8, 9]), "do not fit together"),
    "images of one dimension": (lambda about: about.update(image_shape=[64]), "cannot be read as weights"),
    "classes that do not fit": (lambda about: about.update(classes=["a", "b"]), "do not fit together"),
    "a class alone": (lambda about: about.update(classes=["a"]), "names 1 class, and there must be several"),
    "an unknown recipe": (lambda about: about.update(recipe="cifar"), "names the recipe 'cifar'"),
    "an unknown task": (lambda about: about.update(task="chess"), "has the task 'chess'"),
    "an unknown activation": (_model(activation="swish"), "unknown activation 'swish'"),
}


@pytest.mark.parametrize("what", ABOUT)
def test_weights_whose_metadata_cannot_be_are_refused(finished, tmp_path, what):
    change, says = ABOUT[what]
    tensors, metadata = read_file(finished / WEIGHTS)
    about = json.loads(metadata["gpunet"])
    change(about)
    save_file(tensors, tmp_path / "w", {"gpunet": json.dumps(about)})
    with pytest.raises(RunError, match=says) as error:
        load_model(tmp_path / "w")
    assert "\n" not in str(error.value)


# ---- stopped from outside

def started(folder):
    """A run in a process of its own, in which an epoch is finished."""
    command = [sys.executable, "-m", "gpunet", "train", "digits", "--epochs", "100000", "--out", str(folder)]
    # Whoever started these tests in the background has made them, and their children, deaf to SIGINT.
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    while not (folder / HISTORY).exists() and process.poll() is None:
        time.sleep(0.02)
    return process


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopped_by_a_signal(tmp_path, how):
    """Ctrl-C, a scheduler's signal and a closed terminal alike: whole files, and how to go on."""
    folder = tmp_path / "run"
    process = started(folder)
    process.send_signal(how)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + how and "Traceback" not in output
    assert f"gpunet resume {folder}" in output
    Run.resume(folder).release()
    assert sorted(os.listdir(folder)) == sorted(FILES)


def test_killed_at_any_moment(tmp_path):
    """The folder has a whole checkpoint, and goes on from it. GPUNET_TEST_KILLS: how often (3)."""
    folder = tmp_path / "run"
    rng = random.Random(0)
    for number in range(int(os.environ.get("GPUNET_TEST_KILLS", "3"))):
        process = started(folder / str(number))
        time.sleep(rng.uniform(0, 0.2))
        process.kill()
        process.communicate()
        load_model(folder / str(number))
        json.loads((folder / str(number) / HISTORY).read_text())
        resumed = Run.resume(folder / str(number))
        done = resumed.kept
        resumed.config = resumed.config.changed(**{"train.epochs": done + 1})
        assert done >= 1 and len(resumed.fit()) == done + 1
        assert sorted(os.listdir(resumed.folder)) == sorted(FILES)


def test_sim_begins_as_cpu_does(tmp_path):
    """The same weights, order and dropout masks on every device: the losses of a few steps agree."""
    pytest.importorskip("gpunet.sim")
    try:
        gpunet.zeros(1, device="sim")
    except RuntimeError as error:
        pytest.skip(str(error))
    losses = {}

    class FewSteps(StopIn):
        def on_batch_end(self, trainer, progress):
            losses.setdefault(trainer.device.type, []).append(progress.read()["loss"])
            super().on_batch_end(trainer, progress)

    started = {device: Run.start(settings(), device, tmp_path / device) for device in ("cpu", "sim")}
    for name, value in weights(started["cpu"]).items():
        np.testing.assert_array_equal(value, started["sim"].trainer.model.state_dict()[name].cpu().numpy())
    for device in ("cpu", "sim"):
        run = Run.start(settings(), device, tmp_path / f"{device}-run")
        with pytest.raises(KeyboardInterrupt):
            run.fit([FewSteps(1, 4)])
    np.testing.assert_allclose(losses["cpu"], losses["sim"], rtol=1e-4)
