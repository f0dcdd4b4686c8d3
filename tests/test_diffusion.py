import copy
import warnings

import numpy as np
import pytest
import torch
import torch_geometric.transforms as T
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data
from torch_geometric.datasets import FakeDataset

from pyg_prosampler.datasets import load_dataset
from pyg_prosampler.diffusion import PPRDiffusion, diffuse, diffusion_factors


def reference(data, alpha=0.2):
    r"""The dense formula in float64."""
    adjacency = np.eye(data.num_nodes)
    for source, target in data.edge_index.t().tolist():
        adjacency[source, target] = 1.0
    scale = np.diag(adjacency.sum(axis=1) ** -0.5)
    system = np.eye(data.num_nodes) - (1 - alpha) * scale @ adjacency @ scale
    return alpha * np.linalg.inv(system)


def diffusion(data):
    factors = diffusion_factors(data)
    factor, transpose = (matrix.to_dense().double() for matrix in factors)
    assert torch.equal(factor.t(), transpose)
    return (transpose @ factor).numpy()


def spectral_error(data, alpha):
    error = reference(data, alpha) - diffusion(data)
    return np.linalg.norm(error, 2) if data.num_nodes else 0.0


def undirected(num_nodes, pairs):
    edge_index = (
        torch.tensor(sorted(map(tuple, pairs)), dtype=torch.long).view(-1, 2).t()
    )
    edge_index = torch.cat([edge_index, edge_index.flip(0)], dim=1)
    return Data(edge_index=edge_index, num_nodes=num_nodes)


@st.composite
def random_graphs(draw):
    num_nodes = draw(st.integers(0, 12))
    node = st.integers(0, max(num_nodes - 1, 0))
    # Self-loops and repeated edges among them.
    pairs = draw(st.lists(st.tuples(node, node), max_size=3 * num_nodes))
    return undirected(num_nodes, pairs)


