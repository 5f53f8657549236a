"""Metrics, batch by batch, give what scikit-learn gives for all examples at once."""

import math

import numpy as np
import pytest

import gpunet
from gpunet import metrics

RNG = np.random.default_rng(0)
N, C = 203, 5
SCORES = RNG.normal(size=(N, C)).round(1).astype(np.float32)  # rounded: scores tie
CLASSES = np.where(RNG.random(N) < 0.5, SCORES.argmax(1), RNG.integers(0, C - 1, N))  # class 4 is rare
SINGLE = RNG.normal(size=N).round(1).astype(np.float32)
BINARY = (SINGLE + RNG.normal(size=N) > 0.3).astype(np.int64)
NUMBERS = (RNG.normal(size=(N, 2)) * 3 + 1e4).astype(np.float32)
GUESSES = (NUMBERS + RNG.normal(size=(N, 2))).astype(np.float32)
WEIGHT = RNG.uniform(0.5, 2, N).astype(np.float32)
POWERS = np.exp(SCORES.astype(np.float64) - SCORES.max(1, keepdims=True))
PROBABILITIES = POWERS / POWERS.sum(1, keepdims=True)


def sklearn():
    from sklearn import metrics  # takes more than a second

    return metrics


def of(name, **options):
    """A function of scikit-learn of (y_true, y_pred)."""
    return lambda target, guess, **weight: getattr(sklearn(), name)(target, guess, **options, **weight)


def chosen(function):
    return lambda target, output, **weight: function(target, output.argmax(1), **weight)


def positive(function):
    return lambda target, output, **weight: function(target, (output > 0).astype(int), **weight)


def softmaxed(function):
    return lambda target, output, **weight: function(target, PROBABILITIES, **weight)


CASES = {
    "accuracy": (metrics.Accuracy, SCORES, CLASSES, chosen(of("accuracy_score"))),
    "accuracy, one-hot targets": (metrics.Accuracy, SCORES, np.eye(C)[CLASSES],
                                  lambda t, o, **w: sklearn().accuracy_score(t.argmax(1), o.argmax(1), **w)),
    "accuracy, one output": (metrics.Accuracy, SINGLE, BINARY, positive(of("accuracy_score"))),
    "accuracy, a column": (metrics.Accuracy, SINGLE[:, None], BINARY[:, None], positive(of("accuracy_score"))),
    "top 2": (lambda: metrics.TopK(2), RNG.normal(size=(N, C)).astype(np.float32), CLASSES,
              lambda t, o, **w: sklearn().top_k_accuracy_score(t, o, k=2, labels=range(C), **w)),
    **{f"{kind.__name__} {average}": (
        lambda kind=kind, average=average: kind(average), SCORES, CLASSES,
        chosen(of(f"{kind.__name__.lower()}_score", average=average, zero_division=0)))
       for kind in (metrics.Precision, metrics.Recall, metrics.F1) for average in ("macro", "micro", "weighted", None)},
    **{f"{kind.__name__} binary": (
        lambda kind=kind: kind("binary"), SINGLE, BINARY, positive(of(f"{kind.__name__.lower()}_score")))
       for kind in (metrics.Precision, metrics.Recall, metrics.F1)},
    **{f"confusion {how}": (lambda how=how: metrics.ConfusionMatrix(how), SCORES, CLASSES,
                            chosen(of("confusion_matrix", normalize=how))) for how in (None, "true", "pred", "all")},
    "AUROC, one output": (metrics.AUROC, SINGLE, BINARY, of("roc_auc_score")),
    "AUROC, two outputs": (metrics.AUROC, np.stack([-SINGLE, SINGLE], 1), BINARY,
                           lambda t, o, **w: sklearn().roc_auc_score(t, o[:, 1], **w)),
    "AUROC": (metrics.AUROC, SCORES, CLASSES, softmaxed(of("roc_auc_score", multi_class="ovr"))),
    "AUROC of probabilities": (metrics.AUROC, PROBABILITIES, CLASSES, of("roc_auc_score", multi_class="ovr")),
    "AUROC weighted": (lambda: metrics.AUROC("weighted"), SCORES, CLASSES,
                       softmaxed(of("roc_auc_score", multi_class="ovr", average="weighted"))),
    "average precision, one output": (metrics.AveragePrecision, SINGLE, BINARY, of("average_precision_score")),
    **{f"average precision {average}": (
        lambda average=average: metrics.AveragePrecision(average), SCORES, CLASSES,
        softmaxed(of("average_precision_score", average=average))) for average in ("macro", "weighted", None)},
    "mse": (metrics.MeanSquaredError, GUESSES, NUMBERS, of("mean_squared_error")),
    "rmse": (metrics.RootMeanSquaredError, GUESSES[:, 0], NUMBERS[:, 0], of("root_mean_squared_error")),
    "mae": (metrics.MeanAbsoluteError, GUESSES[:, :1], NUMBERS[:, 0], of("mean_absolute_error")),
    "r2": (metrics.R2, GUESSES, NUMBERS, of("r2_score")),
    "r2 of one": (metrics.R2, GUESSES[:, 0], NUMBERS[:, 0], of("r2_score")),
    "r2 of a constant": (metrics.R2, GUESSES[:, 0], np.ones(N, np.float32), of("r2_score")),
    "perplexity": (metrics.Perplexity, SCORES, CLASSES,
                   lambda t, o, **w: math.exp(sklearn().log_loss(t, PROBABILITIES, labels=range(C), **w))),
}


