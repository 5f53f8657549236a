"""Special functions, as `torch.special`: other names, for most of them, of functions of `gpunet`."""

from gpunet.ops.exponentials import exp2, expm1, log1p
from gpunet.ops.probability import entr, erfcx, log_ndtr, ndtr, ndtri, xlog1py
from gpunet.ops.probability import mvlgamma as multigammaln
from gpunet.ops.rounding import round
from gpunet.ops.sigmoids import sigmoid as expit
from gpunet.ops.softmax import log_softmax, logsumexp, softmax
from gpunet.ops.special import digamma, erf, erfc, erfinv, logit, polygamma, sinc, xlogy
from gpunet.ops.special import digamma as psi
from gpunet.ops.special import lgamma as gammaln

__all__ = ["digamma", "entr", "erf", "erfc", "erfcx", "erfinv", "exp2", "expit", "expm1", "gammaln", "log1p",
           "log_ndtr", "log_softmax", "logit", "logsumexp", "multigammaln", "ndtr", "ndtri", "polygamma", "psi",
           "round", "sinc", "softmax", "xlog1py", "xlogy"]
