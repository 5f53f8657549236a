"""The engine of automatic differentiation, below the ops. (`gpunet.autograd`, above them, is its public face.)

- graph.py: the graph that a forward pass leaves behind, and the walk back through it.
- modes.py: whether operations are recorded in the graph: `no_grad`, `enable_grad`, `inference_mode`.
- views.py: which tensors share whose memory, so that in-place operations keep every gradient right.
- tensors.py: the one place where a tensor is built around an array.
- extensions.py: what higher floors add to every call: recording, mixed precision, anomaly detection.
- hooks.py: handles of the functions that users register.
"""
