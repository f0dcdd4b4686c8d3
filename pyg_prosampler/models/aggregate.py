r"""Sums over neighbours and over graphs: the one place that says how."""

from collections.abc import Callable, Hashable
from functools import cached_property, partial
from typing import Any

import torch
import torch.nn.functional as F
from scipy.sparse import csr_array
from torch import Tensor
from torch.autograd import Function
from torch.utils.weak import WeakTensorKeyDictionary

from pyg_prosampler.transforms.layout import plain


def neighbor_sum(x: Tensor, edge_index: Tensor, weight: Tensor | None = None) -> Tensor:
    r"""Returns the sums over incoming edges

    .. math::
        \mathbf{y}_v = \sum_{(u, v) \in \mathcal{E}} w_{uv} \mathbf{x}_u .

    What is prepared for :obj:`edge_index` serves further layers and passes: it is
    kept as long as that tensor lives and is not changed in place.

    Args:
        x (torch.Tensor): Node features :math:`[N, F]`.
        edge_index (torch.Tensor): The edges :math:`[2, E]`, in any order.
        weight (torch.Tensor, optional): Edge weights :math:`[E]`. (default:
            :obj:`None`, all one)

    Raises:
        ValueError: If an edge has a node that :obj:`x` lacks.

    Example:
        >>> edge_index = torch.tensor([[0, 1, 1], [1, 0, 2]])
        >>> neighbor_sum(torch.tensor([[1.0], [2.0], [4.0]]), edge_index)
        tensor([[2.],
                [1.],
                [2.]])
    """
    edges, num_nodes = plain(edge_index), x.size(0)
    prepare = partial(RowSum, edges[0], edges[1], num_nodes, num_nodes)
    return _kept(edges, num_nodes, prepare)(x, weight)


def graph_sum(x: Tensor, batch: Tensor, num_graphs: int) -> Tensor:
    r"""Returns the sums :math:`[B, F]` over the nodes of each graph, as
    :func:`~torch_geometric.nn.pool.global_add_pool` does.

    Example:
        >>> batch = torch.tensor([0, 0, 2])
        >>> graph_sum(torch.tensor([[1.0], [2.0], [4.0]]), batch, num_graphs=3)
        tensor([[3.],
                [0.],
                [4.]])
    """
    num_nodes = x.size(0)
    node = torch.arange(num_nodes, device=x.device)
    prepare = partial(RowSum, node, batch, num_nodes, num_graphs)
    return _kept(batch, num_graphs, prepare)(x)


class RowSum:
    r"""Adds up rows of a matrix, over all pairs :math:`e` of a source row
    :math:`s_e` and a target row :math:`t_e`

    .. math::
        \mathbf{y}_t = \sum_{e : t_e = t} w_e \mathbf{x}_{s_e} .

    Pairs are grouped by target once, on CPU in linear time, and
    :func:`~torch.nn.functional.embedding_bag` adds up each group, without storing
    a row for each pair: sources are few, and stay in caches. It goes through a
    group in the order of pairs, so that sums are the same each time, on CUDA too,
    where scattering is not deterministic. Their gradient is such a sum itself,
    with sources and targets swapped.

    Args:
        source (torch.Tensor): The sources :math:`[E]`.
        target (torch.Tensor): The targets :math:`[E]`.
        num_sources (int): The number of rows :math:`\mathbf{x}`.
        num_targets (int): The number of rows :math:`\mathbf{y}`.

    Raises:
        ValueError: If a source or a target is out of range.

    Example:
        >>> row_sum = RowSum(torch.tensor([2, 0]), torch.tensor([1, 1]), 3, 2)
        >>> row_sum(torch.tensor([[1.0], [2.0], [4.0]]))
        tensor([[0.],
                [5.]])
    """

    def __init__(
        self, source: Tensor, target: Tensor, num_sources: int, num_targets: int
    ) -> None:
        largest = max(num_sources, num_targets, source.numel())
        dtype = torch.int if largest < 2**31 else torch.long
        source, target = source.to(dtype), target.to(dtype)
        _check_range("source", source, num_sources)
        _check_range("target", target, num_targets)
        # As a matrix with a row for each pair, and its target as only entry.
        ptr = torch.arange(source.numel() + 1, dtype=dtype, device=source.device)
        order, ptr, source = _transpose(ptr, target, source, num_targets)
        self._set(ptr, source, order, num_sources)

    def _set(
        self, ptr: Tensor, source: Tensor, order: Tensor, num_sources: int
    ) -> "RowSum":
        self.ptr = ptr  # Where each target begins.
        self.source = source  # Of each pair, by target.
        self.order = order  # Which pair that is.
        self.num_sources = num_sources
        return self

    def __call__(self, x: Tensor, weight: Tensor | None = None) -> Tensor:
        r"""Returns the sums :math:`[T, F]` of rows :math:`[S, F]` with weights
        :math:`[E]`, in the wider type of both.
        """
        if x.dim() != 2 or x.size(0) != self.num_sources:
            raise ValueError(
                f"`x` should have the shape [{self.num_sources}, channels] (got "
                f"{list(x.shape)})"
            )
        if weight is not None:
            if weight.shape != self.order.shape:
                raise ValueError(
                    f"`weight` should have the shape {list(self.order.shape)}, one "
                    f"for each edge (got {list(weight.shape)})"
                )
            dtype = torch.promote_types(x.dtype, weight.dtype)
            x, weight = x.to(dtype), weight.to(dtype)
        return _RowSum.apply(x, weight, self)

    @cached_property
    def transposed(self) -> "RowSum":
        r"""The same pairs with sources and targets swapped."""
        source, ptr, order = _transpose(
            self.ptr, self.source, self.order, self.num_sources
        )
        num_sources = self.ptr.numel() - 1
        return RowSum.__new__(RowSum)._set(ptr, source, order, num_sources)


