"""The edge of the command: errors become one sentence and an exit status, names are shown as they are."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

import gpunet.cli
from gpunet.cli.edge import Edge
from gpunet.cli.stopping import Stopped

CUT = OSError(errno.ENOSPC, "No space left on device")


def raised(error):
    """(status, stdout, stderr) of a command that raises this."""
    @click.group(cls=Edge)
    def main():
        pass

    @main.command()
    def fail():
        if callable(error):
            error()
        raise error

    result = CliRunner().invoke(main, ["fail"])
    return result.exit_code, result.stdout, result.stderr


def errors_of_ours():
    from gpunet.data.datasets import DatasetError
    from gpunet.kernel.nvrtc import NvrtcError
    from gpunet.ptx import MissingError, Unsupported
    from gpunet.sim import CompileError, CompilerMissingError
    from gpunet.train.config import ConfigError
    from gpunet.train.run_folder import RunError

    return (ConfigError, DatasetError, NvrtcError, CompileError, CompilerMissingError, MissingError, RunError,
            Unsupported)


@pytest.mark.parametrize("error, says", [
    (CUT, "Reading or writing failed: No space left on device."),
    (OSError(errno.EROFS, "Read-only file system", "r/weights.safetensors"),
     "r/weights.safetensors: Read-only file system."),
    (OSError(errno.ENAMETOOLONG, "File name too long", "x" * 999), f"{'x' * 90}...{'x' * 90}: File name too long."),
    (PermissionError(errno.EACCES, "Permission denied", "a", None, "b"), "a, b: Permission denied."),
    (OSError("it is odd"), "Reading or writing failed: it is odd."),
    (MemoryError(), "Not enough memory: MemoryError. Smaller batches"),
    (lambda: np.empty(2**57), "Not enough memory: Unable to allocate 1.00 EiB"),
    *[(kind("This is said."), "Error: This is said.") for kind in errors_of_ours()],
    (click.UsageError("Wrong."), "Error: Wrong."),
    (OSError(errno.ENOENT, "Not here", "\x1b[31m[/x]\udcff"), "\\x1b[31m[/x]\\udcff: Not here."),
], ids=lambda value: type(value).__name__)
def test_what_the_user_can_put_right_is_one_sentence_and_status_2(error, says):
    status, out, text = raised(error)
    assert status == 2 and out == "" and says in text
    assert "Traceback" not in text and text.count("Error: ") == 1


@pytest.mark.parametrize("error", [KeyError("x"), ValueError("shapes differ"), AssertionError(), RecursionError()])
def test_a_fault_of_our_own_is_shown_whole_and_has_its_own_status(error):
    status, _, text = raised(error)
    assert status == 70 and "Traceback (most recent call last)" in text and "raise error" in text
    assert f"This is a fault of gpunet {gpunet.__version__}" in text and "Please report it" in text


def test_an_interrupt_and_a_reader_that_has_gone():
    assert raised(KeyboardInterrupt())[0] == 130
    assert raised(Stopped(signal.SIGTERM))[0] == 143
    assert raised(BrokenPipeError(errno.EPIPE, "Broken pipe"))[::2] == (141, "")


def run(arguments, **how):
    return subprocess.run([sys.executable, "-m", "gpunet", *arguments], stderr=subprocess.PIPE, timeout=120, **how)


def test_output_that_cannot_be_written():
    with open("/dev/full", "wb") as full:
        ended = run(["--version"], stdout=full)
    assert ended.returncode == 2
    assert ended.stderr.decode() == "Error: Reading or writing failed: No space left on device.\n"
    reader, writer = os.pipe()
    os.close(reader)
    ended = run(["--version"], stdout=writer)
    os.close(writer)
    assert ended.returncode == 141 and ended.stderr == b""


NAMES = ("[bold]x", "[/x]", ":smile:", "a[red]b", "\\[x]", "[link=a]")


def test_names_are_no_markup(gpunet_command, digits_run, tmp_path):
    image = pytest.importorskip("PIL.Image").new("L", (30, 30), 255)
    image.paste(0, (12, 5, 16, 25))
    for name in NAMES:
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        image.save(path)
        code, output = gpunet_command("predict", digits_run, f"{name}.png")
        assert code == 0 and f" {name}.png " in output
        code, output = gpunet_command("train", "digits", "--epochs", 1, "--out", f"runs/{name}")
        assert code == 0 and f"runs/{name}/weights.safetensors" in output and (tmp_path / "runs" / name).is_dir()
        code, output = gpunet_command("predict", f"none/{name}", "--sample", 1)
        assert code == 2 and f"none/{name}" in output


def test_classes_are_no_markup(gpunet_command, tmp_path):
    from gpunet.models import MLP

    about = {"recipe": "digits", "task": "classification", "epoch": 1, "image_shape": [8, 8],
             "classes": ["[/a]", "[bold]b", ":smile:"],
             "model": {"sizes": [64, 3], "activation": "relu", "dropout": 0.0}}
    MLP((64, 3)).save(tmp_path / "w", {"gpunet": json.dumps(about)})
    pytest.importorskip("PIL.Image").effect_noise((8, 8), 90).save(tmp_path / "a.png")
    code, output = gpunet_command("predict", "w", "a.png")
    assert code == 0 and sum(each in output for each in ("[/a]", "[bold]b", ":smile:")) == 2


def test_names_do_not_steer_the_terminal(gpunet_command, tmp_path):
    name = os.fsdecode(b"\x1b[31m\xff\n.png")
    code, output = gpunet_command("train", "digits", "--epochs", 1, "--out", name)
    assert code == 0 and "\x1b" not in output and "\\x1b[31m\\udcff" in output and (tmp_path / name).is_dir()


def test_a_terminal_that_knows_no_unicode(digits_run):
    ended = run(["predict", digits_run, "--sample", "2"], stdout=subprocess.PIPE,
                env=os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert ended.returncode == 0 and re.search(rb"\| +\d \d\d\.\d% +\|", ended.stdout) and b"@" in ended.stdout


def test_consoles_are_made_in_one_place():
    """make_console's own class has no markup; rich's, and rich's print, would have it."""
    files = list(Path(gpunet.cli.__file__).parent.rglob("*.py"))
    assert len(files) > 10
    other = re.compile(r"\bConsole\(|rich import print|from_markup")
    assert not [path.name for path in files if other.search(path.read_text())]


