"""The recipes `text`, `images` and `table`: what they learn, resume and predict, and what is said when a user errs."""

import csv
import json
import os
import re
import shutil
import tomllib

import numpy as np
import pytest

import gpunet
from gpunet.serialization.safetensors_file import load_file
from gpunet.train import load_run
from gpunet.train.recipes.csv_file import Rows, encoded, fitted
from gpunet.train.recipes.images import moved
from gpunet.train.recipes.text import bigram_loss
from gpunet.train.recipes.text import encoded as encoded_text

Image = pytest.importorskip("PIL.Image")


def write_csv(path, names, rows):
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([names, *rows])


def flowers(path, count=120, seed=0):
    """Two columns that tell the kind, one of categories that helps, gaps, a constant column, and a number."""
    rng = np.random.default_rng(seed)
    kinds = np.arange(count) % 3
    rows = []
    for kind in kinds:
        length, width = rng.normal(kind * 2, 0.5), rng.normal(-kind, 0.5)
        colour = ("red", "blue", "")[kind] if rng.random() < 0.8 else "green"
        rows.append([f"{length:.3f}", "NA" if rng.random() < 0.1 else f"{width:.3f}", colour, "same",
                     ("setosa", "virginica", "white")[kind], f"{3 * length - width + rng.normal(0, 0.1):.3f}"])
    write_csv(path, ["length", "width", "colour", "constant", "kind", "weight"], rows)


