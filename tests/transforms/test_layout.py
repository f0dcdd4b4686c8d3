import pytest
import torch
from torch_geometric import EdgeIndex
from torch_geometric.data import Batch, Data, HeteroData

from pyg_prosampler.transforms import NodeDropping
from pyg_prosampler.transforms.layout import Layout, plain


def test_a_single_graph():
    layout = Layout.of(Data(num_nodes=3), "T")
    assert layout.batch.tolist() == [0, 0, 0]
    assert layout.ptr.tolist() == [0, 3]
    assert (layout.num_graphs, layout.num_nodes) == (1, 3)


def test_a_batch(graphs):
    layout = Layout.of(Batch.from_data_list(graphs), "T")
    assert layout.sizes.tolist() == [graph.num_nodes for graph in graphs]


def test_a_batch_vector_without_pointers():
    data = Data(x=torch.ones(4, 1), batch=torch.tensor([0, 0, 2, 2]))
    assert Layout.of(data, "T").ptr.tolist() == [0, 2, 2, 4]
    data.batch = torch.tensor([0, 1, 0, 1])
    with pytest.raises(ValueError, match="needs the nodes grouped by graph"):
        Layout.of(data, "T")


def test_heterogeneous_graphs_are_refused():
    for data in (HeteroData(), Batch.from_data_list([HeteroData(), HeteroData()])):
        with pytest.raises(TypeError, match=r"`NodeDropping` acts on .*Hetero"):
            NodeDropping()(data)


def test_unreadable_graphs_are_refused():
    no_nodes = pytest.raises(ValueError, match="number of nodes")
    with pytest.warns(UserWarning, match="num_nodes"), no_nodes:
        Layout.of(Data(y=torch.ones(1)), "T")
    with pytest.raises(ValueError, match="before `ToSparseTensor`"):
        Layout.of(Data(adj_t=torch.eye(2).to_sparse(), num_nodes=2), "T")


def test_edge_index_becomes_plain():
    edge_index = EdgeIndex([[0, 1], [1, 0]], sparse_size=(2, 2), sort_order="row")
    assert type(plain(edge_index)) is torch.Tensor
    assert plain(None) is None
