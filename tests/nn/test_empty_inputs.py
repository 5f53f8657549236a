"""Inputs without elements: values, shapes, gradients and the class of an error are PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest

import gpunet

torch = pytest.importorskip("torch")

REDUCTIONS = """x.sum() x.mean() x.prod() x.std() x.var(0) x.std(-1) x.amax() x.max(0)[0] x.sum(0) x.mean(-1)
x.norm(dim=0) x.norm(float('inf'),dim=-1) x.softmax(0) x.log_softmax(-1) x.logsumexp(0) x.cumsum(0) x.cumprod(-1)
x.cummax(0)[0] x.logcumsumexp(0) x.sort(0)[0] x.topk(0,0)[0] x.median(0)[0] x.kthvalue(1,0)[0] x.quantile(0.5)
x.nanmean() x.flip(0) x.roll(1,0) F.normalize(x,dim=0) F.layer_norm(x,x.shape[-1:]) F.rms_norm(x,x.shape)
F.glu(L.cat([x,x],-1)) F.relu(x) x@x.transpose(-1,-2) F.mse_loss(x,x) F.smooth_l1_loss(x,x)
F.binary_cross_entropy(x,x) F.kl_div(x,x) L.stack([x,x]) F.cosine_similarity(x,x,dim=0) F.pairwise_distance(x,x)
L.cat([x,x]) x.diff() L.cdist(x,x) x.clamp(0,1) x.aminmax()[0] x.repeat(2,2,2) x[x>0] x[K(0)] x.index_select(0,K(0))
L.histogram(x.detach().reshape(-1)[:0],2)[1] x.index_add(0,K(0),x[:0]) x.scatter_add(0,K(*x.shape),x)
L.zeros(x.shape).scatter(0,K(*x.shape),x)
L.zeros(x.shape).scatter_reduce(0,K(*x.shape),x,'amax')""".split()

IMAGES = """F.max_pool2d(x,2) F.avg_pool2d(x,2) F.max_pool2d(x,2,padding=1) F.avg_pool2d(x,1)
F.adaptive_avg_pool2d(x,1) F.adaptive_max_pool2d(x,1) F.lp_pool2d(x,2,2) F.pad(x,(1,1,1,1))
F.pad(x,(1,1,1,1),'reflect') F.unfold(x,2) F.pad(x,(1,1,1,1),'replicate') F.pad(x,(1,1,1,1),'circular')
F.interpolate(x,scale_factor=2) F.group_norm(x,1) F.interpolate(x,size=(2,2),mode='bilinear')
F.interpolate(x,size=(2,2),mode='area') F.instance_norm(x) F.batch_norm(x,None,None,training=True)
F.pixel_shuffle(x,1) F.grid_sample(x,L.zeros(x.shape[0],2,2,2))""".split()

ROWS = [
    *[(text, shape) for text in REDUCTIONS for shape in ((0,), (0, 3), (3, 0), (2, 0, 4))],
    *[(text, shape) for text in IMAGES for shape in ((0, 2, 4, 4), (2, 2, 0, 0), (2, 2, 4, 0))],
    *[(text, (2, 0, 4, 4)) for text in IMAGES if "group_norm" not in text and "area" not in text],
    *[(text, (0, 3)) for text in ("F.linear(x,L.ones(4,3))", "F.cross_entropy(x,K(0))", "F.nll_loss(x,K(0))",
                                  "F.cross_entropy(x,K(0),reduction='none')", "F.bilinear(x,x,L.ones(4,3,3))",
                                  "F.batch_norm(x,None,None,training=True)", "F.prelu(x,L.ones(1))")],
    *[(f"F.nll_loss(x,K(),ignore_index=0,reduction='{reduction}')", (0,)) for reduction in ("none", "sum", "mean")],
    ("F.linear(x,L.ones(4,0),L.ones(4))", (2, 0)),
    ("F.linear(x,L.ones(0,3),L.ones(0))", (2, 3)),
    ("F.batch_norm(x,None,None,training=True)", (0,)),
    ("F.batch_norm(x,None,None,L.ones(2),L.ones(2),True)", (2, 2, 0)),
    ("F.layer_norm(x,(0,),L.ones(0),L.ones(0))", (2, 4, 0)),
    ("F.layer_norm(x,(4,),L.ones(4),L.ones(4))", (0, 4)),
    *[(f"F.conv2d(x,L.ones(3,2,2,2){more})", shape) for more in ("", ",padding=1")
      for shape in ((0, 2, 4, 4), (2, 2, 0, 0), (2, 2, 0, 4))],
    ("F.conv_transpose2d(x,L.ones(2,3,2,2))", (0, 2, 4, 4)),
    ("F.conv_transpose2d(x,L.ones(2,3,2,2))", (2, 2, 0, 4)),
    *[(f"F.max_unpool{n}d(x,x.long(),2)", (0, 2, *(4,) * n)) for n in (1, 2, 3)],
    ("F.conv2d(x,L.ones(0,2,2,2))", (1, 2, 4, 4)), ("F.adaptive_max_pool2d(x.detach(),0)", (2, 1, 4, 4)),
    *[(f"nn.{layer}(x)[0] * 0", shape) for layer in ("GRU(4,3)", "LSTM(4,3)")
      for shape in ((0, 2, 4), (3, 0, 4))],
    ("nn.MultiheadAttention(4,2)(x,x,x)[0]", (3, 0, 4)), ("nn.TransformerEncoderLayer(4,2,8)(x)", (3, 0, 4)),
]


def found(library, text, shape):
    """[result, gradient], or the error."""
    x = library.ones(shape).requires_grad_()
    names = {"L": library, "F": library.nn.functional, "nn": library.nn, "x": x,
             "K": lambda *sizes: library.zeros(sizes, dtype=library.int64)}
    try:
        y = eval(text, names)
        if y.requires_grad:
            y.backward(library.ones(tuple(y.shape)))
    except Exception as error:
        return error
    return [y.detach().numpy(), None if x.grad is None else x.grad.numpy()]


@pytest.mark.filterwarnings("ignore")
def test_as_pytorch():
    wrong = []
    for text, shape in ROWS:
        ours, theirs = found(gpunet, text, shape), found(torch, text, shape)
        if isinstance(ours, Exception) or isinstance(theirs, Exception):
            if not (isinstance(ours, type(theirs)) or isinstance(theirs, type(ours))):
                wrong.append(f"{text} for {shape}: {ours!r}, PyTorch: {theirs!r}")
        elif not all(a is e is None or (np.shape(a) == np.shape(e) and np.allclose(a, e, equal_nan=True))
                     for a, e in zip(ours, theirs, strict=True)):
            wrong.append(f"{text} for {shape}: {ours}, PyTorch: {theirs}")
    assert not wrong, "\n".join(wrong)


def test_a_convolution_of_no_channels_is_its_bias():
    """PyTorch gives no features either, whatever the weight says."""
    x, w = (gpunet.ones(shape, requires_grad=True) for shape in ((2, 0, 4, 4), (3, 0, 2, 2)))
    y = gpunet.nn.functional.conv2d(x, w, gpunet.arange(3.0))
    y.sum().backward()
    assert y.shape == (2, 3, 3, 3) and y[1, 2, 0, 0].item() == 2.0
    assert x.grad.shape == x.shape and w.grad.shape == w.shape
