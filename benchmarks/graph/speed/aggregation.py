r"""Sums over neighbours, forward and backward, in all the ways that there are.

Goal: one layer's aggregation of a batch of 128 graphs; "prepared" is what further
layers and passes pay, "from edges" includes grouping or converting the edges.
Non-goals: the MLPs around it, see the part on training.
"""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch_geometric import EdgeIndex
from torch_geometric.data import Batch
from torch_geometric.nn import SimpleConv
from torch_geometric.utils import index_sort

from benchmarks.graph.speed.timing import side_by_side
from pyg_prosampler import load_dataset
from pyg_prosampler.models.aggregate import RowSum

try:
    from torch_scatter import segment_csr
except ImportError:
    segment_csr = None

NAMES = ("COLLAB", "IMDB-BINARY", "REDDIT-BINARY", "NCI1")
BATCH_SIZE = 128
CHANNELS = (32, 512)

Sum = Callable[[Tensor], Tensor]


def measure(root: str, mirror: str | None) -> Iterator[dict[str, Any]]:
    # That sparse tensors in CSR layout are in beta, and not checked.
    warnings.filterwarnings("ignore", message="Sparse")
    for name in NAMES:
        dataset = load_dataset(name, root, mirror=mirror)
        generator = torch.Generator().manual_seed(0)
        index = torch.randperm(len(dataset), generator=generator)[:BATCH_SIZE]
        batch = Batch.from_data_list(dataset[index])
        for channels in CHANNELS:
            yield from compare(name, batch, channels)


def compare(name: str, batch: Batch, channels: int) -> Iterator[dict[str, Any]]:
    num_nodes, num_edges = batch.num_nodes, batch.num_edges
    x = torch.randn(num_nodes, channels, requires_grad=True)
    grad = torch.randn(num_nodes, channels)
    ways = preparations(batch.edge_index, num_nodes)
    prepared = {way: prepare() for way, prepare in ways.items()}

    def gradient(add_up: Sum) -> Tensor:
        x.grad = None
        add_up(x).backward(grad)
        assert x.grad is not None
        return x.grad

    expected = gradient(prepared["plain"])
    errors = {
        way: float((gradient(add_up) - expected).abs().max())
        for way, add_up in prepared.items()
    }
    assert max(errors.values()) < 1e-3 * float(expected.abs().max()), errors
    facts = {"num_nodes": num_nodes, "num_edges": num_edges, "channels": channels}
    # Both directions read a row for each edge and write one for each node.
    moved = 2 * 4 * channels * (num_edges + num_nodes)
    for case, calls in (
        ("prepared", {k: lambda f=f: gradient(f) for k, f in prepared.items()}),
        ("from edges", {k: lambda p=p: gradient(p()) for k, p in ways.items()}),
    ):
        times = side_by_side(calls, max_seconds=10.0)
        rates = {k: moved / s["median"] / 1e9 for k, s in times["seconds"].items()}
        label = f"{name}, {channels} channels, {case}"
        yield {"case": label, **facts, "gigabytes_per_second": rates, **times}


def preparations(edge_index: Tensor, num_nodes: int) -> dict[str, Callable[[], Sum]]:
    r"""What there is to prepare in every way, and what sums then."""
    conv = SimpleConv(aggr="sum")
    size = (num_nodes, num_nodes)

    def plain() -> Sum:
        return lambda x: conv(x, edge_index)

    def torch_csr() -> Sum:
        ones = torch.ones(edge_index.size(1))
        matrix = torch.sparse_coo_tensor(edge_index.flip(0), ones, size)
        matrix = matrix.to_sparse_csr()
        return lambda x: matrix @ x

    def edge_index_class() -> Sum:
        # Told all that there is to know: undirected edges, sorted by source.
        known = EdgeIndex(
            edge_index.flip(0), sparse_size=size, sort_order="col", is_undirected=True
        ).fill_cache_()
        return lambda x: known.matmul(x, transpose=True)

    def torch_scatter() -> Sum:
        target, order = index_sort(edge_index[1], num_nodes)
        source = edge_index[0].index_select(0, order)
        ptr = torch.searchsorted(target, torch.arange(num_nodes + 1))
        return lambda x: segment_csr(x.index_select(0, source), ptr)

    def grouped() -> Sum:
        return RowSum(edge_index[0], edge_index[1], num_nodes, num_nodes)

    ways: dict[str, Callable[[], Sum]] = {
        "plain": plain,
        "torch_csr": torch_csr,
        "edge_index": edge_index_class,
        "torch_scatter": torch_scatter,
        "grouped": grouped,
    }
    if segment_csr is None:
        del ways["torch_scatter"]
    return ways
