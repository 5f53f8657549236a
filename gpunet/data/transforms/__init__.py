"""Image transforms in torchvision's names and meanings.

They take Pillow images, tensors [..., C, H, W], and the NumPy arrays [H, W] or [H, W, C] that gpunet's own datasets
give. Random ones draw from the default generator: `gpunet.manual_seed` determines them, and a DataLoader gives each
sample a stream of its own, so that they draw the same numbers for any number of workers.
"""

from gpunet.data.transforms import functional
from gpunet.data.transforms.augmenting import AugMix, AutoAugment, AutoAugmentPolicy, RandAugment, TrivialAugmentWide
from gpunet.data.transforms.colouring import (
    ColorJitter,
    GaussianBlur,
    Grayscale,
    RandomAdjustSharpness,
    RandomAutocontrast,
    RandomEqualize,
    RandomGrayscale,
    RandomInvert,
    RandomPosterize,
    RandomSolarize,
)
from gpunet.data.transforms.composing import Compose, Lambda, RandomApply, RandomChoice, RandomOrder
from gpunet.data.transforms.conversion import (
    ConvertImageDtype,
    LinearTransformation,
    Normalize,
    PILToTensor,
    ToPILImage,
    ToTensor,
)
from gpunet.data.transforms.cropping import CenterCrop, FiveCrop, Pad, RandomCrop, RandomResizedCrop, Resize, TenCrop
from gpunet.data.transforms.functional import InterpolationMode
from gpunet.data.transforms.mixing import CutMix, MixUp
from gpunet.data.transforms.moving import (
    ElasticTransform,
    RandomAffine,
    RandomErasing,
    RandomHorizontalFlip,
    RandomPerspective,
    RandomRotation,
    RandomVerticalFlip,
)

__all__ = [
    "AugMix", "AutoAugment", "AutoAugmentPolicy", "CenterCrop", "ColorJitter", "Compose", "ConvertImageDtype",
    "CutMix", "ElasticTransform", "FiveCrop", "GaussianBlur", "Grayscale", "InterpolationMode", "Lambda",
    "LinearTransformation", "MixUp", "Normalize", "PILToTensor", "Pad", "RandAugment", "RandomAdjustSharpness",
    "RandomAffine", "RandomApply", "RandomAutocontrast", "RandomChoice", "RandomCrop", "RandomEqualize",
    "RandomErasing", "RandomGrayscale", "RandomHorizontalFlip", "RandomInvert", "RandomOrder", "RandomPerspective",
    "RandomPosterize", "RandomResizedCrop", "RandomRotation", "RandomSolarize", "RandomVerticalFlip", "Resize",
    "TenCrop", "ToPILImage", "ToTensor", "TrivialAugmentWide", "functional",
]
