import networkx as nx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.data import Data
from torch_geometric.utils import to_networkx

from pyg_prosampler import GINEncoder, encode_dataset, twin_classes


@st.composite
def some_graphs(draw):
    graphs = []
    for _ in range(draw(st.integers(1, 12))):
        num_nodes = draw(st.integers(1, 5))
        pairs = [(i, j) for i in range(num_nodes) for j in range(i)]
        chosen = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
        edges = torch.tensor(chosen, dtype=torch.long).view(-1, 2).t()
        edges = torch.cat([edges, edges.flip(0)], dim=1)
        kinds = draw(
            st.lists(st.integers(0, 1), min_size=num_nodes, max_size=num_nodes)
        )
        x = torch.eye(2)[torch.tensor(kinds)]
        graphs.append(Data(x=x, edge_index=edges))
    return graphs


def wl_hash(graph, num_iterations):
    labelled = to_networkx(graph, to_undirected=True)
    for node, x in enumerate(graph.x.tolist()):
        labelled.nodes[node]["kind"] = str(x)
    if num_iterations == 0:
        return str(sorted(nx.get_node_attributes(labelled, "kind").values()))
    # Its histograms of all rounds say no more than the last one.
    return nx.weisfeiler_lehman_graph_hash(
        labelled, node_attr="kind", iterations=num_iterations
    )


@pytest.mark.filterwarnings("ignore:The hashes produced for graphs")
@given(some_graphs(), st.integers(0, 3))
def test_classes_are_those_of_networkx(graphs, num_iterations):
    found = twin_classes(graphs, num_iterations).tolist()
    expected = [wl_hash(graph, num_iterations) for graph in graphs]
    numbers = {}
    assert found == [numbers.setdefault(key, len(numbers)) for key in expected]


def test_twins_have_the_same_embedding():
    square = torch.tensor([[0, 1, 2, 3], [1, 2, 3, 0]])
    other = torch.tensor([[0, 2, 1, 3], [2, 1, 3, 0]])
    kinds = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    graphs = [
        Data(x=kinds[[0, 1, 0, 1]], edge_index=torch.cat([square, square.flip(0)], 1)),
        Data(x=kinds[[0, 0, 1, 1]], edge_index=torch.cat([other, other.flip(0)], 1)),
        Data(x=kinds[[0, 0, 0, 1]], edge_index=torch.cat([square, square.flip(0)], 1)),
    ]
    assert twin_classes(graphs).tolist() == [0, 0, 1]
    embeddings = encode_dataset(GINEncoder(2, 8, 3), graphs)
    assert torch.allclose(embeddings[0], embeddings[1], atol=1e-6)
    assert not torch.allclose(embeddings[0], embeddings[2], atol=1e-3)


def test_classes_agree_among_batches():
    edge = torch.tensor([[0, 1], [1, 0]])
    graphs = [Data(edge_index=edge, num_nodes=2 + i % 2) for i in range(300)]
    assert twin_classes(graphs).tolist() == [0, 1] * 150
    for i, graph in enumerate(graphs):  # The last batch has a feature of its own.
        graph.x = torch.full((graph.num_nodes, 1), float(i > 255))
    assert twin_classes(graphs).tolist() == [0, 1] * 128 + [2, 3] * 22


def test_bad_input():
    with pytest.raises(ValueError, match="`num_iterations` should not be negative"):
        twin_classes([], -1)
