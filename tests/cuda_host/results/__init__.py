"""Tests of what launches compute over the stand-in driver: tests/cuda_host/test_cuda_host.py starts them."""
