r"""What run folders say about batches: the data behind ``prosampler inspect``."""

from pyg_prosampler.inspection.batches import batches_of_policies, false_negatives
from pyg_prosampler.inspection.plane import plane
from pyg_prosampler.inspection.runs import Run, find_runs, load_embeddings
from pyg_prosampler.inspection.walk import principal_components, walk

__all__ = [
    "Run",
    "batches_of_policies",
    "false_negatives",
    "find_runs",
    "load_embeddings",
    "plane",
    "principal_components",
    "walk",
]
