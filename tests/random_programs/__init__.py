"""Random small programs on random views, on gpunet and on PyTorch; see __main__.py."""