def pictures(root, count=20, size=20):
    """Bright on the left, or on the right, in random colours."""
    rng = np.random.default_rng(0)
    for name in ("left", "right"):
        (root / name).mkdir(parents=True)
        for number in range(count):
            pixels = rng.integers(0, 60, (size, size + 4, 3), np.uint8)
            half = pixels[:, : size // 2] if name == "left" else pixels[:, size // 2 + 4 :]
            half += rng.integers(120, 190, 3, np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number:02}.png")


SMALL = {
    "text": ["--set", "model.width=16", "--set", "model.layers=1", "--set", "model.heads=2", "--set",
             "model.context=16", "--set", "data.validation=0.1", "--set", "data.test=0.1", "--lr", 0.02],
    "images": ["--set", "data.size=16", "--set", "model.width=8", "--set", "data.flip=false", "--set",
               "data.validation=0.2", "--set", "data.test=0.2", "--batch-size", 8],
    "table": ["--set", "model.hidden=[16]", "--set", "model.members=2", "--batch-size", 16],
}


@pytest.fixture
def inputs(tmp_path):
    (tmp_path / "a.txt").write_text("the cat sat on the mat; " * 200)
    flowers(tmp_path / "a.csv")
    pictures(tmp_path / "pics")
    return {"text": ["text", "a.txt"], "images": ["images", "pics"], "table": ["table", "a.csv", "--target", "kind"],
            "regression": ["table", "a.csv", "--target", "weight"]}


def small(inputs, kind):
    return ["train", *inputs[kind], *SMALL["table" if kind == "regression" else kind]]


def test_pictures_beyond_the_memory_are_read_when_needed(gpunet_command, tmp_path, inputs):
    """The run is the same, bit for bit, whether some pictures or none stay in memory, with and without workers."""
    options = [*small(inputs, "images"), "--epochs", 1]
    settings = {"some": [f"data.memory={15 * 3 * 16 * 16 / 2**30}"], "none": ["data.memory=0", "train.workers=1"]}
    for name, given in settings.items():
        code, output = gpunet_command(*options, *(each for value in given for each in ("--set", value)), "--out", name)
        assert code == 0, output
    some, none = (load_file(tmp_path / name / "weights.safetensors") for name in settings)
    assert all(np.array_equal(some[key].numpy(), none[key].numpy()) for key in some)
    assert load_run(tmp_path / "some").data("test").dataset._kept.shape == (15, 3, 16, 16)
    (tmp_path / "pics" / "right" / "19.png").unlink()
    assert "have changed" in gpunet_command("resume", "none", "--epochs", 2)[1]


LEARNS = {"text": (4, "loss", lambda loss: loss < 0.7), "images": (12, "accuracy", lambda share: share >= 0.75),
          "table": (20, "accuracy", lambda share: share > 0.8), "regression": (30, "r2", lambda r2: r2 > 0.9)}


@pytest.mark.parametrize("kind", LEARNS)
def test_a_recipe_learns_and_its_run_tells_all(gpunet_command, tmp_path, inputs, kind):
    epochs, name, good = LEARNS[kind]
    code, output = gpunet_command(*small(inputs, kind), "--epochs", epochs, "--out", "run")
    assert code == 0, output
    history = json.loads((tmp_path / "run" / "history.json").read_text())
    assert good(history["test"][name]), history["test"]
    best = min(history["epochs"], key=lambda row: row["val_loss"])
    assert history["best"]["epoch"] == best["epoch"]
    run = load_run(tmp_path / "run")
    assert run.state == "finished" and run.best_epoch == best["epoch"] and run.test == history["test"]
    for part, wanted in (("test", history["test"][name]), ("validation", best[f"val_{name}"])):
        assert run.evaluate(part)[name] == pytest.approx(wanted, rel=1e-5)
    found = run.predictions("test")
    assert len(found.outputs) == len(found.targets) == len(found.losses) == len(run.data("test"))
    if kind in ("table", "images"):
        assert (found.outputs.argmax(1) == found.targets).mean() == pytest.approx(history["test"]["accuracy"])
    assert run.model(run.example_input(2)).shape[0] == 2
    sizes = [len(run.data(part)) for part in ("train", "validation", "test")]
    assert min(sizes) > 0
    code, output = gpunet_command("evaluate", "run", "--json")
    assert code == 0 and json.loads(output)[name] == pytest.approx(history["test"][name], rel=1e-5)
    code, output = gpunet_command("evaluate", "run", "--data", *inputs[kind][1:2], "--json")
    assert code == 0 and good(json.loads(output)[name])
    code, output = gpunet_command("runs", ".", "--json")
    (row,) = json.loads(output)
    assert row["recipe"] == inputs[kind][0] and row["state"] == "finished" and row["epochs"] == epochs


@pytest.mark.parametrize("kind", LEARNS)
def test_resuming_is_exact(gpunet_command, tmp_path, inputs, kind):
    """With dropout, mixed precision, an average of the weights and accumulation; stopped in the middle of an epoch."""
    options = ["--dropout", 0.3, "--precision", "bfloat16", "--set", "train.ema=0.9", "--set", "train.accumulate=2",
               "--epochs", 2]
    from gpunet.train import Callback
    from gpunet.train.run import Run

    class Stop(Callback):
        def on_batch_end(self, trainer, progress):
            if progress.epoch == 2 and progress.batches == 2:
                os.kill(os.getpid(), 2)

    assert gpunet_command(*small(inputs, kind), *options, "--out", "whole")[0] == 0
    fit = Run.fit
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "fit", lambda self, callbacks=(): fit(self, [*callbacks, Stop()]))
        code, output = gpunet_command(*small(inputs, kind), *options, "--out", "stopped")
    assert code == 130 and "stopped keeps the 1 finished epoch and 2 batches of epoch 2." in output, output
    assert gpunet_command("runs", ".")[1].count("stopped") == 2  # its name and its state
    gpunet.manual_seed(999)  # whatever another program does between
    assert gpunet_command("resume", "stopped")[0] == 0
    for name in ("weights.safetensors", "checkpoint.safetensors"):
        whole, stopped = (load_file(tmp_path / folder / name) for folder in ("whole", "stopped"))
        for key, value in whole.items():
            np.testing.assert_array_equal(value.float().numpy(), stopped[key].float().numpy(), err_msg=key)


def test_text_is_continued(gpunet_command, inputs):
    assert gpunet_command(*small(inputs, "text"), "--epochs", 6, "--out", "run")[0] == 0
    code, output = gpunet_command("predict", "run", "the cat ", "--length", 15, "--temperature", 0)
    assert code == 0 and output.startswith("the cat sat on the")
    code, output = gpunet_command("predict", "run", "the ", "on ", "--length", 5, "--json")
    assert code == 0 and [len(row["continuation"]) for row in json.loads(output)] == [5, 5]
    assert gpunet_command("predict", "run", "the ", "--length", 9, "--seed", 3)[1] == gpunet_command(
        "predict", "run", "the ", "--length", 9, "--seed", 3)[1]


