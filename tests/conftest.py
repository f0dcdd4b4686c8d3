import itertools
import os
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings
from torch_geometric.data import Data

from pyg_prosampler.config import PretrainConfig

settings.register_profile(
    "default",
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("default")


@pytest.fixture(autouse=True)
def _seed_everything():
    torch.manual_seed(12345)


@pytest.fixture
def graphs():
    r"""Ten small rings with three random features each and alternating labels."""
    generator = torch.Generator().manual_seed(0)
    out = []
    for index in range(10):
        num_nodes = 3 + index % 4
        source = torch.arange(num_nodes)
        ring = torch.stack([source, (source + 1) % num_nodes])
        out.append(
            Data(
                x=torch.randn(num_nodes, 3, generator=generator),
                edge_index=torch.cat([ring, ring.flip(0)], dim=1),
                y=torch.tensor([index % 2]),
            )
        )
    return out


@pytest.fixture(scope="session")
def shared_data():
    r"""The folder of the real data sets; tests skip where it is absent."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("PROSAMPLER_TEST_DATA", default))
    if not (folder / "tudataset").is_dir():
        pytest.skip(f"no real data in {folder}")
    return folder


@pytest.fixture
def mini_root(tmp_path):
    r"""A folder with a data set MINI of 40 labelled graphs, rings and paths,
    in the raw layout of the TUDataset collection and without node features.
    """
    raw = tmp_path / "data" / "MINI" / "raw"
    raw.mkdir(parents=True)
    edges, indicator, labels = [], [], []
    for index in range(40):
        first, num_nodes = len(indicator) + 1, 3 + index % 5
        nodes = list(range(first, first + num_nodes))
        pairs = list(itertools.pairwise(nodes))
        if index % 2:
            pairs.append((nodes[-1], nodes[0]))
        edges += [f"{a}, {b}" for u, v in pairs for a, b in ((u, v), (v, u))]
        indicator += [str(index + 1)] * num_nodes
        labels.append(str(index % 2))
    for name, lines in {
        "A": edges,
        "graph_indicator": indicator,
        "graph_labels": labels,
    }.items():
        (raw / f"MINI_{name}.txt").write_text("\n".join(lines) + "\n")
    return tmp_path / "data"


@pytest.fixture
def config(mini_root):
    r"""A run on MINI that takes about a second."""
    return PretrainConfig(
        "MINI",
        root=str(mini_root),
        num_epochs=2,
        batch_size=16,
        hidden_channels=4,
        num_layers=2,
        num_folds=5,
    )