def streamed(metric, output, target, weight=None, device="cpu", size=50):
    for start in range(0, len(output), size):
        part = slice(start, start + size)
        metric.update(*(gpunet.tensor(each[part], device=device) for each in (output, target)),
                      None if weight is None else gpunet.tensor(weight[part], device=device))
    return metric


@pytest.mark.needs("sklearn")
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_scikit_learn_agrees(case, weighted):
    make, output, target, expected = CASES[case]
    found = streamed(make(), output, target, WEIGHT if weighted else None).compute()
    wanted = expected(target, output, **({"sample_weight": WEIGHT} if weighted else {}))
    assert isinstance(found, float | np.ndarray)
    np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize("case", CASES)
def test_a_state_goes_on_and_a_reset_begins_anew(case):
    make, output, target, _ = CASES[case]
    whole = streamed(make(), output, target).compute()
    first = streamed(make(), output[:100], target[:100])
    second = first.new()
    second.load_state_dict(first.state_dict())
    np.testing.assert_array_equal(streamed(second, output[100:], target[100:]).compute(), whole)
    second.reset()
    np.testing.assert_array_equal(streamed(second, output, target).compute(), whole)
    with pytest.raises(ValueError, match="there is no batch yet"):
        second.new().compute()


@pytest.mark.parametrize("case", [name for name, (make, *_) in CASES.items() if make().in_place])
def test_recorded_updates_add_the_same(case):
    make, output, target, _ = CASES[case]
    metric = make()
    update = gpunet.compile(lambda output, target: metric.update(output, target))
    for start in range(0, 200, 50):
        update(gpunet.tensor(output[start:start + 50]), gpunet.tensor(target[start:start + 50]))
    np.testing.assert_array_equal(metric.compute(), streamed(make(), output[:200], target[:200]).compute())


@pytest.mark.parametrize("name", ["accuracy", "F1 macro", "AUROC", "mse", "r2", "perplexity", "top 2"])
def test_the_simulator_agrees(name):
    try:
        gpunet.zeros(1, device="sim")
    except RuntimeError as error:
        pytest.skip(str(error))
    make, output, target, _ = CASES[name]
    found = streamed(make(), output[:60], target[:60], device="sim", size=30)
    np.testing.assert_allclose(found.compute(), streamed(make(), output[:60], target[:60]).compute(), rtol=1e-5)


def test_segmentation():
    """Outputs [N, C, H, W]: each pixel counts."""
    output, target = RNG.normal(size=(4, 3, 5, 6)).astype(np.float32), RNG.integers(0, 3, (4, 5, 6))
    for metric in (metrics.Accuracy(), metrics.Recall("micro")):
        assert streamed(metric, output, target, size=2).compute() == pytest.approx((output.argmax(1) == target).mean())


def test_ignored_targets_do_not_count_for_the_perplexity():
    target = np.where(np.arange(N) % 3, CLASSES, -100)
    found = streamed(metrics.Perplexity(), SCORES, target).compute()
    kept = target >= 0
    assert found == pytest.approx(streamed(metrics.Perplexity(), SCORES[kept], CLASSES[kept]).compute(), rel=1e-5)


def test_one_class_has_no_area_under_its_curve():
    assert math.isnan(streamed(metrics.AUROC(), SINGLE, np.zeros(N, np.int64)).compute())
    assert streamed(metrics.AveragePrecision(), SINGLE, np.zeros(N, np.int64)).compute() == 0


REFUSED = {
    "an unknown name": (lambda: metrics.get("acuracy"), "no metric 'acuracy'; did you mean 'accuracy'"),
    "a number": (lambda: metrics.get(3), "A metric is a name, a Metric or a function"),
    "a name twice": (lambda: metrics.get_all(["accuracy", metrics.Accuracy(0.5)]), "Two metrics are called 'accuracy'"),
    "a name that is taken": (lambda: metrics.get_all({"loss": "accuracy"}), "cannot be called 'loss'"),
    "a number of metrics": (lambda: metrics.get_all(3), "metrics must be a name, a Metric, or several"),
    "an average": (lambda: metrics.F1("mean"), "F1: average must be 'macro', 'micro', 'weighted', 'binary' or None"),
    "a norm": (lambda: metrics.ConfusionMatrix("rows"), "normalize must be 'true', 'pred', 'all' or None"),
    "an average of areas": (lambda: metrics.AUROC("micro"), "AUROC: average must be 'macro', 'weighted' or None"),
    "two classes of five": (lambda: streamed(metrics.F1("binary"), SCORES, CLASSES).compute(), "there are 5"),
    "other shapes": (lambda: streamed(metrics.R2(), GUESSES, NUMBERS[:, 0]), "must have the same"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_is_refused_in_one_sentence(what):
    call, says = REFUSED[what]
    with pytest.raises((ValueError, TypeError), match=says) as error:
        call()
    assert "\n" not in str(error.value)


def test_a_function_is_a_metric():
    largest = metrics.get(lambda output, target: output.amax(1), "largest")
    assert streamed(largest, SCORES, CLASSES).compute() == pytest.approx(SCORES.max(1).mean(), rel=1e-5)
