r"""Pictures of batches and embeddings, drawn with matplotlib."""

from pyg_prosampler.figures.batches import draw_batches
from pyg_prosampler.figures.curves import (
    draw_false_negatives,
    draw_positions,
    draw_similarities,
)
from pyg_prosampler.figures.plane import draw_plane
from pyg_prosampler.figures.runs import FIGURES, draw_runs
from pyg_prosampler.figures.style import save
from pyg_prosampler.figures.walk import draw_walk

__all__ = [
    "FIGURES",
    "draw_batches",
    "draw_false_negatives",
    "draw_plane",
    "draw_positions",
    "draw_runs",
    "draw_similarities",
    "draw_walk",
    "save",
]