def thread(num_nodes, seed=0):
    r"""A random tree with hubs and a few cross-links, as discussions are."""
    rng = np.random.default_rng(seed)
    parents = (np.arange(1, num_nodes) * rng.random(num_nodes - 1) ** 4).astype(int)
    links = rng.integers(num_nodes, size=(num_nodes // 8, 2))
    return undirected(
        num_nodes, [*enumerate(parents.tolist(), start=1), *links.tolist()]
    )


@given(random_graphs(), st.sampled_from([0.05, 0.2, 0.7, 1.0]))
def test_equals_dense_formula(data, alpha):
    out = PPRDiffusion(alpha)(data)
    assert diffusion(out) == pytest.approx(reference(data, alpha), abs=2e-6)
    assert diffusion(out) == pytest.approx(diffusion(out).T)
    assert out.diffusion_factor_index.dtype == torch.long
    assert out.diffusion_factor_weight.dtype == torch.float


@given(random_graphs(), st.sampled_from([1e-4, 1e-2, 0.1, 0.5]))
def test_error_is_bounded(data, tol):
    assert spectral_error(PPRDiffusion(0.2, tol)(data), 0.2) <= tol


def test_entries_are_few_and_error_is_bounded_in_large_graphs():
    data = thread(700)
    entries = {}
    for tol in (0.0, 1e-6, 1e-3, 1e-1):
        out = PPRDiffusion(tol=tol)(data)
        entries[tol] = out.diffusion_factor_weight.numel()
        # The last term is for the rounding of entries to float32.
        assert spectral_error(out, 0.2) <= tol + 1e-7
    assert 1.1 * entries[1e-1] < entries[1e-3] < entries[1e-6] < entries[0.0]
    assert entries[0.0] < 0.03 * 700**2
    # What is left out is not far below what may be.
    assert spectral_error(PPRDiffusion(tol=0.1)(data), 0.2) > 0.01


def test_spectral_norm_is_one():
    # The bound on the error takes it for granted.
    for data in (
        thread(50),
        undirected(3, []),
        undirected(4, [(0, 1), (1, 2), (0, 2)]),
    ):
        assert np.linalg.norm(reference(data), 2) == pytest.approx(1.0)


def test_nodes_without_edges():
    out = PPRDiffusion()(undirected(4, [(1, 2)]))
    expected = np.eye(4)
    expected[1:3, 1:3] = [[0.6, 0.4], [0.4, 0.6]]
    assert diffusion(out) == pytest.approx(expected, abs=1e-6)

    assert diffusion(PPRDiffusion()(undirected(3, []))) == pytest.approx(np.eye(3))

    empty = PPRDiffusion()(undirected(0, []))
    assert empty.diffusion_factor_index.shape == (2, 0)
    assert empty.diffusion_factor_weight.shape == (0,)


def test_batches_are_block_diagonal(graphs):
    lonely = Data(
        x=torch.ones(2, 3), edge_index=torch.empty(2, 0).long(), y=graphs[0].y
    )
    graphs = [
        PPRDiffusion()(data)
        for data in (
            *graphs,
            lonely,
        )
    ]
    batch = Batch.from_data_list(graphs)
    expected = torch.block_diag(*[torch.from_numpy(diffusion(g)) for g in graphs])
    assert torch.equal(torch.from_numpy(diffusion(batch)), expected)
    assert diffusion(batch.get_example(3)) == pytest.approx(diffusion(graphs[3]))


def test_input_is_left_as_it_was(graphs):
    data = graphs[0]
    before = data.clone()
    out = PPRDiffusion()(data)
    assert data.keys() == before.keys()
    assert torch.equal(out.edge_index, before.edge_index)
    assert torch.equal(out.x, before.x)


def test_is_a_pre_transform(mini_root):
    raw = load_dataset("MINI", mini_root, pre_transform=PPRDiffusion(0.3))
    again = load_dataset("MINI", mini_root, pre_transform=PPRDiffusion(0.3))
    for dataset in (raw, again):
        assert diffusion(dataset[7]) == pytest.approx(
            reference(dataset[7], 0.3), abs=1e-6
        )
    # PyG tells by the representation that the processed file is another one.
    with pytest.warns(UserWarning, match="pre_transform"):
        load_dataset("MINI", mini_root, pre_transform=PPRDiffusion(0.4))


def test_errors():
    with pytest.raises(ValueError, match=r"`alpha` should be in \(0, 1\] \(got 0"):
        PPRDiffusion(alpha=0.0)
    with pytest.raises(ValueError, match=r"`alpha` should be in \(0, 1\] \(got 1.2"):
        PPRDiffusion(alpha=1.2)
    with pytest.raises(ValueError, match=r"`tol` should be in \[0, 1\) \(got -1"):
        PPRDiffusion(tol=-1)
    directed = Data(edge_index=torch.tensor([[0, 1, 2], [1, 0, 1]]), num_nodes=3)
    with pytest.raises(ValueError, match=r"directed graph.*T\.ToUndirected"):
        PPRDiffusion()(directed)
    T.Compose([T.ToUndirected(), PPRDiffusion()])(directed)
    with pytest.raises(ValueError, match="should have an `edge_index`"):
        PPRDiffusion()(Data(num_nodes=3))
    with pytest.raises(ValueError, match=r"pass pre_transform=PPRDiffusion\(\)"):
        diffusion_factors(directed)


class CountingDiffusion(PPRDiffusion):
    r"""Counts the graphs, and can be interrupted after some of them."""

    def __init__(self, alpha=0.2, tol=1e-6, stop_after=None):
        super().__init__(alpha, tol)
        self.count = 0
        self.stop_after = stop_after

    def forward(self, data):
        if self.count == self.stop_after:
            raise KeyboardInterrupt
        self.count += 1
        return super().forward(data)


@pytest.fixture
def dataset():
    return FakeDataset(num_graphs=6, avg_num_nodes=8, avg_degree=3)


def assert_diffused(dataset, source, alpha=0.2):
    assert len(dataset) == len(source)
    for data, original in zip(dataset, source, strict=True):
        assert diffusion(data) == pytest.approx(reference(original, alpha), abs=2e-6)
        assert torch.equal(data.x, original.x)
        assert torch.equal(data.y, original.y)


def files(folder):
    return sorted(path.name for path in folder.rglob("*"))


def test_diffuse_computes_once(dataset, tmp_path):
    transform = CountingDiffusion()
    for _ in range(3):
        out = diffuse(dataset, transform, tmp_path, progress=False)
        assert_diffused(out, dataset)
        assert transform.count == 6
    assert type(out) is type(dataset)
    assert "diffusion_factor_index" not in dataset[0]
    assert len(files(tmp_path)) == 1


def test_diffuse_needs_edges(dataset, tmp_path):
    dataset._data.edge_index = None
    del dataset.slices["edge_index"]
    with pytest.raises(ValueError, match=r"`edge_index` \(graph 0 has none\)"):
        diffuse(dataset, root=tmp_path)


def test_diffuse_keeps_results_apart(dataset, tmp_path):
    assert_diffused(diffuse(dataset, PPRDiffusion(), tmp_path), dataset)
    for transform, source in (
        (CountingDiffusion(alpha=0.5), dataset),
        (CountingDiffusion(tol=1e-3), dataset),
        (CountingDiffusion(), dataset[2:5]),
        (CountingDiffusion(), dataset[[3, 2, 4]]),
    ):
        out = diffuse(source, transform, tmp_path, progress=False)
        assert transform.count == len(source)
        if transform.tol == 1e-6:
            assert_diffused(out, source, transform.alpha)
    assert len(files(tmp_path)) == 5


def test_diffuse_tells_edges_apart(dataset, tmp_path):
    mirrored = [data.clone() for data in dataset]
    for data in mirrored:
        data.edge_index = data.num_nodes - 1 - data.edge_index
    other = copy.copy(dataset)
    other.data, other.slices = dataset.collate(mirrored)
    for source in (dataset, other):
        assert_diffused(diffuse(source, root=tmp_path, progress=False), source)


def test_diffuse_leaves_the_transform_of_the_data_set(dataset, tmp_path):
    dataset.transform = T.Constant()
    out = diffuse(dataset, root=tmp_path, progress=False)
    assert out.transform is dataset.transform
    assert out.get(0).x.size(1) + 1 == out[0].x.size(1) == dataset[0].x.size(1)


def test_diffuse_stores_beside_the_processed_file(mini_root):
    dataset = load_dataset("MINI", mini_root)
    diffuse(dataset, progress=False)
    found = [name for name in files(mini_root / "MINI" / "processed") if "diff" in name]
    assert len(found) == 1


def test_diffuse_shows_progress(dataset, tmp_path, capsys):
    diffuse(dataset, root=tmp_path, progress=False)
    assert capsys.readouterr().err == ""
    diffuse(dataset, PPRDiffusion(0.5), root=tmp_path)
    assert "PPRDiffusion(alpha=0.5, tol=1e-06): 100%" in capsys.readouterr().err


def flip(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:100],
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: b"something else entirely",
        flip,
    ],
    ids=["empty", "head", "half", "one byte less", "other", "one byte flipped"],
)
def test_damaged_file_is_computed_anew(dataset, tmp_path, damage):
    diffuse(dataset, root=tmp_path, progress=False)
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    path.write_bytes(damage(content))
    transform = PPRDiffusion()
    with pytest.warns(UserWarning, match="is damaged and computed anew"):
        out = diffuse(dataset, transform, tmp_path, progress=False)
    assert_diffused(out, dataset)
    assert_diffused(diffuse(dataset, transform, tmp_path, progress=False), dataset)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "content",
    [
        {"size": np.array([1]), "index": np.zeros((2, 1))},
        {"size": np.array([1]), "index": np.zeros((2, 1)), "weight": np.ones(1)},
        {"size": np.array([9] * 6), "index": np.zeros((2, 1)), "weight": np.ones(1)},
    ],
    ids=["no weight", "fewer graphs", "fewer entries"],
)
def test_file_of_other_content_is_computed_anew(dataset, tmp_path, content):
    diffuse(dataset, root=tmp_path, progress=False)
    (path,) = tmp_path.iterdir()
    np.savez(path, **content)
    with pytest.warns(UserWarning, match="is damaged and computed anew"):
        out = diffuse(dataset, root=tmp_path, progress=False)
    assert_diffused(out, dataset)


