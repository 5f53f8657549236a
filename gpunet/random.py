"""Random number generators: one stream of numbers, the same on every device.

Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011) makes block n of four 32-bit words
from n and the seed alone. So a generator is a seed and a count of blocks handed out; each random op takes the next
blocks, whatever device it runs on. What a GPU kernel needs to know lies in device memory as `state` = {seed, base}: a
recorded step keeps its blocks relative to `base` and moves `base` on at each replay.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from gpunet import devices
from gpunet.dispatch import host_read, wrap
from gpunet.engine.extensions import extensions

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["Generator", "default_generator", "fork_rng", "get_rng_state", "initial_seed", "manual_seed", "seed",
           "set_rng_state"]

_MASK64 = (1 << 64) - 1


class Generator:
    """A stream of random numbers. Unlike PyTorch's, one generator serves every device, with the same numbers.

    Source: Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", 2011 (Philox 4x32-10).

    Args:
        device: accepted as in PyTorch, without effect on the numbers.

    Attributes:
        device: the device that was given.

    Examples:
        >>> generator = gpunet.Generator().manual_seed(0)
        >>> first = gpunet.rand(3, generator=generator)
        >>> bool((gpunet.rand(3, generator=generator.manual_seed(0)) == first).all())
        True
    """

    def __init__(self, device: devices.DeviceLike = "cpu") -> None:
        self.device = devices.device("cuda", device) if isinstance(device, int) else devices.device(device or "cpu")
        self._seed, self._offset = 67280421310721, 0  # PyTorch's default seed
        self._states: dict[Any, tuple[int, Tensor]] = {}  # device object -> seed, tensor {seed, 0}

    def manual_seed(self, seed: int) -> Generator:
        """Starts the stream that belongs to a seed.

        Args:
            seed: any integer; taken modulo 2^64.

        Returns:
            The generator itself.
        """
        self._seed, self._offset = int(seed) & _MASK64, 0
        return self

    def seed(self) -> int:
        """Starts a stream from the system's source of random numbers, and returns its seed."""
        self.manual_seed(int.from_bytes(os.urandom(8), "little"))
        return self._seed

    def initial_seed(self) -> int:
        """The seed from which this stream started."""
        return self._seed

    def get_state(self) -> Tensor:
        """The position in the stream, for `set_state`: uint64 [2], on the CPU: seed, and blocks drawn."""
        return wrap(np.array([self._seed, self._offset], np.uint64), devices.cpu)

    def set_state(self, new_state: Tensor) -> None:
        """Continues from a position in a stream.

        Args:
            new_state: what `get_state` gave.

        Raises:
            RuntimeError: `new_state` is another kind of tensor.
        """
        values = host_read(new_state, "Generator.set_state")
        if values.shape != (2,) or values.dtype != np.uint64:
            raise RuntimeError("Generator.set_state: expected the tensor of two uint64 that get_state gave, got "
                               f"{values.dtype} of shape {values.shape}")
        self._seed, self._offset = int(values[0]), int(values[1])

    def clone_state(self) -> Generator:
        """A new generator at the same position in the same stream."""
        new = Generator(self.device)
        new._seed, new._offset = self._seed, self._offset
        return new

    def position(self) -> tuple[int, int]:
        """The seed, and the number of the next block."""
        return self._seed, self._offset

    def skip(self, blocks: int) -> None:
        """Skips blocks that were drawn elsewhere.

        Args:
            blocks: how many.
        """
        self._offset = self._offset + blocks & _MASK64

    def draw(self, device: devices.AnyDevice, blocks: int) -> tuple[Tensor, int]:
        """Takes the next blocks of four words.

        Args:
            device: the device object that computes them.
            blocks: how many.

        Returns:
            The state {seed, base} on the device, and the number of the first block, counted from base.
        """
        if device.type == "meta":  # no numbers are drawn, as in PyTorch
            return make_state(device), self._offset
        if extensions.recorder is not None:
            return extensions.recorder.draw(self, device, blocks)
        seed, state = self._states.get(device, (None, None))
        if state is None or seed != self._seed:
            state = make_state(device)
            write_state(state, self._seed, 0)
            self._states[device] = self._seed, state
        first = self._offset
        self._offset = first + blocks & _MASK64
        return state, first


