"""A checkpoint is complete, or it is refused in one sentence and nothing has changed."""

import json

import pytest

import gpunet
from gpunet import Generator, nn, optim
from gpunet.serialization.safetensors_file import CHECKSUM, load_file, read_file, save_file
from gpunet.train import load_checkpoint, save_checkpoint
from tests.mutate import mutations, safetensors_fault, safetensors_header
from tests.test_serialization import one_sentence

OPTIMIZERS = {
    "Adam": lambda parameters: optim.Adam(parameters, lr=0.01),
    "SGD": lambda parameters: optim.SGD(parameters, lr=0.01, momentum=0.9),
    "plain SGD": lambda parameters: optim.SGD(parameters, lr=0.01),
}


class Training:
    """Two steps of a small network, and what a checkpoint holds of it."""

    def __init__(self, optimizer="Adam", seed=0, steps=2, sizes=(3, 4)):
        gpunet.manual_seed(seed)
        self.model = nn.Sequential(nn.Linear(*sizes), nn.Linear(sizes[1], 2))
        self.optimizer = OPTIMIZERS[optimizer](self.model.parameters())
        self.generators = {"shuffle": Generator().manual_seed(seed + 5)}
        for _ in range(steps):
            self.optimizer.zero_grad()
            self.model(gpunet.rand(5, sizes[0], generator=self.generators["shuffle"])).sum().backward()
            self.optimizer.step()

    def save(self, path):
        save_checkpoint(path, self.model, self.optimizer, self.generators, {"history": [1, 2]})

    def load(self, path):
        return load_checkpoint(path, self.model, self.optimizer, self.generators)

    def state(self):
        def plain(value):
            return value.tolist() if isinstance(value, gpunet.Tensor) else value

        state = self.optimizer.state_dict()
        groups = [{name: list(value) if isinstance(value, tuple) else value for name, value in group.items()}
                  for group in state["param_groups"]]
        return ({name: value.tolist() for name, value in self.model.state_dict().items()}, groups,
                {i: {name: plain(value) for name, value in each.items()} for i, each in state["state"].items()},
                {name: each.position() for name, each in self.generators.items()})


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_round_trip(tmp_path, optimizer):
    saved, other = Training(optimizer), Training(optimizer, seed=1, steps=1)
    saved.save(tmp_path / "c")
    assert other.load(tmp_path / "c") == {"history": [1, 2]} and other.state() == saved.state()


def remade(change):
    """A well-formed file with a right checksum: what is wrong with it is only its meaning."""
    def make(path):
        tensors, (_, metadata) = load_file(path), read_file(path)
        extra = json.loads(metadata["checkpoint"])
        change(tensors, extra)
        save_file(tensors, path, {"checkpoint": json.dumps(extra)})
    return make


def without(start):
    return remade(lambda tensors, extra: [tensors.pop(name) for name in list(tensors) if name.startswith(start)])


def with_tensor(name, change):
    return remade(lambda tensors, extra: tensors.update({name: change(tensors[name])}))


def with_option(**options):
    return remade(lambda tensors, extra: extra["optimizer"]["param_groups"][0].update(options))


