"""PTX runs where llvmlite is installed."""

import pytest

pytest.importorskip("llvmlite", reason="llvmlite is not installed: pip install 'gpunet[sim]'")
