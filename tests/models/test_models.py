"""Weights of models, and the models that torchvision does not have."""

import numpy as np
import pytest

import gpunet
from gpunet import models, nn
from gpunet.models._utils import IntermediateLayerGetter


def same(first: nn.Module, second: nn.Module) -> bool:
    ours, others = first.state_dict(), second.state_dict()
    return ours.keys() == others.keys() and all(gpunet.equal(ours[key], others[key]) for key in ours)


@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_weights_from_a_file(tmp_path, ending):
    model = models.squeezenet1_1(num_classes=3)
    path = tmp_path / f"weights{ending}"
    (gpunet.save if ending == ".pth" else lambda state, path: gpunet.save_file(state, path))(model.state_dict(), path)
    assert same(models.squeezenet1_1(weights=path, num_classes=3), model)
    assert same(models.get_model("SqueezeNet1_1", weights=str(path), num_classes=3), model)
    assert same(models.squeezenet1_1(weights=model.state_dict(), num_classes=3), model)


def test_published_weights_are_read_from_the_hubs_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="curl -L .*squeezenet1_1-b8a52dc0.pth"):
        models.squeezenet1_1(weights="DEFAULT")
    weights = models.SqueezeNet1_1_Weights.DEFAULT
    model = models.squeezenet1_1()
    file = tmp_path / "hub" / "checkpoints" / "squeezenet1_1-b8a52dc0.pth"
    file.parent.mkdir(parents=True)
    gpunet.save(model.state_dict(), file)
    with pytest.raises(RuntimeError, match="is damaged"):
        models.squeezenet1_1(weights=weights)
    monkeypatch.setattr(type(weights), "get_state_dict", lambda self, check_hash: gpunet.load(file))
    for form in (weights, "DEFAULT", "IMAGENET1K_V1"):
        assert same(models.squeezenet1_1(weights=form), model)


@pytest.mark.parametrize("call, error, message", [
    (lambda: models.squeezenet1_1(weights="nothing.pth"), FileNotFoundError, "no file of weights 'nothing.pth'"),
    (lambda: models.squeezenet1_1(weights=3), TypeError, "weights must be a path, a state_dict"),
    (lambda: models.squeezenet1_1(weights=models.ResNet18_Weights.DEFAULT), TypeError, "weights of another model"),
    (lambda: models.squeezenet1_1(pretrained=True), TypeError, "weights='FILE.pth'"),
    (lambda: models.squeezenet1_1(weights={}, num_classes=2), RuntimeError, "Missing key"),
    (lambda: models.get_model("resnet19"), ValueError, "did you mean resnet18"),
    (lambda: models.get_model("???"), ValueError, r"models.list_models\(\) lists them all"),
    (lambda: models.get_model_weights("lenet5"), ValueError, "no weights are published for 'lenet5'"),
    (lambda: models.get_weight("ResNet18_Weights.V9"), ValueError, "ResNet18_Weights.IMAGENET1K_V1"),
    (lambda: models.VisionTransformer(30, 8, 1, 1, 8, 8), ValueError, "do not divide"),
    (lambda: models.UNet(1, 2, (4, 8, 16))(gpunet.zeros(1, 1, 3, 8)), ValueError, "images of 4 pixels or more"),
    (lambda: models.GPT2(11, 4, 8, 1, 2)(gpunet.zeros(1, 5, dtype=gpunet.int64)), ValueError, "n_positions="),
    (lambda: models.feature_extraction.create_feature_extractor(nn.ReLU(), ["a"]), ValueError, "has no layer 'a'"),
])
def test_errors_say_what_to_do(call, error, message):
    with pytest.raises(error, match=message):
        call()


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.act = nn.ReLU()

    def forward(self, x):
        return self.act(self.act(x) - 1)


def test_features_of_a_layer_that_is_called_twice():
    x = gpunet.tensor([3.0, -2.0, 0.5])
    extract = models.feature_extraction.create_feature_extractor
    found = extract(Twice(), {"act": "first", "act_1": "second"})(x)
    assert found["first"].tolist() == [3.0, 0.0, 0.5] and found["second"].tolist() == [2.0, 0.0, 0.0]
    with pytest.raises(RuntimeError, match="did not call 'act_2'"):
        extract(Twice(), ["act_2"])(x)


def test_children_up_to_a_layer():
    getter = IntermediateLayerGetter(models.resnet18(), {"relu": "a", "maxpool": "b"})
    assert list(getter) == ["conv1", "bn1", "relu", "maxpool"]
    assert {name: y.shape[-1] for name, y in getter(gpunet.zeros(1, 3, 16, 16)).items()} == {"a": 8, "b": 4}
    with pytest.raises(ValueError, match="not present"):
        IntermediateLayerGetter(nn.Sequential(), {"x": "y"})


def test_the_preprocessing_of_weights_takes_pictures_and_tensors():
    prepare = models.ResNet18_Weights.DEFAULT.transforms()
    picture = gpunet.randint(0, 256, (3, 256, 256), dtype=gpunet.uint8)  # as large as it is resized to
    expected = prepare(gpunet.vision.transforms.functional.to_pil_image(picture))
    assert (prepare(picture) - expected).abs().max() < 1e-6
    assert (prepare(picture.float() / 255) - expected).abs().max() < 1e-6


