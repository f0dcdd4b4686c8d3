r"""False negatives by epoch, similarities in batches, hardness by position."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from pyg_prosampler.figures.style import FLOOR, line_styles


def draw_false_negatives(data: dict[str, Any], title: str) -> Figure:
    r"""Draws the false-negative rate of every policy by epoch: the mean over seeds,
    with a band from the least to the most.

    Args:
        data (dict): Of :meth:`~pyg_prosampler.inspection.false_negatives`.
        title (str): The title.
    """
    figure = Figure(figsize=(7.5, 4.6), layout="constrained")
    ax = figure.subplots()
    styles = line_styles(data["rates"])
    for name, rates in data["rates"].items():
        epochs = np.arange(1, rates.shape[1] + 1)
        ax.plot(epochs, rates.mean(axis=0), label=name, **styles[name])
        if len(rates) > 1:
            ax.fill_between(
                epochs,
                rates.min(axis=0),
                rates.max(axis=0),
                color=styles[name]["color"],
                alpha=0.13,
                linewidth=0,
            )
    if data["floor"] is not None:
        label = f"uniform floor ({data['floor']:.1%})"
        ax.axhline(data["floor"], label=label, **FLOOR)
    if data["num_warmup"] > 0:
        # Warm-up epochs are uniform, whatever the policy.
        ax.axvspan(
            0.5, data["num_warmup"] + 0.5, color="0.9", linewidth=0, label="warm-up"
        )
        ax.set_xlim(left=0.5)
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("training epoch")
    ax.set_ylabel("pairs of a batch that are of the same class")
    ax.set_title(title)
    ax.grid(alpha=0.25)
    figure.legend(loc="outside lower center", frameon=False, ncols=5)
    return figure


def draw_similarities(data: dict[str, Any], title: str) -> Figure:
    r"""Draws how the similarity of pairs in a batch is distributed, a row for every
    policy, with the median and the middle half marked.

    Args:
        data (dict): Of :meth:`~pyg_prosampler.inspection.batches_of_policies`.
        title (str): The title.
    """
    names = list(data["pairs"])
    figure = Figure(figsize=(7.5, 1.6 + 0.7 * len(names)), layout="constrained")
    ax = figure.subplots()
    styles = line_styles(names)
    # Rounding may lead beyond 1, and all pairs may be the same.
    values = {name: np.minimum(pairs, 1.0) for name, pairs in data["pairs"].items()}
    bins = np.linspace(min(0.99, *(v.min() for v in values.values())), 1.0, 61)
    middles = (bins[1:] + bins[:-1]) / 2
    for row, name in enumerate(reversed(names)):
        color = styles[name]["color"]
        counts = np.histogram(values[name], bins)[0]
        top = row + 0.75 * counts / counts.max()
        ax.fill_between(middles, row, top, color=color, alpha=0.35, linewidth=0)
        ax.plot(middles, top, color=color, linewidth=1.2)
        low, median, high = np.quantile(values[name], [0.25, 0.5, 0.75])
        ax.plot([low, high], [row - 0.07] * 2, color="black", linewidth=2.5)
        ax.plot([median], [row - 0.07], "o", color="white", markeredgecolor="black")
        ax.annotate(
            f"{median:.2f}", (median, row - 0.13), ha="center", va="top", fontsize=8
        )
    ax.axvline(data["floor"], **FLOOR)
    ax.annotate(
        f"mean of all pairs: {data['floor']:.2f}",
        (data["floor"], 1),
        xycoords=("data", "axes fraction"),
        xytext=(-4, -4),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=9,
    )
    ax.set_yticks(range(len(names)), list(reversed(names)))
    ax.set_ylim(-0.45, len(names) + 0.05)
    ax.set_xlabel(
        "cosine similarity of two graphs in a batch\n"
        "(curve: how frequent, to its own peak; circle and bar: median and middle half)"
    )
    ax.set_title(title)
    ax.grid(axis="x", alpha=0.25)
    return figure


def draw_positions(data: dict[str, Any], title: str) -> Figure:
    r"""Draws the mean similarity of batches by their position in the epoch.

    Args:
        data (dict): Of :meth:`~pyg_prosampler.inspection.batches_of_policies`.
        title (str): The title.
    """
    figure = Figure(figsize=(7.5, 4.6), layout="constrained")
    ax = figure.subplots()
    styles = line_styles(data["by_position"])
    for name, values in data["by_position"].items():
        positions = np.arange(1, values.shape[1] + 1)
        few = {"marker": None} if positions.size > 40 else {}
        mean = values.mean(axis=0)
        error = values.std(axis=0) / np.sqrt(len(values))
        ax.plot(positions, mean, label=name, **styles[name] | few)
        ax.fill_between(
            positions,
            mean - 2 * error,
            mean + 2 * error,
            color=styles[name]["color"],
            alpha=0.15,
            linewidth=0,
        )
    ax.axhline(data["floor"], label=f"all pairs ({data['floor']:.2f})", **FLOOR)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("position of the batch in the epoch")
    ax.set_ylabel("mean cosine similarity in the batch")
    ax.set_title(title)
    ax.grid(alpha=0.25)
    figure.legend(loc="outside lower center", frameon=False, ncols=5)
    return figure
