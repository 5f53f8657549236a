"""einsum, and products that are made of the matrix product."""

from tests.cases.table import INTS, LOOSE, each, f, given

SINGLE = ("float64", "float32")
OPTIONS = dict(dtypes=SINGLE, tolerance=LOOSE)


def sums(*texts, **operands):
    each([f"einsum('{text}', {', '.join(operands)})" for text in texts], operands, **OPTIONS)


sums("ij->ji", "ij", "ij->", "ji", "...j->...", "i...->...", "ij->i", x=f(2, 3))
sums("ii", "ii->i", "ii->", "i...i->...", x=f(3, 3, layout="columns"))
sums("iji->ij", "iij->j", "...ii->...i", x=f(3, 3, 3))
sums("i,j->ij", "i,i->i", "i,i", "i,j->", "i,j", x=f(3), y=f(3))
sums("ij,jk->ik", "ij,jk", "ij,jk->", "ij,jk->jki", "ij,jk->k", x=f(2, 3), y=f(3, 4))
sums("bij,bjk->bik", "bij,bjk->ikb", "bij,ajk->abik", "...ij,...jk->...ik", "b...,b...->b...", x=f(2, 3, 3),
     y=f(2, 3, 3))
sums("...ij,jk->...ik", "b...k,kj->b...j", x=f(2, 4, 3), y=f(3, 2))
sums("ij,ij->ij", "...,...", x=f(2, 3), y=f(1, 3))
sums("ij,jk,kl->il", "ij,jk,kl->", "ij,jk,kl", "ij,jk,kl->ijkl", x=f(2, 3), y=f(3, 4), z=f(4, 2))
sums("bqhd,bkhd,bkhe->bqhe", x=f(2, 3, 2, 2), y=f(2, 4, 2, 2), z=f(2, 4, 2, 3))
sums("a,b,c,d->dcba", "a,a,a,a->", "a,a,a,a->a", x=f(2), y=f(2), z=f(2), w=f(2))
sums("ij,jk->ik", x=f(0, 3), y=f(3, 0))
sums(",ij->ij", ",ij", x=f(), y=f(2, 2))
each("einsum('ij,jk->ik', x, y)", dict(x=f(2, 3, high=5), y=f(3, 2, high=5)), dtypes=INTS)

each(["tensordot(x, y)", "tensordot(x, y, 1)", "tensordot(x, y, dims=([1], [0]))", "tensordot(x, y, 0)",
      "tensordot(x, y, ([0, 1], [1, 0]))"], dict(x=f(3, 3), y=f(3, 3)), **OPTIONS)
each("tensordot(x, y, ([-1, 0], [0, 2]))", dict(x=f(2, 4, 3), y=f(3, 5, 2)), **OPTIONS)
each(["inner(x, y)", "kron(x, y)", "x.kron(y)"], dict(x=f(2, 3), y=f(4, 3)), dict(x=f(3), y=f(2, 3)),
     dict(x=f(), y=f(2)), **OPTIONS)
each(["outer(x, y)", "x.ger(y)", "mv(z, y)", "vdot(y, y)", "addmv(x, z, y, alpha=2, beta=3)", "x.addmv(z, y)",
      "addr(z, x, y, beta=0.5)", "linalg.vecdot(z, y)"], dict(x=f(2), y=f(3), z=f(2, 3)), **OPTIONS)
each(["addmm(x, y, z)", "x.addmm(y, z, beta=0, alpha=2)", "addmm(x, y, z, beta=1.5)"],
     dict(x=f(2, 2), y=f(2, 3), z=f(3, 2)), dict(x=f(2), y=f(4, 3), z=f(3, 2)), dict(x=f(), y=f(1, 0), z=f(0, 2)),
     **OPTIONS)
each(["baddbmm(x, y, z, alpha=0.5)", "addbmm(x[0], y, z, beta=2)"], dict(x=f(2, 2, 2), y=f(2, 2, 3), z=f(2, 3, 2)),
     **OPTIONS)
each("addmm(x, y, z, beta=0)", dict(x=given("value", *[float("nan")] * 4, shape=(2, 2), grad=False), y=f(2, 3),
                                  z=f(3, 2)), **OPTIONS)
each(["cross(x, y)", "x.cross(y, 1)", "linalg.cross(x, y)"], dict(x=f(2, 3), y=f(2, 3)), dict(x=f(1, 3), y=f(3, 3)),
     **OPTIONS)
each(["x.trace()", "trace(x)", "x.diff()", "diff(x, 2)", "diff(x, dim=0, prepend=y)", "diff(x, append=x, n=3)",
      "diff(x, 9)"], dict(x=f(3, 3), y=f(1, 3)), **OPTIONS)
each(["diff(x)", "trace(x)", "x.addmm(x, x)", "outer(x[0], x[1])", "kron(x, x)", "x.cross(x, 0)"],
     dict(x=f(3, 3, high=4)), dtypes=INTS)
each(["addbmm(x[0], x, x)", "baddbmm(x, x, x, beta=2)"], dict(x=f(2, 2, 2, high=4)), dtypes=("int64", "int8"))
each("diff(x)", dict(x=f(2, 4)), dtypes=("bool",))
