r"""Epochs of GraphCL: PyG's parts against this package, with and without ProSampler.

The plain way is PyG's shuffling loader, its GIN layers and its pooling. The objective,
the projection head and the augmentations are those of this package in all ways, since
PyG has no augmentations of single graphs within a batch.

Goal: the seconds of an epoch, all included: batches, hardness in the records, refresh.
Non-goals: accuracy, and the augmentations by themselves.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import BatchNorm1d, Linear, Module, ModuleList, ReLU, Sequential
from torch.profiler import ProfilerActivity, profile
from torch_geometric.data import Batch
from torch_geometric.loader import DataLoader
from torch_geometric.nn import GINConv, global_add_pool

from benchmarks.graph.speed.timing import side_by_side
from pyg_prosampler import (
    GINEncoder,
    GraphCL,
    InfoNCE,
    ProSamplerLoader,
    load_dataset,
)
from pyg_prosampler.policies import UniformPolicy
from pyg_prosampler.training import pretrain

NAMES = ("MUTAG", "IMDB-BINARY", "NCI1", "REDDIT-BINARY", "COLLAB")
BATCH_SIZE = 128
NUM_STEPS_PROFILED = 5
RECORDED = "encoder, norms as recorded"
# By the names of operators, first match; what is left are many small ones.
SHARES = {
    "matrix products": ("mm", "linear"),
    "normalisation": ("batch_norm",),
    "sums over edges and graphs": ("embedding_bag", "RowSum", "scatter_add"),
    "selection": ("index", "gather", "nonzero", "sort", "scatter_reduce"),
    "optimizer": ("adam", "Adam"),
    "activations": ("clamp", "threshold", "relu"),
}

Epoch = Callable[[], Any]


class PlainGIN(Module):
    r"""The encoder as one writes it with PyG."""

    def __init__(self, in_channels: int, hidden_channels: int, num_layers: int) -> None:
        super().__init__()
        self.out_channels = num_layers * hidden_channels
        self.convs = ModuleList()
        self.norms = ModuleList()
        for layer in range(num_layers):
            mlp = Sequential(
                Linear(hidden_channels if layer else in_channels, hidden_channels),
                ReLU(),
                Linear(hidden_channels, hidden_channels),
            )
            self.convs.append(GINConv(mlp))
            self.norms.append(BatchNorm1d(hidden_channels))

    def forward(self, data: Batch) -> Tensor:
        x, pooled = data.x, []
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = norm(conv(x, data.edge_index).relu())
            pooled.append(global_add_pool(x, data.batch, data.num_graphs))
        return torch.cat(pooled, dim=-1)


def measure(root: str, mirror: str | None) -> Iterator[dict[str, Any]]:
    for name in NAMES:
        dataset = load_dataset(name, root, mirror=mirror)
        ways = {
            "plain": plain(dataset),
            "uniform": ours(dataset, "uniform"),
            "bank": ours(dataset, "bank"),
            "encoder": ours(dataset, "encoder"),
            RECORDED: ours(dataset, RECORDED),
        }
        facts = {"num_graphs": len(dataset), "batch_size": BATCH_SIZE}
        # The first epoch of ProSampler, its warm-up, is not measured.
        times = side_by_side(ways, max_seconds=40.0)
        yield {"case": name, **facts, **times, "shares": shares(dataset)}


def plain(dataset: Any) -> Epoch:
    torch.manual_seed(0)
    loader = DataLoader(dataset, BATCH_SIZE, shuffle=True)
    model = GraphCL(PlainGIN(dataset.num_node_features, 32, 3))
    objective = InfoNCE()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def epoch() -> list[float]:
        model.train()
        losses = []
        for batch in loader:
            optimizer.zero_grad()
            loss, _ = model.contrast(batch, objective)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    return epoch


def ours(dataset: Any, way: str) -> Epoch:
    torch.manual_seed(0)
    model = GraphCL(GINEncoder(dataset.num_node_features, 32, 3))
    loader = ProSamplerLoader(
        dataset,
        BATCH_SIZE,
        encoder=model.embed,
        embedding_source="bank" if way == "bank" else "encoder",
        recompute_norms=way != RECORDED,
        policy=UniformPolicy() if way == "uniform" else None,
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    epochs = pretrain(model, loader, InfoNCE(), optimizer, num_epochs=10**6)
    return lambda: next(epochs)


def shares(dataset: Any) -> dict[str, float]:
    r"""Where the time of a step goes, as the profiler sees it, batches aside."""
    model = GraphCL(GINEncoder(dataset.num_node_features, 32, 3))
    objective = InfoNCE()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    batches = list(DataLoader(dataset[: NUM_STEPS_PROFILED * BATCH_SIZE], BATCH_SIZE))
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        for batch in batches:
            optimizer.zero_grad()
            model.contrast(batch, objective)[0].backward()
            optimizer.step()
    seconds = dict.fromkeys([*SHARES, "other"], 0.0)
    for event in profiler.key_averages():
        matches = (
            share
            for share, names in SHARES.items()
            if any(name in event.key for name in names)
        )
        seconds[next(matches, "other")] += event.self_cpu_time_total
    total = sum(seconds.values())
    return {share: value / total for share, value in seconds.items()}
