"""The estimators are scikit-learn's in every way, by its own checks, and among its own."""

import numpy as np
import pytest

import gpunet
from gpunet import nn

sklearn = pytest.importorskip("sklearn")

from sklearn.datasets import load_digits, load_iris, make_regression  # noqa: E402
from sklearn.ensemble import RandomForestClassifier, VotingClassifier  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.svm import SVC  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

from gpunet.sklearn import Classifier, Regressor  # noqa: E402

SMALL = {"hidden_layer_sizes": (32,), "max_epochs": 40, "learning_rate": 0.01, "random_state": 0,
         "dtype": "float64"}


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([Classifier(**SMALL)])
def test_scikit_learns_own_checks_of_a_classifier(estimator, check):
    check(estimator)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([Regressor(**SMALL)])
def test_scikit_learns_own_checks_of_a_regressor(estimator, check):
    check(estimator)


def network(features, outputs):
    return nn.Sequential(nn.Linear(features, 16), nn.Tanh(), nn.Linear(16, outputs))


def test_a_network_of_ones_own():
    x, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    model = Classifier(module=network, max_epochs=50, batch_size=32, learning_rate=0.01, random_state=1).fit(x, names)
    assert model.score(x, names) > 0.9 and model.predict(x[:1]) == ["setosa"]
    assert isinstance(model.model_[1], nn.Tanh) and len(model.history_) == model.n_iter_ == 50


def test_the_seed_decides_and_gpunets_own_draws_go_on():
    x, y = load_iris(return_X_y=True)
    gpunet.manual_seed(3)
    expected = gpunet.rand(2)
    gpunet.manual_seed(3)
    first, again, other = (Classifier((8,), max_epochs=3, random_state=seed, dropout=0.1).fit(x, y)
                           for seed in (0, 0, 1))
    assert gpunet.equal(gpunet.rand(2), expected)
    assert np.array_equal(first.predict_proba(x), again.predict_proba(x))
    assert not np.array_equal(first.predict_proba(x), other.predict_proba(x))


def test_early_stopping_ends_early():
    x, y = load_iris(return_X_y=True)
    model = Classifier((16,), max_epochs=500, learning_rate=0.05, early_stopping=True, patience=3, random_state=0)
    assert model.fit(x, y).n_iter_ < 500 and model.score(x, y) > 0.9


def test_weights_of_classes_and_examples_count():
    x, y = load_iris(return_X_y=True)
    only = y == 2
    settings = {"hidden_layer_sizes": (8,), "max_epochs": 30, "learning_rate": 0.05, "random_state": 0}
    for model in (Classifier(class_weight={0: 0.0, 1: 0.0, 2: 1.0}, **settings).fit(x, y),
                  Classifier(**settings).fit(x, y, sample_weight=only.astype(float))):
        assert (model.predict(x) == 2).all()


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber"])
def test_regression_with_large_targets_and_several(loss):
    x, y = make_regression(120, 5, n_targets=2, random_state=0)
    model = Regressor((32,), loss=loss, max_epochs=60, learning_rate=0.02, random_state=0).fit(x, 1000 + y)
    assert model.score(x, 1000 + y) > 0.9 and model.predict(x).shape == (120, 2)


def test_among_scikit_learns_own():
    x, y = load_digits(return_X_y=True)
    x, y = x[:600] / 16, y[:600]
    ours = Classifier((32,), max_epochs=8, batch_size=32, learning_rate=0.01, random_state=0)
    for model in (make_pipeline(StandardScaler(), ours), OneVsRestClassifier(ours),
                  VotingClassifier([("ours", ours), ("forest", RandomForestClassifier(20, random_state=0)),
                                    ("svc", SVC())])):
        assert model.fit(x[:400], y[:400]).score(x[400:], y[400:]) > 0.8, model
    three = y < 3
    assert OneVsOneClassifier(ours).fit(x[three], y[three]).score(x[three], y[three]) > 0.95
    search = GridSearchCV(ours, {"hidden_layer_sizes": [(2,), (32,)]}, cv=2).fit(x[:200], y[:200])
    assert search.best_params_ == {"hidden_layer_sizes": (32,)}


@pytest.mark.parametrize("make, message", [
    (lambda: Classifier(activation="softmax"), "activation must be one of relu, tanh"),
    (lambda: Classifier(optimizer="lbfgs"), "optimizer must be one of adam"),
    (lambda: Regressor(dtype="float16"), "dtype must be one of float32, float64"),
    (lambda: Regressor(batch_size=0), "batch_size must be 'auto' or a whole number"),
    (lambda: Regressor(loss="hinge"), "loss must be one of squared_error"),
])
def test_settings_that_are_none(make, message):
    with pytest.raises(ValueError, match=message):
        make().fit([[0.0], [1.0]], [0, 1])