def make_state(device: devices.AnyDevice) -> Tensor:
    """Memory for {seed, base} on a device."""
    return wrap(device.empty((2,), np.dtype(np.uint64)), device)


def write_state(state: Tensor, seed: int, base: int) -> None:
    """Sets {seed, base} on the device by fills: without a copy from the host, the queue of work does not stop."""
    words = state._array
    state._device.call(words[0:1].fill, np.uint64(seed))
    state._device.call(words[1:2].fill, np.uint64(base))


default_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Seeds the default generator, which serves every device.

    Args:
        seed: any integer; taken modulo 2^64.

    Returns:
        The default generator.

    Examples:
        >>> first = gpunet.manual_seed(0) and gpunet.rand(3)
        >>> second = gpunet.manual_seed(0) and gpunet.rand(3)
        >>> bool((first == second).all())
        True
    """
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Seeds the default generator from the system's source of random numbers, and returns the seed.

    Examples:
        >>> gpunet.seed() == gpunet.initial_seed()
        True
    """
    return default_generator.seed()


def initial_seed() -> int:
    """The seed of the default generator.

    Examples:
        >>> generator = gpunet.manual_seed(7)
        >>> gpunet.initial_seed()
        7
    """
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The position of the default generator in its stream, for `set_rng_state`.

    Examples:
        >>> state = gpunet.get_rng_state()
        >>> first = gpunet.rand(3)
        >>> gpunet.set_rng_state(state)
        >>> bool((gpunet.rand(3) == first).all())
        True
    """
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Sets the position of the default generator in its stream.

    Args:
        new_state: what `get_rng_state` gave.

    Raises:
        RuntimeError: `new_state` is another kind of tensor.

    Examples:
        >>> gpunet.set_rng_state(gpunet.get_rng_state())
    """
    default_generator.set_state(new_state)


@contextmanager
def fork_rng(devices: Any = None, enabled: bool = True) -> Iterator[None]:
    """A context after which the default generator goes on as if nothing had been drawn or seeded inside.

    Args:
        devices: accepted as in PyTorch; one generator serves all devices.
        enabled: False: the context does nothing.

    Examples:
        >>> with gpunet.random.fork_rng():
        ...     _ = gpunet.manual_seed(5)
        ...     first = gpunet.rand(2)
    """
    state = default_generator.get_state()
    try:
        yield
    finally:
        if enabled:
            default_generator.set_state(state)


# ---- Philox and its derived numbers, on the CPU --------------------------------------------------------------------

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
_LOW, _32 = np.uint64(0xFFFFFFFF), np.uint64(32)


def words(state: np.ndarray, offset: int, blocks: int) -> np.ndarray:
    """Blocks of random words, uint32 [blocks, 4], from state {seed, base} and the number of the first block."""
    seed, first = int(state[0]), int(state[1]) + offset
    number = np.arange(blocks, dtype=np.uint64) + np.uint64(first & _MASK64)
    upper = np.zeros(blocks, np.uint64)
    return philox(number & _LOW, number >> _32, upper, upper, seed & 0xFFFFFFFF, seed >> 32)


def philox(c0: np.ndarray, c1: np.ndarray, c2: np.ndarray, c3: np.ndarray, k0: int, k1: int) -> np.ndarray:
    """Philox 4x32-10: for each counter of four words (held in uint64) and the key, four words, uint32 [counters, 4]."""
    for _ in range(10):
        p0, p1 = c0 * _M0, c2 * _M1
        c0, c1, c2, c3 = (p1 >> _32) ^ c1 ^ np.uint64(k0), p1 & _LOW, (p0 >> _32) ^ c3 ^ np.uint64(k1), p0 & _LOW
        k0, k1 = (k0 + _W0) & 0xFFFFFFFF, (k1 + _W1) & 0xFFFFFFFF
    out = np.empty((len(c0), 4), np.uint32)
    out[:, 0], out[:, 1], out[:, 2], out[:, 3] = c0, c1, c2, c3
    return out


