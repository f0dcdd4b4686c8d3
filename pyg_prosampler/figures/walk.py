r"""The map of embeddings with the path of one walk."""

from typing import Any

from matplotlib.figure import Figure

from pyg_prosampler.figures.style import scatter_classes


def draw_walk(data: dict[str, Any], title: str) -> Figure:
    r"""Draws a walk on the proximity graph over the first two principal components
    of the embeddings: moves as solid arrows, restarts as dashed ones, and the graphs
    it collects numbered in the order of first visit.

    Args:
        data (dict): Of :meth:`~pyg_prosampler.inspection.walk`.
        title (str): The title.
    """
    points, trace = data["points"], data["trace"]
    figure = Figure(figsize=(7.5, 6), layout="constrained")
    ax = figure.subplots()
    scatter_classes(ax, points, data["labels"], s=20, alpha=0.45)
    for at, node in enumerate(trace[1:], start=1):
        if node == trace[at - 1]:
            continue
        is_restart = data["is_restart"][at]
        ax.annotate(
            "",
            xy=points[node],
            xytext=points[trace[at - 1]],
            arrowprops={
                "arrowstyle": "-|>",
                "linestyle": "--" if is_restart else "-",
                "color": "0.45" if is_restart else "black",
                "linewidth": 0.9 if is_restart else 1.3,
                "shrinkA": 6,
                "shrinkB": 6,
                "connectionstyle": "arc3,rad=0.18",
            },
        )
    visited = list(dict.fromkeys(trace))
    for number, node in enumerate(visited, start=1):
        ax.text(
            points[node, 0],
            points[node, 1],
            str(number),
            ha="center",
            va="center",
            fontsize=7,
            bbox={
                "boxstyle": "circle,pad=0.25",
                "facecolor": "black" if number == 1 else "white",
                "edgecolor": "black",
            },
            color="white" if number == 1 else "black",
        )
    ax.plot([], [], color="black", linewidth=1.3, label="move to a neighbour")
    ax.plot([], [], color="0.45", linestyle="--", label="restart")
    ax.set_xlabel(f"principal component 1 ({data['shares'][0]:.0%} of the variance)")
    ax.set_ylabel(f"principal component 2 ({data['shares'][1]:.0%} of the variance)")
    ax.set_title(title)
    ax.legend(loc="best", frameon=True, fontsize=9)
    return figure
