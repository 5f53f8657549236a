"""The membership attack against scikit-learn's ROC curve; federated averaging against training on all data at once."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim
from gpunet.privacy import FederatedAveraging, average_states, loss_threshold_attack, split_by_dirichlet


@pytest.mark.parametrize("decimals", [1, 8])  # with many ties, and without
def test_the_attack_is_that_of_the_roc_curve(decimals):
    random = np.random.default_rng(0)
    members, others = (random.exponential(scale, 300).round(decimals) for scale in (0.5, 1.0))
    member = np.repeat([1, 0], 300)
    losses = np.concatenate([members, others])
    found = loss_threshold_attack(gpunet.tensor(members), others)
    wrong, right, thresholds = roc_curve(member, -losses, drop_intermediate=False)
    assert found.auc == pytest.approx(roc_auc_score(member, -losses))
    assert found.advantage == pytest.approx((right - wrong).max())
    assert found.threshold in -thresholds[np.isclose(right - wrong, (right - wrong).max())]


def test_the_attack_on_what_gives_nothing_away_and_everything():
    assert loss_threshold_attack([1.0, 2.0], [1.0, 2.0])[:2] == (0.5, 0.0)
    assert loss_threshold_attack([1.0, 2.0], [3.0])[:2] == (1.0, 1.0)
    assert loss_threshold_attack([5.0], [3.0])[:2] == (0.0, 0.0)
    with pytest.raises(ValueError, match="at least one loss"):
        loss_threshold_attack([], [1.0])


def clients(sizes=(3, 8, 5)):
    random = np.random.default_rng(0)
    return [(gpunet.tensor(random.standard_normal((n, 4))), gpunet.tensor(random.standard_normal((n, 1))))
            for n in sizes]


def test_one_full_step_of_all_clients_is_a_step_on_all_data():
    gpunet.manual_seed(0)
    model, data = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1)).double(), clients()
    central = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1)).double()
    central.load_state_dict(model.state_dict())
    optimizer = optim.SGD(central.parameters(), lr=0.3)
    federation = FederatedAveraging(model, data, F.mse_loss, lr=0.3, batch_size=None)
    x, y = (gpunet.cat(each) for each in zip(*data, strict=True))
    for _ in range(3):
        optimizer.zero_grad()
        loss = F.mse_loss(central(x), y)
        loss.backward()
        optimizer.step()
        assert federation.round() == pytest.approx(float(loss.detach()), rel=1e-9)
    for name, value in model.state_dict().items():
        np.testing.assert_allclose(value.numpy(), central.state_dict()[name].numpy(), atol=1e-12)
    assert federation.rounds == 3


def test_a_fraction_takes_part():
    counted = []

    def loss(output, target):
        counted.append(len(target))
        return F.mse_loss(output, target)

    federation = FederatedAveraging(nn.Linear(4, 1).double(), clients((2, 2, 2, 2)), loss, fraction=0.5, epochs=3,
                                    batch_size=1)
    federation.round()
    assert len(counted) == 2 * 3 * 2


def test_averages_keep_counters():
    states = [{"w": gpunet.tensor([1.0]), "n": gpunet.tensor(3)}, {"w": gpunet.tensor([2.0]), "n": gpunet.tensor(9)}]
    found = average_states(states, [1, 3])
    assert found["w"].tolist() == [1.75] and found["n"].item() == 3
    for bad, weights, message in [([], [], "states need"), (states, [1], "states need"),
                                  (states, [0, 0], "states need"),
                                  ([states[0], {"v": states[0]["w"]}], [1, 1], "different names")]:
        with pytest.raises(ValueError, match=message):
            average_states(bad, weights)


def test_a_small_alpha_makes_clients_differ():
    labels = np.repeat(np.arange(5), 100)

    def spread(alpha):
        parts = split_by_dirichlet(gpunet.tensor(labels), 10, alpha)
        assert sorted(gpunet.cat(parts).tolist()) == list(range(500)) and min(len(part) for part in parts) > 0
        shares = [np.bincount(labels[part.numpy()], minlength=5) / len(part) for part in parts]
        return np.max(shares, axis=1).mean()

    assert spread(0.1) > 0.6 > 0.35 > spread(100.0)
    with pytest.raises(ValueError, match="cannot be divided"):
        split_by_dirichlet([0, 1], 3, 1.0)
