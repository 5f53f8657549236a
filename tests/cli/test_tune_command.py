"""`gpunet tune`: trials, pruning, going on, and what is said when a user errs."""

import csv
import os
import re
import tomllib
from xml.etree import ElementTree

import pytest

from tests.cli.test_recipes import flowers

CONFIG = """
recipe = "table"
[data]
path = "a.csv"
target = "kind"
[model]
members = 1
[train]
epochs = 3
[tune]
trials = 6
[tune.space]
"optimizer.lr" = {low = 1e-4, high = 0.1, log = true}
"model.hidden" = {choices = [[4], [8, 8]]}
"train.batch_size" = {low = 8, high = 40}
"""


@pytest.fixture
def config(tmp_path):
    flowers(tmp_path / "a.csv")
    (tmp_path / "c.toml").write_text(CONFIG)
    return tmp_path / "c.toml"


def trials(folder):
    with open(folder / "trials.csv") as file:
        return list(csv.DictReader(file))


def test_a_study(gpunet_command, tmp_path, config):
    pytest.importorskip("optuna")
    code, output = gpunet_command("tune", "c.toml", "--trials", 4, "--out", "study")
    assert code == 0, output
    rows = trials(tmp_path / "study")
    assert [row["trial"] for row in rows] == list("0123") and len(re.findall(r"^trial ", output, re.M)) == 4
    best = min(rows, key=lambda row: float(row["value"]))
    found = tomllib.loads((tmp_path / "study" / "best.toml").read_text())
    assert found["optimizer"]["lr"] == float(best["optimizer.lr"])
    assert str(found["model"]["hidden"]) == best["model.hidden"] and found["train"]["epochs"] == 3
    code, output = gpunet_command("tune", "c.toml", "--out", "study")
    assert code == 0 and len(re.findall(r"^trial ", output, re.M)) == 2  # only the two that were missing
    assert trials(tmp_path / "study")[:4] == rows and len(trials(tmp_path / "study")) == 6
    assert {row["state"] for row in trials(tmp_path / "study")} <= {"finished", "pruned"}
    tree = ElementTree.parse(tmp_path / "study" / "trials.svg")
    assert len(list(tree.iter("{http://www.w3.org/2000/svg}circle"))) == 6 * 4
    assert gpunet_command("train", "study/best.toml", "--out", "run")[0] == 0
    assert "finished" in gpunet_command("runs", "study")[1]
    (tmp_path / "c.toml").write_text(CONFIG.replace("epochs = 3", "epochs = 4"))
    code, output = gpunet_command("tune", "c.toml", "--out", "study")
    assert code == 2 and "study holds a study of other settings; take the same ones, or choose another --out" in output


def test_hopeless_trials_are_pruned_and_interrupted_ones_begun_anew(gpunet_command, tmp_path, config):
    pytest.importorskip("optuna")
    from gpunet.train import tuning
    from gpunet.train.run import Run

    (tmp_path / "c.toml").write_text(CONFIG.replace('"model.hidden" = {choices = [[4], [8, 8]]}\n', "").replace(
        '"train.batch_size" = {low = 8, high = 40}\n', ""))
    fit, started = Run.fit, []

    def interrupted(self, callbacks=()):
        started.append(self.config["optimizer.lr"])
        if len(started) == 2:
            class Stop(tuning.Callback):
                def on_batch_end(self, trainer, progress):
                    os.kill(os.getpid(), 2)

            callbacks = [*callbacks, Stop()]
        return fit(self, callbacks)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "fit", interrupted)
        code, output = gpunet_command("tune", "c.toml", "--trials", 3, "--out", "study")
        assert code == 130 and "Go on with: gpunet tune c.toml --out study" in output
        assert gpunet_command("tune", "c.toml", "--trials", 3, "--out", "study")[0] == 0
    assert started[2] == started[1] and len(started) == 4
    assert [row["state"] for row in trials(tmp_path / "study")] == ["finished", "interrupted", "finished", "finished"]

    class Bad:
        def suggest_float(self, *arguments, **options):
            return 1e-7

        def report(self, value, step):
            pass

        def should_prune(self):
            return True

    import optuna

    study = optuna.load_study(study_name="gpunet", storage=f"sqlite:///{tmp_path}/study/study.db")
    assert study.direction.name == "MINIMIZE" and len(study.trials[0].intermediate_values) == 3
    plan = tuning.Plan("table", {"data.path": "a.csv", "data.target": "kind"},
                       {"space": {"optimizer.lr": {"low": 1e-8, "high": 0.1}}})
    run = Run.start(plan.config(plan.suggested(Bad())), "cpu", tmp_path / "pruned")
    run.fit([tuning._Pruner(Bad(), plan)])
    assert len(run.trainer.history) == 1 and run.ended == tuning._PRUNED


SPACES = {
    "nothing": ("", "There is nothing to tune: name settings and their ranges in a section [tune.space]"),
    "an unknown setting": ('"optimizer.rate" = {low = 1, high = 2}', "tune.space: optimizer.rate is no setting of the "
                           "recipe table; did you mean"),
    "a value": ('"optimizer.lr" = 3', "tune.space: optimizer.lr is 3; it must be a range or choices"),
    "no high": ('"optimizer.lr" = {low = 1}', "tune.space: optimizer.lr needs low and high, two numbers"),
    "high below low": ('"optimizer.lr" = {low = 2, high = 1}', "tune.space: low of optimizer.lr must be below high"),
    "a logarithm of 0": ('"model.dropout" = {low = 0, high = 0.5, log = true}', "must be below high, and above 0"),
    "a wrong end": ('"model.dropout" = {low = 0, high = 2}', "tune.space: model.dropout is 2; it must be from 0"),
    "a wrong choice": ('"optimizer.name" = {choices = ["adam", "lion"]}', "optimizer.name is 'lion'; it must be one"),
    "a step": ('"model.dropout" = {low = 0, high = 0.5, step = 0.1}', "model.dropout has 'step'; a range has low"),
    "no choices": ('"model.dropout" = {choices = []}', "the choices of model.dropout must be a list of values"),
}


@pytest.mark.parametrize("what", SPACES)
def test_ranges_that_are_none(gpunet_command, config, what):
    space, says = SPACES[what]
    config.write_text(CONFIG.partition("[tune.space]")[0] + "[tune.space]\n" + space)
    code, output = gpunet_command("tune", "c.toml")
    (message,) = re.findall(r"Error: (.*)", output)
    assert code == 2 and says in message


@pytest.mark.parametrize("option, says", [
    ('metric = "loss"', "tune.metric is 'loss'; it must be of the validation part, such as 'val_loss'"),
    ('metric = "val_acuracy"', "tune.metric: There is no metric 'acuracy'; did you mean 'accuracy'?"),
    ("trial = 3", "tune.trial is no option of [tune]; did you mean 'trials'?"),
    ('trials = "many"', "tune.trials is 'many'; it must be a whole number"),
])
def test_options_that_are_none(gpunet_command, config, option, says):
    config.write_text(CONFIG.replace("trials = 6", option))
    code, output = gpunet_command("tune", "c.toml")
    assert code == 2 and says in output


def test_a_folder_that_holds_something_else(gpunet_command, tmp_path, config):
    pytest.importorskip("optuna")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("x")
    code, output = gpunet_command("tune", "c.toml", "--out", "full")
    assert code == 2 and "full exists and holds no study; choose another --out." in output
    (tmp_path / "full" / "study.db").write_text("no database")
    code, output = gpunet_command("tune", "c.toml", "--out", "full")
    assert code == 2 and "study.db cannot be used: " in output and output.count("Error: ") == 1
