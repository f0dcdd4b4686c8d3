import copy

import pytest
import torch
from torch_geometric import EdgeIndex
from torch_geometric.data import Batch, Data
from torch_geometric.nn import global_add_pool

from pyg_prosampler import GINEncoder


def reference(encoder, data):
    r"""The formula in plain loops, for one graph in evaluation mode."""
    x = data.x
    pooled = []
    for conv, norm in zip(encoder.convs, encoder.norms, strict=True):
        first, _, second = conv.nn
        rows = []
        for v in range(data.num_nodes):
            total = x[v].clone()
            for source, target in data.edge_index.t().tolist():
                if target == v:
                    total += x[source]
            hidden = (first.weight @ total + first.bias).clamp(min=0)
            out = (second.weight @ hidden + second.bias).clamp(min=0)
            scale = norm.weight / (norm.running_var + norm.eps).sqrt()
            rows.append((out - norm.running_mean) * scale + norm.bias)
        x = torch.stack(rows)
        pooled.append(x.sum(dim=0))
    return torch.cat(pooled)


def test_equals_reference(graphs):
    encoder = GINEncoder(3, hidden_channels=5, num_layers=3)
    encoder(Batch.from_data_list(graphs))  # Batch norm has statistics to use.
    encoder.eval()
    out = encoder(Batch.from_data_list(graphs))
    assert out.shape == (10, encoder.out_channels) == (10, 15)
    for row, data in zip(out, graphs, strict=True):
        assert torch.allclose(row, reference(encoder, data), rtol=1e-4, atol=1e-5)
        assert torch.allclose(row, encoder(data)[0], rtol=1e-4, atol=1e-5)


def with_messages(encoder, data):
    r"""The same by PyG's own layers."""
    x, pooled = data.x, []
    for conv, norm in zip(encoder.convs, encoder.norms, strict=True):
        x = norm(conv(x, data.edge_index).relu())
        pooled.append(global_add_pool(x, data.batch, data.num_graphs))
    return torch.cat(pooled, dim=-1)


@pytest.mark.parametrize("eps", [0.0, 0.5])
@pytest.mark.parametrize("directed", [False, True])
def test_equals_layers_with_messages(graphs, eps, directed):
    encoder = GINEncoder(3, 5, 3).double()
    batch = Batch.from_data_list(graphs)
    batch.x = batch.x.double().requires_grad_()
    perm = torch.randperm(batch.num_edges)
    batch.edge_index = batch.edge_index[:, perm[:40] if directed else perm]
    for conv in encoder.convs:
        conv.eps.fill_(eps)  # As a checkpoint may.
    results = []
    for run in (GINEncoder.forward, with_messages):
        copied = copy.deepcopy(encoder)
        out = run(copied, batch)
        inputs = [batch.x, *copied.parameters()]
        grads = torch.autograd.grad(out.sin().sum(), inputs)
        results.append([out, *grads, *copied.buffers()])
    for fast, slow in zip(*results, strict=True):
        assert torch.allclose(fast, slow)


def test_names_in_checkpoints():
    names = set(GINEncoder(3, 5, 1).state_dict())
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    linear = [f"convs.0.nn.{i}.{name}" for i in (0, 2) for name in ("weight", "bias")]
    assert names == {"convs.0.eps", *linear, *(f"norms.0.{name}" for name in norm)}


def test_edge_index_class(graphs):
    encoder = GINEncoder(3, 4, 2).eval()
    data = copy.copy(graphs[0])
    expected = encoder(data)
    size = (data.num_nodes, data.num_nodes)
    data.edge_index = EdgeIndex(data.edge_index, sparse_size=size)
    assert torch.equal(encoder(data), expected)


def test_autocast(graphs):
    encoder = GINEncoder(3, 8, 3).eval()
    batch = Batch.from_data_list(graphs)
    expected = encoder(batch).detach()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = encoder(batch)
        out.sum().backward()
    assert torch.allclose(out.float(), expected, atol=0.1 * float(expected.max()))
    assert all(p.grad.isfinite().all() for p in encoder.parameters())


def test_initial_weights():
    encoder = GINEncoder(3, 64, 2)
    linears = [m for m in encoder.modules() if isinstance(m, torch.nn.Linear)]
    assert len(linears) == 4
    for linear in linears:
        assert linear.bias.eq(0).all()
        bound = (6 / (linear.in_features + linear.out_features)) ** 0.5
        assert linear.weight.abs().max() <= bound
        assert linear.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.15)


def test_every_parameter_is_trained(graphs):
    encoder = GINEncoder(3, 4, 2)
    (encoder(Batch.from_data_list(graphs)) ** 2).sum().backward()
    assert all(p.grad is not None for p in encoder.parameters())
    assert not any(p.grad.isnan().any() for p in encoder.parameters())


def test_empty_graph_in_a_batch(graphs):
    empty = Data(
        x=torch.empty(0, 3),
        edge_index=torch.empty(2, 0, dtype=torch.long),
        y=torch.tensor([0]),
    )
    batch = Batch.from_data_list([graphs[0], empty, graphs[1]])
    assert GINEncoder(3, 4, 2).eval()(batch)[1].eq(0).all()


def test_bad_input(graphs):
    with pytest.raises(ValueError, match=r"`hidden_channels` .*\(got 0\)"):
        GINEncoder(3, 0)
    with pytest.raises(ValueError, match=r"`x` with 4 channels \(got 3\)"):
        GINEncoder(4)(Batch.from_data_list(graphs))
    with pytest.raises(ValueError, match=r"`x` with 4 channels \(got None\)"):
        GINEncoder(4)(Data(edge_index=torch.tensor([[0], [1]]), num_nodes=2))
