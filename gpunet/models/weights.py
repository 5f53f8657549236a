"""The weights that torchvision publishes, by its names.

Nothing is downloaded: a file that is in the hub's folder (`gpunet.hub.get_dir()`, PyTorch's own) is read, and for one
that is not the error gives the command that gets it. Files, sizes and names: torchvision's documentation of its models.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from gpunet.serialization import hub
from gpunet.tensor import Tensor

__all__ = ["Weights", "get_model_weights", "get_weight"]

_URL = "https://download.pytorch.org/models/"

# The enumeration without "_Weights" (in lower case the model), name of the weights, file without its ending, side of
# the image when resized and when cropped, and what is not as usual: bicubic interpolation, values scaled to -1 to 1
# ("half"). A model's last line is its default.
_TABLE = """
AlexNet IMAGENET1K_V1 alexnet-owt-7be5be79 256 224
ConvNeXt_Base IMAGENET1K_V1 convnext_base-6075fbad 232 224
ConvNeXt_Large IMAGENET1K_V1 convnext_large-ea097f82 232 224
ConvNeXt_Small IMAGENET1K_V1 convnext_small-0c510722 230 224
ConvNeXt_Tiny IMAGENET1K_V1 convnext_tiny-983f1562 236 224
DenseNet121 IMAGENET1K_V1 densenet121-a639ec97 256 224
DenseNet161 IMAGENET1K_V1 densenet161-8d451a50 256 224
DenseNet169 IMAGENET1K_V1 densenet169-b2777c0a 256 224
DenseNet201 IMAGENET1K_V1 densenet201-c1103571 256 224
EfficientNet_B0 IMAGENET1K_V1 efficientnet_b0_rwightman-7f5810bc 256 224 bicubic
EfficientNet_B1 IMAGENET1K_V1 efficientnet_b1_rwightman-bac287d4 256 240 bicubic
EfficientNet_B1 IMAGENET1K_V2 efficientnet_b1-c27df63c 255 240
EfficientNet_B2 IMAGENET1K_V1 efficientnet_b2_rwightman-c35c1473 288 288 bicubic
EfficientNet_B3 IMAGENET1K_V1 efficientnet_b3_rwightman-b3899882 320 300 bicubic
EfficientNet_B4 IMAGENET1K_V1 efficientnet_b4_rwightman-23ab8bcd 384 380 bicubic
EfficientNet_B5 IMAGENET1K_V1 efficientnet_b5_lukemelas-1a07897c 456 456 bicubic
EfficientNet_B6 IMAGENET1K_V1 efficientnet_b6_lukemelas-24a108a5 528 528 bicubic
EfficientNet_B7 IMAGENET1K_V1 efficientnet_b7_lukemelas-c5b4e57e 600 600 bicubic
EfficientNet_V2_S IMAGENET1K_V1 efficientnet_v2_s-dd5fe13b 384 384
EfficientNet_V2_M IMAGENET1K_V1 efficientnet_v2_m-dc08266a 480 480
EfficientNet_V2_L IMAGENET1K_V1 efficientnet_v2_l-59c71312 480 480 bicubic half
GoogLeNet IMAGENET1K_V1 googlenet-1378be20 256 224
MobileNet_V2 IMAGENET1K_V1 mobilenet_v2-b0353104 256 224
MobileNet_V2 IMAGENET1K_V2 mobilenet_v2-7ebf99e0 232 224
MobileNet_V3_Large IMAGENET1K_V1 mobilenet_v3_large-8738ca79 256 224
MobileNet_V3_Large IMAGENET1K_V2 mobilenet_v3_large-5c1a4163 232 224
MobileNet_V3_Small IMAGENET1K_V1 mobilenet_v3_small-047dcff4 256 224
ResNet18 IMAGENET1K_V1 resnet18-f37072fd 256 224
ResNet34 IMAGENET1K_V1 resnet34-b627a593 256 224
ResNet50 IMAGENET1K_V1 resnet50-0676ba61 256 224
ResNet50 IMAGENET1K_V2 resnet50-11ad3fa6 232 224
ResNet101 IMAGENET1K_V1 resnet101-63fe2227 256 224
ResNet101 IMAGENET1K_V2 resnet101-cd907fc2 232 224
ResNet152 IMAGENET1K_V1 resnet152-394f9c45 256 224
ResNet152 IMAGENET1K_V2 resnet152-f82ba261 232 224
ResNeXt50_32X4D IMAGENET1K_V1 resnext50_32x4d-7cdf4587 256 224
ResNeXt50_32X4D IMAGENET1K_V2 resnext50_32x4d-1a0047aa 232 224
ResNeXt101_32X8D IMAGENET1K_V1 resnext101_32x8d-8ba56ff5 256 224
ResNeXt101_32X8D IMAGENET1K_V2 resnext101_32x8d-110c445d 232 224
ResNeXt101_64X4D IMAGENET1K_V1 resnext101_64x4d-173b62eb 232 224
Wide_ResNet50_2 IMAGENET1K_V1 wide_resnet50_2-95faca4d 256 224
Wide_ResNet50_2 IMAGENET1K_V2 wide_resnet50_2-9ba9bcbe 232 224
Wide_ResNet101_2 IMAGENET1K_V1 wide_resnet101_2-32ee1156 256 224
Wide_ResNet101_2 IMAGENET1K_V2 wide_resnet101_2-d733dc28 232 224
SqueezeNet1_0 IMAGENET1K_V1 squeezenet1_0-b66bff10 256 224
SqueezeNet1_1 IMAGENET1K_V1 squeezenet1_1-b8a52dc0 256 224
VGG11 IMAGENET1K_V1 vgg11-8a719046 256 224
VGG13 IMAGENET1K_V1 vgg13-19584684 256 224
VGG16 IMAGENET1K_V1 vgg16-397923af 256 224
VGG19 IMAGENET1K_V1 vgg19-dcbb9e9d 256 224
VGG11_BN IMAGENET1K_V1 vgg11_bn-6002323d 256 224
VGG13_BN IMAGENET1K_V1 vgg13_bn-abd245e5 256 224
VGG16_BN IMAGENET1K_V1 vgg16_bn-6c64b313 256 224
VGG19_BN IMAGENET1K_V1 vgg19_bn-c79401a0 256 224
ViT_B_16 IMAGENET1K_SWAG_E2E_V1 vit_b_16_swag-9ac1b537 384 384 bicubic
ViT_B_16 IMAGENET1K_SWAG_LINEAR_V1 vit_b_16_lc_swag-4e70ced5 224 224 bicubic
ViT_B_16 IMAGENET1K_V1 vit_b_16-c867db91 256 224
ViT_B_32 IMAGENET1K_V1 vit_b_32-d86f8d99 256 224
ViT_L_16 IMAGENET1K_SWAG_E2E_V1 vit_l_16_swag-4f3808c9 512 512 bicubic
ViT_L_16 IMAGENET1K_SWAG_LINEAR_V1 vit_l_16_lc_swag-4d563306 224 224 bicubic
ViT_L_16 IMAGENET1K_V1 vit_l_16-852ce7e3 242 224
ViT_L_32 IMAGENET1K_V1 vit_l_32-c7638314 256 224
ViT_H_14 IMAGENET1K_SWAG_LINEAR_V1 vit_h_14_lc_swag-c1eb923e 224 224 bicubic
ViT_H_14 IMAGENET1K_SWAG_E2E_V1 vit_h_14_swag-80465313 518 518 bicubic
"""


def _pixels(image: Any) -> Any:
    """A Pillow image or a tensor, as numbers from 0 to 1."""
    from gpunet.data.transforms import functional

    if isinstance(image, Tensor):
        return functional.convert_image_dtype(image)
    return functional.to_tensor(image)


class Weights(Enum):
    """Base of the models' weights, such as `ResNet18_Weights`, whose members are the files that torchvision publishes.

    Examples:
        >>> models.ResNet18_Weights.DEFAULT.url
        'https://download.pytorch.org/models/resnet18-f37072fd.pth'
    """

    @property
    def url(self) -> str:
        """Where the file is published."""
        return f"{_URL}{self.value[0]}.pth"

    def transforms(self, **changes: Any) -> Any:
        """The preprocessing that the weights were trained for: resize, crop, scale to [0, 1], normalize.

        Args:
            changes: `resize_size` and `crop_size`, in pixels, where they are to differ.
        """
        from gpunet.data import transforms

        _, resized, cropped, *marks = self.value
        method = transforms.InterpolationMode.BICUBIC if "bicubic" in marks else transforms.InterpolationMode.BILINEAR
        mean, std = ((0.5,) * 3,) * 2 if "half" in marks else ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
        return transforms.Compose([
            transforms.Resize(changes.get("resize_size", int(resized)), interpolation=method),
            transforms.CenterCrop(changes.get("crop_size", int(cropped))),
            _pixels, transforms.Normalize(mean, std)])

    def get_state_dict(self, progress: bool = True, check_hash: bool = False) -> dict[str, Any]:
        """Reads the file from the hub's folder.

        Args:
            progress: accepted as in torchvision; nothing is downloaded.
            check_hash: compare the file's hash with that in its name.

        Raises:
            FileNotFoundError: the file is not there; the message gives the command that gets it.
        """
        return hub.load_state_dict_from_url(self.url, map_location="cpu", check_hash=check_hash)


def _classes() -> dict[str, type[Weights]]:
    """The enumerations, by their names."""
    members: dict[str, dict[str, tuple[str, ...]]] = {}
    for line in _TABLE.strip().splitlines():
        model, name, *value = line.split()
        members.setdefault(f"{model}_Weights", {})[name] = tuple(value)
    classes = {}
    for name, of in members.items():
        of["DEFAULT"] = list(of.values())[-1]  # a second name for the last
        classes[name] = Weights(name, of, module=__name__, qualname=name)
        classes[name].__doc__ = f"The published weights of `{name.removesuffix('_Weights').lower()}`."
    return classes


_BY_NAME = _classes()
_OF_MODEL = {name.removesuffix("_Weights").lower(): cls for name, cls in _BY_NAME.items()}


def weights_of(model: str) -> Any:
    """The enumeration of a model's weights; None if none are published."""
    return _OF_MODEL.get(model)


