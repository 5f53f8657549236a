"""What reading and running PTX raises."""

__all__ = ["PtxError", "Unsupported"]


class PtxError(ValueError):
    """The text is not PTX as this package reads it; the message has the line.

    Examples:
        >>> import gpunet.ptx
        >>> gpunet.ptx.read(".version 8.0 .target sm_80 .func f( {")
        Traceback (most recent call last):
            ...
        gpunet.ptx.PtxError: line 1: '.param' expected, found '{'
    """


class Unsupported(PtxError):
    """The text is PTX, but has something that the simulator does not run; the message names it and its line.

    Examples:
        >>> issubclass(gpunet.ptx.Unsupported, gpunet.ptx.PtxError)
        True
    """


for _error in (PtxError, Unsupported):
    _error.__module__ = "gpunet.ptx"