INCOMPLETE = {
    "no generators": (without("generator"), "it lacks the generator shuffle"),
    "a generator of another type": (with_tensor("generator.shuffle", lambda t: t.to(gpunet.int64)),
                                    r"the generator shuffle is \S*int64 of shape \(2,\), and should be \S*uint64"),
    "no weights": (without("model"), "it lacks the weight 0.bias, 0.weight, 1.bias, 1.weight"),
    "a weight missing": (without("model.1.bias"), "it lacks the weight 1.bias"),
    "a weight too many": (remade(lambda tensors, _: tensors.update({"model.2.bias": gpunet.ones(1)})),
                          "the model has no 2.bias"),
    "weights of another type": (with_tensor("model.0.weight", lambda t: t.to(gpunet.int32)), "the weight 0.weight is"),
    "weights of another shape": (with_tensor("model.0.weight", lambda t: t.t()), r"shape \(3, 4\), and should be"),
    "no state": (without("optimizer"), "the optimizer's state of parameter 0 has nothing, and should have exp_avg"),
    "state of one parameter missing": (without("optimizer.2"), "the optimizer's state of parameter 2 has nothing"),
    "one state missing": (without("optimizer.1.exp_avg_sq"), "state of parameter 1 has exp_avg, step, and should have"),
    "whole-number moments": (with_tensor("optimizer.0.exp_avg", lambda t: t.to(gpunet.int32)),
                             "the optimizer's exp_avg of parameter 0 is of type"),
    "moments of another shape": (with_tensor("optimizer.0.exp_avg", lambda t: t.reshape(-1)), "'exp_avg' of shape"),
    "another optimizer": (remade(lambda _, extra: extra["optimizer"].update(kind="SGD")),
                          "saved with the optimizer SGD, which cannot go on as Adam"),
    "a negative rate": (with_option(lr=-1), "its optimizer's lr is -1"),
    "a rate that is text": (with_option(lr="0.1"), "its optimizer's lr is '0.1'"),
    "an infinite rate": (with_option(lr=float("inf")), "its optimizer's lr is inf"),
    "a rate that is no number": (with_option(lr=float("nan")), "its optimizer's lr is nan"),
    "one beta": (with_option(betas=[0.9]), r"its optimizer's betas is \[0.9\]"),
    "negative betas": (with_option(betas=[-0.9, 0.9]), "its optimizer's betas is"),
    "an option missing": (remade(lambda _, extra: extra["optimizer"]["param_groups"][0].pop("eps")), "lacks eps"),
    "two groups": (remade(lambda _, extra: extra["optimizer"]["param_groups"].append({})), "other parameter groups"),
    "other parameters": (with_option(params=[0, 1]), "other parameter groups"),
    "a parameter too many": (remade(lambda _, extra: extra["optimizer"]["state"].update({"9": []})),
                             "optimizer state for parameter 9, and there are 4"),
    "fewer states, and said so": (remade(lambda tensors, extra: (
        [tensors.pop(f"optimizer.{number}.step") for number in range(4)],
        extra["optimizer"].update(state={str(number): ["exp_avg", "exp_avg_sq"] for number in range(4)}))),
        "state of parameter 0 has exp_avg, exp_avg_sq, and Adam keeps exp_avg, exp_avg_sq, step after its first step"),
    "state that nobody keeps": (with_option(amsgrad=True), "and Adam keeps exp_avg, exp_avg_sq, max_exp_avg_sq, step"),
    "no optimizer": (remade(lambda _, extra: extra.pop("optimizer")), "is not a checkpoint: .*'optimizer'"),
    "no notes": (remade(lambda _, extra: extra.pop("notes")), "is not a checkpoint: .*'notes'"),
    "notes of another kind": (remade(lambda _, extra: extra.update(notes=3)), "is not a checkpoint"),
    "weights alone": (lambda path: save_file(load_file(path), path), "is not a checkpoint: .*'checkpoint'"),
    "no checksum": (lambda path: strip(path), "has no checksum"),
}


def strip(path):
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    del header["__metadata__"][CHECKSUM]
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + size :])


@pytest.mark.parametrize("what", INCOMPLETE)
def test_an_incomplete_checkpoint_is_refused(tmp_path, what):
    make, says = INCOMPLETE[what]
    Training().save(tmp_path / "c")
    make(tmp_path / "c")
    other = Training(seed=1)
    before = other.state()
    with pytest.raises(ValueError, match=says) as error:
        other.load(tmp_path / "c")
    assert one_sentence(error.value) and str(tmp_path / "c") in str(error.value)
    assert other.state() == before


def test_a_checkpoint_of_another_model_or_optimizer_is_refused(tmp_path):
    Training().save(tmp_path / "c")
    for other, says in ((Training(sizes=(3, 5)), "the weight 0.weight is"), (Training("SGD"), "cannot go on as SGD")):
        with pytest.raises(ValueError, match=says):
            other.load(tmp_path / "c")


def test_what_schedulers_and_frozen_weights_leave_is_no_fault(tmp_path):
    saved = Training(steps=0)
    saved.model[0].requires_grad_(False)
    optim.lr_scheduler.StepLR(saved.optimizer, 1)
    saved.model(gpunet.rand(5, 3)).sum().backward()
    saved.optimizer.step()
    saved.save(tmp_path / "c")
    Training(seed=1, steps=0).load(tmp_path / "c")


def test_mutated_checkpoints_load_unchanged_or_are_refused(tmp_path):
    path = tmp_path / "c"
    saved = Training()
    saved.save(path)
    content, wanted = path.read_bytes(), saved.state()
    other = Training(seed=1)
    before = other.state()
    loaded = 0
    for mutated in mutations([content], 2500, 2, safetensors_header(content), fault=safetensors_fault):
        path.unlink()
        path.write_bytes(mutated)
        try:
            notes = other.load(path)
        except ValueError as error:
            assert one_sentence(error)
            continue
        loaded += mutated != content
        assert notes == {"history": [1, 2]} and other.state() == wanted
        other = Training(seed=1)
    assert other.state() == before and loaded < 250
