"""`gpunet train`: what a user sees and gets, and what is said to a user who errs."""

import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import tomllib

import numpy as np
import pytest

from gpunet.serialization.safetensors_file import load_file


def write_mnist(folder, count=64):
    """The four files, with `count` random images in each pair."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for part in ("train", "t10k"):
        images, labels = rng.integers(0, 256, count * 784, np.uint8), rng.integers(0, 10, count, np.uint8)
        header = struct.pack(">4I", 0x803, count, 28, 28)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, count) + labels.tobytes())


FILES = ["checkpoint.safetensors", "config.toml", "curves.svg", "history.json", "run.json", "weights.safetensors"]


def test_defaults_reach_the_promised_accuracy(gpunet_command, tmp_path):
    code, output = gpunet_command("train", "digits")
    assert code == 0
    (folder,) = (tmp_path / "runs").iterdir()
    assert re.fullmatch(r"digits-\d{8}-\d{6}", folder.name) and sorted(os.listdir(folder)) == FILES
    history = json.loads((folder / "history.json").read_text())
    accuracy = history["test"]["accuracy"]
    assert accuracy >= 0.98
    assert f"{accuracy:.4f} ({round(accuracy * 355)} of 355)" in output
    assert f"gpunet predict {folder.relative_to(tmp_path)} --sample 12" in output
    config = tomllib.loads((folder / "config.toml").read_text())
    assert config["optimizer"]["lr"] == 0.003 and config["train"]["epochs"] == 40 and config["recipe"] == "digits"


def test_plain_lines_where_there_is_no_terminal(gpunet_command):
    code, output = gpunet_command("train", "digits", "--epochs", 2, "--out", "here")
    assert code == 0 and "\x1b" not in output and "\r" not in output
    lines = [line for line in output.splitlines() if line.startswith("epoch ")]
    pattern = (
        r"epoch \d/2  loss \d\.\d{4}  accuracy [01]\.\d{4}  validation loss \d\.\d{4}  "
        r"validation accuracy [01]\.\d{4}  "
        r"[\d,]+ examples/s  \d+ s left"
    )
    assert len(lines) == 2 and all(re.fullmatch(pattern, line) for line in lines)
    assert "here/weights.safetensors" in output


@pytest.mark.slow
def test_bar_in_a_terminal(tmp_path):
    """Through a pseudo-terminal: a bar that is redrawn and gone at the end, with all that it should show."""
    leader, follower = pty.openpty()
    environment = os.environ | {"COLUMNS": "120", "TERM": "xterm-256color"}
    command = [sys.executable, "-m", "gpunet", "train", "digits", "--epochs", "40", "--out", str(tmp_path / "run")]
    process = subprocess.Popen(command, stdout=follower, stderr=follower, stdin=follower, env=environment)
    os.close(follower)
    chunks = []
    while True:
        try:
            chunk = os.read(leader, 65536)
        except OSError:  # Linux: the other end is closed
            break
        if not chunk:
            break
        chunks.append(chunk)
    os.close(leader)
    assert process.wait(timeout=60) == 0
    screen = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", b"".join(chunks).decode())
    assert re.search(r"epoch \d+/40 .*loss \d\.\d{4}  accuracy [01]\.\d{3}.* [\d,]+ examples/s .* left", screen)
    assert "test accuracy" in screen


def test_out_is_never_overwritten(gpunet_command, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine").write_text("x")
    code, output = gpunet_command("train", "digits", "--out", "run")
    assert code == 2 and "run exists and is not empty; choose another --out" in output
    assert os.listdir(tmp_path / "run") == ["mine"]


@pytest.mark.parametrize("by", [["resume", "run"], ["train", "digits", "--resume", "run"]])
def test_resume(gpunet_command, tmp_path, by):
    assert gpunet_command("train", "digits", "--epochs", 2, "--lr", 0.01, "--out", "run")[0] == 0
    code, output = gpunet_command(*by)
    assert code == 2 and "has finished 2 epochs; give more than that by --epochs" in output
    code, output = gpunet_command(*by, "--lr", 0.1)
    assert code == 2 and ("--lr cannot be given with --resume" in output or "No such option" in output)
    code, output = gpunet_command(*by, "--epochs", 3)
    assert code == 0 and "epoch 3/3" in output and "epoch 2/3" not in output
    history = json.loads((tmp_path / "run" / "history.json").read_text())
    config = tomllib.loads((tmp_path / "run" / "config.toml").read_text())
    assert len(history["epochs"]) == 3 and config["optimizer"]["lr"] == 0.01 and config["train"]["epochs"] == 3


def test_a_first_interrupt_keeps_the_batch_and_resuming_is_exact(tmp_path):
    """Ctrl-C in the middle of an epoch; then the same weights as a run that nobody stopped."""
    def weights(folder):
        return load_file(folder / "weights.safetensors")

    small = ["--epochs", "60", "--set", "train.batch_size=2", "--set", "model.hidden=[8]",
             "--set", "optimizer.schedule=constant"]  # so that the number of epochs in all does not matter
    command = [sys.executable, "-m", "gpunet"]
    process = subprocess.Popen([*command, "train", "digits", *small, "--out", "run"], cwd=tmp_path, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    assert process.stdout is not None
    while not process.stdout.readline().startswith("epoch  1/60"):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130 and "Go on with: gpunet resume run" in output
    assert re.search(r"run keeps the \d+ finished epochs?( and [\d,]+ batch(es)? of epoch \d+)?\.", output), output
    kept = len(json.loads((tmp_path / "run" / "history.json").read_text())["epochs"])
    for folder in ("run", "whole"):
        arguments = ["resume", "run", "--epochs", kept + 1] if folder == "run" else \
            ["train", "digits", *small, "--epochs", kept + 1, "--out", "whole"]
        subprocess.run([*command, *map(str, arguments)], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    for name, value in weights(tmp_path / "whole").items():
        np.testing.assert_array_equal(value.numpy(), weights(tmp_path / "run")[name].numpy(), err_msg=name)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_other_optimizers_learn(gpunet_command, tmp_path, optimizer):
    code, _ = gpunet_command("train", "digits", "--epochs", 6, "--optimizer", optimizer, "--out", "run")
    history = json.loads((tmp_path / "run" / "history.json").read_text())
    assert code == 0 and history["test"]["accuracy"] > 0.9


def test_mnist(gpunet_command, tmp_path):
    write_mnist(tmp_path / "data")
    code, output = gpunet_command("train", "mnist", "--data", "data", "--epochs", 1, "--out", "run")
    assert code == 0 and "MLP 784-256-128-10" in output
    code, output = gpunet_command("predict", "run", "--sample", 3)
    assert code == 0 and "of 3 right" in output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["digits", "--device", "gpu"], "'gpu' is no device; it is cpu, sim, cuda, cuda:N"),
        (["digits", "--epochs", "0"], "--epochs"),
        (["digits", "--batch-size", "-1"], "--batch-size"),
        (["digits", "--lr", "0"], "--lr"),
        (["digits", "--lr", "nan"], "'--lr': nan is not a finite number"),
        (["digits", "--lr", "inf"], "'--lr': inf is not a finite number"),
        (["digits", "--dropout", "nan"], "'--dropout': nan is not a finite number"),
        (["digits", "--batch-size", "9" * 20], "99999999999999999999 is not in the range"),
        (["digits", "--epochs", "9" * 20], "--epochs"),
        (["digits", "--seed", str(2**64)], "18446744073709551616 is not in the range"),
        (["digits", "--out", "x" * 300], "File name too long"),
        (["digits", "--resume", "x" * 300], "File name too long"),
        (["digits", "--lr", "fast"], "'fast' is not a valid float"),
        (["digits", "--dropout", "1"], "--dropout"),
        (["digits", "--optimizer", "lion"], "'sgd', 'adam', 'adamw'"),
        (["digits", "--resume", "nowhere"], "nowhere cannot be resumed"),
        (["mnist"], "--data"),
        (["mnist", "--data", "nowhere"], "nowhere does not exist; get the four MNIST files from https://"),
        (["cifar"], "No such command 'cifar'"),
        (["digits", "--set", "optimizer.rate=1"], "optimizer.rate is no setting of the recipe digits; did you mean"),
        (["digits", "--set", "lr=1"], "lr is no setting of the recipe digits; did you mean optimizer.lr?"),
        (["digits", "--set", "train.lr=1"], "train.lr is no setting of the recipe digits; did you mean optimizer.lr?"),
        (["digits", "--set", "model.hiden=[8]"], "model.hiden is no setting of the recipe digits; did you mean "
         "model.hidden?"),
        (["digits", "--set", "zzz.yyy=1"], "zzz.yyy is no setting of the recipe digits; `gpunet train digits"),
        (["digits", "--set", "optimizer.lr"], "'optimizer.lr' is no setting; write it as section.name=value"),
        (["digits", "--set", "optimizer.lr=fast"], "optimizer.lr is 'fast'; it must be a positive number"),
        (["digits", "--set", "train.compile=1"], "train.compile is 1; it must be true or false"),
        (["digits", "--set", "train.epochs=true"], "train.epochs is True; it must be a whole number of at least 1"),
        (["digits", "--set", "model.hidden=[0]"], "model.hidden is [0]; it must be a list of positive whole numbers"),
        (["nowhere.toml"], "nowhere.toml cannot be read: No such file or directory"),
    ],
)
def test_mistakes_get_one_sentence_and_code_2(gpunet_command, arguments, says):
    code, output = gpunet_command("train", *arguments)
    assert code == 2
    (message,) = re.findall(r"Error: (.*)", output)
    assert says in message


def test_damaged_mnist(gpunet_command, tmp_path):
    write_mnist(tmp_path / "data")
    path = tmp_path / "data" / "t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-5])
    code, output = gpunet_command("train", "mnist", "--data", "data", "--out", "run")
    assert code == 2 and "t10k-images-idx3-ubyte is cut off" in output and "https://" in output
    assert not (tmp_path / "run").exists()


def test_mnist_folders_that_fit_no_training(gpunet_command, tmp_path):
    write_mnist(tmp_path / "data")
    images = [tmp_path / "data" / f"{part}-images-idx3-ubyte" for part in ("train", "t10k")]
    whole = [path.read_bytes() for path in images]
    for wrong, content, says in (
        (1, struct.pack(">4I", 0x803, 64, 14, 14) + bytes(64 * 14 * 14),
         "data mixes two sets: its training images are 28 x 28 and its test images 14 x 14."),
        (0, struct.pack(">4I", 0x803, 0, 28, 28), "train-images-idx3-ubyte holds no image: its shape is (0, 28, 28)"),
        (1, struct.pack(">4I", 0x803, 64, 0, 28), "t10k-images-idx3-ubyte holds no image: its shape is (64, 0, 28)"),
        (0, b"\0\0\x08\xff" + bytes(1020), "train-images-idx3-ubyte has 255 dimensions"),
    ):
        for path, before in zip(images, whole, strict=True):
            path.write_bytes(before)
        images[wrong].write_bytes(content)
        code, output = gpunet_command("train", "mnist", "--data", "data", "--out", "run")
        assert code == 2 and says in output and output.count("\n") == 1
        assert not (tmp_path / "run").exists()


def test_a_sample_of_another_dataset(gpunet_command, tmp_path):
    write_mnist(tmp_path / "data")
    assert gpunet_command("train", "mnist", "--data", "data", "--epochs", 1, "--out", "run")[0] == 0
    for part in ("train", "t10k"):
        (tmp_path / "data" / f"{part}-images-idx3-ubyte").write_bytes(
            struct.pack(">4I", 0x803, 64, 14, 14) + bytes(64 * 14 * 14))
    code, output = gpunet_command("predict", "run", "--sample", 1)
    assert code == 2 and "The test images are 14 x 14, and the network reads 28 x 28" in output


def test_a_disk_that_fills_up(gpunet_command, monkeypatch):
    from gpunet.train import Trainer

    def full(trainer, path, *arguments, **options):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Trainer, "save", full)
    code, output = gpunet_command("train", "digits", "--epochs", 1, "--out", "here")
    assert code == 2 and "Error: here/checkpoint.safetensors cannot be written: No space left on device." in output


def test_the_defaults_that_help_shows_are_the_recipes():
    from gpunet.cli.train import DEFAULTS
    from gpunet.train.recipes import RECIPES
    from gpunet.train.recipes.recipe import OPTIMIZERS

    for name, recipe in RECIPES.items():
        settings = {f"{section}.{key}": each for section, keys in recipe.settings.items() for key, each in keys.items()}
        rates = {each: settings["optimizer.lr"].default({"optimizer.name": each}) for each in OPTIMIZERS}
        assert DEFAULTS[name] == {
            **{key.rpartition(".")[2]: str(settings[key].default)
               for key in ("train.epochs", "train.batch_size", "model.dropout")},
            "lr": ", ".join(f"{each} {rate:g}" for each, rate in rates.items()),
        }  # fmt: skip
        assert settings["optimizer.name"].default == "adamw" and settings["train.seed"].default == 0


def test_a_command_to_copy_is_quoted(gpunet_command):
    code, output = gpunet_command("train", "digits", "--epochs", 1, "--out", "two words")
    assert code == 0 and "gpunet predict 'two words' --sample 12" in output


def test_no_gpu_is_said(gpunet_command):
    from gpunet.cli.common import UserError, open_device

    try:
        open_device("cuda:7")
    except UserError:
        code, output = gpunet_command("train", "digits", "--device", "cuda:7")
        assert code == 2 and "gpunet devices" in output and output.count("Error:") == 1


def test_auto_always_finds_a_device():
    from gpunet.cli.common import open_device

    assert open_device("auto") in ("cpu", "cuda")


def test_divergence_is_one_sentence(gpunet_command):
    code, output = gpunet_command("train", "digits", "--optimizer", "sgd", "--lr", 1e30, "--out", "run")
    assert code == 2 and "a lower learning rate may help" in output
