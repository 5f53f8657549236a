"""models.summary: shapes, counts and bytes, and that it leaves the model as it was."""

import pytest

import gpunet
from gpunet import models, nn


def rows(found):
    return {layer.path: layer for layer in found.layers}


def test_counts_are_those_of_the_parameters():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 6, 5))
    model[0].weight.requires_grad_(False)
    found = models.summary(model, (2, 3, 8, 8))
    assert found.parameters == sum(each.numel() for each in model.parameters()) == found.total_params
    assert found.trainable == found.parameters - 4 * 3 * 9 == found.trainable_params
    assert found.bytes == 4 * found.parameters + 4 * 2 * 4 + 8  # the moving averages, and their count in int64
    shapes = {path: layer.output_shape for path, layer in rows(found).items()}
    assert shapes == {"": "[2, 5]", "0": "[2, 4, 6, 6]", "1": "[2, 4, 6, 6]", "2": "[2, 4, 6, 6]", "3": "[2, 144]",
                      "4": "[2, 5]"}
    assert found.output_bytes == 4 * (4 * 2 * 144 + 10)


def test_the_model_stays_as_it_was():
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Dropout(), nn.BatchNorm1d(2))
    model[2].eval()
    before = {name: each.clone() for name, each in model.state_dict().items()}
    models.summary(model, (3, 2))
    assert all(gpunet.equal(each, before[name]) for name, each in model.state_dict().items())
    assert [each.training for each in model.modules()] == [True, True, True, False, True]
    assert not any(each._hooked for each in model.modules())


class Pair(nn.Module):
    """Two inputs, three outputs, tied weights, and a layer that is not called."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.unused = nn.Linear(2, 2), nn.Linear(2, 2), nn.LazyLinear(3)
        self.b.weight = self.a.weight

    def forward(self, x, ids):
        return self.a(x), {"b": self.b(x)}, ids


def test_several_inputs_and_outputs():
    found = models.summary(Pair(), [(4, 2), (4,)], dtypes=[gpunet.float32, gpunet.int64])
    assert rows(found)[""].output_shape == "[4, 2], [4, 2], ..."
    assert found.parameters == 4 + 2 + 2 and rows(found)["b"].own_parameters == 2
    assert rows(found)["unused"].output_shape == "" and rows(found)["unused"].parameters == 0
    same = models.summary(Pair(), input_data={"x": gpunet.zeros(4, 2), "ids": gpunet.zeros(4)})
    assert rows(same)["a"].output_shape == "[4, 2]"


def test_without_input_there_are_no_shapes():
    with gpunet.device("meta"):
        text = str(models.summary(models.resnet18(), depth=1))
    assert text.split("\n")[2].split() == ["ResNet", "-", "11,689,512", "44.6", "MiB"]
    assert "layer1" in text and "layer1.0" not in text and "outputs" not in text


class Bare(nn.Module):
    """A model with a layer that it does not call."""

    def __init__(self):
        super().__init__()
        self.weights = nn.ParameterList([nn.Parameter(gpunet.ones(3, 3))])

    def forward(self, x):
        return x @ self.weights[0]


def test_a_model_that_calls_no_layers():
    found = models.summary(Bare(), (5, 3))
    assert found.output_bytes == 5 * 3 * 4 and found.layers[1].parameters == 9


def test_on_meta_nothing_is_computed():
    with gpunet.device("meta"):
        found = models.summary(models.vgg16(), (1, 3, 224, 224))
    assert found.parameters == 138_357_544 and rows(found)["classifier.6"].output_shape == "[1, 1000]"


@pytest.mark.parametrize("options, message", [
    (dict(input_size=(1, 2), input_data=gpunet.zeros(1, 2)), "not both"),
    (dict(input_size=(1, 2), dtypes=[gpunet.float32] * 2), "1 input sizes and 2 dtypes"),
])
def test_what_contradicts_itself(options, message):
    with pytest.raises(ValueError, match=message):
        models.summary(nn.Linear(2, 2), **options)
