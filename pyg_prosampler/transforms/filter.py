r"""Taking nodes and edges out of a graph or of a whole batch."""

import copy
from typing import Literal

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from pyg_prosampler.transforms.layout import Layout, plain
from pyg_prosampler.transforms.selection import positions

Level = Literal["node", "edge", "graph"]


def filter_graphs(
    data: Data,
    layout: Layout,
    node_mask: Tensor | None = None,
    edge_mask: Tensor | None = None,
) -> Data:
    r"""Returns a copy of :obj:`data` with the masked-in nodes and edges only;
    edges go with their end points, every other attribute is shared. All graphs
    of a batch keep their places: one without nodes left is an empty graph.
    """
    edge_index = plain(data.edge_index)
    kept: dict[Level, Tensor] = {}  # Positions, in ascending order.
    if node_mask is not None:
        kept["node"] = positions(node_mask)
        if edge_index is not None:
            inside = node_mask.index_select(0, edge_index[0])
            inside &= node_mask.index_select(0, edge_index[1])
            edge_mask = inside if edge_mask is None else inside & edge_mask
    if edge_mask is not None:
        kept["edge"] = positions(edge_mask)

    out = copy.copy(data)
    slices = dict(getattr(data, "_slice_dict", {}))
    for key in list(data.keys()):
        index = kept.get(_level(data, layout, key))
        if index is None:
            continue
        if _is_ptr(data, key):
            out[key] = torch.searchsorted(index, data[key])
            continue
        dim = data.__cat_dim__(key, data[key])
        out[key] = _select(plain(data[key]), dim, index)
        if key in slices:
            slices[key] = torch.searchsorted(index, slices[key].to(index.device)).cpu()
    if slices:
        out._slice_dict = slices

    ptr = layout.ptr
    if node_mask is not None:
        ptr = torch.searchsorted(kept["node"], ptr)
        if edge_index is not None:
            number = node_mask.cumsum(0) - 1
            ends = number.index_select(0, out.edge_index.reshape(-1))
            out.edge_index = ends.view(2, -1)
            if slices:
                out._inc_dict = {**data._inc_dict, "edge_index": ptr[:-1].cpu()}
    if "num_nodes" in data or "x" not in data:  # PyG would guess it from the edges.
        sizes = (ptr[1:] - ptr[:-1]).tolist()
        out.num_nodes = sum(sizes)
        if isinstance(data, Batch):
            out._num_nodes = sizes
    if isinstance(data, Batch):
        out._num_graphs = layout.num_graphs
    return out


def _select(value: Tensor, dim: int, index: Tensor) -> Tensor:
    if value.dim() == 2 and dim in (1, -1):  # Much faster row by row.
        return torch.stack([row.index_select(0, index) for row in value])
    return value.index_select(dim, index)


def _is_ptr(data: Data, key: str) -> bool:
    name = key.removesuffix("ptr")
    return name != key and f"{name}batch" in data


def _level(data: Data, layout: Layout, key: str) -> Level:
    r"""Says whether an attribute has one entry per node, per edge, or neither.

    Sizes decide, those of every graph where the batch knows them. One entry per
    graph is also what graphs of one node or edge look like: there names decide.
    """
    for suffix in ("batch", "ptr"):
        if key == suffix and "batch" in data:
            return "node"
        followed = key.removesuffix(f"_{suffix}")  # Made by `follow_batch`.
        if followed != key and followed in data:
            return _level(data, layout, followed)

    value, dim = data[key], data.__cat_dim__(key, data[key])
    if not isinstance(value, Tensor) or value.dim() == 0 or not isinstance(dim, int):
        return "graph"
    slices = getattr(data, "_slice_dict", {})
    num_edges = 0 if data.edge_index is None else data.edge_index.size(1)

    def fits(size: int, bounds: Tensor | None) -> bool:
        own = slices.get(key)
        if value.size(dim) != size or own is None or bounds is None:
            return value.size(dim) == size
        return torch.equal(own, bounds.to(own.device))

    named_edge = "edge" in key
    named_node = key in ("x", "pos") or "node" in key
    singles = torch.arange(layout.num_graphs + 1)
    if not (named_edge or named_node) and fits(layout.num_graphs, singles):
        return "graph"
    is_node = fits(layout.num_nodes, layout.ptr)
    if fits(num_edges, slices.get("edge_index")) and (named_edge or not is_node):
        return "edge"
    return "node" if is_node else "graph"
