"""The exceptions of symsafe: one family, each carrying the facts and not only a sentence."""

from __future__ import annotations

__all__ = [
    "CertificateRejected",
    "EngineError",
    "InputError",
    "ProofFailed",
    "SymsafeError",
    "UnsupportedError",
    "printed",
]

_SHOWN_LENGTH = 80


class SymsafeError(Exception):
    """Root of every error that symsafe raises on purpose."""


class InputError(SymsafeError, ValueError):
    """Something that the user gave is not acceptable.

    Parameters
    ----------
    field : str
        Where: a path such as ``reward.s3.left``.
    value : object
        What was found there. A `str` is shown without quotes, anything else by `repr`;
        long values are shortened, control characters escaped.
    expected : str
        What would have been accepted.

    Examples
    --------
    >>> str(InputError("discount", "3/2", "a number in [0, 1)"))
    'discount: found 3/2; expected a number in [0, 1)'
    """

    def __init__(self, field: str, value: object, expected: str) -> None:
        # As the arguments of the exception, so that it can be sent between processes.
        super().__init__(field, value, expected)
        self.field = field
        self.value = value
        self.expected = expected

    def __str__(self) -> str:
        value = self.value
        shown = value if isinstance(value, str) else printed(value)
        if len(shown) > _SHOWN_LENGTH:
            shown = f"{shown[:_SHOWN_LENGTH]}... ({len(shown)} characters)"
        return _printable(f"{self.field}: found {shown}; expected {self.expected}")


def _printable(text: str) -> str:
    """Escape what would move a terminal's cursor, start a new line or turn the writing round."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def printed(value: object) -> str:
    """Return `repr` of a value, or what it is: Python prints no integers of thousands of digits."""
    try:
        return repr(value)
    except ValueError:
        return f"a {type(value).__name__} too long to print"


class UnsupportedError(SymsafeError, NotImplementedError):
    """The request makes sense, but this version of symsafe does not answer it."""


class EngineError(SymsafeError, RuntimeError):
    """An engine broke. This is never a verdict."""


class CertificateRejected(SymsafeError):  # noqa: N818 (the name says what happened)
    """The checker refused a certificate.

    Parameters
    ----------
    step, rule, reason : str
        The place in the certificate, the rule that it breaks, and how.
    """

    def __init__(self, step: str, rule: str, reason: str) -> None:
        super().__init__(step, rule, reason)
        self.step = step
        self.rule = rule
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.step}: {self.rule}: {self.reason}"


class ProofFailed(SymsafeError):  # noqa: N818 (the name says what happened)
    """A step of a proof could not be discharged.

    Parameters
    ----------
    proof, step : str
    reason : str
        With the countermodel, where there is one.
    """

    def __init__(self, proof: str, step: str, reason: str) -> None:
        self.proof, self.step, self.reason = proof, step, reason
        super().__init__(f"{proof}: step {step}: {reason}")
