import pytest
import torch
import torch_geometric.transforms as T
from torch.autograd.graph import saved_tensors_hooks
from torch_geometric.data import Batch, Data
from torch_geometric.transforms import BaseTransform
from torch_geometric.utils import to_dense_adj

from pyg_prosampler.diffusion import PPRDiffusion
from pyg_prosampler.encode import encode_dataset
from pyg_prosampler.loader import ProSamplerLoader
from pyg_prosampler.losses import JSD, InfoNCE, same_label_mask
from pyg_prosampler.models.mvgrl import MVGRL


@pytest.fixture
def dataset(graphs):
    return [PPRDiffusion()(data) for data in graphs]


@pytest.fixture
def batch(dataset):
    return Batch.from_data_list(dataset)


@pytest.fixture
def model():
    return MVGRL(3, hidden_channels=8, num_layers=2)


def lonely_graphs():
    r"""Without edges, with an isolated node, and without nodes."""
    no_edges = torch.empty(2, 0, dtype=torch.long)
    pair = torch.tensor([[0, 1], [1, 0]])
    graphs = [
        Data(x=torch.randn(4, 3), edge_index=no_edges),
        Data(x=torch.randn(3, 3), edge_index=pair),
        Data(x=torch.empty(0, 3), edge_index=no_edges),
        Data(x=torch.randn(1, 3), edge_index=no_edges),
    ]
    return [PPRDiffusion()(data) for data in graphs]


def prelu(x, activation):
    return x.clamp(min=0) + activation.weight * x.clamp(max=0)


def mlp(module, x):
    out = x
    for linear, activation in zip(module.layers[::2], module.layers[1::2], strict=True):
        out = prelu(out @ linear.weight.t() + linear.bias, activation)
    return out + x @ module.shortcut.weight.t() + module.shortcut.bias


def reference(model, data):
    r"""The paper's formulas with dense matrices, for one graph."""
    identity = torch.eye(data.num_nodes, dtype=torch.double)
    adjacency = (
        to_dense_adj(data.edge_index, max_num_nodes=data.num_nodes)[0] + identity
    )
    scale = torch.diag(adjacency.sum(dim=1) ** -0.5)
    adjacency = scale @ adjacency @ scale
    diffusion = 0.2 * torch.linalg.inv(identity - 0.8 * adjacency)
    nodes, graphs = [], []
    for matrix, encoder in (
        (adjacency, model.encoder1),
        (diffusion, model.encoder2),
    ):
        x, pooled = data.x.double(), []
        for layer in encoder.layers:
            x = matrix @ x @ layer.linear.weight.t() + layer.linear.bias
            x = prelu(x, layer.activation)
            pooled.append(x.sum(dim=0))
        nodes.append(mlp(model.node_mlp, x))
        graphs.append(mlp(model.graph_mlp, torch.cat(pooled)))
    return (*nodes, *graphs)


def test_equals_reference(dataset, batch, model):
    views = model(batch)
    assert views._fields == ("node1", "node2", "graph1", "graph2")
    assert views.node1.shape == views.node2.shape == (batch.num_nodes, 8)
    assert views.graph1.shape == views.graph2.shape == (10, model.out_channels)
    model.double()
    for i, data in enumerate(dataset):
        node1, node2, graph1, graph2 = reference(model, data)
        own = batch.batch == i
        assert torch.allclose(views.node1[own].double(), node1, atol=1e-5)
        assert torch.allclose(views.node2[own].double(), node2, atol=1e-5)
        assert torch.allclose(views.graph1[i].double(), graph1, atol=1e-5)
        assert torch.allclose(views.graph2[i].double(), graph2, atol=1e-5)


def test_embedding_is_sum_of_graph_vectors(dataset, batch, model):
    views = model(batch)
    out = model.embed(batch)
    assert torch.equal(out, views.graph1 + views.graph2)
    encoded = encode_dataset(model.embed, dataset, batch_size=3)
    assert torch.allclose(encoded, out, atol=1e-5)


def test_every_parameter_is_trained(batch, model):
    before = {name: value.clone() for name, value in model.named_parameters()}
    for encoder in ("encoder1", "encoder2"):  # The fault of the public code.
        for layer in (0, 1):
            assert f"{encoder}.layers.{layer}.linear.weight" in before
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss, embeddings = model.contrast(batch, JSD())
    loss.backward()
    optimizer.step()
    assert not embeddings.requires_grad
    for name, value in model.named_parameters():
        assert value.grad.abs().max() > 0, name
        assert not torch.equal(value, before[name]), name


def test_training_lowers_the_loss(batch, model):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss, _ = model.contrast(batch, JSD())
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert min(losses[-5:]) < losses[0] - 0.1


def test_contrast(batch, model):
    views = model(batch)
    loss, embeddings = model.contrast(batch, JSD())
    assert torch.equal(loss, JSD()(*views, batch.batch))
    assert torch.equal(embeddings, model.embed(batch))
    # Between graph vectors, those of nodes have no part.
    model.node_mlp.register_forward_hook(lambda *_: pytest.fail("not needed"))
    loss, embeddings = model.contrast(batch, InfoNCE())
    assert torch.equal(loss, InfoNCE()(views.graph1, views.graph2))
    assert torch.equal(embeddings, model.embed(batch))
    loss.backward()
    for name, value in model.named_parameters():
        assert (value.grad is None) == name.startswith("node_mlp"), name


@pytest.mark.parametrize("objective", [JSD(), InfoNCE()])
def test_mask_reaches_the_objective(batch, model, objective):
    loss, _ = model.contrast(batch, objective, same_label_mask(batch.y))
    unmasked, _ = model.contrast(batch, objective)
    assert not torch.allclose(loss, unmasked)


