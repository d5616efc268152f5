"""HiGHS, silent and single-threaded: the floating-point solver that proposes and never decides."""

from __future__ import annotations

import highspy

__all__ = ["quiet_solver"]


class _Silent(highspy.Highs):
    def enableCallbacks(self) -> None:  # noqa: N802 (the name is HiGHS's)
        """Leave callbacks off: switching them on prints a banner before output can be."""


def quiet_solver(tolerance: float) -> highspy.Highs:
    """Return a solver that prints nothing, for small programmes solved many times.

    Parameters
    ----------
    tolerance : float
        Of primal and dual feasibility.
    """
    solver = _Silent()  # type: ignore[no-untyped-call]
    for option, value in (
        ("output_flag", False),
        ("threads", 1),
        ("presolve", "off"),
        ("primal_feasibility_tolerance", tolerance),
        ("dual_feasibility_tolerance", tolerance),
    ):
        solver.setOptionValue(option, value)
    return solver
