"""x"""
from gpunet.ptx.errors import PtxError, Unsupported
from gpunet.ptx.reader import read
