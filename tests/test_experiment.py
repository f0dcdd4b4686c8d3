import json
from dataclasses import asdict, replace

import pytest
import torch

from pyg_prosampler import (
    encode_dataset,
    experiment,
    linear_evaluation,
    twin_classes,
)
from pyg_prosampler.build import build_framework, build_loader, labels_of, load_for
from pyg_prosampler.config import PretrainConfig
from pyg_prosampler.experiment import embed_dataset, evaluate_embeddings, restore, run
from pyg_prosampler.records import RunFolder, weights_digest


def test_run_leaves_a_whole_folder(config, tmp_path):
    dataset = load_for(config)
    epochs = []
    run(config, dataset, tmp_path / "run", on_epoch=epochs.append)
    folder = RunFolder(tmp_path / "run")
    assert folder.read_config() == asdict(config)
    assert json.loads((folder.path / "config.json").read_text())["versions"]["torch"]
    records = folder.read_records()
    kinds = [(r["type"], r.get("stage", r["epoch"])) for r in records]
    assert kinds == [
        ("evaluation", "untrained"),
        ("epoch", 0),
        ("epoch", 1),
        ("evaluation", "trained"),
    ]
    assert records[1:3] == epochs
    saved = folder.load("embeddings.pt")
    assert saved["embeddings"].shape == (40, 8)
    assert saved["labels"].tolist() == [index % 2 for index in range(40)]

    restored, framework, dataset = restore(folder.load("checkpoint.pt"))
    assert restored == config
    embeddings = embed_dataset(config, framework, dataset)
    assert torch.equal(embeddings, saved["embeddings"])


def test_same_configuration_same_result(config, tmp_path):
    dataset = load_for(config)
    for name, untrained in (("a", True), ("b", False)):
        run(config, dataset, tmp_path / name, evaluate_untrained=untrained)
    first, second = (
        RunFolder(tmp_path / name).load("embeddings.pt")["embeddings"] for name in "ab"
    )
    assert torch.equal(first, second)


def test_samplers_begin_alike_and_take_equal_steps(config):
    dataset = load_for(config)
    digests, first_epochs = set(), []
    for sampler in ("uniform", "prosampler", "knn"):
        one = replace(config, sampler=sampler)
        digests.add(weights_digest(build_framework(one, dataset)))
        loader = build_loader(one, dataset, lambda batch: batch.y)
        assert len(loader) == 3
        first_epochs.append([batch.graph_id.tolist() for batch in loader])
    assert len(digests) == 1
    assert first_epochs[0] == first_epochs[1]
    other = build_framework(replace(config, seed=1), dataset)
    assert weights_digest(other) not in digests


@pytest.mark.parametrize("sampler", ["prosampler", "uniform"])
def test_imdb_binary_end_to_end(shared_data, tmp_path, sampler):
    config = PretrainConfig(
        "IMDB-BINARY",
        root=str(tmp_path),
        mirror=(shared_data / "tudataset").as_uri(),
        sampler=sampler,
        num_epochs=3,
    )
    dataset = load_for(config)
    assert dataset.num_node_features == 1
    run(config, dataset, tmp_path / "run", evaluate_untrained=False)
    *epochs, evaluation = RunFolder(tmp_path / "run").read_records()
    assert [epoch["num_steps"] for epoch in epochs] == [8, 8, 8]
    assert epochs[2]["loss"] < epochs[0]["loss"] * 1.5
    assert 0.6 < evaluation["mean"] < 0.8
    if sampler == "prosampler":
        # Harder than uniform batches on the embeddings they were drawn by.
        for epoch in epochs[1:]:
            assert epoch["similarity"] > epoch["similarity_floor"] + 0.02
            assert epoch["false_negative_rate"] > 0.5
    else:
        for epoch in epochs:
            assert epoch["similarity"] == pytest.approx(
                epoch["similarity_floor"], abs=0.02
            )


@pytest.mark.parametrize("recompute_norms", [False, True])
def test_norms_are_recomputed_wherever_the_data_set_is_encoded(
    config, tmp_path, recompute_norms
):
    config = replace(config, recompute_norms=recompute_norms)
    dataset = load_for(config)
    run(config, dataset, tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    _, framework, dataset = restore(folder.load("checkpoint.pt"))
    options = {"batch_size": config.batch_size}
    recomputed = encode_dataset(
        framework.embed, dataset, recompute_norms=True, **options
    )
    recorded = encode_dataset(framework.embed, dataset, **options)
    assert not torch.allclose(recorded, recomputed, atol=1e-2)
    expected = recomputed if recompute_norms else recorded
    assert torch.equal(folder.load("embeddings.pt")["embeddings"], expected)
    drawn_by = build_loader(config, dataset, framework.embed).batch_sampler.embeddings()
    assert torch.equal(drawn_by, expected)


def test_the_evaluation_is_that_of_the_configuration(config):
    dataset = load_for(config)
    embeddings = torch.randn(40, 3)
    config = replace(config, protocol="liblinear", num_folds=4, seed=7)
    found = evaluate_embeddings(config, embeddings, dataset)
    expected = linear_evaluation(
        embeddings, labels_of(dataset), protocol="liblinear", num_folds=4, seed=7
    )
    assert found["fold_scores"] == expected["fold_scores"]
    other = evaluate_embeddings(replace(config, seed=0), embeddings, dataset)
    assert other["fold_scores"] != expected["fold_scores"]


@pytest.mark.parametrize(
    ("source", "name"), [("encoder", "embed"), ("head", "project")]
)
def test_source_of_embeddings(config, tmp_path, monkeypatch, source, name):
    encoders = []

    def build(config, dataset, encoder):
        encoders.append(encoder)
        return build_loader(config, dataset, encoder)

    monkeypatch.setattr(experiment, "build_loader", build)
    config = replace(config, embedding_source=source)
    run(config, load_for(config), tmp_path / "run", evaluate_untrained=False)
    (encoder,) = encoders
    assert encoder.__name__ == {"encoder": "embed", "head": "project"}[source]


def test_twins_are_masked_as_asked_for(config, tmp_path, monkeypatch):
    seen = []

    def train(*args, twins, **kwargs):
        seen.append(twins)
        return iter(())

    monkeypatch.setattr(experiment, "pretrain", train)
    for mask_twins in (False, True):
        config = replace(config, mask_twins=mask_twins)
        run(config, load_for(config), tmp_path / "run", evaluate_untrained=False)
    assert seen[0] is None
    assert torch.equal(seen[1], twin_classes(load_for(config), config.num_layers))
