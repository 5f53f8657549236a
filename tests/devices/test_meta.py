"""The device meta: shapes and types without values."""

import copy
import pickle
import warnings

import numpy as np
import pytest

import gpunet
from gpunet import nn, optim
from tests.both import same_in_both


class Network(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.embed, self.drop = nn.Embedding(20, width), nn.Dropout(0.1)
        self.layers = nn.TransformerEncoder(nn.TransformerEncoderLayer(width, 2, 32, batch_first=True), 2)
        self.conv, self.norm = nn.Conv1d(width, 4, 3, padding=1), nn.BatchNorm1d(4)
        self.register_buffer("scale", gpunet.ones(4, 1))

    def forward(self, tokens):
        x = self.layers(self.drop(self.embed(tokens)))
        return self.norm(self.conv(x.transpose(1, 2))) * self.scale


def test_a_model_is_made_without_memory_or_random_numbers():
    gpunet.manual_seed(3)
    place = gpunet.get_rng_state()
    with gpunet.device("meta"):
        model, huge = Network(), nn.Linear(10**6, 10**6)  # 4 TB
    assert (gpunet.get_rng_state() == place).all()
    assert all(p.is_meta for p in model.parameters()) and all(b.is_meta for b in model.buffers())
    assert huge.weight.T.reshape(-1, 10)[5:].shape == (10**11 - 5, 10)
    real = Network()
    assert {k: v.shape for k, v in model.state_dict().items()} == {k: v.shape for k, v in real.state_dict().items()}
    model.load_state_dict(real.state_dict(), assign=True)
    real.eval(), model.eval()
    tokens = gpunet.randint(0, 20, (2, 5))
    assert (model(tokens) == real(tokens)).all()


def test_a_step_on_meta_has_the_shapes_of_one_on_the_cpu():
    shapes = []
    for device in ("cpu", "meta"):
        model = Network().to(device)
        optimizer = optim.AdamW(model.parameters())
        output = model(gpunet.zeros(2, 5, dtype=gpunet.long, device=device))
        loss = output.square().mean()
        loss.backward()
        optimizer.step()
        shapes.append([output.shape, output.dtype, loss.shape, *[p.grad.shape for p in model.parameters()]])
    assert shapes[0] == shapes[1] and loss.is_meta


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))],
                         ids=["deepcopy", "pickle"])
def test_copies_stay_on_meta_and_take_no_memory(duplicate):
    huge = gpunet.empty(10**6, 10**6, device="meta")  # 4 TB
    huge.tag = "x"
    twins = duplicate([huge, huge[1:, 0], nn.Parameter(huge)])
    assert all(twin.is_meta for twin in twins) and twins[0].tag == "x"
    assert [twin.shape for twin in twins] == [(10**6, 10**6), (10**6 - 1,), (10**6, 10**6)]
    assert isinstance(twins[2], nn.Parameter) and twins[2].requires_grad
    assert duplicate(nn.BatchNorm1d(3, device="meta")).running_mean.is_meta


def test_a_copy_has_the_strides_of_the_original():
    x = gpunet.empty(2, 3, device="meta").t()
    assert copy.deepcopy(x).stride() == x.stride() == (1, 3)


def test_to_empty_gives_memory():
    layer = nn.Linear(3, 2, device="meta")
    weight = layer.weight
    assert layer.to_empty(device="cpu").weight is weight and not weight.is_meta
    layer.load_state_dict({"weight": gpunet.ones(2, 3), "bias": gpunet.zeros(2)})
    assert layer(gpunet.ones(1, 3)).tolist() == [[3.0, 3.0]]


def test_values_are_refused_with_the_remedy():
    x = gpunet.ones(3, device="meta")
    for ask in (x.tolist, x[0].item, lambda: x.to("cpu"), lambda: bool(x.sum()), lambda: nn.Linear(1, 1, device="meta")
                .to("cpu"), lambda: gpunet.ones(3).copy_(x), lambda: gpunet.nonzero(x)):
        with pytest.raises(NotImplementedError, match=r"no values .*to_empty"):
            ask()
    with pytest.raises(RuntimeError, match="found (meta and cpu|cpu and meta)"):
        x + gpunet.ones(3)
    with pytest.warns(UserWarning, match="assign=True"):
        nn.Linear(1, 1, device="meta").load_state_dict(nn.Linear(1, 1).state_dict())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nn.Linear(1, 1, device="meta").load_state_dict(nn.Linear(1, 1, device="meta").state_dict())


def test_they_are_as_pytorchs():
    def program(library):
        x = library.zeros(2, 3, device="meta", requires_grad=True)
        y = library.empty(4, 1, dtype=library.float16, device=library.device("meta"))
        shown = [repr(each).replace("torch.", "").replace("gpunet.", "") for each in (x, y, x[0], x @ x.T)]
        return [shown, str(x.device), x.is_meta, x.is_cpu, list((x.to(library.float64) + 1).sum(0).stride()),
                list(library.ones(3).to("meta").shape), str((y * 2).dtype).split(".")[1],
                [list(t.shape) for t in x.split(2, 1)], list(x.new_zeros(2, 0).shape),
                library.ones(2, device="meta").copy_(library.ones(2)).is_meta]

    same_in_both(program)


def test_memory_is_left_alone():
    x = gpunet.rand(10**5, 10**5, device="meta")
    y = (x.exp() + x).t().contiguous()
    assert y.shape == (10**5, 10**5) and y.is_contiguous() and y.dtype is gpunet.float32
    assert np.shape(y._array) == (10**5, 10**5)
