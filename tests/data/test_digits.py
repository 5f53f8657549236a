"""The bundled digits: scikit-learn's data, split as the docstring says."""

import numpy as np
import pytest

import gpunet
from gpunet.data.datasets import Digits
from gpunet.data.transforms import ToTensor


def test_both_parts_together_are_scikit_learns_digits():
    load_digits = pytest.importorskip("sklearn.datasets").load_digits
    digits = load_digits()
    counted = dict.fromkeys(range(10), 0)
    parts = {True: ([], []), False: ([], [])}
    for image, label in zip(digits.images, digits.target, strict=True):  # the docstring's rule, said another way
        counted[label] += 1
        images, labels = parts[counted[label] % 5 != 0]
        images.append(image)
        labels.append(label)
    for train, (images, labels) in parts.items():
        dataset = Digits(train=train)
        np.testing.assert_array_equal(dataset.data.numpy(), np.stack(images))
        np.testing.assert_array_equal(dataset.targets.numpy(), labels)


def test_sizes_and_types():
    train, test = Digits(), Digits(train=False)
    assert (len(train), len(test)) == (1442, 355)
    assert train.data.shape == (1442, 8, 8) and train.data.dtype == gpunet.uint8
    assert train.targets.dtype == gpunet.int64
    assert np.bincount(test.targets.numpy()).min() >= 34  # each class has its fifth


def test_items():
    dataset = Digits()
    image, label = dataset[0]
    assert image.shape == (8, 8) and image.dtype == np.uint8 and image[1, 3] == 239 and label == 0
    np.testing.assert_allclose(image / 255, dataset.data[0].numpy() / 16, atol=0.5 / 255)
    image[:] = 0  # an item is a copy
    assert dataset[0][0][1, 3] == 239
    image, label = Digits(transform=ToTensor(), target_transform=lambda label: -label)[3]
    assert image.shape == (1, 8, 8) and 0 <= image.min().item() and image.max().item() <= 1 and label == -3