def blocks_of(size: int, dtype: np.dtype) -> int:
    """How many blocks `size` numbers take: a double takes two words, everything else one."""
    per_block = 2 if dtype.itemsize == 8 else 4
    return -(-size // per_block)


def uniform_numbers(state: np.ndarray, offset: int, size: int, dtype: np.dtype) -> np.ndarray:
    """Numbers in [0, 1): 24 bits for float32, 53 bits for float64."""
    w = words(state, offset, blocks_of(size, dtype))
    if dtype.itemsize == 8:
        w = w.reshape(-1, 2)
        return (((w[:, 0] >> 5) * 67108864.0 + (w[:, 1] >> 6)) * (1.0 / 9007199254740992.0))[:size]
    return ((w.reshape(-1)[:size] >> np.uint32(8)).astype(np.float32)) * np.float32(1.0 / 16777216.0)


def normal_numbers(state: np.ndarray, offset: int, size: int, dtype: np.dtype) -> np.ndarray:
    """Standard normal numbers in float64, by inversion: from 32 bits for float32, 52 bits for float64."""
    w = words(state, offset, blocks_of(size, dtype))
    if dtype.itemsize == 8:
        w = w.reshape(-1, 2)
        p = ((w[:, 0] >> 6) * 67108864.0 + (w[:, 1] >> 6) + 0.5) * (1.0 / 4503599627370496.0)
    else:
        p = (w.reshape(-1) + 0.5) * (1.0 / 4294967296.0)
    return normal_quantile(p[:size])


_A = (3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
      4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3)
_B = (1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3, 2.1213794301586595867e4,
      3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3)
_C = (1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
      1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4)
_D = (1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1, 1.48103976427480074590e-1,
      1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9)
_E = (6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
      2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7)
_F = (1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2, 7.86869131145613259100e-4,
      1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15)
_LOG = (6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01, 2.222219843214978396e-01,
        1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01)


def _polynomial(coefficients: Sequence[float], x: np.ndarray) -> np.ndarray:
    value = np.full_like(x, coefficients[-1])
    for c in coefficients[-2::-1]:
        value *= x
        value += c
    return value


def _exact_log(x: np.ndarray) -> np.ndarray:
    """fdlibm's logarithm, every operation in a fixed order, as kernels/random.cu has it: bit-identical there."""
    shifted = x.view(np.int64) + (0x3FF0000000000000 - 0x3FE6A09E667F3BCD)
    k = ((shifted >> 52) - 1023).astype(np.float64)
    f = ((shifted & 0x000FFFFFFFFFFFFF) + 0x3FE6A09E667F3BCD).view(np.float64) - 1.0
    s = f / (2.0 + f)
    z = s * s
    r = z * _polynomial(_LOG, z)
    half_square = 0.5 * f * f
    return k * 6.93147180369123816490e-01 - (
        (half_square - (s * (half_square + r) + k * 1.90821492927058770002e-10)) - f)


def normal_quantile(p: np.ndarray) -> np.ndarray:
    """The inverse of the normal distribution function: Wichura's algorithm AS 241, function PPND16 (Applied
    Statistics 37, 1988). The same operations in the same order as kernels/random.cu."""
    q = p - 0.5
    r = 0.180625 - q * q
    value = q * _polynomial(_A, r) / _polynomial(_B, r)
    tail = np.abs(q) > 0.425
    if tail.any():
        pt, qt = p[tail], q[tail]
        r = np.sqrt(-_exact_log(np.where(qt < 0.0, pt, 1.0 - pt)))
        near, far = r - 1.6, r - 5.0
        v = np.where(r <= 5.0, _polynomial(_C, near) / _polynomial(_D, near),
                     _polynomial(_E, far) / _polynomial(_F, far))
        value[tail] = np.where(qt < 0.0, -v, v)
    return value
