r"""What batches are made of: how hard they are, how many of their pairs are false
negatives, and how much of the data set an epoch covers.

:meth:`hardness` reports on one epoch exactly; :class:`HardnessMonitor` keeps watch
over a run at next to no cost. Labels are used for reports only, never to sample.
"""

from pyg_prosampler.hardness.measures import (
    effective_rank,
    false_negative_rate,
    mean_similarity,
    spread,
    uniform_floor,
)
from pyg_prosampler.hardness.monitor import HardnessMonitor
from pyg_prosampler.hardness.report import hardness
from pyg_prosampler.hardness.table import to_table

__all__ = [
    "HardnessMonitor",
    "effective_rank",
    "false_negative_rate",
    "hardness",
    "mean_similarity",
    "spread",
    "to_table",
    "uniform_floor",
]
