"""Times and rates with three digits and their unit."""


def seconds(value: float) -> str:
    """0.00123 -> "1.23 ms"."""
    for size, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value * 1e9:.3g} ns"


def rate_in_words(value: float, unit: str) -> str:
    """3.02e12, "B/s" -> "3.02 TB/s"."""
    for size, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}"