def __getattr__(name: str) -> type[Weights]:
    if name in _BY_NAME:
        return _BY_NAME[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def get_model_weights(name: str | Any) -> type[Weights]:
    """The weights that are published for a model.

    Args:
        name: the model's name or its constructor.

    Raises:
        ValueError: none are published for it.

    Examples:
        >>> models.get_model_weights("resnet50").DEFAULT.name
        'IMAGENET1K_V2'
    """
    name = name if isinstance(name, str) else name.__name__
    if name.lower() not in _OF_MODEL:
        raise ValueError(f"models: no weights are published for {name!r}; give your own file as weights='FILE.pth'")
    return _OF_MODEL[name.lower()]


def get_weight(name: str) -> Weights:
    """One of the published weights by its full name.

    Args:
        name: such as "ResNet18_Weights.IMAGENET1K_V1".

    Raises:
        ValueError: there are no such weights.

    Examples:
        >>> models.get_weight("VGG16_Weights.DEFAULT").url
        'https://download.pytorch.org/models/vgg16-397923af.pth'
    """
    cls, _, member = name.partition(".")
    if cls not in _BY_NAME or member not in _BY_NAME[cls].__members__:
        raise ValueError(f"models: there are no weights {name!r}; a name such as 'ResNet18_Weights.IMAGENET1K_V1' is "
                         f"expected")
    return _BY_NAME[cls][member]
