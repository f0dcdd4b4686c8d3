r"""MVGRL whose encoders stay as they were drawn, as in its public code, where they are
no registered modules; only the MLPs behind them are trained.

Goal: whether that explains what was published where it differs from ours. Same
configurations and seeds as MVGRL in the study ``mvgrl``, and the same records; what has
one is not run again. From the root of the repository:

    python -m benchmarks.graph.frozen
"""

from pathlib import Path

from torch_geometric.data import InMemoryDataset

from benchmarks.graph.grids import reported
from benchmarks.graph.grids.grid import Grid
from benchmarks.graph.variants import run_variant
from pyg_prosampler import MVGRL
from pyg_prosampler.build import build_framework
from pyg_prosampler.config import PretrainConfig
from pyg_prosampler.training import Framework

PATH = Path(__file__).parent / "results" / "frozen.jsonl"
FROZEN = Grid(
    {"MVGRL, encoders frozen": reported.MVGRL.rows["MVGRL"]},
    reported.MVGRL.datasets,
    reported.MVGRL.seeds,
)


def frozen_framework(config: PretrainConfig, dataset: InMemoryDataset) -> Framework:
    r"""Builds MVGRL, with the same initial weights as ever."""
    framework = build_framework(config, dataset)
    assert isinstance(framework, MVGRL)
    framework.encoder1.requires_grad_(False)
    framework.encoder2.requires_grad_(False)
    return framework


def main() -> None:
    run_variant(FROZEN, PATH, frozen_framework, {"frozen_encoders": True}, __doc__)


if __name__ == "__main__":
    main()