class _RowSum(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor | None, row_sum: RowSum) -> Tensor:
        ctx.row_sum = row_sum
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, weight)
        return F.embedding_bag(
            row_sum.source,
            x.contiguous(),
            row_sum.ptr,
            mode="sum",
            per_sample_weights=(
                None if weight is None else weight.index_select(0, row_sum.order)
            ),
            include_last_offset=True,
        )

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        row_sum: RowSum = ctx.row_sum
        x, weight = ctx.saved_tensors
        grad_x = grad_weight = None
        if ctx.needs_input_grad[0]:
            grad_x = _RowSum.apply(grad, weight, row_sum.transposed)
        if ctx.needs_input_grad[1]:
            there = grad.repeat_interleave(row_sum.ptr.diff(), dim=0)
            product = (there * x.index_select(0, row_sum.source)).sum(dim=1)
            grad_weight = torch.empty_like(weight)
            grad_weight = grad_weight.index_copy(0, row_sum.order.long(), product)
        return grad_x, grad_weight, None


def _check_range(name: str, index: Tensor, size: int) -> None:
    if index.numel() == 0:
        return
    low, high = (int(bound) for bound in index.aminmax())
    if low < 0 or high >= size:
        raise ValueError(
            f"every {name} should be at least 0 and less than {size}, the number of "
            f"its rows (got {low if low < 0 else high}); do the edges belong to these "
            f"nodes?"
        )


def _transpose(
    ptr: Tensor, column: Tensor, value: Tensor, num_columns: int
) -> tuple[Tensor, Tensor, Tensor]:
    r"""Transposes a sparse matrix that is stored by rows.

    Args:
        ptr (torch.Tensor): Where each row begins.
        column (torch.Tensor): The column of each entry, below :obj:`num_columns`.
        value (torch.Tensor): The value of each entry.
        num_columns (int): The number of columns.

    Returns:
        The row of each entry in ascending order of (column, row), where each
        column begins, and the values in that order.
    """
    if ptr.is_cpu:
        return _transpose_by_counting(ptr, column, value, num_columns)
    return _transpose_by_sorting(ptr, column, value, num_columns)


def _transpose_by_counting(
    ptr: Tensor, column: Tensor, value: Tensor, num_columns: int
) -> tuple[Tensor, Tensor, Tensor]:
    matrix = csr_array(
        (value.numpy(), column.numpy(), ptr.numpy()),
        shape=(ptr.numel() - 1, num_columns),
    ).tocsc()
    parts = (matrix.indices, matrix.indptr, matrix.data)
    row, ptr, value = (torch.from_numpy(part).to(ptr.dtype) for part in parts)
    return row, ptr, value


def _transpose_by_sorting(
    ptr: Tensor, column: Tensor, value: Tensor, num_columns: int
) -> tuple[Tensor, Tensor, Tensor]:
    row = torch.arange(ptr.numel() - 1, dtype=ptr.dtype, device=ptr.device)
    row = row.repeat_interleave(ptr.diff())
    column, order = column.sort(stable=True)
    bounds = torch.arange(num_columns + 1, dtype=ptr.dtype, device=ptr.device)
    ptr = torch.searchsorted(column, bounds).to(ptr.dtype)
    return row.index_select(0, order), ptr, value.index_select(0, order)


_prepared: WeakTensorKeyDictionary = WeakTensorKeyDictionary()


def _kept(tensor: Tensor, key: Hashable, prepare: Callable[[], RowSum]) -> RowSum:
    r"""Returns what was prepared for a tensor, as long as it has not changed."""
    if tensor.is_inference():  # Its changes are not counted.
        return prepare()
    key = (key, tensor._version, tensor.data_ptr())
    if tensor not in _prepared or _prepared[tensor][0] != key:
        _prepared[tensor] = key, prepare()
    return _prepared[tensor][1]
