from dataclasses import asdict

import numpy as np
import pytest
import torch

from pyg_prosampler import ProSampler
from pyg_prosampler.config import PretrainConfig
from pyg_prosampler.hardness import uniform_floor
from pyg_prosampler.inspection import (
    Run,
    batches_of_policies,
    false_negatives,
    find_runs,
    load_embeddings,
    plane,
    principal_components,
    walk,
)
from pyg_prosampler.policies import UniformPolicy
from pyg_prosampler.records import RunFolder
from tests.reference_hardness import pair_similarities
from tests.reference_sampling import mean_pair_similarity, nearest_neighbors


def leave_run(path, embeddings=None, labels=None, rates=(0.5, 0.6), **options):
    folder = RunFolder(path)
    folder.write_config(asdict(PretrainConfig(batch_size=4, num_epochs=2, **options)))
    folder.append({"type": "evaluation", "stage": "untrained"})
    for epoch, rate in enumerate(rates):
        folder.append(
            {
                "type": "epoch",
                "epoch": epoch,
                "warmup": epoch == 0,
                "false_negative_rate": rate,
            }
        )
    if embeddings is not None:
        folder.save("embeddings.pt", {"embeddings": embeddings, "labels": labels})
    return path


def run_of(**options):
    return Run(None, PretrainConfig(num_epochs=2, **options), [])


def clusters(num_clusters=4, size=5, noise=0.05):
    centres = torch.eye(num_clusters).repeat_interleave(size, dim=0)
    labels = torch.arange(num_clusters).repeat_interleave(size)
    return centres + noise * torch.randn(num_clusters * size, num_clusters), labels


def test_runs_are_found_and_ordered(tmp_path):
    for sampler in ("knn", "prosampler", "uniform"):
        for seed in (10, 2):
            path = tmp_path / "runs" / sampler / f"seed{seed}"
            leave_run(path, sampler=sampler, seed=seed)
    RunFolder(tmp_path / "runs" / "begun").append({"type": "evaluation"})
    found = [(r.config.sampler, r.config.seed) for r in find_runs(tmp_path / "runs")]
    samplers = ("uniform", "prosampler", "knn")
    assert found == [(sampler, seed) for sampler in samplers for seed in (2, 10)]
    (one,) = find_runs(tmp_path / "runs" / "knn" / "seed2")
    assert one.config.sampler == "knn"
    assert [epoch["epoch"] for epoch in one.epochs] == [0, 1]


def test_configurations_of_other_versions_and_devices(tmp_path):
    folder = RunFolder(leave_run(tmp_path / "run"))
    config = folder.read_config() | {"device": "cuda", "gone": 3}
    del config["tau"]
    folder.write_json("config.json", {"config": config})
    (run,) = find_runs(tmp_path)
    assert run.config == PretrainConfig(batch_size=4, num_epochs=2)


def test_errors_of_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere' is not a folder; name one"):
        find_runs(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="no run with a finished epoch"):
        find_runs(tmp_path)
    leave_run(tmp_path / "a")
    with pytest.raises(FileNotFoundError, match=r"has no embeddings.pt; name"):
        load_embeddings(find_runs(tmp_path))
    leave_run(tmp_path / "b", dataset="NCI1")
    with pytest.raises(ValueError, match=r"several data sets \(MUTAG, NCI1\)"):
        find_runs(tmp_path)


def test_embeddings_of_prosampler_come_first(tmp_path):
    leave_run(tmp_path / "a", torch.ones(3, 2), sampler="uniform")
    leave_run(tmp_path / "b", sampler="prosampler", seed=0)
    run, embeddings, _ = load_embeddings(find_runs(tmp_path))
    assert run.config.sampler == "uniform"  # The only one that has finished.
    assert torch.equal(embeddings, torch.ones(3, 2))
    leave_run(tmp_path / "c", torch.zeros(3, 2), sampler="prosampler", seed=1)
    run, embeddings, _ = load_embeddings(find_runs(tmp_path))
    assert (run.config.sampler, run.config.seed) == ("prosampler", 1)
    assert not embeddings.any()


