"""Bounds that outlive a kill: now and then a copy of the process stops, and writes what it has.

The copy is made by fork. In it a limit is reached at once, so the engine ends as any stopped search
does, and the copy ends when the bounds are written. The search itself goes on; no engine knows.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from os import PathLike

from symsafe.model.files import require_writable
from symsafe.model.tables import read_path

__all__ = ["Copies"]

SECONDS = 60.0
SHARE = 10


class Copies:
    """One copy at a time: `SECONDS` after the last one, and `SHARE` times as long as that took.

    Parameters
    ----------
    path : path, optional
        Where the copies write. Without it, where it is no regular file, outside of Linux and of the
        main thread there are none.

    Raises
    ------
    InputError
        If no file can be written there.
    """

    def __init__(self, path: str | PathLike[str] | None = None) -> None:
        self.is_copy = False
        self._path = path
        self._process = os.getpid()
        self._copy = 0
        self._made = 0.0
        self._due = float("inf")
        if path is not None:
            target = require_writable(read_path(path, "checkpoint"))
            if sys.platform == "linux" and (target.is_file() or not target.exists()):
                self._due = time.monotonic() + SECONDS

    def stops(self) -> bool:
        """Make a copy if it is time; return True in the copy, and False in the process."""
        now = time.monotonic()
        # The workers of a search are copies of the process, too.
        if self.is_copy or now < self._due or os.getpid() != self._process:
            return self.is_copy
        if threading.current_thread() is not threading.main_thread():
            return False
        if self._copy:
            if os.waitpid(self._copy, os.WNOHANG)[0]:
                self._copy = 0
                self._due = now + max(SECONDS, SHARE * (now - self._made))
            return False
        try:
            self._copy = os.fork()
        except OSError:  # short of memory or of processes
            self._due = now + SECONDS
            return False
        self._made = now
        if not self._copy:
            self.is_copy = True
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process decides, see `close`
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        return self.is_copy

    def write(self, save: Callable[[str | PathLike[str]], None]) -> None:
        """Let a copy write what it has, unless the process was killed meanwhile."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a moment, and no temporary file stays
        if self._path is not None and os.getppid() == self._process:
            save(self._path)

    def close(self) -> None:
        """End the copy: what the search itself ends with is better than what it would write."""
        if self.is_copy:
            os._exit(0)
        if self._copy and os.getpid() == self._process:
            os.kill(self._copy, signal.SIGTERM)
            os.waitpid(self._copy, 0)
            self._copy = 0
