"""Standard output and error that can show every name, and never change an exit status."""

from __future__ import annotations

import io
import os
from typing import TextIO

__all__ = ["Stream"]


class Stream(io.TextIOWrapper):
    """A standard stream: what its encoding lacks is escaped, what cannot be written is dropped.

    Attributes
    ----------
    failure : OSError or None
        Why something could not be written.
    """

    failure: OSError | None = None

    @classmethod
    def of(cls, stream: TextIO | None) -> Stream:
        """Take over a stream; one that was closed before Python started leads nowhere."""
        if stream is None:
            return cls(open(os.devnull, "wb"), encoding="utf-8")
        stream.flush()
        return cls(
            stream.buffer,
            encoding=stream.encoding,
            errors="backslashreplace",
            line_buffering=bool(stream.line_buffering),
        )

    def write(self, text: str) -> int:
        """Write, or drop what cannot be written."""
        try:
            return super().write(text)
        except OSError as error:
            self._drop(error)
            return len(text)

    def flush(self) -> None:
        """Write what is waiting, or drop it."""
        try:
            super().flush()
        except OSError as error:
            self._drop(error)

    def _drop(self, error: OSError) -> None:
        # Python fails at its end if it still cannot write what a stream holds.
        self.failure = error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)
