"""A run keeps what it has, whatever happens, and goes on as if it had never stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

import gpunet
from gpunet.serialization import save_file
from gpunet.train import Callback
from gpunet.train.recipes import RECIPES
from gpunet.train.run import CHECKPOINT, CURVES, HISTORY, WEIGHTS, Run, RunError, load_model


def settings(**chosen):
    return RECIPES["digits"].settings(**{"epochs": 3, "batch_size": 128, "seed": 1} | chosen)


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
    resumed = Run.resume(tmp_path / "stopped", "digits", "cpu")
    assert [row["epoch"] for row in resumed.trainer.history] == [1, 2]
    resumed.fit()

    for name, value in weights(whole).items():
        np.testing.assert_array_equal(value, weights(resumed)[name], err_msg=name)
    for key in ("loss", "accuracy", "test_loss", "test_accuracy"):
        assert [row[key] for row in whole.trainer.history] == [row[key] for row in resumed.trainer.history]


def test_one_seed_one_run(tmp_path):
    def loss(seed, name):
        return Run.start(settings(epochs=1, seed=seed), "cpu", tmp_path / name).fit()[0]["loss"]

    assert loss(4, "a") == loss(4, "b") != loss(5, "c")


def test_folder(tmp_path):
    run = Run.start(settings(epochs=2), "cpu", tmp_path / "a" / "b")
    run.fit()
    assert sorted(os.listdir(run.folder)) == sorted([WEIGHTS, HISTORY, CURVES, CHECKPOINT])
    history = json.loads((run.folder / HISTORY).read_text())
    assert history["settings"]["seed"] == 1 and [row["epoch"] for row in history["epochs"]] == [1, 2]
    model, about = load_model(run.folder)
    assert about["dataset"] == "digits" and about["sizes"] == [64, 128, 64, 10]
    assert about["image_shape"] == [8, 8] and about["classes"] == list("0123456789")
    images = run.test.dataset.tensors[0]
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
        Run.resume(full, "digits", "cpu")
    with pytest.raises(RunError, match="does not exist"):
        load_model(full)
    (full / CHECKPOINT).write_bytes(b"damaged")
    with pytest.raises(RunError, match="is damaged"):
        Run.resume(full, "digits", "cpu")
    (full / WEIGHTS).write_bytes(b"damaged")
    with pytest.raises(RunError, match="cannot be read as weights"):
        load_model(full)
    save_file({"x": gpunet.zeros(2)}, full / WEIGHTS)
    with pytest.raises(RunError, match="not written by `gpunet train`"):
        load_model(full)


def test_resume_checks_the_dataset(tmp_path):
    Run.start(settings(epochs=1), "cpu", tmp_path / "run").fit()
    with pytest.raises(RunError, match="gpunet train digits"):
        Run.resume(tmp_path / "run", "mnist", "cpu")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_stopped_from_outside(tmp_path, how):
    """Killed at any moment, the folder's files are whole; interrupted by Ctrl-C, the run also says how to go on."""
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "gpunet", "train", "digits", "--epochs", "100000", "--out", str(folder)]
    # Whoever started these tests in the background has made them, and their children, deaf to SIGINT.
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    deadline = time.monotonic() + 60
    while not (folder / HISTORY).exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.1)
    process.send_signal(how)
    output, _ = process.communicate(timeout=60)
    if how == signal.SIGINT:
        assert process.returncode == 130 and "Traceback" not in output
        assert f"gpunet train digits --resume {folder}" in output
        assert sorted(os.listdir(folder)) == sorted([WEIGHTS, HISTORY, CURVES, CHECKPOINT])
    resumed = Run.resume(folder, "digits", "cpu")
    done = len(resumed.trainer.history)
    assert done >= 1
    resumed.settings = replace(resumed.settings, epochs=done + 1)
    assert len(resumed.fit()) == done + 1
    load_model(folder)
    json.loads((folder / HISTORY).read_text())


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
            losses.setdefault(trainer.device, []).append(progress.read()[0])
            super().on_batch_end(trainer, progress)

    started = {device: Run.start(settings(), device, tmp_path / device) for device in ("cpu", "sim")}
    for name, value in weights(started["cpu"]).items():
        np.testing.assert_array_equal(value, started["sim"].trainer.model.state_dict()[name].cpu().numpy())
    for device in ("cpu", "sim"):
        run = Run.start(settings(), device, tmp_path / f"{device}-run")
        with pytest.raises(KeyboardInterrupt):
            run.fit([FewSteps(1, 4)])
    np.testing.assert_allclose(losses["cpu"], losses["sim"], rtol=1e-4)
