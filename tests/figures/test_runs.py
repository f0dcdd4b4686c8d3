import pytest
import torch

from pyg_prosampler.figures import FIGURES, draw_runs
from tests.example_runs import clusters, leave_run


@pytest.fixture
def folder(tmp_path):
    embeddings, labels = clusters(noise=0.3)
    for sampler in ("uniform", "prosampler"):
        path = tmp_path / "runs" / sampler / "seed0"
        leave_run(path, embeddings, labels, sampler=sampler)
    return tmp_path / "runs"


def test_draws_all_figures_twice_the_same(folder, tmp_path):
    saved = draw_runs(folder, tmp_path / "a")
    assert [path.name for path in saved] == [
        f"{name}.{suffix}" for name in FIGURES for suffix in ("png", "svg")
    ]
    for path, again in zip(saved, draw_runs(folder, tmp_path / "b"), strict=True):
        assert path.stat().st_size > 5000
        assert path.read_bytes() == again.read_bytes()
        if path.suffix == ".svg":
            assert "MUTAG" in path.read_text()


def test_another_seed_draws_something_else(folder, tmp_path):
    only = ["walk", "position"]
    first = draw_runs(folder, tmp_path / "a", 0, only)
    second = draw_runs(folder, tmp_path / "b", 1, only)
    for path, other in zip(first, second, strict=True):
        assert path.read_bytes() != other.read_bytes()


def test_only_some(folder, tmp_path):
    saved = draw_runs(folder, tmp_path / "a", only=["walk"])
    assert saved == [tmp_path / "a" / "walk.png", tmp_path / "a" / "walk.svg"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [
        "walk.png", "walk.svg",
    ]  # fmt: skip
    with pytest.raises(ValueError, match=r"`only` should be some of .*\(got 'x'\)"):
        draw_runs(folder, tmp_path / "a", only=["walk", "x"])


def test_an_unfinished_run_has_false_negatives_alone(tmp_path):
    leave_run(tmp_path / "run")
    draw_runs(tmp_path / "run", tmp_path / "a", only=["false-negatives"])
    with pytest.raises(FileNotFoundError, match=r"no embeddings.pt"):
        draw_runs(tmp_path / "run", tmp_path / "a", only=["walk"])


def test_graphs_without_labels(tmp_path):
    leave_run(tmp_path / "run", torch.randn(20, 3), rates=(None,))
    only = ["similarity", "plane", "position", "walk"]
    assert len(draw_runs(tmp_path / "run", tmp_path / "a", only=only)) == 8
