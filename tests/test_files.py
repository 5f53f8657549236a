"""Writing files: whole or not there, whatever fails, and whoever else writes."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gpunet import files


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", ["f", "a name with [brackets] and spaces", "ü" * 120, "x" * 255])
def test_replace(tmp_path, name):
    path = tmp_path / name
    files.replace(path, b"one")
    files.replace(path, "zwölf", durable=False, mode=0o600)
    assert path.read_text(encoding="utf-8") == "zwölf" and path.stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == [name]


@pytest.mark.parametrize("step", ["fsync", "replace", "chmod"])
def test_what_fails_leaves_the_old_file(tmp_path, monkeypatch, step):
    path = tmp_path / "f"
    files.replace(path, b"old")

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device", ".f.1-00000000.tmp")

    with monkeypatch.context() as patch:
        patch.setattr(files.os, step, fail)
        with pytest.raises(OSError, match="No space left on device") as error:
            files.replace(path, b"new", mode=0o644)
    assert error.value.filename == str(path) and error.value.errno == errno.ENOSPC
    assert path.read_bytes() == b"old" and names(tmp_path) == ["f"]


def test_places_that_take_no_file(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    for name in ("fifo", "folder"):
        with pytest.raises(OSError, match="not a regular file"):
            files.replace(tmp_path / name, b"")
    with pytest.raises(FileNotFoundError, match="nowhere/f'"):
        files.replace(tmp_path / "nowhere" / "f", b"")
    assert names(tmp_path) == ["fifo", "folder"]


_WRITER = """
import sys, time
from pathlib import Path
from gpunet import files
path, handle = files._open_beside(Path(sys.argv[1]))
print(path, flush=True)
time.sleep(60)
"""


def test_only_what_dead_processes_have_left_is_swept(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(Path(files.__file__).parents[1])}
    writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path / "f")], stdout=subprocess.PIPE, text=True,
                              env=environment)
    try:
        being_written = Path(writer.stdout.readline().strip())
        left = [".f.123.tmp", f".f.{os.getpid()}-0a1b2c3d.tmp", f".f.{writer.pid}.tmp"]  # numbers are used again
        others = [".g.1.tmp", ".f.tmp", "f.1.tmp", ".f.1.tmp.txt", ".f.x.tmp"]
        for name in left + others:
            (tmp_path / name).write_text("")
        files.replace(tmp_path / "f", b"mine")
        assert names(tmp_path) == sorted([being_written.name, "f", *others])
        files.sweep(tmp_path)
        assert names(tmp_path) == sorted([being_written.name, "f", *others[1:]])
    finally:
        writer.kill()
        writer.communicate()
    files.sweep(tmp_path, ["f"])
    assert names(tmp_path) == sorted(["f", *others[1:]])


_KILLED = """
import sys
from pathlib import Path
from gpunet import files
print("go", flush=True)
for number in range(10**9):
    files.replace(Path(sys.argv[1]), bytes([number % 256]) * 300_000, durable=False)
"""


def test_killed_at_any_moment(tmp_path):
    path = tmp_path / "f"
    environment = os.environ | {"PYTHONPATH": str(Path(files.__file__).parents[1])}
    for delay in (0.0, 0.011, 0.023, 0.037):
        process = subprocess.Popen([sys.executable, "-c", _KILLED, str(path)], stdout=subprocess.PIPE, env=environment)
        process.stdout.readline()
        while not path.exists():
            time.sleep(0.001)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        content = path.read_bytes()
        assert len(content) == 300_000 and len(set(content)) == 1
    files.replace(path, b"")
    assert names(tmp_path) == ["f"]


def test_claim(tmp_path):
    claim = files.Claim(tmp_path)
    with pytest.raises(BlockingIOError, match="in use by another process"):
        files.Claim(tmp_path)
    claim.release()
    other = files.Claim(tmp_path)
    claim.release()  # does nothing to the other's
    with pytest.raises(BlockingIOError):
        files.Claim(tmp_path)
    del other
    files.Claim(tmp_path).release()


def test_where_there_are_no_locks(tmp_path, monkeypatch):
    """As on some network file systems: files are written, and nothing is swept or claimed."""
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(files.fcntl, "flock", refuse)
    (tmp_path / ".f.1.tmp").write_text("")
    files.replace(tmp_path / "f", b"a")
    assert names(tmp_path) == [".f.1.tmp", "f"]
    assert files.Claim(tmp_path) and files.Claim(tmp_path)
