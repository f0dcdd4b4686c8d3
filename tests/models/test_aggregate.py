import gc
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric import EdgeIndex
from torch_geometric.nn import GINConv, global_add_pool
from torch_geometric.utils import coalesce, scatter

from pyg_prosampler.models import aggregate
from pyg_prosampler.models.aggregate import RowSum, graph_sum, neighbor_sum

TOLERANCES = {
    torch.float64: 1e-12,
    torch.float32: 1e-5,
    torch.float16: 1e-2,
    torch.bfloat16: 1e-1,
}
EDGES = torch.randint(9, (2, 30), generator=torch.Generator().manual_seed(0))


def reference(x, edge_index, weight=None):
    r"""By messages that are scattered, in float64."""
    message = x.double().index_select(0, edge_index[0])
    if weight is not None:
        message = message * weight.double().view(-1, 1)
    return scatter(message, edge_index[1], dim=0, dim_size=x.size(0), reduce="sum")


@st.composite
def edges(draw):
    r"""Any edges, repeated ones and loops among them, in any order."""
    num_nodes = draw(st.integers(0, 12))
    node = st.integers(0, max(0, num_nodes - 1))
    pairs = draw(st.lists(st.tuples(node, node), max_size=40 if num_nodes else 0))
    edge_index = torch.tensor(pairs, dtype=torch.long).view(-1, 2).t()
    if draw(st.booleans()):
        edge_index = torch.cat([edge_index, edge_index.flip(0)], dim=1)
    if draw(st.booleans()):
        edge_index = edge_index.contiguous()
    if draw(st.booleans()):
        edge_index = coalesce(edge_index, num_nodes=num_nodes)
    return edge_index, num_nodes


@given(edges(), st.booleans(), st.sampled_from(list(TOLERANCES)), st.integers(1, 40))
def test_equals_scattering(graph, weighted, dtype, channels):
    edge_index, num_nodes = graph
    x = torch.randn(num_nodes, channels).to(dtype).requires_grad_()
    weight = torch.rand(edge_index.size(1)).to(dtype) if weighted else None
    inputs = [x] if weight is None else [x, weight.requires_grad_()]
    out = neighbor_sum(x, edge_index, weight)
    expected = reference(x, edge_index, weight)
    assert out.dtype == dtype
    assert out.shape == expected.shape

    probe = torch.randn_like(out)
    actual = [out, *torch.autograd.grad(out, inputs, probe)]
    wanted = [expected, *torch.autograd.grad(expected, inputs, probe.double())]
    for a, b in zip(actual, wanted, strict=True):
        tolerance = TOLERANCES[dtype] * (
            1 + float(b.detach().abs().max()) if b.numel() else 1
        )
        assert torch.allclose(a.double(), b.double(), atol=tolerance, rtol=0)


@given(edges(), st.booleans())
def test_gradients(graph, weighted):
    edge_index, num_nodes = graph
    inputs = [torch.randn(num_nodes, 3, dtype=torch.double, requires_grad=True)]
    if weighted:
        weight = torch.randn(edge_index.size(1), dtype=torch.double)
        inputs.append(weight.requires_grad_())

    def function(x, weight=None):
        return neighbor_sum(x, edge_index, weight)

    if num_nodes > 0:
        assert torch.autograd.gradcheck(function, inputs)
        assert torch.autograd.gradgradcheck(function, inputs)


@given(edges(), st.sampled_from([1, 8, 33]), st.sampled_from([0.0, 0.5]))
def test_equals_gin_conv(graph, channels, eps):
    edge_index, num_nodes = graph
    conv = GINConv(torch.nn.Identity(), eps=eps)
    x = torch.randn(num_nodes, channels)
    out = neighbor_sum(x, edge_index) + (1 + conv.eps) * x
    assert torch.allclose(out, conv(x, edge_index), atol=1e-4)


