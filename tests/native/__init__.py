"""Native CPU kernels: each against its NumPy body, and the frame that calls them."""
