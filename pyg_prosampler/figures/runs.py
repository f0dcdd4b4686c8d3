r"""All figures of a run folder."""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from pyg_prosampler import inspection
from pyg_prosampler.figures.curves import (
    draw_false_negatives,
    draw_positions,
    draw_similarities,
)
from pyg_prosampler.figures.plane import draw_plane
from pyg_prosampler.figures.style import save
from pyg_prosampler.figures.walk import draw_walk

FIGURES = ("false-negatives", "similarity", "plane", "position", "walk")


def draw_runs(
    path: Path | str, out: Path, seed: int = 0, only: Sequence[str] | None = None
) -> list[Path]:
    r"""Draws the figures of a run folder and saves each as PNG and SVG.

    Args:
        path (Path or str): See :meth:`~pyg_prosampler.inspection.find_runs`.
        out (Path): The folder of the figures.
        seed (int, optional): The seed of what is drawn at random.
            (default: :obj:`0`)
        only (Sequence[str], optional): Some of :obj:`"false-negatives"`,
            :obj:`"similarity"`, :obj:`"plane"`, :obj:`"position"` and
            :obj:`"walk"`. (default: :obj:`None`, all of them)

    Returns:
        list[Path]: The files.

    Raises:
        FileNotFoundError: If there is no run, or, but for
            :obj:`"false-negatives"`, none that has finished.
        ValueError: If a figure is unknown.
    """
    names = list(FIGURES if only is None else only)
    for name in names:
        if name not in FIGURES:
            raise ValueError(f"`only` should be some of {FIGURES} (got '{name}')")
    figures = _Figures(path, seed)
    draw: dict[str, Callable[[], Figure]] = {
        "false-negatives": figures.false_negatives,
        "similarity": figures.similarity,
        "plane": figures.plane,
        "position": figures.position,
        "walk": figures.walk,
    }
    saved = []
    for name in names:
        saved += save(draw[name](), out / name)
    return saved


class _Figures:
    def __init__(self, path: Path | str, seed: int) -> None:
        self.runs = inspection.find_runs(path)
        self.seed = seed
        self.dataset = self.runs[0].config.dataset

    @cached_property
    def source(self) -> tuple[Any, Any, Any]:
        return inspection.load_embeddings(self.runs)

    @cached_property
    def batches(self) -> dict[str, Any]:
        return inspection.batches_of_policies(self.runs, self.source[1], self.seed)

    @property
    def described(self) -> str:
        r"""The embeddings in words."""
        config = self.source[0].config
        return f"embeddings of the {config.sampler} run with seed {config.seed}"

    def false_negatives(self) -> Figure:
        data = inspection.false_negatives(self.runs)
        seeds = {run.config.seed for run in self.runs}
        told = f"{len(seeds)} seeds" if len(seeds) > 1 else f"seed {min(seeds)}"
        return draw_false_negatives(
            data,
            f"{self.dataset}: false negatives in batches of "
            f"{self.runs[0].config.batch_size}, {told}",
        )

    def similarity(self) -> Figure:
        return draw_similarities(
            self.batches,
            f"{self.dataset}: pairs that share a batch, by policy\n({self.described})",
        )

    def position(self) -> Figure:
        num_epochs = len(next(iter(self.batches["by_position"].values())))
        return draw_positions(
            self.batches,
            f"{self.dataset}: hardness over the epoch, mean of {num_epochs} epochs "
            f"± 2 standard errors\n({self.described})",
        )

    def plane(self) -> Figure:
        run, embeddings, labels = self.source
        data = inspection.plane(run, embeddings, labels, self.seed)
        size = embeddings.size(0)
        part = f", {data['num_graphs']} of {size} graphs"
        return draw_plane(
            data,
            f"{self.dataset}{part if data['num_graphs'] < size else ''}: from uniform "
            f"to nearest neighbours, independent batches of {run.config.batch_size}\n"
            f"({self.described})",
        )

    def walk(self) -> Figure:
        run, embeddings, labels = self.source
        data = inspection.walk(run, embeddings, labels, self.seed)
        num_visited = len(set(data["trace"]))
        return draw_walk(
            data,
            f"{self.dataset}: the first {num_visited} graphs of a ProSampler walk, "
            rf"$\alpha$ = {data['restart_prob']:g}"
            f"\n({self.described})",
        )
