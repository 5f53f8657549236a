import os

import pytest
from click.testing import CliRunner

from gpunet.cli import main


@pytest.fixture
def gpunet_command(tmp_path, monkeypatch):
    """`gpunet ...` in this process and in an empty folder: returns (exit code, output and errors together)."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        result = CliRunner().invoke(main, [str(each) for each in arguments], prog_name="gpunet")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert "Traceback" not in result.output
        return result.exit_code, result.output

    return call


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory):
    """A run folder with a network that reads digits well enough for tests."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    result = CliRunner().invoke(main, ["train", "digits", "--epochs", "8", "--out", os.fspath(folder)])
    assert result.exit_code == 0, result.output
    return folder
