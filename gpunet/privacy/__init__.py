"""Training that keeps single examples private, and measures of how private it is.

`PrivacyEngine` makes a training loop one of DP-SGD: each example's gradient is clipped, noise is added to their sum,
and an accountant says which (epsilon, delta) has been spent. `loss_threshold_attack` asks whether a model gives away
who was in its training data; `FederatedAveraging` trains on data that stays with simulated clients.
"""

from gpunet.privacy.accountant import RDPAccountant, compute_rdp, get_noise_multiplier, rdp_to_epsilon
from gpunet.privacy.engine import PrivacyEngine
from gpunet.privacy.federated import FederatedAveraging, average_states, split_by_dirichlet
from gpunet.privacy.membership import MembershipAttack, loss_threshold_attack
from gpunet.privacy.optimizer import DPOptimizer
from gpunet.privacy.per_sample import PerSampleGradients
from gpunet.privacy.sampler import PoissonBatchSampler

__all__ = ["DPOptimizer", "FederatedAveraging", "MembershipAttack", "PerSampleGradients", "PoissonBatchSampler",
           "PrivacyEngine", "RDPAccountant", "average_states", "compute_rdp", "get_noise_multiplier",
           "loss_threshold_attack", "rdp_to_epsilon", "split_by_dirichlet"]
