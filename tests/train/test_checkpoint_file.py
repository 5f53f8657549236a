"""A checkpoint is complete, or it is refused in one sentence and nothing has changed."""

import json

import numpy as np
import pytest

import gpunet
from gpunet import nn, optim
from gpunet.optim.lr_scheduler import CosineAnnealingLR, StepLR
from gpunet.serialization.safetensors_file import CHECKSUM, load_file, save_file
from gpunet.train import Trainer
from tests.mutate import mutations, safetensors_fault, safetensors_header
from tests.test_serialization import one_sentence

OPTIMIZERS = {
    "Adam": lambda parameters: optim.Adam(parameters, lr=0.01),
    "SGD": lambda parameters: optim.SGD(parameters, lr=0.01, momentum=0.9),
    "plain SGD": lambda parameters: optim.SGD(parameters, lr=0.01),
}


def made(optimizer="Adam", seed=0, epochs=1, sizes=(3, 4), **options):
    """A trainer of a small network, after some epochs."""
    gpunet.manual_seed(seed)
    model = nn.Sequential(nn.Linear(*sizes), nn.Linear(sizes[1], 2))
    updates = OPTIMIZERS[optimizer](model.parameters())
    schedule = options.pop("schedule_class", None)
    if schedule:
        options["scheduler"] = schedule(updates, 5)
    trainer = Trainer(model, nn.functional.cross_entropy, updates, "accuracy", **options)
    if epochs:
        rng = np.random.default_rng(seed)
        trainer.fit((rng.normal(size=(12, sizes[0])), rng.integers(0, 2, 12)), epochs=epochs, batch_size=5)
    return trainer


def plain(value):
    """A state as plain values that can be compared, without how long it took."""
    if isinstance(value, gpunet.Tensor | np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items() if name not in ("seconds", "examples_per_second")}
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value


def state_of(trainer, path):
    trainer.save(path)
    return plain(gpunet.load(path))


@pytest.mark.parametrize("options", [{}, {"ema": 0.9}, {"precision": "float16"}, {"schedule_class": StepLR}])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_round_trip(tmp_path, optimizer, options):
    saved, other = made(optimizer, **options), made(optimizer, seed=1, epochs=0, **options)
    saved.save(tmp_path / "c", {"why": "a test"})
    wanted = plain(gpunet.load(tmp_path / "c"))
    assert other.load(tmp_path / "c") == {"why": "a test"}
    other.save(tmp_path / "d", {"why": "a test"})
    assert plain(gpunet.load(tmp_path / "d")) == wanted


def with_option(**options):
    return lambda state: state["optimizer"]["param_groups"][0].update(options)


def changed(part, name, change):
    return lambda state: state[part].update({name: change(state[part][name])})


def moment(number, name, change):
    def spoil(state):
        of = state["optimizer"]["state"][number]
        of[name] = change(of[name])
    return spoil


FAULTS = {
    "no generators": (lambda state: state["position"].pop("generators"), "its part 'position' lacks generators"),
    "a generator of another type": (lambda state: state["position"]["generators"]["gpunet"].update(
        shuffle=gpunet.zeros(2)), r"the generator shuffle is not uint64 of shape \(2,\)"),
    "no weights": (lambda state: state.update(model={}), "it lacks the weight 0.bias, 0.weight, 1.bias, 1.weight"),
    "a weight missing": (lambda state: state["model"].pop("1.bias"), "it lacks the weight 1.bias"),
    "a weight too many": (lambda state: state["model"].update({"2.bias": gpunet.ones(1)}), "the model has no 2.bias"),
    "weights of another type": (changed("model", "0.weight", lambda t: t.to(gpunet.int32)), "the weight 0.weight is"),
    "weights of another shape": (changed("model", "0.weight", lambda t: t.t()), r"shape \(3, 4\), and should be"),
    "no state": (lambda state: state["optimizer"].update(state={}), "it has no state of its optimizer, and Adam keeps"),
    "one state missing": (lambda state: state["optimizer"]["state"][1].pop("exp_avg_sq"),
                          "state of parameter 1 has exp_avg, step, and Adam keeps exp_avg, exp_avg_sq, step after"),
    "whole-number moments": (moment(0, "exp_avg", lambda t: t.to(gpunet.int32)),
                             "the optimizer's exp_avg of parameter 0 is of type"),
    "moments of another shape": (moment(0, "exp_avg", lambda t: t.reshape(-1)), "'exp_avg' of shape"),
    "another optimizer": (lambda state: state["optimizer"].update(kind="SGD"),
                          "saved with the optimizer SGD, which cannot go on as Adam"),
    "a negative rate": (with_option(lr=-1), "its optimizer's lr is -1"),
    "a rate that is text": (with_option(lr="0.1"), "its optimizer's lr is '0.1'"),
    "an infinite rate": (with_option(lr=float("inf")), "its optimizer's lr is inf"),
    "a rate that is no number": (with_option(lr=float("nan")), "its optimizer's lr is nan"),
    "one beta": (with_option(betas=(0.9,)), r"its optimizer's betas is \(0.9,\)"),
    "negative betas": (with_option(betas=(-0.9, 0.9)), "its optimizer's betas is"),
    "an option missing": (lambda state: state["optimizer"]["param_groups"][0].pop("eps"), "lacks eps"),
    "two groups": (lambda state: state["optimizer"]["param_groups"].append({}), "other parameter groups"),
    "other parameters": (with_option(params=[0, 1]), "other parameter groups"),
    "a parameter too many": (lambda state: state["optimizer"]["state"].update({9: {}}),
                             "optimizer state for parameter 9, and there are 4"),
    "state that nobody keeps": (with_option(amsgrad=True), "and Adam keeps exp_avg, exp_avg_sq, max_exp_avg_sq, step"),
    "no optimizer": (lambda state: state.update(optimizer={}), "it was saved without an optimizer"),
    "half an optimizer": (lambda state: state["optimizer"].pop("kind"), "is not a checkpoint: its part 'optimizer'"),
    "no notes": (lambda state: state.pop("notes"), "is not a checkpoint: its part 'notes' is missing"),
    "notes of another kind": (lambda state: state.update(notes=3), "is not a checkpoint: its part 'notes'"),
    "an epoch missing": (lambda state: state["history"][0].update(epoch=2), "its history has no epoch 1"),
    "a later version": (lambda state: state.update(version=99), "was written by another gpunet, in version 99"),
    "weights alone": (lambda state: [state.pop(name) for name in list(state) if name != "model"],
                      "is not a checkpoint: it was not written by Trainer.save"),
}


