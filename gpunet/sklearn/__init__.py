"""Networks as scikit-learn's estimators: for Pipeline, GridSearchCV, VotingClassifier and all that takes one."""

from gpunet.sklearn.classifier import Classifier
from gpunet.sklearn.regressor import Regressor

__all__ = ["Classifier", "Regressor"]
