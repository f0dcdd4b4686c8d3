import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest
from torch_geometric.data import Batch, Data

from pyg_prosampler.transforms import AttributeMasking
from tests.reference_transforms import share
from tests.transforms.graphs import assert_law, augment, graph_lists, same


@given(graph_lists(), st.integers(0, 100))
def test_masks_the_share_of_each_graph(graphs, percent):
    p = percent / 100
    for graph, part in zip(graphs, augment(AttributeMasking(p), graphs), strict=True):
        changed = (part.x != graph.x).any(dim=1)
        assert int(changed.sum()) == share(p, graph.num_nodes)
        assert bool((part.x != graph.x)[changed].all())
        part.x = graph.x
        assert same(part, graph)


def test_law_of_the_noise():
    data = Data(x=torch.full((500, 4), 9.0))
    out = AttributeMasking(1.0, 2.0, 3.0, torch.Generator().manual_seed(0))(data)
    assert kstest(out.x.view(-1).numpy(), "norm", args=(2.0, 3.0)).pvalue > 1e-4
    assert AttributeMasking(1.0, mean=2.0, std=0.0)(data).x.eq(2).all()


def test_law_of_the_nodes():
    graphs = [Data(x=torch.full((4, 1), 9.0))] * 4000
    masking = AttributeMasking(0.25, generator=torch.Generator().manual_seed(0))
    out = masking(Batch.from_data_list(graphs))
    masked = (out.x != 9).view(4000, 4).nonzero()[:, 1]
    assert_law(masked.tolist(), dict.fromkeys(range(4), 0.25))


def test_paper_is_the_default():
    masking = AttributeMasking()
    assert (masking.p, masking.mean, masking.std) == (0.1, 0.5, 0.5)


def test_half_precision_and_vectors():
    data = Data(x=torch.ones(10, dtype=torch.float16))
    assert AttributeMasking(0.5)(data).x.dtype == torch.float16


def test_features_it_cannot_mask():
    with pytest.raises(ValueError, match="needs floating-point node features"):
        AttributeMasking()(Data(num_nodes=3))
    with pytest.raises(ValueError, match=r"got torch.int64.*`x.float\(\)`"):
        AttributeMasking()(Data(x=torch.ones(3, 1, dtype=torch.long)))


def test_bad_arguments():
    with pytest.raises(ValueError, match="`p` should lie in"):
        AttributeMasking(p=2)
    with pytest.raises(ValueError, match="`std` should not be negative"):
        AttributeMasking(std=-1)