def test_tables_and_pictures_are_predicted(gpunet_command, tmp_path, inputs):
    assert gpunet_command(*small(inputs, "table"), "--epochs", 20, "--out", "table")[0] == 0
    write_csv(tmp_path / "new.csv", ["colour", "weight", "width", "length", "constant"],
              [["red", "0", "0", "0", "x"], ["purple", "", "", "4", ""]])
    code, output = gpunet_command("predict", "table", "new.csv", "--json")
    rows = json.loads(output)
    assert code == 0 and [row["input"] for row in rows] == ["new.csv:2", "new.csv:3"]
    assert rows[0]["prediction"] == "setosa" and set(rows[0]["probabilities"]) == {"setosa", "virginica", "white"}
    assert "setosa" in gpunet_command("predict", "table", "new.csv")[1]
    assert gpunet_command(*small(inputs, "images"), "--epochs", 12, "--out", "images")[0] == 0
    code, output = gpunet_command("predict", "images", "pics/right", "--json")
    rows = json.loads(output)
    assert code == 0 and sum(row["prediction"] == "right" for row in rows) >= 16 and len(rows) == 20
    code, output = gpunet_command("predict", "images", "--sample", 2)
    assert code == 0 and "of 2 right (pictures of the test set" in output


def test_settings_by_file_and_by_option(gpunet_command, tmp_path, inputs):
    code, text = gpunet_command("train", "table", "--settings")
    assert code == 0 and tomllib.loads(text)["optimizer"]["name"] == "adamw"
    (tmp_path / "c.toml").write_text('recipe = "table"\n[data]\npath = "a.csv"\ntarget = "kind"\n'
                                     "[model]\nhidden = [8]\n[train]\nepochs = 5\n[optimizer]\nlr = 0.5\n")
    code, output = gpunet_command("train", "c.toml", "--set", "optimizer.lr=0.01", "--set", "train.epochs=4",
                                  "--epochs", 1, "--seed", 3, "--out", "run")
    assert code == 0, output
    config = tomllib.loads((tmp_path / "run" / "config.toml").read_text())
    assert (config["optimizer"]["lr"], config["train"]["epochs"], config["train"]["seed"]) == (0.01, 1, 3)
    assert config["model"]["hidden"] == [8] and config["data"]["path"] == str(tmp_path / "a.csv")
    assert gpunet_command("train", "run/config.toml", "--out", "again")[0] == 0  # what was resolved can be run again
    first, second = (load_file(tmp_path / name / "weights.safetensors") for name in ("run", "again"))
    assert all((value == second[name]).all() for name, value in first.items())


# ---- what is said about mistakes

