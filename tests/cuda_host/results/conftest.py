"""In any other process these tests are not collected."""

import os

collect_ignore_glob = [] if os.environ.get("FAKE_CUDA_RUN") == "1" else ["test_*.py"]
