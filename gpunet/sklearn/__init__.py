"""Networks as scikit-learn's estimators: for Pipeline, GridSearchCV, VotingClassifier and all that takes one."""

try:
    from gpunet.sklearn.classifier import Classifier
    from gpunet.sklearn.regressor import Regressor
except ImportError as error:
    if (error.name or "").partition(".")[0] != "sklearn":
        raise
    raise ImportError("gpunet.sklearn needs scikit-learn 1.6 or later: pip install 'scikit-learn>=1.6'") from error

__all__ = ["Classifier", "Regressor"]
