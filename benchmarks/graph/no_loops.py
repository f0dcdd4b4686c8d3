r"""GraphCL as in its public code, but for the self-loops, which that gives to original
graphs, those that are evaluated among them, and not to augmented ones.

Goal: whether they explain why what was published on NCI1 is below ours. Same
configurations and seeds as the row of the public code in the study ``table3``, and the
same records; what has one is not run again. From the root of the repository:

    python -m benchmarks.graph.no_loops
"""

from pathlib import Path

from torch_geometric.data import InMemoryDataset

from benchmarks.graph.grids import reported
from benchmarks.graph.grids.grid import Grid
from benchmarks.graph.variants import run_variant
from pyg_prosampler import GraphCL
from pyg_prosampler.build import build_framework
from pyg_prosampler.config import PretrainConfig
from pyg_prosampler.training import Framework
from pyg_prosampler.transforms import Identity

PATH = Path(__file__).parent / "results" / "no_loops.jsonl"
NO_LOOPS = Grid(
    {
        "GraphCL, public code, no self-loops": reported.TABLE3.rows[
            "GraphCL, public code"
        ]
    },
    ("NCI1",),
)


def no_loops_framework(config: PretrainConfig, dataset: InMemoryDataset) -> Framework:
    r"""Builds GraphCL, with the same initial weights as ever."""
    framework = build_framework(config, dataset)
    assert isinstance(framework, GraphCL)
    framework.augmentations = Identity(), framework.augmentations[1]
    framework.transform = None
    return framework


def main() -> None:
    run_variant(NO_LOOPS, PATH, no_loops_framework, {"self_loops": False}, __doc__)


if __name__ == "__main__":
    main()
