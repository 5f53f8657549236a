"""Attention in mixed precision takes what autocast has left in several types."""

import pytest

import gpunet


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.needs("torch")
def test_types_are_brought_together_as_in_pytorch(dtype):
    import torch

    found = []
    for library in (gpunet, torch):
        x = library.linspace(-1, 1, 24).reshape(1, 2, 3, 4)
        low = getattr(library, dtype)
        with library.autocast("cpu", dtype=low):
            y = library.nn.functional.scaled_dot_product_attention(x, x, x.to(low), is_causal=True)
        found.append((str(y.dtype).split(".")[1], y.float()))
        with pytest.raises(RuntimeError):
            library.nn.functional.scaled_dot_product_attention(x, x, x.to(low))
    assert found[0][0] == found[1][0] == dtype
    assert abs(found[0][1].numpy() - found[1][1].numpy()).max() < 0.02
