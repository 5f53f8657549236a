"""`gpunet train --serve`: the page is there while it trains, and its address is printed first."""

import http.client
import re
import socket

import pytest

from gpunet.train import LiveView


@pytest.fixture
def pages(monkeypatch):
    """The pages as they are at the end of each epoch."""
    found = []
    usual = LiveView.on_epoch_end

    def look(self, trainer, row):
        usual(self, trainer, row)
        connection = http.client.HTTPConnection("127.0.0.1", int(self.url.split(":")[2].strip("/")), timeout=60)
        connection.request("GET", "/")
        found.append(connection.getresponse().read().decode())
        connection.close()

    monkeypatch.setattr(LiveView, "on_epoch_end", look)
    monkeypatch.setattr("gpunet.train.callbacks.live._FAREWELL", 0.0)
    return found


def test_it_serves_while_it_trains(gpunet_command, pages):
    code, output = gpunet_command("train", "digits", "--epochs", 1, "--out", "run", "--serve")
    assert code == 0 and re.match(r"Live view: http://127\.0\.0\.1:\d+/\n", output)
    assert len(pages) == 1 and "<title>run: digits</title>" in pages[0]
    code, output = gpunet_command("resume", "run", "--epochs", 2, "--serve", "0")
    assert code == 0 and len(pages) == 2


def test_a_port_in_use_stops_it_before_it_begins(gpunet_command, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, output = gpunet_command("train", "digits", "--out", "run", "--serve", port)
    assert code == 2 and f"port {port} of 127.0.0.1 cannot be used: " in output and "choose another one" in output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments, message", [
    (["train", "digits", "--serve", "70000"], "70000 is not in the range 0<=x<=65535"),
    (["train", "table", "--serve", "a.csv"], "'a.csv' is no port; write a number behind --serve, or"),
    (["train", "digits", "--serve", "x"], "'x' is no port"),
])
def test_errors(gpunet_command, arguments, message):
    code, output = gpunet_command(*arguments)
    assert code == 2 and message in output, output
