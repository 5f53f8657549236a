"""Tuning: runs with different settings, chosen by Optuna, that go on where they were stopped.

A study's folder holds `study.db` (Optuna's SQLite database), a run's folder for each trial, `trials.csv`, `trials.svg`
and `best.toml`, the settings of the best trial, which `gpunet train` takes.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

from gpunet import files
from gpunet.metrics import get
from gpunet.train.callbacks.callback import Callback
from gpunet.train.checks import TrainingDiverged
from gpunet.train.config import Config, ConfigError, Setting, suggestion
from gpunet.train.curves import ticks_of
from gpunet.train.recipes import RECIPES, Recipe
from gpunet.train.run import Run
from gpunet.train.run_folder import RunError

DATABASE, TABLE, PLOT, BEST = "study.db", "trials.csv", "trials.svg", "best.toml"
_OPTIONS = {"trials": (int, "a whole number"), "metric": (str, "a column's name"), "prune": (bool, "true or false"),
            "space": (dict, "a section")}


class Plan:
    """What to try: the settings that stay, and the space of the others.

    fixed: settings by `section.name`. tune: the section [tune] of a configuration file. Raises ConfigError.
    """

    def __init__(self, recipe: str, fixed: Mapping[str, Any], tune: Mapping[str, Any]) -> None:
        self.recipe: Recipe = RECIPES[recipe]
        for name, value in tune.items():
            if name not in _OPTIONS:
                raise ConfigError(f"tune.{name} is no option of [tune]; {suggestion(name, _OPTIONS, 'there are')}")
            kind, wanted = _OPTIONS[name]
            if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
                raise ConfigError(f"tune.{name} is {value!r}; it must be {wanted}.")
        self.fixed, self.space = dict(fixed), dict(tune.get("space", {}))
        self.trials, self.prune = tune.get("trials", 20), tune.get("prune", True)
        self.metric = tune.get("metric", "val_loss")
        if not self.space:
            raise ConfigError("There is nothing to tune: name settings and their ranges in a section [tune.space], "
                              'such as "optimizer.lr" = {low = 1e-4, high = 0.1, log = true}.')
        if self.trials < 1:
            raise ConfigError(f"tune.trials is {self.trials}; it must be at least 1.")
        self.maximize = self._better() == "max"
        for name, space in self.space.items():
            self._check(name, space)

    def first(self) -> dict[str, Any]:
        """A value of each setting that is tuned."""
        return {name: _ends(name, space)[0] for name, space in self.space.items()}

    def _better(self) -> str:
        name = self.metric.removeprefix("val_")
        if not self.metric.startswith("val_"):
            raise ConfigError(f"tune.metric is {self.metric!r}; it must be of the validation part, such as 'val_loss'.")
        if name == "loss":
            return "min"
        try:
            return str(get(name).better)
        except ValueError as error:
            raise ConfigError(f"tune.metric: {error}") from None

    def _check(self, name: str, space: Any) -> None:
        """Raises ConfigError if a range is none, or has values that the setting does not take."""
        sample = _ends(name, space)
        others = {each: _ends(each, ends)[0] for each, ends in self.space.items()}
        for value in sample:
            try:
                self.recipe.config({**self.fixed, **others, name: value})
            except ConfigError as error:
                raise ConfigError(f"tune.space: {error}") from None

    def suggested(self, trial: Any) -> dict[str, Any]:
        """The values of a trial."""
        found: dict[str, Any] = {}
        for name, space in self.space.items():
            if "choices" in space:  # Optuna keeps texts, numbers and truths; others as JSON
                texts = [json.dumps(each) for each in space["choices"]]
                found[name] = json.loads(trial.suggest_categorical(name, texts))
            elif self._whole(name, space):
                found[name] = trial.suggest_int(name, space["low"], space["high"], log=space.get("log", False))
            else:
                found[name] = trial.suggest_float(name, space["low"], space["high"], log=space.get("log", False))
        return found

    def config(self, values: Mapping[str, Any]) -> Config:
        """The settings of a trial."""
        return self.recipe.config({**self.fixed, **values})

    def _whole(self, name: str, space: Mapping[str, Any]) -> bool:
        section, _, rest = name.partition(".")
        setting: Setting = self.recipe.settings[section][rest]
        return setting.kinds == (int,) and type(space["low"]) is type(space["high"]) is int

    def text(self) -> str:
        """What decides which trials are comparable."""
        return json.dumps([self.recipe.name, self.fixed, self.space, self.metric], sort_keys=True)


def tune(plan: Plan, folder: Path, device: str, say: Callable[[dict[str, Any]], None]) -> list[dict[str, Any]]:
    """Carries out the trials that are missing, and writes the study's files after each. Returns a row for each.

    say: is called with the row of each trial that has ended. Raises KeyboardInterrupt after a trial was interrupted;
    it is begun anew next time.
    """
    study = _opened(plan, folder)
    import optuna

    while sum(trial.state.is_finished() and trial.state.name != "FAIL" for trial in study.trials) < plan.trials:
        trial = study.ask()
        values = plan.suggested(trial)
        row: dict[str, Any] = {"trial": trial.number, "folder": f"trial-{trial.number:04d}"}
        trial.set_user_attr("settings", values)
        run = Run.start(plan.config(values), device, folder / row["folder"])
        try:
            run.fit([_Pruner(trial, plan)])
        except TrainingDiverged as error:
            trial.set_user_attr("note", str(error))
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            if run.interrupted is not None:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
                raise KeyboardInterrupt
            best = run.trainer.history[run.best.monitor.epoch - 1][plan.metric]
            trial.set_user_attr("epochs", len(run.trainer.history))
            trial.set_user_attr("value", best)
            if run.ended == _PRUNED:
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            else:
                study.tell(trial, best)
        found = rows_of(study)
        _write(plan, folder, found)
        say(next(each for each in found if each["trial"] == trial.number))
    found = rows_of(study)
    _write(plan, folder, found)
    return found


_PRUNED = "pruned: worse than the median of the trials before"


class _Pruner(Callback):
    """Ends a trial that is worse than the median of those before at the same epoch."""

    def __init__(self, trial: Any, plan: Plan) -> None:
        self.trial, self.plan = trial, plan

    def on_epoch_end(self, trainer: Any, row: dict[str, Any]) -> None:
        if self.plan.metric not in row:
            raise ConfigError(f"tune.metric is {self.plan.metric!r}, which the recipe {self.plan.recipe.name} does not "
                              f"report; it has {', '.join(name for name in row if name.startswith('val_'))}.")
        self.trial.report(row[self.plan.metric], row["epoch"])
        if self.plan.prune and self.trial.should_prune():
            trainer.stop(_PRUNED)


def _opened(plan: Plan, folder: Path) -> Any:
    """The study in a folder, or a new one. Raises RunError."""
    try:
        import optuna
    except ImportError:
        raise RunError('Tuning needs Optuna; install it by pip install "gpunet[tune]".') from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        if folder.exists() and any(folder.iterdir()) and not (folder / DATABASE).is_file():
            raise RunError(f"{folder} exists and holds no study; choose another --out.")
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder} cannot be made: {error.strerror}; choose another --out.") from error
    seed = int(plan.fixed.get("train.seed", 0))
    direction = "maximize" if plan.maximize else "minimize"
    try:
        study = optuna.create_study(
            storage=f"sqlite:///{(folder / DATABASE).resolve()}", study_name="gpunet", direction=direction,
            load_if_exists=True, pruner=optuna.pruners.MedianPruner(n_startup_trials=4))
        trials = study.trials
    except Exception as error:  # of SQLAlchemy, or of Optuna's own
        why = " ".join(str(getattr(error, "orig", None) or error).split())[:200].rstrip(".")  # without the SQL
        raise RunError(f"{folder / DATABASE} cannot be used: {why}; choose "
                       "another --out.") from error
    study.sampler = optuna.samplers.TPESampler(seed=seed + len(trials), n_startup_trials=5)
    before = study.user_attrs.get("plan")
    if before is None:
        study.set_user_attr("plan", plan.text())
    elif before != plan.text():
        raise RunError(f"{folder} holds a study of other settings; take the same ones, or choose another --out.")
    done = [trial.system_attrs.get("fixed_params", trial.params) for trial in trials
            if trial.state.name in ("COMPLETE", "PRUNED", "WAITING")]
    for trial in trials:  # what was interrupted, or killed, is tried again
        if trial.state.name == "RUNNING":
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        if trial.state.name in ("RUNNING", "FAIL") and trial.params and trial.params not in done:
            study.enqueue_trial(trial.params)
    return study


def rows_of(study: Any) -> list[dict[str, Any]]:
    """A row for each trial: its number, state, value, epochs and settings."""
    names = {"COMPLETE": "finished", "PRUNED": "pruned", "FAIL": "interrupted", "RUNNING": "running",
             "WAITING": "waiting"}
    rows = []
    for trial in study.trials:
        attributes = trial.user_attrs
        if "settings" in attributes:
            rows.append({"trial": trial.number, "state": names[trial.state.name], "value": attributes.get("value"),
                         "epochs": attributes.get("epochs"), **attributes["settings"]})
    return rows


def best_of(rows: list[dict[str, Any]], maximize: bool) -> dict[str, Any] | None:
    """The best finished trial."""
    finished = [row for row in rows if row["state"] == "finished"]
    return (max if maximize else min)(finished, key=lambda row: row["value"], default=None)


def _write(plan: Plan, folder: Path, rows: list[dict[str, Any]]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, ["trial", "state", "value", "epochs", *plan.space], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    try:
        files.replace(folder / TABLE, text.getvalue(), durable=False)
        files.replace(folder / PLOT, picture(rows, plan), durable=False)
        if (best := best_of(rows, plan.maximize)) is not None:
            config = plan.config({name: best[name] for name in plan.space})
            files.replace(folder / BEST, config.toml(), durable=False)
    except OSError as error:
        raise RunError(f"{error.filename} cannot be written: {error.strerror}; the study keeps its trials.") from error


def picture(rows: list[dict[str, Any]], plan: Plan) -> str:
    """The value of each trial, and the best so far, as SVG; beside them each setting against the value."""
    told = [row for row in rows if row["value"] is not None and math.isfinite(row["value"])]
    panels = ["trial", *plan.space]
    height = 64 + 250 * -(-len(panels) // 3)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 {height}" width="900" height="{height}" '
             'font-family="Helvetica, Arial, sans-serif" font-size="11" fill="#444">',
             f'<rect width="900" height="{height}" fill="#fff"/>',
             f'<text x="20" y="28" font-size="16" font-weight="bold" fill="#222">{escape(plan.recipe.name)}: '
             f'{escape(plan.metric)} of {len(told)} trials; grey ones were pruned</text>']
    if told:
        for number, name in enumerate(panels):
            space = plan.space.get(name, {})
            parts += _panel(told, plan, name, 60 + 300 * (number % 3), 70 + 250 * (number // 3), bool(space.get("log")))
    return "\n".join([*parts, "</svg>", ""])


def _panel(rows: list[dict[str, Any]], plan: Plan, name: str, left: float, top: float, log: bool) -> Iterator[str]:
    right, bottom = left + 220, top + 170
    ticks = ticks_of(min(row["value"] for row in rows), max(row["value"] for row in rows))
    labels: list[Any] = list(dict.fromkeys(json.dumps(row[name]) for row in rows))
    numbers = name == "trial" or "choices" not in plan.space[name]
    places = [float(row[name]) if numbers else float(labels.index(json.dumps(row[name]))) for row in rows]
    places = [math.log10(place) for place in places] if log else places
    low, high = min(places), max(places)

    def x_of(place: float) -> float:
        return left + (right - left) * ((place - low) / (high - low) if high > low else 0.5)

    def y_of(value: float) -> float:
        return bottom - (bottom - top) * (value - ticks[0]) / (ticks[-1] - ticks[0])

    yield f'<text x="{left}" y="{top - 10}" font-size="12" fill="#222">{escape(name)}{" (log)" * log}</text>'
    for tick in ticks:
        yield f'<line x1="{left}" y1="{y_of(tick):.1f}" x2="{right}" y2="{y_of(tick):.1f}" stroke="#e4e4e4"/>'
        yield f'<text x="{left - 6}" y="{y_of(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>'
    marks = [(low, 10**low if log else low), (high, 10**high if log else high)] if numbers else list(enumerate(labels))
    for place, label in marks:
        shown = f"{label:.3g}" if numbers else str(label)
        yield f'<text x="{x_of(place):.1f}" y="{bottom + 16}" text-anchor="middle">{escape(shown)}</text>'
    if name == "trial":
        best, line = None, []
        for row, place in sorted(zip(rows, places, strict=True), key=lambda pair: pair[1]):
            if row["state"] == "finished":
                better = best is None or (row["value"] > best) == plan.maximize
                best = row["value"] if better else best
            if best is not None:
                line.append(f"{x_of(place):.1f},{y_of(best):.1f}")
        yield f'<polyline points="{" ".join(line)}" fill="none" stroke="#d9662b" stroke-width="1.5"/>'
    for row, place in zip(rows, places, strict=True):
        colour = "#4878a8" if row["state"] == "finished" else "#bbb"
        yield f'<circle cx="{x_of(place):.1f}" cy="{y_of(row["value"]):.1f}" r="3" fill="{colour}"/>'


def _ends(name: str, space: Any) -> list[Any]:
    """The values at a range's ends, or the choices. Raises ConfigError."""
    example = f'"{name}" = {{low = 1, high = 9}} or {{choices = [1, 2]}}'
    if not isinstance(space, dict):
        raise ConfigError(f"tune.space: {name} is {space!r}; it must be a range or choices, such as {example}.")
    if "choices" in space:
        if space.keys() != {"choices"} or not isinstance(space["choices"], list) or not space["choices"]:
            raise ConfigError(f"tune.space: the choices of {name} must be a list of values, and stand alone.")
        return space["choices"]
    if wrong := space.keys() - {"low", "high", "log"}:
        raise ConfigError(f"tune.space: {name} has {sorted(wrong)[0]!r}; a range has low, high and log, such as "
                          f"{example}.")
    ends: list[Any] = [space.get("low"), space.get("high")]
    if not all(isinstance(end, int | float) and not isinstance(end, bool) and math.isfinite(end) for end in ends):
        raise ConfigError(f"tune.space: {name} needs low and high, two numbers, such as {example}.")
    if ends[0] >= ends[1] or (space.get("log") and ends[0] <= 0):
        raise ConfigError(f"tune.space: low of {name} must be below high{', and above 0' * bool(space.get('log'))}.")
    return ends
