"""Splits: nothing is lost, nothing is in two parts, classes and groups are where they belong."""

import numpy as np
import pytest

import gpunet
from gpunet import nn, optim
from gpunet.data import Subset, TensorDataset
from gpunet.train import GroupKFold, KFold, StratifiedKFold, Trainer, cross_validate, train_test_split

try:
    from sklearn import model_selection as sklearn
except ImportError:
    sklearn = None

RNG = np.random.default_rng(0)
X, Y = np.arange(103), RNG.choice(4, 103, p=[0.5, 0.3, 0.15, 0.05])
GROUPS = RNG.integers(0, 17, 103)


@pytest.mark.parametrize("size", [0.2, 31, 0.5, 1])
@pytest.mark.parametrize("options", [{}, {"shuffle": False}, {"stratify": Y}])
def test_both_parts_are_the_whole(size, options):
    if size == 1 and "stratify" in options:
        pytest.raises(ValueError, train_test_split, X, Y, test_size=size, **options).match("cannot have all 4 classes")
        return
    x_train, x_test, y_train, y_test = train_test_split(X, Y, test_size=size, random_state=1, **options)
    assert len(x_test) == (int(np.ceil(size * 103)) if isinstance(size, float) else size)
    assert sorted([*x_train, *x_test]) == list(X)
    np.testing.assert_array_equal(Y[x_train], y_train)
    np.testing.assert_array_equal(Y[x_test], y_test)
    if "stratify" in options:
        share = len(x_test) / 103
        assert (abs(np.bincount(y_test, minlength=4) - np.bincount(Y) * share) < 1).all()
    again = train_test_split(X, Y, test_size=size, random_state=1, **options)
    np.testing.assert_array_equal(again[1], x_test)


def test_groups_stay_together():
    train, test, kept, tested = train_test_split(X, GROUPS, test_size=0.3, groups=GROUPS, random_state=0)
    assert not set(kept) & set(tested) and len(train) + len(test) == 103 and len(set(tested)) == 6


def test_all_kinds_of_data_split_alike():
    tensor, data = gpunet.tensor(X), TensorDataset(gpunet.tensor(X))
    found = train_test_split(X, tensor, data, X.tolist(), random_state=3)
    assert isinstance(found[4], Subset) and isinstance(found[2], gpunet.Tensor) and isinstance(found[6], list)
    assert found[0].tolist() == found[2].tolist() == [int(found[4][i][0]) for i in range(len(found[4]))] == found[6]


FOLDS = {"KFold": (KFold, {}), "StratifiedKFold": (StratifiedKFold, {"y": Y}), "GroupKFold": (GroupKFold,
                                                                                            {"groups": GROUPS})}


@pytest.mark.skipif(sklearn is None, reason="needs scikit-learn")
@pytest.mark.filterwarnings("ignore:The least populated class")
@pytest.mark.parametrize("splits", [2, 5, 7])
@pytest.mark.parametrize("name", FOLDS)
def test_folds_are_scikit_learns(name, splits):
    make, given = FOLDS[name]
    ours, theirs = make(splits).split(X, **given), getattr(sklearn, name)(splits).split(X, **given)
    for mine, wanted in zip(ours, theirs, strict=True):
        for part, other in zip(mine, wanted, strict=True):
            np.testing.assert_array_equal(part, other)


@pytest.mark.parametrize("make", [KFold, StratifiedKFold])
def test_shuffled_folds(make):
    first, second, third = ([test.tolist() for _, test in make(5, True, seed).split(X, Y)] for seed in (0, 0, 1))
    assert first == second != third and sorted(sum(first, [])) == list(X)
    if make is StratifiedKFold:
        for test in first:
            assert (abs(np.bincount(Y[test], minlength=4) - np.bincount(Y) / 5) <= 1).all()


def maker():
    model = nn.Linear(2, 2)
    return Trainer(model, nn.functional.cross_entropy, optim.Adam(model.parameters(), 0.1), "accuracy")


def test_cross_validation():
    x = RNG.normal(size=(90, 2)).astype(np.float32)
    y = (x.sum(1) > 0).astype(np.int64)
    for data in ((x, y), TensorDataset(gpunet.tensor(x), gpunet.tensor(y))):
        scores = cross_validate(maker, data, cv=3, epochs=15)
        assert set(scores) == {"loss", "accuracy"} and scores["accuracy"].shape == (3,)
        assert scores["accuracy"].min() > 0.8
    scores = cross_validate(maker, (x, y), cv=GroupKFold(3), epochs=1, groups=np.arange(90) // 10)
    assert scores["loss"].shape == (3,)


REFUSED = {
    "nothing": (lambda: train_test_split(), "at least one array"),
    "different lengths": (lambda: train_test_split(X, Y[:5]), "different lengths"),
    "too many": (lambda: train_test_split(X, test_size=103), "test_size of 103 cannot be taken from 103 examples"),
    "a share above 1": (lambda: train_test_split(X, test_size=1.5), "test_size of 1.5 cannot be taken"),
    "no number": (lambda: train_test_split(X, test_size="a"), "must be a share or a number"),
    "both": (lambda: train_test_split(X, stratify=Y, groups=GROUPS), "exclude each other"),
    "no shuffling": (lambda: train_test_split(X, stratify=Y, shuffle=False), "need shuffle=True"),
    "a rare class": (lambda: train_test_split(X, stratify=[0] * 102 + [1]), "the class 1 has one example"),
    "labels of others": (lambda: train_test_split(X, stratify=Y[:9]), "one label for each of the 103 examples"),
    "one fold": (lambda: KFold(1), "n_splits must be a whole number of at least 2"),
    "few examples": (lambda: list(KFold(5).split([1, 2])), "2 examples cannot make 5 parts"),
    "no classes": (lambda: list(StratifiedKFold(5).split(X)), "needs the classes"),
    "rare classes": (lambda: list(StratifiedKFold(5).split(X[:4], Y[:4])), "no class has 5 examples"),
    "no groups": (lambda: list(GroupKFold(5).split(X)), "needs the groups"),
    "few groups": (lambda: list(GroupKFold(5).split(X, groups=X % 2)), "2 groups cannot make 5 parts"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_split_is_said(what):
    call, says = REFUSED[what]
    with pytest.raises(ValueError, match=says) as error:
        call()
    assert "\n" not in str(error.value)
