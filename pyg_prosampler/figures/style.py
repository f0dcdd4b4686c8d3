r"""What all pictures have in common."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

# Okabe and Ito's colours, which the colour-blind can tell apart, along with
# shapes and lines for black and white.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
MARKERS = ("o", "^", "s", "D", "v", "P", "X", "*")
LINES = ("-", "--", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))

FLOOR: dict[str, Any] = {"color": "black", "linestyle": ":", "linewidth": 1.4}

# The same policy looks the same in all pictures.
_POLICIES = (
    "prosampler", "knn", "uniform", "multi-start", "independent", "gcbs", "ngame",
    "b3", "unseen-start",
)  # fmt: skip


def line_styles(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    r"""Gives every policy a colour, a marker and a kind of line."""
    styles, unknown = {}, len(_POLICIES)
    for name in names:
        index = _POLICIES.index(name) if name in _POLICIES else unknown
        unknown += name not in _POLICIES
        styles[name] = {
            "color": COLORS[index % len(COLORS)],
            "marker": MARKERS[index % len(MARKERS)],
            "linestyle": LINES[index % len(LINES)],
            "linewidth": 1.6,
            "markersize": 5,
        }
    return styles


def scatter_classes(
    ax: Axes, points: Any, labels: Tensor | None, **options: Any
) -> None:
    r"""Draws points :math:`[N, 2]`, each class in a colour and a shape."""
    classes = torch.zeros(len(points)) if labels is None else labels
    for index, value in enumerate(classes.unique().tolist()):
        some = points[(classes == value).numpy()]
        ax.scatter(
            some[:, 0],
            some[:, 1],
            c=COLORS[index % len(COLORS)],
            marker=MARKERS[index % len(MARKERS)],
            linewidths=0,
            label="graph" if labels is None else f"class {value:g}",
            **options,
        )


def save(figure: Figure, path: Path) -> list[Path]:
    r"""Saves a figure as PNG and as SVG beside each other, and returns their
    paths. The same figure makes the same files.

    Args:
        figure (Figure): The figure.
        path (Path): The file without its suffix.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    paths = [path.with_name(f"{path.name}.{suffix}") for suffix in ("png", "svg")]
    with matplotlib.rc_context({"svg.hashsalt": path.name, "svg.fonttype": "none"}):
        figure.savefig(paths[0], dpi=110)
        figure.savefig(paths[1], metadata={"Date": None})
    return paths
