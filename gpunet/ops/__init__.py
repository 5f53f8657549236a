"""The operations: one file a family.

A family's file declares its ops (rule, body, CUDA launch, gradient) and writes out the functions that users call, which
`gpunet`, `nn.functional` and `linalg` give by their public names. Where both do not fit into one file, the ops stand in
a file of their own. Nothing here is a public path.
"""
