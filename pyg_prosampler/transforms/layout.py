r"""Which node belongs to which graph."""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch_geometric import EdgeIndex
from torch_geometric.data import Batch, Data
from torch_geometric.utils import cumsum


class Layout(NamedTuple):
    r"""Where the graphs of a batch lie; a :class:`Data` without :obj:`batch` is
    one graph.

    Shape: :obj:`batch` is :obj:`[num_nodes]`, :obj:`ptr` :obj:`[num_graphs + 1]`.
    """

    batch: Tensor
    ptr: Tensor

    @property
    def num_graphs(self) -> int:
        return self.ptr.numel() - 1

    @property
    def num_nodes(self) -> int:
        return self.batch.numel()

    @property
    def sizes(self) -> Tensor:
        r"""The number of nodes of each graph."""
        return self.ptr[1:] - self.ptr[:-1]

    @classmethod
    def of(cls, data: Any, name: str) -> "Layout":
        r"""Reads the layout of :obj:`data`, or says why :obj:`name` cannot."""
        if not isinstance(data, Data):
            raise TypeError(
                f"`{name}` acts on a `Data` or on a `Batch` of them (got "
                f"{type(data).__name__}); turn heterogeneous graphs into such by "
                f"`to_homogeneous()` first"
            )
        if "adj" in data or "adj_t" in data:
            raise ValueError(
                f"`{name}` needs the edges as `edge_index` (got `adj` or `adj_t`); "
                f"apply it before `ToSparseTensor`"
            )
        num_nodes = data.num_nodes
        if num_nodes is None:
            raise ValueError(
                f"`{name}` needs to know the number of nodes; set `data.num_nodes`"
            )
        if data.batch is None:
            device = _device(data)
            batch = torch.zeros(num_nodes, dtype=torch.long, device=device)
            return cls(batch, torch.tensor([0, num_nodes], device=device))
        if "ptr" in data:
            return cls(data.batch, data.ptr)
        if not bool((data.batch[1:] >= data.batch[:-1]).all()):
            raise ValueError(
                f"`{name}` needs the nodes grouped by graph (got an unsorted "
                f"`batch`); build the batch by `Batch.from_data_list`"
            )
        num_graphs = data.num_graphs if isinstance(data, Batch) else 0
        sizes = torch.bincount(data.batch, minlength=num_graphs)
        return cls(data.batch, cumsum(sizes))


def plain(value: Any) -> Any:
    r"""Turns an :class:`EdgeIndex` into an ordinary tensor, since what it knows
    of its order does not survive a change.
    """
    return value.as_tensor() if isinstance(value, EdgeIndex) else value


def _device(data: Data) -> torch.device:
    values = (data.edge_index, data.x, *data.to_dict().values())
    devices = (value.device for value in values if isinstance(value, Tensor))
    return next(devices, torch.device("cpu"))
