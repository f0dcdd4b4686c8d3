r"""Which runs make up which study. Fixed before their scores are seen.

A study is one or more grids: every row of options with every data set and every seed.
"""

from collections.abc import Sequence

from benchmarks.graph.grids import exploring, reported
from benchmarks.graph.grids.grid import Grid

STUDIES: dict[str, Sequence[Grid]] = {
    "table3": [reported.TABLE3],
    "norms": [reported.NORMS],
    "objectives": [reported.OBJECTIVES],
    "confirm": [reported.CONFIRM],
    "policies": [reported.POLICIES],
    "mvgrl": [reported.MVGRL, reported.MVGRL_WIDE, reported.MVGRL_LINEAR],
    "collab": [reported.TABLE4, reported.TABLE5],
    "ablations": [reported.ABLATIONS],
    "bound": [reported.BOUND],
    "transfer": [reported.TRANSFER],
    "explore": [
        exploring.EXPLORE,
        exploring.EXPLORE_DEGREES,
        exploring.EXPLORE_SLOW,
        exploring.EXPLORE_MVGRL,
        exploring.EXPLORE_MVGRL_DEGREES,
        exploring.EXPLORE_MVGRL_AUTHORS,
        exploring.EXPLORE_MVGRL_REDDIT,
        exploring.EXPLORE_NCI1,
        exploring.EXPLORE_DCL,
        exploring.EXPLORE_HARDER,
    ],
    "chosen": [exploring.CHOSEN, exploring.CHOSEN_MVGRL],
}