def test_permutation_equivariance(dataset, model):
    views = model(Batch.from_data_list(dataset))
    order = torch.randperm(len(dataset))
    node_order = [torch.randperm(data.num_nodes) for data in dataset]
    permuted = []
    for data, permutation in zip(dataset, node_order, strict=True):
        # Node i of the permuted graph is node permutation[i] of the first.
        edge_index = permutation.argsort()[data.edge_index]
        permuted.append(
            PPRDiffusion()(Data(x=data.x[permutation], edge_index=edge_index))
        )
    out = model(Batch.from_data_list([permuted[i] for i in order]))
    assert torch.allclose(out.graph1, views.graph1[order], atol=1e-5)
    assert torch.allclose(out.graph2, views.graph2[order], atol=1e-5)
    ptr = Batch.from_data_list(dataset).ptr
    nodes = torch.cat([ptr[i] + node_order[i] for i in order])
    assert torch.allclose(out.node1, views.node1[nodes], atol=1e-5)
    assert torch.allclose(out.node2, views.node2[nodes], atol=1e-5)


def test_graphs_do_not_depend_on_their_batch(dataset, model):
    loops = torch.arange(50).repeat(2, 1)
    large = PPRDiffusion()(Data(x=1e3 * torch.ones(50, 3), edge_index=loops))
    mates = [*lonely_graphs(), large]
    keys = ["x", "edge_index", "diffusion_factor_index", "diffusion_factor_weight"]
    for index in (0, 3, 9):
        data = Data(**{key: dataset[index][key] for key in keys})
        alone = model(Batch.from_data_list([data]))
        crowd = Batch.from_data_list([*mates, data, *mates])
        views = model(crowd)
        position = len(mates)
        own = crowd.batch == position
        for name in ("node1", "node2"):
            assert torch.allclose(
                getattr(views, name)[own], getattr(alone, name), atol=1e-5
            )
        for name in ("graph1", "graph2"):
            assert torch.allclose(
                getattr(views, name)[position], getattr(alone, name)[0], atol=1e-5
            )


def test_graphs_without_edges_or_nodes(model):
    batch = Batch.from_data_list(lonely_graphs())
    loss, embeddings = model.contrast(batch, JSD())
    loss.backward()
    assert embeddings.isfinite().all()
    assert all(p.grad.isfinite().all() for p in model.parameters())
    # A graph without nodes has zeros for sums.
    views = model(batch)
    empty = model.graph_mlp(torch.zeros(16))
    assert torch.allclose(views.graph1[2], empty, atol=1e-5)
    assert torch.allclose(views.graph2[2], empty, atol=1e-5)


def test_one_hot_degree(dataset):
    star = torch.tensor([[0, 0, 0, 1, 2, 3], [1, 2, 3, 0, 0, 0]])
    dataset = [
        *dataset,
        PPRDiffusion()(Data(edge_index=star, num_nodes=5, y=dataset[0].y)),
    ]
    for data in dataset:
        data.num_nodes = data.num_nodes
        data.x = None
    dense: list[BaseTransform] = [T.OneHotDegree(3)(data) for data in dataset]
    model = MVGRL(4, hidden_channels=8)
    expected = model(Batch.from_data_list(dense))
    out = model(Batch.from_data_list(dataset))
    for actual, wanted in zip(out, expected, strict=True):
        assert torch.allclose(actual, wanted, atol=1e-5)

    # Degrees of 2 and more share a channel.
    narrow = MVGRL(3, hidden_channels=8)
    index = torch.tensor([2, 1, 1, 1, 0])
    star_batch = Batch.from_data_list(dataset[-1:])
    actual = narrow.embed(star_batch)
    star_batch.x = index
    assert torch.equal(actual, narrow.embed(star_batch))


@pytest.mark.parametrize("max_stored_nodes", [1, 7, 20])
def test_recomputing_changes_nothing(batch, max_stored_nodes):
    results, sizes = [], []
    for limit in (65536, max_stored_nodes):
        torch.manual_seed(0)
        model = MVGRL(3, hidden_channels=8, max_stored_nodes=limit)
        stored = []
        with saved_tensors_hooks(lambda t, s=stored: s.append(t.numel()) or t, id_):
            loss, embeddings = model.contrast(batch, JSD())
        loss.backward()
        results.append([loss, embeddings, *(p.grad for p in model.parameters())])
        sizes.append(sum(stored))
    for actual, expected in zip(*results, strict=True):
        assert torch.allclose(actual, expected, atol=1e-5)
    assert sizes[1] < 0.6 * sizes[0]


def id_(tensor):
    return tensor


def test_trains_with_hard_batches(dataset, model):
    loader = ProSamplerLoader(
        dataset, batch_size=5, encoder=model.embed, num_candidates=6, num_neighbors=2
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(3):  # The first epoch is uniform.
        for batch in loader:
            loss, _ = model.contrast(batch, JSD())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            assert loss.isfinite()


def test_errors(graphs, batch):
    with pytest.raises(ValueError, match=r"pass pre_transform=PPRDiffusion\(\)"):
        MVGRL(3)(Batch.from_data_list(graphs))
    with pytest.raises(ValueError, match=r"`x` with 4 channels \(got 3\)"):
        MVGRL(4)(batch)
    with pytest.raises(ValueError, match="`num_layers` should be at least 1"):
        MVGRL(3, num_layers=0)
    with pytest.raises(ValueError, match="`max_stored_nodes` should be at least 1"):
        MVGRL(3, max_stored_nodes=0)
