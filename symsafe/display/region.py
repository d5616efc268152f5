"""The region of a problem with one or two parameters, drawn: safe, unsafe, undecided.

The cells are exact; only the drawing rounds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from symsafe.errors import UnsupportedError
from symsafe.family import Region
from symsafe.model.tables import require_instance

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_region"]

_COLOURS = {
    "safe": "#4c9f70",
    "unsafe": "#c8553d",
    "undecided": "#d9d9d9",
    "outside": "#ffffff",
}


def plot_region(region: Region, *, ax: Axes | None = None) -> Any:
    """Draw where in the domain of one or two parameters a problem is safe.

    Parameters
    ----------
    region : Region
    ax : Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    UnsupportedError
        For more than two parameters (`Region.cells` has the data), or without matplotlib (extra
        ``plot``).
    """
    require_instance(region, Region, "region", "a Region")
    if len(region.names) > 2:
        raise UnsupportedError(
            f"a region is drawn for 1 or 2 parameters, not for {len(region.names)}"
        )
    try:
        import matplotlib.pyplot as plt
        from matplotlib.patches import Patch, Rectangle
    except ImportError:
        raise UnsupportedError('drawing needs matplotlib: pip install "symsafe[plot]"') from None
    if ax is None:
        _, ax = plt.subplots()
    shown = []
    for cell in region.cells:
        ends = [(float(low), float(high)) for low, high in cell.box]
        ends += [(0.0, 1.0)] * (2 - len(ends))
        (left, right), (bottom, top) = ends
        colour = _COLOURS[cell.state]
        ax.add_patch(
            Rectangle((left, bottom), right - left, top - bottom, facecolor=colour, linewidth=0)
        )
        if cell.state not in shown:
            shown.append(cell.state)
    boxes = [
        (
            float(min(cell.box[k][0] for cell in region.cells)),
            float(max(cell.box[k][1] for cell in region.cells)),
        )
        for k in range(len(region.names))
    ]
    ax.set_xlim(*boxes[0])
    ax.set_xlabel(region.names[0])
    if len(region.names) == 2:
        ax.set_ylim(*boxes[1])
        ax.set_ylabel(region.names[1])
    else:
        ax.set_ylim(0, 1)
        ax.set_yticks([])
        for low, high in region.boundaries or ():
            ax.axvline(float((low + high) / 2), color="black", linewidth=1)
    handles = [
        Patch(facecolor=_COLOURS[state], edgecolor="black", label=state)
        for state in _COLOURS
        if state in shown
    ]
    ax.legend(handles=handles, loc="upper right")
    return ax