def _file(name, content):
    return lambda folder: (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def _nothing(folder):
    pass


def _damaged_picture(folder):
    pictures(folder / "p")
    (folder / "p" / "left" / "03.png").write_bytes(b"\x89PNG no more")


def _with_class(files, name="left"):
    def make(folder):
        (folder / "p" / name).mkdir(parents=True)
        for number in range(files):
            Image.new("RGB", (9, 9)).save(folder / "p" / name / f"{number}.png")
    return make


def _few(folder):
    pictures(folder / "p")
    _with_class(2, "rare")(folder)


def _empty_class(folder):
    pictures(folder / "p")
    (folder / "p" / "none").mkdir()


MISTAKES = {
    "no recipe": (_file("c.toml", "x = 1"), ["c.toml"], 'c.toml names no recipe; begin it with recipe = "NAME"'),
    "another recipe": (_file("c.toml", 'recipe = "tabel"'), ["c.toml"], "no recipe 'tabel'; did you mean 'table'?"),
    "no TOML": (_file("c.toml", "recipe = "), ["c.toml"], "c.toml is no TOML file: Invalid value"),
    "no text": (_file("c.toml", b"\xff"), ["c.toml"], "c.toml is no TOML file"),
    "outside a section": (_file("c.toml", 'recipe = "text"\nepochs = 3'), ["c.toml"],
                          "c.toml: epochs stands outside a section; write it below its section"),
    "a wrong key": (_file("c.toml", 'recipe = "text"\n[train]\nepoch = 3'), ["c.toml"],
                    "train.epoch is no setting of the recipe text; did you mean train.epochs?"),
    "a wrong section": (_file("c.toml", 'recipe = "text"\n[trian]\nepochs = 3'), ["c.toml"],
                        "trian.epochs is no setting of the recipe text; did you mean train.epochs?"),
    "a wrong value": (_file("c.toml", 'recipe = "text"\n[train]\nepochs = 0'), ["c.toml"],
                      "train.epochs is 0; it must be a whole number of at least 1"),
    "no file given": (_nothing, ["text"], "data.path is missing: the text file, in UTF-8; give it in the file or by"),
    "no such text": (_nothing, ["text", "gone.txt"], "gone.txt cannot be read: No such file"),
    "a text of bytes": (_file("b.txt", b"abc\xff"), ["text", "b.txt"], "b.txt is no text in UTF-8: byte 3"),
    "a short text": (_file("b.txt", "abc" * 50), ["text", "b.txt"], "b.txt has 150 characters, of which validation"),
    "an empty text": (_file("b.txt", ""), ["text", "b.txt"], "b.txt has 0 characters"),
    "heads": (_file("b.txt", "abc" * 50), ["text", "b.txt", "--set", "model.heads=3"],
              "model.heads is 3, which does not divide model.width, 128; choose a divisor"),
    "no such folder": (_nothing, ["images", "gone"], "gone is no folder; give one that holds a folder of pictures"),
    "an empty folder": (lambda folder: (folder / "p").mkdir(), ["images", "p"], "p holds no folders; put the pictures"),
    "one class": (_with_class(5), ["images", "p"], "p holds one class, 'left', and there must be at least two"),
    "an empty class": (_empty_class, ["images", "p"], "p: the class 'none' has no pictures; their names end in .jpg"),
    "a rare class": (_few, ["images", "p"], "p: the class 'rare' has 2 pictures, and each class needs at least 3"),
    "a damaged picture": (_damaged_picture, ["images", "p"], "p/left/03.png cannot be read: "),
    "a network": (_nothing, ["images", "p", "--model", "resnet17"], "model.name is 'resnet17'; it must be one of cnn"),
    "too large": (lambda folder: pictures(folder / "p", 4), ["images", "p", "--set", "data.size=30000"],
                  "A batch of 32 pictures of 30000 x 30000 takes 80.5 GiB, and it may take 1 GiB; choose a smaller"),
    "a recipe that is no name": (_file("c.toml", 'recipe = ["table"]\n'), ["c.toml"],
                                 "c.toml: there is no recipe ['table']; did you mean 'table'?"),
    "a network beyond the machine": (_file("t.csv", "a,b\n1,2\n2,1\n" * 20), ["table", "t.csv", "--target", "b",
                                     "--set", "model.hidden=[2000000000]"], "weights, which take "),
    "no such table": (_nothing, ["table", "gone.csv", "--target", "x"], "gone.csv cannot be read: No such file"),
    "no target": (_file("t.csv", "a,b\n1,2\n"), ["table", "t.csv"], "data.target is missing: the column to predict"),
    "another target": (_file("t.csv", "kind,b\n1,2\n"), ["table", "t.csv", "--target", "kin"],
                       "t.csv has no column 'kin'; did you mean 'kind'?"),
    "an empty table": (_file("t.csv", ""), ["table", "t.csv", "--target", "a"], "t.csv is empty; its first line"),
    "names alone": (_file("t.csv", "a,b\n"), ["table", "t.csv", "--target", "a"], "t.csv has no rows below the names"),
    "a short row": (_file("t.csv", "a,b\n1,2\n3\n"), ["table", "t.csv", "--target", "a"],
                    "t.csv, line 3: the row has 1 values, and there are 2 columns; mend or remove it"),
    "a quote": (_file("t.csv", 'a,b\n1,"2\n'), ["table", "t.csv", "--target", "a"], "t.csv, line 2: unexpected end"),
    "two of a name": (_file("t.csv", "a,a\n1,2\n"), ["table", "t.csv", "--target", "a"], "two columns called 'a'"),
    "a target that is missing": (_file("t.csv", "a,b\n1,x\n2,\n"), ["table", "t.csv", "--target", "b"],
                                 "t.csv, line 3: b is missing, and it is what is to be predicted; remove the row"),
    "one value": (_file("t.csv", "a,b\n1,x\n2,x\n3,x\n"), ["table", "t.csv", "--target", "b"],
                  "t.csv: b has one class, 'x', and there must be at least two"),
    "a text among numbers": (_file("t.csv", "a,b\n1,2.5\n2,x\n"), ["table", "t.csv", "--target", "b", "--task",
                                                                   "regression"],
                             "t.csv, line 3: b is 'x', which is no number; mend it, or set data.task"),
    "classes without number": (_file("t.csv", "a,b\n" + "".join(f"{n},c{n}\n" for n in range(60))),
                               ["table", "t.csv", "--target", "b"], "60 different values in 60 rows, too many for"),
    "few rows": (_file("t.csv", "a,b\n1,x\n2,x\n3,x\n4,y\n"), ["table", "t.csv", "--target", "b"],
                 "t.csv, column b: the class 'y' has 1 row, and each class needs at least 3"),
    "nothing to tell": (_file("t.csv", "a,b\n" + "1,x\n1,y\n" * 9), ["table", "t.csv", "--target", "b"],
                        "t.csv has no column beside b whose values differ"),
    "to ignore": (_file("t.csv", "a,b\n1,2\n"), ["table", "t.csv", "--target", "b", "--set", 'data.ignore=["aa"]'],
                  "t.csv has no column 'aa' to ignore; did you mean"),
    "a delimiter": (_file("t.csv", "a,b\n1,2\n"), ["table", "t.csv", "--target", "b", "--set", "data.delimiter=ab"],
                    "data.delimiter is 'ab'; it must be one character, or auto"),
}


@pytest.mark.parametrize("what", MISTAKES)
def test_mistakes_get_one_sentence_and_code_2(gpunet_command, tmp_path, what):
    make, arguments, says = MISTAKES[what]
    make(tmp_path)
    code, output = gpunet_command("train", *arguments)
    (message,) = re.findall(r"Error: (.*)", output)
    assert code == 2 and says in message, output
    assert not (tmp_path / "runs").exists()


@pytest.fixture(scope="module")
def table_run(tmp_path_factory):
    from click.testing import CliRunner

    from gpunet.cli import main

    folder = tmp_path_factory.mktemp("table")
    flowers(folder / "a.csv")
    result = CliRunner().invoke(main, ["train", "table", str(folder / "a.csv"), "--target", "kind", "--epochs", "1",
                                       "--set", "model.hidden=[8]", "--out", str(folder / "run")])
    assert result.exit_code == 0, result.output
    return folder / "run"


LATER = {
    "labels outside the classes": ("length,width,colour,constant,kind,weight\n1,1,red,x,rose,1\n",
                                   ["evaluate", "RUN", "--data", "b.csv"],
                                   "b.csv, line 2: kind is 'rose', which is none of the classes setosa, virginica"),
    "a file without the target": ("length,width\n1,1\n", ["evaluate", "RUN", "--data", "b.csv"],
                                  "b.csv has no column 'kind'; it has length, width"),
    "a file without a feature": ("lenght,width,colour,constant\n1,1,red,x\n", ["predict", "RUN", "b.csv"],
                                 "b.csv has no column 'length'; did you mean 'lenght'?"),
    "a value that is no number": ("length,width,colour,weight\n1,1,red,2\nlong,1,red,2\n", ["predict", "RUN", "b.csv"],
                                  "b.csv, line 3: length is 'long', and the column has numbers; mend the value"),
    "no such file": ("", ["predict", "RUN", "gone.csv"], "gone.csv cannot be read: No such file"),
    "a sample of a table": ("", ["predict", "RUN", "--sample", 1], "--sample is for runs on images"),
    "no run": ("", ["evaluate", "."], "weights.safetensors does not exist; give a folder that `gpunet train` has"),
    "no run to resume": ("", ["resume", "."], ". cannot be resumed: it has no checkpoint.safetensors"),
    "another's checkpoint": ("", ["train", "text", "--resume", "RUN"], "is a run of the recipe table; resume it by"),
    "two kinds of data": ("length\n", ["evaluate", "RUN", "--data", "b.csv", "--part", "test"],
                          "--part is of the run's own data, and --data names others"),
    "the weights for the run": ("", ["evaluate", "RUN/weights.safetensors"],
                                "weights.safetensors is a file; give the folder of the run, "),
    "a length of a table": ("", ["predict", "RUN", "b.csv", "--length", 9], "--length is for runs on texts, and "),
    "a report on other data": ("kind\nplum\n", ["report", "RUN", "--data", "b.csv"], "b.csv: kind has one class, 'pl"),
    "no new epochs": ("", ["resume", "RUN", "--epochs", 1], "has finished 1 epoch; give more than that by --epochs"),
    "the run for its folder": ("", ["runs", "RUN"], " is a run itself; give the folder that holds it, "),
    "no folder of runs": ("", ["runs", "gone"], "gone is no folder; give the one that holds your runs"),
}


@pytest.mark.parametrize("what", LATER)
def test_mistakes_with_a_run(gpunet_command, tmp_path, table_run, what):
    content, arguments, says = LATER[what]
    (tmp_path / "b.csv").write_text(content)
    settings = (table_run / "config.toml").read_text()
    code, output = gpunet_command(*(str(each).replace("RUN", str(table_run)) for each in arguments))
    assert (table_run / "config.toml").read_text() == settings
    (message,) = re.findall(r"Error: (.*)", output)
    assert code == 2 and says in message, output


def test_runs_of_damaged_folders_are_listed(gpunet_command, tmp_path, table_run):
    damages = [('{"started": 3, "recipe": []}', '{"epochs": [1], "best": 4, "test": "x"}'),
               ("[]", '{"epochs": {}, "best": {"epoch": "one"}}')]
    for number, (start, history) in enumerate(damages):
        folder = tmp_path / f"damaged-{number}"
        shutil.copytree(table_run, folder)
        (folder / "run.json").write_text(start)
        (folder / "history.json").write_text(history)
    code, output = gpunet_command("runs", ".", "--json")
    rows = {row["run"]: row for row in json.loads(output)}
    assert code == 0 and {"damaged-0", "damaged-1"} <= set(rows)
    assert rows["damaged-0"]["started"] is rows["damaged-0"]["recipe"] is rows["damaged-0"]["test"] is None
    assert gpunet_command("runs", ".")[0] == 0


def test_data_that_have_changed(gpunet_command, tmp_path, table_run):
    flowers(tmp_path / "other.csv", seed=1)
    code, output = gpunet_command("resume", table_run, "--data", "other.csv", "--epochs", 2)
    assert code == 2 and "cannot be resumed: its data have changed since it began" in output
    table_run.parent.joinpath("a.csv").rename(tmp_path / "moved.csv")
    try:
        assert gpunet_command("resume", table_run, "--data", "moved.csv", "--epochs", 2)[0] == 0
        code, output = gpunet_command("evaluate", table_run)
        assert code == 0
    finally:
        (tmp_path / "moved.csv").rename(table_run.parent / "a.csv")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(gpunet_command, tmp_path):
    (tmp_path / "shut").mkdir(mode=0o500)
    code, output = gpunet_command("train", "digits", "--out", "shut/run")
    assert code == 2 and "shut/run cannot be made: Permission denied; choose another --out." in output


def test_a_folder_that_cannot_be_written(gpunet_command, monkeypatch):
    from gpunet import files

    def refuse(path, *arguments, **options):
        raise OSError(13, "Permission denied", str(path))

    monkeypatch.setattr(files, "replace", refuse)
    code, output = gpunet_command("train", "digits", "--out", "run")
    assert code == 2 and "run/config.toml cannot be written: Permission denied; choose another --out." in output


# ---- parts

def test_columns_are_fitted_on_the_training_rows_alone():
    rows = Rows("t.csv", ["n", "c", "same"], [["1", "a", "x"], ["3", "b", "x"], ["", "a", "x"], ["99", "z", "y"]],
                [2, 3, 4, 5])
    columns = fitted(rows.at([0, 1, 2]), rows.names)
    number, category = columns
    assert (number["median"], number["mean"], number["gaps"]) == (2, 2, True) and category["values"] == ["a", "b"]
    values = encoded(rows, columns)
    assert values.shape == (4, 4)
    np.testing.assert_allclose(values[:3, 0], [-1.2247449, 1.2247449, 0], rtol=1e-6)
    np.testing.assert_array_equal(values[:, 1:], [[0, 1, 0], [0, 0, 1], [1, 1, 0], [0, 0, 0]])
    assert values[3, 0] == 10  # as far out as it may be


def test_a_bigram_model():
    text = "ababababac"
    tokens = encoded_text(text, "abc", "text")
    follows = {"a": {"a": 1, "b": 5, "c": 2}, "b": {"a": 5, "b": 1, "c": 1}, "c": {"a": 1, "b": 1, "c": 1}}
    wanted = np.mean([-np.log(follows[a][b] / sum(follows[a].values())) for a, b in zip(text, text[1:], strict=False)])
    assert bigram_loss(tokens, tokens, 3) == pytest.approx(wanted)


def test_pictures_are_moved_each_for_itself():
    gpunet.manual_seed(0)
    x = gpunet.arange(40 * 36).reshape(40, 1, 6, 6).float()
    found, allowed = moved(x, 2).numpy(), []
    for number in range(40):
        image = np.pad(x.numpy()[number, 0], 2, mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(image, (6, 6)).reshape(25, 6, 6)
        allowed.append([place for place, each in enumerate(windows) if (each == found[number, 0]).all()])
    assert all(len(each) == 1 for each in allowed) and len({each[0] for each in allowed}) > 12
