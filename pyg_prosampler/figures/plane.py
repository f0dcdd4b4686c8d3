r"""The plane of candidates and restart probability."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure


def draw_plane(data: dict[str, Any], title: str) -> Figure:
    r"""Draws in-batch similarity and, with labels, false negatives over a grid of
    the number of candidates and the restart probability, with numbers in cells.

    Args:
        data (dict): Of :meth:`~pyg_prosampler.inspection.plane`.
        title (str): The title.
    """
    panels = [("mean cosine similarity in a batch", "similarity", "{:.2f}", 1.0)]
    if data["false_negative_rate"] is not None:
        name = "pairs of a batch of the same class, %"
        panels.append((name, "false_negative_rate", "{:.0f}", 100.0))
    figure = Figure(figsize=(5.6 * len(panels), 4.9), layout="constrained")
    figure.suptitle(title)
    for ax, (name, key, spec, scale) in zip(
        np.atleast_1d(figure.subplots(1, len(panels))), panels, strict=True
    ):
        _draw_panel(ax, scale * data[key], spec, data)
        floor = spec.format(scale * data[f"{key}_floor"])
        ax.set_title(f"{name}\n(uniform batches: {floor})", fontsize=11)
    return figure


def _draw_panel(ax: Axes, values: np.ndarray, spec: str, data: dict[str, Any]) -> None:
    # Cividis goes from dark to light alike for all eyes, and in grey.
    image = ax.imshow(values, cmap="cividis", origin="lower", aspect="auto")
    middle = (values.min() + values.max()) / 2
    for (row, column), value in np.ndenumerate(values):
        ax.text(
            column,
            row,
            spec.format(value),
            ha="center",
            va="center",
            fontsize=9,
            color="white" if value < middle else "black",
        )
    ax.set_xticks(range(values.shape[1]), [str(m) for m in data["num_candidates"]])
    ax.set_yticks(range(values.shape[0]), [f"{a:g}" for a in data["restart_prob"]])
    ax.set_xlabel(f"number of candidates $M$ ($K$ = {data['num_neighbors']} are kept)")
    ax.set_ylabel(r"restart probability $\alpha$")
    ax.figure.colorbar(image, ax=ax, shrink=0.85)
