import copy

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks
from torch_geometric.utils import one_hot

from pyg_prosampler.models.gcn import GCNEncoder, normalized_adjacency

BATCH = torch.tensor([0, 0, 0, 2, 2])  # Graph 1 has no nodes.
DIRECTED = torch.tensor([[0, 1, 1, 3], [1, 0, 2, 4]])


def reference(encoder, x, matrix, batch, num_graphs):
    r"""The formula, node by node."""
    pooled = []
    for layer in encoder.layers:
        weight, bias = layer.linear.weight, layer.linear.bias
        (slope,) = layer.activation.weight
        rows = []
        for v in range(x.size(0)):
            total = torch.zeros(x.size(1), dtype=x.dtype)
            for u in range(x.size(0)):
                total = total + matrix[v, u] * x[u]
            out = weight @ total + bias
            rows.append(torch.where(out > 0, out, slope * out))
        x = torch.stack(rows)
        sums = torch.zeros(num_graphs, x.size(1), dtype=x.dtype)
        for v, graph in enumerate(batch.tolist()):
            sums[graph] = sums[graph] + x[v]
        pooled.append(sums)
    return x, torch.cat(pooled, dim=1)


def random_encoder(*args, **kwargs):
    encoder = GCNEncoder(*args, **kwargs).double()
    for parameter in encoder.parameters():  # Biases start at zero.
        parameter.data += 0.1 * torch.randn_like(parameter)
    return encoder


def random_factors():
    out = []
    for _ in range(2):
        dense = torch.randn(5, 5, dtype=torch.double)
        out.append((dense * (torch.rand(5, 5) < 0.5)).to_sparse())
    return out


def gradients(module):
    return [parameter.grad for parameter in module.parameters()]


def test_normalized_adjacency():
    out = normalized_adjacency(DIRECTED, num_nodes=6).to_dense()
    expected = torch.eye(6)
    for source, target in DIRECTED.t().tolist():
        expected[target, source] = 1.0
    scale = expected.sum(dim=1).rsqrt()
    assert torch.allclose(out, scale.view(-1, 1) * expected * scale)
    assert not torch.equal(out, out.t())
    no_edges = torch.empty(2, 0, dtype=torch.long)
    assert torch.equal(normalized_adjacency(no_edges, 3).to_dense(), torch.eye(3))


@pytest.mark.parametrize("in_channels", [2, 4, 7])
@pytest.mark.parametrize("num_layers", [1, 3])
def test_equals_reference(in_channels, num_layers):
    # Wider, as wide, and narrower than the first layer: every order of products.
    encoder = random_encoder(in_channels, hidden_channels=4, num_layers=num_layers)
    x = torch.randn(5, in_channels, dtype=torch.double)
    first, second = random_factors()
    nodes, graphs = encoder(x, [first, second], BATCH, num_graphs=3)
    assert nodes.shape == (5, 4)
    assert graphs.shape == (3, encoder.out_channels) == (3, 4 * num_layers)
    assert torch.equal(graphs[1], torch.zeros(encoder.out_channels))

    # Factors and the matrix are not symmetric: neither are their gradients.
    matrix = second.to_dense() @ first.to_dense()
    expected = reference(encoder, x, matrix, BATCH, 3)
    assert torch.allclose(nodes, expected[0])
    assert torch.allclose(graphs, expected[1])
    slow = copy.deepcopy(encoder)
    (nodes.sin().sum() + graphs.cos().sum()).backward()
    nodes, graphs = reference(slow, x, matrix, BATCH, 3)
    (nodes.sin().sum() + graphs.cos().sum()).backward()
    for actual, wanted in zip(gradients(encoder), gradients(slow), strict=True):
        assert wanted.abs().max() > 0
        assert torch.allclose(actual, wanted)


@pytest.mark.parametrize("recompute", [False, True])
def test_integers_are_one_hot_features(recompute):
    encoder = random_encoder(6, hidden_channels=4)
    factors = random_factors()
    index = torch.tensor([3, 0, 5, 3, 2])
    dense = one_hot(index, 6, dtype=torch.double)
    results = []
    for x in (index, dense):
        encoder.zero_grad()
        nodes, graphs = encoder(x, factors, BATCH, 3, recompute=recompute)
        (nodes.sin().sum() + graphs.cos().sum()).backward()
        results.append((nodes, graphs, *gradients(encoder)))
    assert all(map(torch.allclose, *results))


def test_recomputing_changes_nothing():
    encoder = random_encoder(7, hidden_channels=4, num_layers=3)
    x, factors = torch.randn(5, 7, dtype=torch.double), random_factors()
    results, sizes = [], []
    for recompute in (False, True):
        encoder.zero_grad()
        stored = []
        with saved_tensors_hooks(lambda t, s=stored: s.append(t.numel()) or t, id_):
            nodes, graphs = encoder(x, factors, BATCH, 3, recompute=recompute)
        (nodes.sin().sum() + graphs.cos().sum()).backward()
        results.append((nodes, graphs, *gradients(encoder)))
        sizes.append(sum(stored))
    assert all(map(torch.equal, *results))
    assert sizes[1] < sizes[0]


def id_(tensor):
    return tensor


def test_stores_nothing_per_edge_and_channel():
    num_nodes, channels = 40, 16
    index = torch.arange(num_nodes)
    edge_index = torch.cartesian_prod(index, index).t()
    encoder = GCNEncoder(channels, channels)
    factors = [normalized_adjacency(edge_index, num_nodes)]
    stored = []
    with saved_tensors_hooks(lambda t: stored.append(t) or t, id_):
        encoder(torch.randn(num_nodes, channels), factors, index * 0, 1)
    largest = max(t.numel() for t in stored)
    assert largest == edge_index.size(1) > num_nodes * channels  # Weights.


def test_autocast():
    encoder = GCNEncoder(3, hidden_channels=8)
    factors = [normalized_adjacency(DIRECTED, 5)]
    x = torch.randn(5, 3)
    expected = encoder(x, factors, BATCH, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = encoder(x, factors, BATCH, 3)
        out[1].sum().backward()
    for actual, wanted in zip(out, expected, strict=True):
        assert torch.allclose(actual.float(), wanted, rtol=0.1, atol=0.1)


def test_initial_weights():
    encoder = GCNEncoder(300, hidden_channels=100, num_layers=2)
    for layer, fan_in in zip(encoder.layers, (300, 100), strict=True):
        bound = (6 / (fan_in + 100)) ** 0.5
        assert 0.99 * bound < layer.linear.weight.abs().max() <= bound
        assert not layer.linear.bias.any()


@pytest.mark.parametrize("name", ["in_channels", "hidden_channels", "num_layers"])
def test_errors(name):
    with pytest.raises(ValueError, match=f"`{name}` should be at least 1"):
        GCNEncoder(**{"in_channels": 2, name: 0})
