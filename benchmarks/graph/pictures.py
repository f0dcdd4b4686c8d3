r"""Pictures of the studies that are swept."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from benchmarks.graph.cells import Cells
from pyg_prosampler.figures.style import FLOOR, line_styles, save

# The rows that are drawn, by the name of their policy.
_ROWS = {
    "uniform": "GraphCL",
    "prosampler": "GraphCL + ProSampler",
    "knn": "GraphCL + kNN",
}


def draw_false_negatives(cells: Cells, path: Path) -> list[Path]:
    r"""Draws the share of false negatives by epoch, a panel for each data set that
    has been run: the mean over seeds, with a band from the least to the most.
    """
    datasets = [
        name for name in cells.grid.datasets if cells.records[_ROWS["uniform"], name]
    ]
    if not datasets:
        return []
    num_columns = min(4, len(datasets))
    num_rows = -(-len(datasets) // num_columns)
    figure = Figure(
        figsize=(0.6 + 2.7 * num_columns, 0.8 + 2.4 * num_rows), layout="constrained"
    )
    axes = figure.subplots(num_rows, num_columns, squeeze=False).ravel()
    styles = line_styles(_ROWS)
    for ax, dataset in zip(axes, datasets, strict=False):
        for policy, row in _ROWS.items():
            records = cells.records[row, dataset].values()
            if not records:
                continue
            rates = np.array([r["epochs"]["false_negative_rate"] for r in records])
            epochs = np.arange(1, rates.shape[1] + 1)
            style = styles[policy] | {"marker": None}
            ax.plot(epochs, rates.mean(axis=0), label=row, **style)
            ax.fill_between(
                epochs,
                rates.min(axis=0),
                rates.max(axis=0),
                color=style["color"],
                alpha=0.13,
                linewidth=0,
            )
            if policy == "uniform":
                ax.axhline(rates.mean(), label="uniform floor", **FLOOR)
        ax.set_title(dataset, fontsize=10)
        ax.yaxis.set_major_formatter(PercentFormatter(1))
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        ax.grid(alpha=0.25)
    for ax in axes[len(datasets) :]:
        ax.set_visible(False)
    figure.supxlabel("training epoch (the first one is uniform)", fontsize=10)
    figure.supylabel("pairs of a batch of the same class", fontsize=10)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper center", frameon=False, ncols=len(labels)
    )
    return save(figure, path)
