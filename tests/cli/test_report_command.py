"""`gpunet report`: a page that holds all it needs, says what the run says, and is written also where data are gone."""

import base64
import io
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest

from gpunet.train import load_run, write_report
from gpunet.train.loaded import LoadedRun
from gpunet.train.run_folder import RunError

Image = pytest.importorskip("PIL.Image")

class Page(HTMLParser):
    """Refuses tags that do not match; keeps texts, and the attributes of every element."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.texts = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style" and data.strip():
            self.texts.append(data.strip())

    def all(self, tag, **wanted):
        return [attrs for name, attrs in self.elements if name == tag and wanted.items() <= attrs.items()]


@pytest.fixture(scope="module")
def reported(digits_run, tmp_path_factory):
    """The run in a folder with a name that is HTML, and its page."""
    folder = tmp_path_factory.mktemp("reports") / "<script>alert('&amp;')<b>"
    shutil.copytree(digits_run, folder)
    return load_run(folder), write_report(folder).read_text()


def test_the_page_asks_nobody_for_anything(reported):
    _, text = reported
    page = Page(text)
    (policy,) = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert policy["content"] == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert set(re.findall(r"https?://[^\s\"'<]*", text)) <= {"http://www.w3.org/2000/svg"}
    assert all(attrs["src"].startswith("data:image/png;base64,") for attrs in page.all("img"))
    assert not page.all("script") and "url(" not in text and "@import" not in text
    places = {f"#{attrs['id']}" for attrs in page.all("section") if "id" in attrs}
    assert {attrs["href"] for attrs in page.all("a")} == places


def test_names_are_escaped(reported):
    run, text = reported
    assert run.name.startswith("<script>") and "<script" not in text and "<b>x" not in text
    assert "&lt;script&gt;alert(&#39;&amp;amp;&#39;)&lt;b&gt;" in text


def test_the_page_says_what_the_run_says(reported):
    run, text = reported
    page, found = Page(text), run.predictions("validation")
    matrix = [int(cell) for cell in re.findall(r'<td class="(?:right|wrong).*?>(\d+)</td>', text)]
    expected = np.zeros((10, 10), int)
    np.add.at(expected, (found.targets, found.outputs.argmax(1)), 1)
    assert np.array_equal(np.reshape(matrix, (10, 10)), expected)
    numbers = [int(each) for each in re.findall(r"no\. (\d+)</span>", text)]
    assert numbers == np.argsort(-found.losses, kind="stable")[:24].tolist()
    picture = Image.open(io.BytesIO(base64.b64decode(page.all("img")[0]["src"].partition(",")[2])))
    assert np.abs(np.asarray(picture) / 255 - run.picture("validation", numbers[0])).max() < 0.01
    for word in (f"{run.test['accuracy']:.4f}".rstrip("0"), "Learning curves", "Validation accuracy", "optimizer",
                 "weight_decay", "Python", f"epoch {run.best_epoch}", "Linear", "8,320"):
        assert any(word in each for each in page.texts), word
    assert "validation, epoch 1: " in text


def test_where_the_data_are_gone(digits_run, tmp_path, monkeypatch):
    def gone(self, part="validation"):
        raise RunError("The data in <here> are gone; bring them back.")

    monkeypatch.setattr(LoadedRun, "data", gone)
    text = write_report(digits_run, tmp_path / "page.html").read_text()
    page = Page(text)
    assert "The data in &lt;here&gt; are gone; bring them back." in text
    assert not page.all("img") and any("Learning curves" in each for each in page.texts)


def test_where_the_history_has_gaps(digits_run, tmp_path):
    """A row as other programs, or a metric that is not finite, leave it; and no row at all."""
    run = load_run(digits_run)
    run.history[:] = [{"epoch": 1, "loss": 0.5, "val_loss": None}, {"epoch": 2, "loss": 0.25, "lr": 0.1}]
    assert "training, epoch 2: 0.25" in write_report(run, tmp_path / "a.html").read_text()
    run.history[:] = []
    with pytest.raises(RunError, match="no finished epoch to report on"):
        write_report(run, tmp_path / "a.html")


def test_the_command(gpunet_command, digits_run, tmp_path):
    assert gpunet_command("report", digits_run, "--out", "a.html", "--part", "test", "--worst", 3) == \
        (0, "Report: a.html\n")
    text = (tmp_path / "a.html").read_text()
    assert re.search(r"Results on the test data: \d+ examples", text)
    assert len(Page(text).all("img")) == 3


@pytest.mark.parametrize("arguments, message", [
    (["nowhere"], "nowhere does not exist; give a folder that `gpunet train` has written."),
    (["{run}", "--out", "no/folder/a.html"], "no/folder"),
    (["{run}", "--worst", "0"], "'--worst'"),
    (["{run}", "--part", "all"], "'--part'"),
])
def test_errors(gpunet_command, digits_run, arguments, message):
    code, output = gpunet_command("report", *(each.format(run=digits_run) for each in arguments))
    assert code == 2 and message in output, output


ROWS = "\n".join(["height,colour,answer", *(f"{i % 7}.5,{'red' if i % 3 else 'blue'},{i % 7 + i % 3}"
                                            for i in range(60))])
WORDS = "To be, or not to be & <b>that</b> is the question. " * 60


@pytest.mark.parametrize("recipe, content, options, words", [
    ("table", ROWS, ["--target", "answer", "--task", "regression", "--epochs", "2"],
     ["regression", "Each point is an example", "The mean error is", ">height</th>", ">red</td>"]),
    ("table", ROWS, ["--target", "colour", "--epochs", "2"], ["classification into 2 classes", "blue taken for red"]),
    ("text", WORDS, ["--epochs", "1", *(f"--set=model.{name}" for name in ("layers=1", "width=16", "context=16"))],
     ["a language model", "perplexity", "loss of a bigram model", "<blockquote>"]),
])
def test_other_recipes(gpunet_command, tmp_path, recipe, content, options, words):
    (tmp_path / "data").write_text(content)
    code, output = gpunet_command("train", recipe, "data", "--out", "run", *options)
    assert code == 0, output
    assert gpunet_command("report", "run") == (0, "Report: run/report.html\n")
    text = (tmp_path / "run" / "report.html").read_text()
    Page(text)
    assert [word for word in words if word not in text] == [] and "What needs the run" not in text
    assert "<b>that" not in text and ("<mark>" in text) == (recipe == "text")