@given(st.lists(st.integers(0, 5), max_size=30), st.integers(0, 3), st.booleans())
def test_graphs(batch, num_empty, sort):
    num_graphs = max(batch, default=0) + 1 + num_empty
    batch = torch.tensor(sorted(batch) if sort else batch, dtype=torch.long)
    x = torch.randn(batch.numel(), 5, dtype=torch.double, requires_grad=True)
    out = graph_sum(x, batch, num_graphs)
    expected = global_add_pool(x, batch, num_graphs)
    assert torch.allclose(out, expected)
    probe = torch.randn_like(out)
    (actual,) = torch.autograd.grad(out, x, probe)
    (wanted,) = torch.autograd.grad(expected, x, probe)
    assert torch.equal(actual, wanted)
    assert torch.autograd.gradcheck(lambda x: graph_sum(x, batch, num_graphs), x)


def test_one_plan_serves_several_layers():
    edge_index = EDGES.clone()
    x = torch.randn(9, 4, dtype=torch.double, requires_grad=True)
    out = neighbor_sum(neighbor_sum(x, edge_index).sin(), edge_index)
    expected = reference(reference(x, edge_index).sin(), edge_index)
    assert torch.allclose(out, expected)
    for value in (out, expected):
        value.cos().sum().backward(retain_graph=True)
    (twice,) = torch.autograd.grad(out.cos().sum(), x)
    assert torch.allclose(x.grad, 2 * twice)


def test_every_layout_of_rows():
    edge_index = EDGES.clone()
    dense = torch.randn(9, 4)
    expected = neighbor_sum(dense, edge_index)
    wide = torch.randn(9, 8)
    wide[:, ::2] = dense
    for x in (dense.t().contiguous().t(), wide[:, ::2]):
        x = x.detach().requires_grad_()
        out = neighbor_sum(x, edge_index)
        assert torch.equal(out, expected)
        out.sum().backward()  # The gradient of a sum is expanded.
        assert torch.equal(x.grad, neighbor_sum(torch.ones(9, 4), edge_index.flip(0)))


def test_edge_index_class():
    edge_index = EDGES.clone()
    x = torch.randn(9, 4)
    known = EdgeIndex(edge_index, sparse_size=(9, 9), sort_order="row")
    out = neighbor_sum(x, known)
    assert type(out) is torch.Tensor
    assert torch.equal(out, neighbor_sum(x, edge_index))


def test_autocast():
    edge_index = EDGES.clone()
    x, linear = torch.randn(9, 4, requires_grad=True), torch.nn.Linear(4, 4)
    expected = neighbor_sum(linear(x), edge_index)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = neighbor_sum(linear(x), edge_index)
        assert out.dtype == torch.bfloat16
        # In the wider type, as weights are.
        assert neighbor_sum(out, edge_index, torch.rand(edge_index.size(1))).dtype == (
            torch.float
        )
    assert torch.allclose(
        out.float(), expected, atol=0.1 * float(expected.detach().abs().max())
    )
    out.sum().backward()
    assert x.grad.isfinite().all()


def test_plan_is_kept_while_edges_live_unchanged(monkeypatch):
    made = []
    original = RowSum.__init__

    def counted(self, *args):
        made.append(1)
        original(self, *args)

    monkeypatch.setattr(RowSum, "__init__", counted)
    edge_index = EDGES.clone()
    x = torch.randn(9, 2)
    for _ in range(3):
        neighbor_sum(x, edge_index)
    assert len(made) == 1
    edge_index[:, 0] = torch.tensor([8, 8])
    assert torch.allclose(
        neighbor_sum(x, edge_index).double(), reference(x, edge_index)
    )
    assert len(made) == 2
    more = torch.randn(11, 2)  # Isolated nodes at the end.
    assert torch.equal(neighbor_sum(more, edge_index)[9:], torch.zeros(2, 2))
    assert len(made) == 3

    gc.collect()
    before = len(aggregate._prepared)
    del edge_index
    gc.collect()
    assert len(aggregate._prepared) == before - 1


