"""Time limit, node limit and Ctrl-C: one place that says when an engine has to stop."""

from __future__ import annotations

import signal
import sys
import threading
import time
from numbers import Real
from types import FrameType, TracebackType
from typing import Any

from symsafe.engine.copies import Copies
from symsafe.errors import InputError
from symsafe.model.tables import read_whole

__all__ = ["Limits", "Within"]


class Limits:
    """When to stop. As a context manager it turns the first Ctrl-C into a request to stop.

    A second Ctrl-C raises `KeyboardInterrupt` at once. Outside the main thread signals are left
    alone.

    Parameters
    ----------
    seconds : float, optional
        Wall-clock limit, counted from the construction.
    nodes : int, optional
        Limit on the number of nodes that a search may open.
    workers : int, default 1
        How many processor cores a search may use. The answer does not depend on it.
    copies : Copies, optional
        In a copy of the process a limit is reached.
    counted : str
        What the user knows the limit of nodes as, for the error.

    Attributes
    ----------
    seconds : float or None
        The limit of time as it is kept; an infinite one is none.
    nodes : int or None

    Raises
    ------
    InputError
        If a limit is no number, or not positive.
    """

    def __init__(
        self,
        seconds: float | None = None,
        nodes: int | None = None,
        workers: int = 1,
        copies: Copies | None = None,
        *,
        counted: str = "node_limit",
    ) -> None:
        self.seconds = None if seconds is None else _read_seconds(seconds)
        self.nodes = None if nodes is None else read_whole(nodes, counted)
        self.workers = read_whole(workers, "workers")
        self._start = time.monotonic()
        self.copies = copies or Copies()
        self._previous: object = None
        self._installed = False
        self.interrupted = False

    def __enter__(self) -> Limits:
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGINT, self._interrupt)
            self._installed = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._installed:
            signal.signal(signal.SIGINT, self._previous)  # type: ignore[arg-type]
            self._installed = False
            outer = getattr(self._previous, "__self__", None)
            if self.interrupted and isinstance(outer, Limits):  # of several searches in a row
                outer.interrupted = True
        self.copies.close()

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True

    @property
    def elapsed(self) -> float:
        """Seconds since the construction."""
        return time.monotonic() - self._start

    def remaining(self) -> float | None:
        """Return the seconds left, at least 0, or None without a time limit."""
        return None if self.seconds is None else max(0.0, self.seconds - self.elapsed)

    def overdue(self) -> bool:
        """Return whether to stop at once, whatever the nodes; makes no copy of the process."""
        return self.interrupted or self.remaining() == 0.0

    def exhausted(self) -> bool:
        """Return whether the time limit is exceeded so far that proofs should be cut short."""
        return self.seconds is not None and self.elapsed > 2 * self.seconds + 1

    def reached(self, nodes: int = 0, reserve: float = 0.0) -> str | None:
        """Return which limit is reached, or None.

        Parameters
        ----------
        nodes : int
            Nodes opened so far.
        reserve : float
            Seconds that the engine will still need after stopping.
        """
        if self.interrupted:
            return "interrupted"
        if self.nodes is not None and nodes >= self.nodes:
            return "node limit"
        if self.seconds is not None and self.elapsed + reserve >= self.seconds:
            return "time limit"
        if self.copies.stops():
            self.workers = 1
            return "copy"
        return None


def _read_seconds(value: object) -> float | None:
    """Return a limit of time; None for infinity, and for what a float cannot hold."""
    number: Any = value if isinstance(value, Real) and not isinstance(value, bool) else 0
    if not number > 0:
        raise InputError("time_limit", value, "a positive number of seconds")
    return float(number) if number <= sys.float_info.max else None


class Within(Limits):
    """The time limit and the interruption of another search, without its limit on nodes."""

    def __init__(self, outer: Limits) -> None:
        super().__init__(workers=outer.workers)
        self._outer = outer

    def remaining(self) -> float | None:
        """Return the seconds left of the outer search."""
        return self._outer.remaining()

    def overdue(self) -> bool:
        """Return whether the outer search has to stop at once."""
        return self._outer.overdue()

    def exhausted(self) -> bool:
        """Return whether the outer search has exceeded its time by far."""
        return self._outer.exhausted()

    def reached(self, nodes: int = 0, reserve: float = 0.0) -> str | None:  # noqa: ARG002
        """Return which limit of the outer search is reached, or None."""
        return self._outer.reached(0, reserve)
