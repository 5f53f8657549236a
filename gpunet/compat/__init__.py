"""What PyTorch's training scripts take from modules for which gpunet has no other use: compilers, several processes,
profiling. The names do what is harmless, or say in one sentence what is not here and what to use instead.

PyTorch's paths lead here: `gpunet.jit` is `gpunet.compat.jit`.
"""