def test_plan_stays_behind():
    edge_index = EDGES.clone()
    size = len(pickle.dumps(edge_index))
    neighbor_sum(torch.randn(9, 2), edge_index)
    assert len(pickle.dumps(edge_index)) == size


def test_inference_mode():
    x = torch.randn(9, 4)
    with torch.inference_mode():
        edge_index = EDGES.clone()
        out = neighbor_sum(x, edge_index)
        edge_index.copy_(edge_index.flip(1))
        assert torch.allclose(neighbor_sum(x, edge_index), out)
        edge_index.fill_(0)
        assert neighbor_sum(x, edge_index)[1:].eq(0).all()


@pytest.mark.parametrize("size", [(2, 0), (2, 3)])
def test_no_nodes_and_no_edges(size):
    num_edges = size[1]
    edge_index = torch.zeros(size, dtype=torch.long)
    out = neighbor_sum(torch.ones(4, 2), edge_index)
    assert out.tolist() == [[num_edges] * 2] + [[0, 0]] * 3
    empty = torch.empty(0, 2, requires_grad=True)
    out = graph_sum(empty, torch.empty(0, dtype=torch.long), 3)
    assert torch.equal(out, torch.zeros(3, 2))
    out.sum().backward()
    assert empty.grad.shape == (0, 2)


@pytest.mark.parametrize("bad", [-1, 5, 2**31 - 1])
@pytest.mark.parametrize("row", [0, 1])
def test_nodes_out_of_range(bad, row):
    edge_index = torch.tensor([[0, 1], [1, 0]])
    edge_index[row, 1] = bad
    name = ("source", "target")[row]
    with pytest.raises(ValueError, match=rf"every {name} .* less than 5.*got {bad}\)"):
        neighbor_sum(torch.ones(5, 2), edge_index)


def test_bad_shapes():
    row_sum = RowSum(torch.tensor([0, 1]), torch.tensor([1, 1]), 3, 2)
    with pytest.raises(ValueError, match=r"`x` .*\[3, channels\] \(got \[2, 4\]\)"):
        row_sum(torch.ones(2, 4))
    with pytest.raises(ValueError, match=r"`weight` .*\[2\].*\(got \[3\]\)"):
        row_sum(torch.ones(3, 4), torch.ones(3))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("weighted", [False, True])
def test_cuda(weighted):
    edge_index = torch.randint(1000, (2, 20000))
    x = torch.randn(1000, 32)
    weight = torch.rand(20000) if weighted else None
    results = []
    for device in ("cpu", "cuda", "cuda"):
        inputs = [x.to(device).requires_grad_()]
        if weight is not None:
            inputs.append(weight.to(device).requires_grad_())
        out = neighbor_sum(inputs[0], edge_index.to(device), *inputs[1:])
        grads = torch.autograd.grad(out.square().sum(), inputs)
        results.append([part.cpu() for part in (out, *grads)])
    for cpu, cuda, again in zip(*results, strict=True):
        assert torch.allclose(cpu, cuda, rtol=1e-3, atol=1e-3)
        assert torch.equal(cuda, again)  # Deterministic.


def test_sorting_equals_counting():
    # What other devices do, on the CPU.
    ptr = torch.tensor([0, 2, 2, 5], dtype=torch.int)
    column = torch.tensor([3, 0, 0, 3, 3], dtype=torch.int)
    value = torch.arange(5, dtype=torch.int)
    counted = aggregate._transpose(ptr, column, value, 5)
    sorted_ = aggregate._transpose_by_sorting(ptr, column, value, 5)
    for a, b in zip(counted, sorted_, strict=True):
        assert a.dtype == b.dtype == torch.int
        assert torch.equal(a, b)
    assert counted[0].tolist() == [0, 2, 0, 2, 2]
    assert counted[1].tolist() == [0, 2, 2, 2, 5, 5]