def test_the_first_build_is_announced_once(capsys):
    import logging

    from gpunet.cli.common import tell_of_builds

    tell_of_builds()
    tell_of_builds()
    logger = logging.getLogger("gpunet.build")
    (handler,) = [each for each in logger.handlers if type(each).__name__ == "_FirstBuild"]
    handler._told = False
    logger.info("Native CPU kernels do not serve: %s", "there is no compiler")  # nothing is compiled
    for _ in range(3):
        logger.info("Compiling CUDA kernels for the CPU with %s", "g++")
    assert capsys.readouterr().err == ("Compiling CUDA kernels for the CPU with g++: this takes a while, once; the "
                                       "result is kept.\n")


def commands(command, path=()):
    yield path, command
    for name, each in getattr(command, "commands", {}).items():
        yield from commands(each, (*path, name))


# Options without a default of their own: what they leave out is not done.
NO_DEFAULT = {"--sample", "--resume", "--arg", "--out", "-D", "-I", "--data", "--set", "--target", "--input", "--trace",
              "--html"}


LEAVES = {" ".join(path): command for path, command in commands(gpunet.cli.main) if not hasattr(command, "commands")}


@pytest.mark.parametrize("name", LEAVES)
def test_help_shows_every_default(name):
    path, command = name.split(), LEAVES[name]
    shown = CliRunner().invoke(gpunet.cli.main, [*path, "--help"]).output.partition("Options:")[2]
    text = " ".join(["", *shown.split()])
    options = [each for each in command.params if isinstance(each, click.Option) and not each.is_flag]
    missing = []
    for option in options:
        part = re.search(rf" {re.escape(option.opts[0])} .*?(?= --?[a-z-]+ [A-Z\[]| -h, --help)", text)
        if "[default: " not in part.group() and option.opts[0] not in NO_DEFAULT:
            missing.append(option.opts[0])
    assert not missing


def settings():
    """variable -> what reads it, in gpunet."""
    from gpunet.devices.sim import open_sim
    from gpunet.kernel import compilers, source
    from gpunet.native import blas, library, threads
    from gpunet.ops import matmul_hopper
    from gpunet.ptx import launch

    return {"GPUNET_WGMMA": matmul_hopper._setting.__wrapped__, "GPUNET_SIM": lambda: open_sim(None),
            "GPUNET_CUDA_COMPILER": lambda: compilers.build(source.read("random.cu"), "sm_80", "uniform<float>"),
            "GPUNET_NATIVE": library.setting, "GPUNET_NUM_THREADS": threads.default,
            "GPUNET_BLAS_THREADS": blas.chosen_threads, "GPUNET_SIM_WORKERS": launch.workers}


@pytest.mark.parametrize("variable", ["GPUNET_WGMMA", "GPUNET_SIM", "GPUNET_CUDA_COMPILER", "GPUNET_NATIVE",
                                      "GPUNET_NUM_THREADS", "GPUNET_BLAS_THREADS", "GPUNET_SIM_WORKERS"])
def test_a_variable_that_means_nothing_is_told(monkeypatch, variable):
    monkeypatch.setenv(variable, "perhaps")
    status, _, stderr = raised(settings()[variable])
    assert status == 2
    assert re.match(rf"Error: \${variable} is 'perhaps'; it (is|must be) .*\b(0|1|cxx|auto)\b", stderr)
    assert stderr.count("\n") == 1
