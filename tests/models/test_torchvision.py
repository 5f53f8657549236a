"""Models have the layout of torchvision's: names and shapes of all parameters, and, with the same weights, the same
scores and gradients.
"""

import numpy as np
import pytest

import gpunet
from gpunet import models, nn

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def theirs():
    """torchvision's models. Its compiled half, which the models do not need, may not fit this PyTorch."""
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):  # what is declared at import, where the compiled half is not loaded
        try:
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        except RuntimeError:
            pass
    return pytest.importorskip("torchvision").models


@pytest.fixture
def undrawn(monkeypatch):
    """First weights are not drawn: large models are made at once."""
    for name in nn.init.__all__:
        if name.endswith("_"):
            monkeypatch.setattr(nn.init, name, lambda tensor, *args, **kwargs: tensor)


OWN = ("bert", "gpt2", "lenet", "mobilenet_v1", "se_", "unet")
NAMES = [name for name in models.list_models() if not name.startswith(OWN)]


@pytest.mark.parametrize("name", NAMES)
def test_layout(name, theirs, undrawn):
    with torch.device("meta"):
        wanted = theirs.get_model(name, **({"init_weights": False} if name == "googlenet" else {}))
    model = models.get_model(name)
    assert [(key, tuple(value.shape)) for key, value in model.state_dict().items()] \
        == [(key, tuple(value.shape)) for key, value in wanted.state_dict().items()]
    def kinds(network):  # PyTorch's own linear layers of attention are of a class that only quantization knows
        return [type(layer).__name__.replace("NonDynamicallyQuantizable", "") for layer in network.modules()
                if not list(layer.children())]

    assert kinds(model) == kinds(wanted)


# Small members of each family: a class, where its constructors make no small ones.
SMALL = {
    "resnet18": {}, "squeezenet1_1": {}, "mobilenet_v2": {"width_mult": 0.25},
    "mobilenet_v3_small": {"width_mult": 0.25}, "googlenet": {"init_weights": True},
    "EfficientNet": {"dropout": 0.2, "stochastic_depth_prob": 0.2},
    "ResNet": {"layers": [1, 1, 1, 1], "groups": 4, "width_per_group": 4},
    "DenseNet": {"growth_rate": 8, "block_config": (2, 3), "num_init_features": 16},
    "VisionTransformer": {"image_size": 32, "patch_size": 8, "num_layers": 2, "num_heads": 2, "hidden_dim": 16,
                          "mlp_dim": 32},
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SMALL)
def test_scores_and_gradients(name, theirs):
    """In float64: the last layers normalize four numbers, which makes float32's rounding large."""
    wanted, model = (getattr(library, name)(num_classes=5, **SMALL[name], **own.get(name, {})).double()
                     for library, own in ((theirs, {
                         "ResNet": {"block": theirs.resnet.Bottleneck},
                         "EfficientNet": {"inverted_residual_setting": theirs.efficientnet._efficientnet_conf(
                             "efficientnet_b0", width_mult=0.25, depth_mult=0.3)[0]}}),
                         (models, {"ResNet": {"block": models.resnet.Bottleneck},
                                   "EfficientNet": {"width_mult": 0.25, "depth_mult": 0.3}})))
    model.load_state_dict({key: gpunet.from_numpy(value.numpy()) for key, value in wanted.state_dict().items()})
    rng = np.random.default_rng(0)
    images, weights = rng.standard_normal((4, 3, 32, 32)), rng.standard_normal((4, 5))

    def scores(model, library, training):
        for layer in model.modules():  # what draws random numbers draws others
            if type(layer).__name__ in ("Dropout", "StochasticDepth"):
                layer.p = 0.0
        output = model.train(training)(library.from_numpy(images))
        return sum(output) if isinstance(output, tuple) else output

    np.testing.assert_allclose(scores(model, gpunet, False).detach().numpy(),
                               scores(wanted, torch, False).detach().numpy(), rtol=1e-8, atol=1e-10)
    ours, others = scores(model, gpunet, True), scores(wanted, torch, True)
    (ours * gpunet.from_numpy(weights)).sum().backward()
    (others * torch.from_numpy(weights)).sum().backward()
    largest = max(parameter.grad.abs().max().item() for parameter in wanted.parameters())
    for (key, mine), (_, other) in zip(model.named_parameters(), wanted.named_parameters(), strict=True):
        difference, size = np.linalg.norm(mine.grad.numpy() - other.grad.numpy()), other.grad.norm().item()
        assert difference <= 1e-6 * size + 1e-9 * largest, f"{key}: {difference} of {size}"