def test_false_negatives(tmp_path):
    labels = torch.tensor([0, 0, 0, 1])
    leave_run(tmp_path / "a", rates=(0.5, 0.6, 0.7), sampler="knn", seed=0)
    leave_run(
        tmp_path / "b",
        torch.ones(4, 2),
        labels,
        rates=(0.4, 0.8),
        sampler="knn",
        seed=1,
    )
    leave_run(tmp_path / "c", rates=(0.1,), sampler="uniform")
    data = false_negatives(find_runs(tmp_path))
    assert list(data["rates"]) == ["uniform", "knn"]
    # As many epochs as all seeds have.
    assert data["rates"]["knn"].tolist() == [[0.5, 0.6], [0.4, 0.8]]
    assert data["rates"]["uniform"].tolist() == [[0.1]]
    assert data["floor"] == uniform_floor(labels) == 0.625
    assert data["num_warmup"] == 1


def test_no_labels_no_false_negatives(tmp_path):
    leave_run(tmp_path, rates=(None, None))
    with pytest.raises(ValueError, match="leave out this figure by `--only`"):
        false_negatives(find_runs(tmp_path))


def test_batches_of_policies():
    embeddings = torch.randn(14, 3)
    runs = [run_of(sampler=name, batch_size=4) for name in ("prosampler", "knn")]
    data = batches_of_policies(runs, embeddings, seed=5, num_epochs=3)
    assert list(data["pairs"]) == list(data["by_position"])
    assert list(data["pairs"]) == ["uniform", "prosampler", "knn"]
    assert data["floor"] == pytest.approx(mean_pair_similarity(embeddings))
    drawn = []
    for draw in range(3):
        sampler = ProSampler(
            lambda: embeddings, 14, 4,
            policy=UniformPolicy(), num_warmup_epochs=0, seed=5 + draw,
        )  # fmt: skip
        sampler.set_epoch(1)  # The last one of two.
        batches = list(sampler)
        drawn += batches
        expected = [mean_pair_similarity(embeddings[batch]) for batch in batches]
        found = data["by_position"]["uniform"][draw]
        assert found == pytest.approx(expected, abs=1e-6)
    assert sorted(data["pairs"]["uniform"]) == pytest.approx(
        sorted(pair_similarities(embeddings, drawn)), abs=1e-6
    )
    means = {name: values.mean() for name, values in data["pairs"].items()}
    assert means["uniform"] < means["prosampler"] < means["knn"]


def test_a_last_batch_of_one_has_no_similarity():
    data = batches_of_policies([run_of(batch_size=4)], torch.randn(9, 3), 0, 2)
    assert data["by_position"]["uniform"].shape == (2, 3)
    assert np.isnan(data["by_position"]["uniform"][:, 2]).all()
    assert data["pairs"]["uniform"].shape == (24,)


@pytest.mark.parametrize(("num_graphs", "expected"), [(24, 100), (80, 30)])
def test_number_of_epochs(num_graphs, expected):
    data = batches_of_policies([run_of(batch_size=4)], torch.randn(num_graphs, 3), 0)
    assert len(data["by_position"]["prosampler"]) == expected


