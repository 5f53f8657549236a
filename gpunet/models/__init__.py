"""Models by torchvision's names, and others: constructors such as `resnet18`, their classes, and their weights."""

import typing

from gpunet._names import attributes_of as _attributes_of
from gpunet.models import feature_extraction
from gpunet.models._registry import get_model, get_model_builder, list_models
from gpunet.models._summary import LayerSummary, ModelSummary, summary
from gpunet.models.alexnet import AlexNet, alexnet
from gpunet.models.bert import BERT, bert_base, bert_large
from gpunet.models.convnext import ConvNeXt, convnext_base, convnext_large, convnext_small, convnext_tiny
from gpunet.models.densenet import DenseNet, densenet121, densenet161, densenet169, densenet201
from gpunet.models.efficientnet import (
    EfficientNet,
    efficientnet_b0,
    efficientnet_b1,
    efficientnet_b2,
    efficientnet_b3,
    efficientnet_b4,
    efficientnet_b5,
    efficientnet_b6,
    efficientnet_b7,
    efficientnet_v2_l,
    efficientnet_v2_m,
    efficientnet_v2_s,
)
from gpunet.models.googlenet import GoogLeNet, googlenet
from gpunet.models.gpt2 import GPT2, gpt2, gpt2_large, gpt2_medium, gpt2_xl
from gpunet.models.lenet import LeNet5, lenet5
from gpunet.models.mlp import MLP
from gpunet.models.mobilenet import (
    MobileNetV1,
    MobileNetV2,
    MobileNetV3,
    mobilenet_v1,
    mobilenet_v2,
    mobilenet_v3_large,
    mobilenet_v3_small,
)
from gpunet.models.resnet import (
    ResNet,
    resnet18,
    resnet34,
    resnet50,
    resnet101,
    resnet152,
    resnext50_32x4d,
    resnext101_32x8d,
    resnext101_64x4d,
    se_resnet18,
    se_resnet34,
    se_resnet50,
    se_resnet101,
    se_resnet152,
    wide_resnet50_2,
    wide_resnet101_2,
)
from gpunet.models.squeezenet import SqueezeNet, squeezenet1_0, squeezenet1_1
from gpunet.models.unet import UNet, unet
from gpunet.models.vgg import VGG, vgg11, vgg11_bn, vgg13, vgg13_bn, vgg16, vgg16_bn, vgg19, vgg19_bn
from gpunet.models.vision_transformer import VisionTransformer, vit_b_16, vit_b_32, vit_h_14, vit_l_16, vit_l_32
from gpunet.models.weights import Weights, get_model_weights, get_weight

__all__ = [
    "AlexNet", "BERT", "ConvNeXt", "DenseNet", "EfficientNet", "GPT2", "GoogLeNet", "LayerSummary", "LeNet5", "MLP",
    "MobileNetV1", "MobileNetV2", "MobileNetV3", "ModelSummary", "ResNet", "SqueezeNet", "UNet", "VGG",
    "VisionTransformer", "Weights", "alexnet", "bert_base", "bert_large", "convnext_base", "convnext_large",
    "convnext_small", "convnext_tiny", "densenet121", "densenet161", "densenet169", "densenet201",
    "efficientnet_b0", "efficientnet_b1", "efficientnet_b2", "efficientnet_b3", "efficientnet_b4",
    "efficientnet_b5", "efficientnet_b6", "efficientnet_b7", "efficientnet_v2_l", "efficientnet_v2_m",
    "efficientnet_v2_s", "feature_extraction", "get_model", "get_model_builder", "get_model_weights", "get_weight",
    "googlenet", "gpt2", "gpt2_large", "gpt2_medium", "gpt2_xl", "lenet5", "list_models", "mobilenet_v1",
    "mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small", "resnet101", "resnet152", "resnet18", "resnet34",
    "resnet50", "resnext101_32x8d", "resnext101_64x4d", "resnext50_32x4d", "se_resnet101", "se_resnet152",
    "se_resnet18", "se_resnet34", "se_resnet50", "squeezenet1_0", "squeezenet1_1", "summary", "unet", "vgg11",
    "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn", "vit_b_16", "vit_b_32", "vit_h_14",
    "vit_l_16", "vit_l_32", "wide_resnet101_2", "wide_resnet50_2",
]

if not typing.TYPE_CHECKING:
    _absent = _attributes_of(__name__)

    def __getattr__(name: str) -> typing.Any:
        """The published weights of a model, such as `ResNet18_Weights`; or what is said of a name that is not there."""
        from gpunet.models import weights

        return getattr(weights, name) if name.endswith("_Weights") and hasattr(weights, name) else _absent(name)
