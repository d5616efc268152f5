"""The safe polytope of Theorem 3.5, drawn: which data distributions are safe at a tolerance.

The vertices are exact; only the drawing rounds.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from symsafe.analysis.linear import solve
from symsafe.engine.matrix import SafetyMatrix
from symsafe.errors import InputError, UnsupportedError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_safe_polytope", "safe_vertices"]

Point = tuple[Fraction, ...]

_SAFE, _EDGE = "#4c9f70", "#1f4e37"


def safe_vertices(matrix: SafetyMatrix, epsilon: Fraction) -> dict[Point, frozenset[int]]:
    """Return the vertices of the closure of the safe set, with the constraints that meet there.

    Parameters
    ----------
    matrix : SafetyMatrix
    epsilon : Fraction
        Tolerance, a fraction of the reward range.

    Returns
    -------
    dict of point to frozenset of int
        Points of the simplex with ``M D >= epsilon * range R``. Constraint ``i`` is
        ``D[i] >= 0`` for the pairs, then come the rows of M. Empty if nothing is safe.

    Notes
    -----
    Exact: enumerates intersections of constraints, meant for a handful of pairs. The safe set
    itself is open: on the rows of M the distribution is unsafe.
    """
    width = len(matrix.rows[0].entries)
    planes = [
        (tuple(Fraction(int(i == j)) for j in range(width)), Fraction(0)) for i in range(width)
    ]
    planes += [(row.entries, epsilon * matrix.reward_range) for row in matrix.rows]
    total = ((Fraction(1),) * width, Fraction(1))
    found: dict[Point, frozenset[int]] = {}
    for chosen in itertools.combinations(planes, width - 1):
        system = [total, *chosen]
        point = solve([row for row, _ in system], [right for _, right in system])
        if point is None or point in found:
            continue
        gaps = [
            sum((a * x for a, x in zip(row, point, strict=True)), -right) for row, right in planes
        ]
        if min(gaps) >= 0:
            found[point] = frozenset(i for i, gap in enumerate(gaps) if gap == 0)
    return found


def plot_safe_polytope(
    matrix: SafetyMatrix,
    epsilon: Fraction,
    names: Sequence[str],
    *,
    mark: Point | None = None,
    ax: Axes | None = None,
) -> Any:
    """Draw the safe data distributions over three pairs (a triangle) or four (a tetrahedron).

    Parameters
    ----------
    matrix : SafetyMatrix
    epsilon : Fraction
        Tolerance, a fraction of the reward range.
    names : sequence of str
        Names of the pairs, for the corners.
    mark : tuple of Fraction, optional
        A distribution to mark.
    ax : Axes, optional
        Where to draw; three-dimensional for four pairs.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    UnsupportedError
        For other numbers of pairs, or without matplotlib (extra ``plot``).
    """
    width = len(matrix.rows[0].entries)
    if width not in (3, 4):
        raise UnsupportedError(f"the safe polytope is drawn for 3 or 4 pairs, not for {width}")
    if len(names) != width:
        raise InputError("names", f"{len(names)} names", f"{width} names")
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise UnsupportedError('drawing needs matplotlib: pip install "symsafe[plot]"') from None
    vertices = safe_vertices(matrix, epsilon)
    if ax is None:
        figure = plt.figure(figsize=(5, 4.5))
        ax = figure.add_subplot(projection="3d" if width == 4 else None)
    draw = _draw_triangle if width == 3 else _draw_tetrahedron
    draw(ax, vertices, names, mark)
    title = f"safe at ε = {epsilon}" if vertices else f"nothing is safe at ε = {epsilon}"
    ax.set_title(title, pad=20)
    ax.set_axis_off()
    return ax


_TRIANGLE = ((0.0, 0.0), (1.0, 0.0), (0.5, 0.75**0.5))
_TETRAHEDRON = (
    (1.0, 1.0, 1.0),
    (1.0, -1.0, -1.0),
    (-1.0, 1.0, -1.0),
    (-1.0, -1.0, 1.0),
)


def _place(point: Point, corners: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    return tuple(
        sum(float(x) * corner[axis] for x, corner in zip(point, corners, strict=True))
        for axis in range(len(corners[0]))
    )


def _around(points: list[tuple[float, ...]]) -> list[tuple[float, ...]]:
    """Order the corners of a convex polygon around its middle."""
    import numpy as np

    table = np.array(points)
    middle = table.mean(axis=0)
    # The first two right-singular vectors span the plane of the polygon.
    plane = np.linalg.svd(table - middle)[2][:2]
    flat = (table - middle) @ plane.T
    order = np.argsort(np.arctan2(flat[:, 1], flat[:, 0]))
    return [points[i] for i in order]


def _draw_triangle(
    ax: Any, vertices: dict[Point, frozenset[int]], names: Sequence[str], mark: Point | None
) -> None:
    outline = [*_TRIANGLE, _TRIANGLE[0]]
    ax.plot(*zip(*outline, strict=True), color="black", linewidth=1)
    for name, (x, y) in zip(names, _TRIANGLE, strict=True):
        ax.annotate(name, (x, y), (0, 8 if y else -14), textcoords="offset points", ha="center")
    if len(vertices) > 2:
        corners = _around([_place(vertex, _TRIANGLE) for vertex in vertices])
        ax.fill(*zip(*corners, strict=True), facecolor=_SAFE, edgecolor=_EDGE, alpha=0.8)
    if mark is not None:
        ax.plot(*_place(mark, _TRIANGLE), "o", color="black")
    ax.set_aspect("equal")


def _draw_tetrahedron(
    ax: Any, vertices: dict[Point, frozenset[int]], names: Sequence[str], mark: Point | None
) -> None:
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection

    for first, second in itertools.combinations(_TETRAHEDRON, 2):
        ax.plot(*zip(first, second, strict=True), color="black", linewidth=0.7)
    for name, corner in zip(names, _TETRAHEDRON, strict=True):
        ax.text(*(1.12 * x for x in corner), name, ha="center")
    faces = []
    for plane in set().union(*vertices.values()):
        face = [_place(v, _TETRAHEDRON) for v, active in vertices.items() if plane in active]
        if len(face) > 2:
            faces.append(_around(face))
    if faces:
        ax.add_collection3d(Poly3DCollection(faces, facecolor=_SAFE, edgecolor=_EDGE, alpha=0.6))
    if mark is not None:
        ax.plot(*((x,) for x in _place(mark, _TETRAHEDRON)), "o", color="black")
    ax.set(xlim=(-1, 1), ylim=(-1, 1), zlim=(-1, 1))
    ax.set_box_aspect((1, 1, 1))
    ax.view_init(elev=18, azim=62)