def test_plane_goes_from_uniform_to_nearest_neighbours():
    embeddings, labels = clusters(noise=0.3)
    run = run_of(batch_size=4, num_neighbors=3)
    data = plane(run, embeddings, labels, seed=0, num_batches=120)
    assert data["num_candidates"][[0, 1, -1]].tolist() == [1, 3, 19]
    shape = len(data["restart_prob"]), len(data["num_candidates"])
    assert data["similarity"].shape == data["false_negative_rate"].shape == shape
    assert data["similarity_floor"] == pytest.approx(mean_pair_similarity(embeddings))
    assert data["false_negative_rate_floor"] == pytest.approx(0.25)
    assert (data["num_graphs"], data["num_neighbors"]) == (20, 3)

    # With as many candidates as neighbours, the graph is random.
    for key, floor in (("similarity", data["similarity_floor"]),
                       ("false_negative_rate", 4 / 19)):  # fmt: skip
        assert data[key][:-1, 1] == pytest.approx(np.full(shape[0] - 1, floor), abs=0.1)
    nearest = [
        [start, *neighbors]
        for start, neighbors in enumerate(nearest_neighbors(embeddings, 3))
    ]
    similarities = [mean_pair_similarity(embeddings[batch]) for batch in nearest]
    rates = [
        sum(labels[a] == labels[b] for a in batch for b in batch if a != b) / 12
        for batch in nearest
    ]
    corner = data["similarity"][-1, -1], data["false_negative_rate"][-1, -1]
    expected = np.mean(similarities), np.mean(rates)
    assert corner == pytest.approx(expected, abs=0.05)
    assert corner[0] > data["similarity_floor"] + 0.3


def test_plane_takes_a_part_of_large_data():
    data = plane(
        run_of(batch_size=4), torch.randn(30, 3), None, 0, num_batches=2, max_graphs=10
    )
    assert data["num_graphs"] == 10
    assert data["num_candidates"][-1] == 9
    assert data["false_negative_rate"] is None
    assert data["false_negative_rate_floor"] is None


@pytest.mark.parametrize("seed", range(3))
def test_walk_follows_edges_or_restarts(seed):
    embeddings, labels = clusters()
    run = run_of(batch_size=4, num_neighbors=4, restart_prob="0.3")
    data = walk(run, embeddings, labels, seed, num_visited=5)
    trace = data["trace"]
    neighbors = nearest_neighbors(embeddings, 4)  # Of all, since N is small.
    assert len(set(trace)) == 5
    assert trace[-1] not in trace[:-1]  # It ends with the fifth.
    assert (data["restart_prob"], data["is_restart"][0]) == (0.3, False)
    for before, after, is_restart in zip(
        trace, trace[1:], data["is_restart"][1:], strict=False
    ):
        if is_restart:
            assert after == trace[0] != before
            assert after not in neighbors[before]
        else:
            assert after in neighbors[before] or before == after == trace[0]
    assert data["points"].shape == (20, 2)


def test_a_walk_with_too_few_to_visit_ends():
    embeddings, _ = clusters(num_clusters=2, size=3, noise=0.001)
    run = run_of(batch_size=2, num_neighbors=2)
    trace = walk(run, embeddings, None, 0)["trace"]
    assert len(set(trace)) == 3
    assert trace[-1] not in trace[:-1]


def test_principal_components():
    embeddings = torch.randn(12, 4).double()
    points, shares = principal_components(3 * embeddings)
    rows = embeddings / embeddings.norm(dim=1, keepdim=True)
    u, s, _ = torch.linalg.svd(rows - rows.mean(dim=0), full_matrices=False)
    expected = (u * s)[:, :2].numpy()
    assert np.abs(points) == pytest.approx(np.abs(expected), abs=1e-6)
    assert shares == pytest.approx((s**2 / (s**2).sum())[:2].numpy())


def test_same_seed_same_data():
    embeddings, labels = clusters()
    run = run_of(batch_size=4)
    state = torch.get_rng_state()
    for gather in (
        lambda seed: plane(run, embeddings, labels, seed, num_batches=5)["similarity"],
        lambda seed: batches_of_policies([run], embeddings, seed, 2)["by_position"][
            "prosampler"
        ],
        lambda seed: np.array(walk(run, embeddings, labels, seed)["trace"]),
    ):
        assert np.array_equal(gather(1), gather(1))
        assert not np.array_equal(gather(1), gather(2))
    assert torch.equal(torch.get_rng_state(), state)