def test_interrupted_run_leaves_nothing(dataset, tmp_path, monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        diffuse(dataset, CountingDiffusion(stop_after=3), tmp_path, progress=False)
    assert files(tmp_path) == []

    def write_a_part(file, **content):
        file.write_bytes(b"half of")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", write_a_part)
        with pytest.raises(KeyboardInterrupt):
            diffuse(dataset, root=tmp_path, progress=False)
    assert files(tmp_path) == []
    assert_diffused(diffuse(dataset, root=tmp_path, progress=False), dataset)


def test_killed_run_does_no_harm(dataset, tmp_path):
    # What stands there when the process ends while it writes.
    scratch = tmp_path / ".diffusion-abc"
    scratch.mkdir()
    (scratch / "diffusion_0.npz").write_bytes(b"half of")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_diffused(diffuse(dataset, root=tmp_path, progress=False), dataset)
        assert_diffused(diffuse(dataset, root=tmp_path, progress=False), dataset)


@pytest.mark.parametrize(
    ("name", "expected"), [("MUTAG", 19_009), ("IMDB-MULTI", 122_422)]
)
def test_real_data(name, expected, shared_data, tmp_path):
    mirror = (shared_data / "tudataset").as_uri()
    dataset = load_dataset(name, tmp_path, mirror=mirror)
    out = diffuse(dataset, progress=False)
    assert out._data.diffusion_factor_weight.numel() == pytest.approx(
        expected, rel=0.01
    )
    for index in range(0, len(out), 50):
        assert spectral_error(out[index], 0.2) <= 2e-6
