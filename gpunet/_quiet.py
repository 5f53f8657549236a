"""NumPy without its floating-point warnings: infinities and NaN are results, as they are on a GPU and in PyTorch.

`np.errstate` around each op would cost as much as the op. These are the names inside it:

    token = silence()
    try: ...
    finally: restore(token)
"""

from functools import partial

from numpy._core.umath import _extobj_contextvar, _make_extobj

silence = partial(_extobj_contextvar.set, _make_extobj(all="ignore"))
restore = _extobj_contextvar.reset