def test_every_published_set_belongs_to_a_model():
    for name in models.list_models():
        if not name.startswith(("bert", "gpt2", "lenet", "mobilenet_v1", "se_", "unet")):
            weights = models.get_model_weights(name)
            assert weights.__name__.removesuffix("_Weights").lower() == name
            assert weights is getattr(models, weights.__name__)


def test_densenets_old_names():
    model = models.DenseNet(8, (2, 2), 16, num_classes=3)
    old = {name.replace("norm1.", "norm.1.").replace("conv2.", "conv.2."): value
           for name, value in model.state_dict().items()}
    assert set(old) != set(model.state_dict()) == set(model.renamed(old))


def test_memory_efficient_densenets_learn_the_same():
    images, gradients = gpunet.randn(2, 3, 32, 32), []
    for efficient in (False, True):
        gpunet.manual_seed(0)
        model = models.DenseNet(8, (2, 2), 16, num_classes=3, memory_efficient=efficient)
        model(images.clone().requires_grad_()).square().sum().backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    assert all(gpunet.equal(*pair) for pair in zip(*gradients, strict=True))


def test_unet_keeps_the_size_of_any_image():
    model = models.UNet(1, 3, (4, 8, 16, 32)).eval()
    for height, width in ((8, 8), (21, 34), (9, 15)):
        assert model(gpunet.randn(2, 1, height, width)).shape == (2, 3, height, width)


def test_gpt2_sees_only_the_past():
    model = models.GPT2(vocab_size=13, n_positions=10, n_embd=16, n_layer=2, n_head=2).eval()
    tokens = gpunet.randint(0, 13, (2, 10))
    changed = tokens.clone()
    changed[:, 6:] = (changed[:, 6:] + 1) % 13
    before, after = model(tokens).detach().numpy(), model(changed).detach().numpy()
    np.testing.assert_array_equal(before[:, :6], after[:, :6])
    assert (before[:, 6:] != after[:, 6:]).any()


def test_gpt2_generates():
    model = models.GPT2(vocab_size=13, n_positions=6, n_embd=16, n_layer=2, n_head=2)
    start = gpunet.tensor([[1, 2], [3, 4]])
    best = model.generate(start, 7, temperature=0)  # longer than the positions
    assert best.shape == (2, 9) and gpunet.equal(best[:, :2], start) and model.training
    assert gpunet.equal(best, model.generate(start, 7, top_k=1))
    drawn = [model.generate(start, 7, generator=gpunet.Generator().manual_seed(5)) for _ in range(2)]
    assert gpunet.equal(*drawn)


def test_bert_leaves_out_the_padding():
    model = models.BERT(vocab_size=13, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
                        intermediate_size=32).eval()
    tokens = gpunet.randint(1, 13, (2, 7))
    alone = model(tokens[:, :5])
    padded = model(tokens, attention_mask=(gpunet.arange(7) < 5).expand(2, 7))
    np.testing.assert_allclose(padded.last_hidden_state[:, :5].detach().numpy(),
                               alone.last_hidden_state.detach().numpy(), atol=1e-5)
    np.testing.assert_allclose(padded.pooler_output.detach().numpy(), alone.pooler_output.detach().numpy(), atol=1e-5)


def transformers_gpt2(transformers):
    return transformers.GPT2Model(transformers.GPT2Config(vocab_size=13, n_positions=10, n_embd=16, n_layer=2,
                                                          n_head=2, attn_implementation="eager"))


def transformers_bert(transformers):
    return transformers.BertModel(transformers.BertConfig(
        vocab_size=13, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        attn_implementation="eager"))


@pytest.mark.parametrize("make, ours, prefix", [
    (transformers_gpt2, lambda: models.GPT2(13, 10, 16, 2, 2), "transformer."),
    (transformers_bert, lambda: models.BERT(13, 16, 2, 2, 32), "bert.")], ids=["gpt2", "bert"])
def test_hugging_faces_weights(make, ours, prefix):
    """The same weights give what Hugging Face's models give, with the prefix of its larger classes and without."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    wanted = make(transformers).eval()
    tokens = np.random.default_rng(0).integers(1, 13, (2, 7))
    with torch.no_grad():
        result = wanted(torch.from_numpy(tokens)).last_hidden_state.numpy()
    state = {name: gpunet.from_numpy(value.numpy()) for name, value in wanted.state_dict().items()}
    for names in (state, {prefix + name: value for name, value in state.items()}):
        model = ours().eval()
        model.load_state_dict(model.renamed(names))
        output = model(gpunet.from_numpy(tokens))
        hidden = output.last_hidden_state if prefix == "bert." else output
        if prefix == "transformer.":
            result_here = result @ wanted.wte.weight.detach().numpy().T
        else:
            result_here = result
        np.testing.assert_allclose(hidden.detach().numpy(), result_here, atol=1e-5)
