"""LiveView: what the page says while training goes on, to whom it answers, and that it ends."""

import http.client
import json
import re
import shutil
import socket
import subprocess

import pytest

import gpunet
from gpunet import nn, optim, train


def ask(view, path="/", host=None, method="GET"):
    """(status, headers, text) of an answer."""
    port = int(re.search(r":(\d+)/", view.url)[1])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, headers={} if host is None else {"Host": host.format(port=port)})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, answer.headers, text


class Asks(train.Callback):
    """Asks for the page and the news after each batch."""

    def __init__(self, view, fails=False):
        self.view, self.news, self.fails = view, [], fails

    def on_batch_end(self, trainer, progress):
        self.page = ask(self.view)
        self.news.append(json.loads(ask(self.view, "/news")[2]))
        if self.fails:
            raise ArithmeticError("broken")


@pytest.fixture(autouse=True)
def eager(monkeypatch):
    from gpunet.train.callbacks import live

    monkeypatch.setattr(live, "_EVERY", 0.0)
    monkeypatch.setattr(live, "_FAREWELL", 0.0)


def fit(*callbacks, epochs=2):
    model = nn.Linear(2, 1)
    trainer = train.Trainer(model, nn.functional.mse_loss, optim.SGD(model.parameters(), lr=0.01))
    data = gpunet.ones(8, 2), gpunet.ones(8, 1)
    trainer.fit(data, data, epochs=epochs, batch_size=2, callbacks=callbacks)
    return trainer


def test_the_curves_grow():
    view = train.LiveView(epochs=2, title="<b> & co", announce=False)
    asks = Asks(view)
    fit(view, asks)
    status, headers, page = asks.page
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    assert "&lt;b&gt; &amp; co" in page and "<b>" not in page
    assert not re.search(r"(src|href|url|@import)\W{1,3}(https?:)?//", page)
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and re.search(r"script-src 'nonce-([^']+)'", policy)[1] in page
    assert headers["X-Frame-Options"] == "DENY" and headers["Cross-Origin-Resource-Policy"] == "same-origin"
    first, second, *_, last = asks.news
    assert first["status"] == last["status"] == "running" and first["curves"] == []
    cards = dict(second["cards"])
    assert cards["Epoch"] == "1 of 2" and cards["Batch"] == "1 of 4" and float(cards["Loss"]) > 0
    assert [each["done"] for each in asks.news] == [0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875]
    assert "Validation loss" in dict(asks.news[4]["cards"]) and "validation, epoch 1" in last["curves"][0]


@pytest.mark.parametrize("host, path, method, status", [
    ("127.0.0.1:{port}", "/", "GET", 200), ("LocalHost:{port}", "/news", "GET", 200),
    ("127.0.0.1:{port}", "/", "HEAD", 200), ("evil.example:{port}", "/", "GET", 403),
    ("evil.example", "/news", "GET", 403), ("127.0.0.1", "/news", "GET", 403), ("127.0.0.1:1", "/", "GET", 403),
    ("127.0.0.1:{port}", "/../etc/passwd", "GET", 404), ("127.0.0.1:{port}", "/news?x", "GET", 404),
    ("127.0.0.1:{port}", "/", "POST", 501),
])
def test_to_whom_it_answers(host, path, method, status):
    """Another name in the Host header is another site's page that leads its own name here (DNS rebinding)."""
    found = []

    class Ask(train.Callback):
        def on_epoch_begin(self, trainer, epoch):
            found.append(ask(view, path, host, method))

    view = train.LiveView(announce=False)
    fit(view, Ask(), epochs=1)
    assert found[0][0] == status


def test_only_this_machine_and_only_while_it_trains(capsys):
    view = train.LiveView()
    assert view._server.server_address[0] == "127.0.0.1"
    with pytest.raises(OSError, match=r"port \d+ of 127.0.0.1 cannot be used: .*; choose another one, or 0"):
        train.LiveView(view._port)
    fit(view)
    assert capsys.readouterr().out == f"Live view: {view.url}\n"
    with pytest.raises(ConnectionRefusedError):
        ask(view)
    fit(view, asks := Asks(view))  # again, at the same address
    assert asks.page[0] == 200
    with pytest.raises(ValueError, match="from 0 to 65535"):
        train.LiveView(70000)


def test_an_error_ends_it_too():
    view = train.LiveView(announce=False)
    with pytest.raises(ArithmeticError):
        fit(view, Asks(view, fails=True))
    assert view._state["status"] == "failed"
    with pytest.raises(ConnectionRefusedError):
        ask(view)


def test_while_nobody_looks_nothing_is_read(monkeypatch):
    reads = []
    read = train.Progress.read
    monkeypatch.setattr(train.Progress, "read", lambda self: reads.append(1) or read(self))
    fit(epochs=1)
    usual, reads[:] = len(reads), []
    fit(train.LiveView(announce=False), epochs=1)
    assert len(reads) == usual


def test_a_browser_that_goes_away_does_not_disturb(capfd):
    view = train.LiveView(announce=False)

    class Goes(train.Callback):
        def on_batch_end(self, trainer, progress):
            client = socket.create_connection(("127.0.0.1", view._port))
            client.sendall(b"GET /news HTTP/1.1\r\nHost: ")
            client.close()

    assert len(fit(view, Goes()).history) == 2
    assert capfd.readouterr() == ("", "")


class Looks(train.Callback):
    """Opens the page in a browser in the middle of the training, and keeps what it shows then."""

    def __init__(self, view, browser):
        self.view, self.browser, self.batches = view, browser, 0

    def on_batch_end(self, trainer, progress):
        self.batches += 1
        if self.batches == 7:
            self.page = subprocess.run(
                [self.browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
                 "--disable-background-networking", "--virtual-time-budget=4000", "--dump-dom", self.view.url],
                capture_output=True, text=True, timeout=100, check=True).stdout


@pytest.mark.slow
def test_in_a_browser():
    """Its script runs under the page's own content policy, and shows the running state and the curves."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no Chromium on this machine")
    view = train.LiveView(epochs=2, title="A run", announce=False)
    looks = Looks(view, browser)
    fit(view, looks)
    assert re.search(r'<span[^>]* id="status"[^>]*>running</span>', looks.page)
    assert "<dd>" in looks.page and "<svg" in looks.page.split('id="curves"')[1]