def strip(path):
    """Takes the checksum out of a file."""
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    del header["__metadata__"][CHECKSUM]
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + size :])


@pytest.mark.parametrize("what", FAULTS)
def test_what_is_wrong_with_a_checkpoint_is_said(tmp_path, what):
    """A well-formed file with a right checksum: what is wrong with it is only its meaning."""
    change, says = FAULTS[what]
    made().save(tmp_path / "c")
    state = gpunet.load(tmp_path / "c")
    change(state)
    gpunet.save(state, tmp_path / "c")
    other = made(seed=1)
    before = state_of(other, tmp_path / "before")
    with pytest.raises(ValueError, match=says) as error:
        other.load(tmp_path / "c")
    assert one_sentence(error.value) and str(tmp_path / "c") in str(error.value)
    assert state_of(other, tmp_path / "after") == before


def test_a_file_of_another_kind_is_refused(tmp_path):
    trainer = made()
    trainer.save(tmp_path / "c")
    strip(tmp_path / "c")
    with pytest.raises(ValueError, match="has no checksum"):
        trainer.load(tmp_path / "c")
    save_file({"x": gpunet.ones(2)}, tmp_path / "c")
    with pytest.raises(ValueError, match="is not a checkpoint: it was not written by Trainer.save"):
        trainer.load(tmp_path / "c")
    with pytest.raises(FileNotFoundError, match="no such checkpoint"):
        trainer.load(tmp_path / "no such checkpoint")


OTHERS = {
    "another model": ({"sizes": (3, 5)}, "the weight 0.weight is"),
    "another optimizer": ({"optimizer": "SGD"}, "cannot go on as SGD"),
    "an average": ({"ema": 0.9}, "it was saved without ema, and the trainer has one"),
    "a schedule": ({"schedule_class": StepLR}, "it was saved without scheduler, and the trainer has one"),
    "another precision": ({"precision": "float16"},
                          "it was saved without a gradient scaler, and the trainer's precision is float16"),
}


@pytest.mark.parametrize("what", OTHERS)
def test_a_checkpoint_of_another_trainer_is_refused(tmp_path, what):
    options, says = OTHERS[what]
    made().save(tmp_path / "c")
    other = made(epochs=0, **options)
    with pytest.raises(ValueError, match=says) as error:
        other.load(tmp_path / "c")
    assert one_sentence(error.value)


def test_another_schedule_is_refused(tmp_path):
    made(schedule_class=StepLR).save(tmp_path / "c")
    with pytest.raises(ValueError, match="the schedule StepLR, which cannot go on as CosineAnnealingLR"):
        made(epochs=0, schedule_class=CosineAnnealingLR).load(tmp_path / "c")


def test_frozen_weights_are_no_fault(tmp_path):
    saved, other = made(epochs=0), made(seed=1, epochs=0)
    for each in (saved, other):
        each.model[0].requires_grad_(False)
    saved.fit((np.ones((4, 3)), np.zeros(4, int)))
    saved.save(tmp_path / "c")
    other.load(tmp_path / "c")


def test_the_tensors_have_plain_names(tmp_path):
    """Other programs find the weights."""
    made().save(tmp_path / "c")
    assert {"model.0.weight", "optimizer.state.0.exp_avg"} <= set(load_file(tmp_path / "c"))


def test_mutated_checkpoints_load_unchanged_or_are_refused(tmp_path):
    path = tmp_path / "c"
    made().save(path)
    content = path.read_bytes()
    wanted = plain(gpunet.load(path))
    other = made(seed=1)
    before = state_of(other, tmp_path / "before")
    loaded = 0
    for mutated in mutations([content], 500, 2, safetensors_header(content), fault=safetensors_fault):
        path.write_bytes(mutated)
        try:
            other.load(path)
        except ValueError as error:
            assert one_sentence(error)
            continue
        loaded += mutated != content
        assert state_of(other, tmp_path / "after") == wanted
        other = made(seed=1)
    assert state_of(other, tmp_path / "after") == before and loaded < 60
