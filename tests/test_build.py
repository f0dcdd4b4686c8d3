from dataclasses import replace

import pytest
import torch
from torch_geometric.data import Batch

from pyg_prosampler.build import (
    build_framework,
    build_loader,
    build_objective,
    load_for,
)
from pyg_prosampler.config import SAMPLERS, PretrainConfig
from pyg_prosampler.experiment import run
from pyg_prosampler.losses import InfoNCE
from pyg_prosampler.models import MVGRL
from pyg_prosampler.policies import (
    GCBSPolicy,
    KNNPolicy,
    NGAMEPolicy,
    RandomWalkPolicy,
    UniformPolicy,
)
from pyg_prosampler.records import RunFolder


def config_of(mini_root, **changes):
    return PretrainConfig(
        "MINI",
        root=str(mini_root),
        num_epochs=2,
        batch_size=16,
        hidden_channels=4,
        num_layers=2,
        num_folds=5,
        **changes,
    )


@pytest.mark.parametrize("framework", ["graphcl", "mvgrl"])
@pytest.mark.parametrize("objective", ["infonce", "dcl", "hcl", "unremix", "jsd"])
@pytest.mark.parametrize("use_labels", [False, True])
def test_every_pair_runs(mini_root, tmp_path, framework, objective, use_labels):
    if (framework, objective) == ("graphcl", "jsd"):
        pytest.skip("refused, see test_config.py")
    config = config_of(
        mini_root, framework=framework, objective=objective, use_labels=use_labels
    )
    run(config, load_for(config), tmp_path / "run", evaluate_untrained=False)
    *epochs, evaluation = RunFolder(tmp_path / "run").read_records()
    assert len(epochs) == 2
    assert evaluation["mean"] > 0.4


def test_samplers(mini_root):
    config = config_of(mini_root)
    dataset = load_for(config)

    def sampler(name, **kwargs):
        one = replace(config, sampler=name, **kwargs)
        return build_loader(one, dataset, lambda batch: batch.y).batch_sampler

    assert isinstance(sampler("uniform").policy, UniformPolicy)
    assert sampler("knn").policy == KNNPolicy()
    assert sampler("knn").coverage == "independent"
    dials = {"num_candidates": 20, "num_neighbors": 5, "restart_prob": "0.3"}
    walk = RandomWalkPolicy(20, 5, restart_prob=0.3)
    for name, coverage in (
        ("prosampler", "partition"),
        ("independent", "independent"),
        ("unseen-start", "unseen_start"),
    ):
        assert sampler(name, **dials).policy == walk
        assert sampler(name, **dials).coverage == coverage
    assert sampler("multi-start", **dials).policy == replace(walk, num_starts=4)
    shared = sampler("prosampler", **dials, candidates="shared").policy
    assert shared == replace(walk, candidates="shared")
    walk = sampler("prosampler", **dials, max_steps=9, backend="torch").policy
    assert (walk.max_steps, walk.backend) == (9, "torch")
    other = sampler("knn", seed=5, num_warmup_epochs=3, refresh_every=2)
    assert (other.seed, other.num_warmup_epochs, other.refresh_every) == (5, 3, 2)
    assert sampler("gcbs").policy == GCBSPolicy()
    assert sampler("ngame").policy == NGAMEPolicy()


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_runs(mini_root, tmp_path, name):
    if name == "b3":
        pytest.importorskip("pymetis")
    config = config_of(mini_root, sampler=name)
    run(config, load_for(config), tmp_path / "run", evaluate_untrained=False)
    *epochs, _ = RunFolder(tmp_path / "run").read_records()
    assert [epoch["num_steps"] for epoch in epochs] == [3, 3]


def test_labels_change_the_loss_only_if_asked_for(mini_root, tmp_path):
    losses = []
    for use_labels in (False, True):
        config = config_of(mini_root, use_labels=use_labels)
        run(config, load_for(config), tmp_path / "run", evaluate_untrained=False)
        losses.append(RunFolder(tmp_path / "run").read_records()[0]["loss"])
    assert losses[1] < losses[0]


def test_published_switch(mini_root, tmp_path):
    config = config_of(mini_root, published=True, sampler="uniform")
    objective = build_objective(config)
    expected = InfoNCE(0.2, positive_in_denominator=False, two_sided=False)
    assert objective.options() == expected.options()
    dataset = load_for(config)
    framework = build_framework(config, dataset)
    first, second = framework.augmentations
    assert "published=True" in repr(second)
    # Self-loops in the original graphs alone, those that are evaluated among them.
    batch = Batch.from_data_list(list(dataset))
    assert not batch.has_self_loops()
    assert first(batch).edge_index.size(1) == batch.num_edges + batch.num_nodes
    assert not second(batch).has_self_loops()
    assert torch.equal(
        framework.eval().embed(batch), framework.encoder.eval()(first(batch))
    )
    # The same batches in every epoch, unlike without the switch.
    for published, same in ((True, True), (False, False)):
        one = replace(config, published=published)
        run(one, dataset, tmp_path / "run", evaluate_untrained=False)
        rates = [
            record["false_negative_rate"]
            for record in RunFolder(tmp_path / "run").read_records()[:2]
        ]
        assert (rates[0] == rates[1]) == same


def test_mvgrl_has_one_hot_degrees_without_storing_them(mini_root):
    config = config_of(mini_root, framework="mvgrl")
    dataset = load_for(config)
    assert dataset.name == "MINI"
    assert dataset[0].x is None
    model = build_framework(config, dataset)
    assert isinstance(model, MVGRL)
    assert model.in_channels == 3  # Degrees 0, 1 and 2.
    constant = load_for(replace(config, node_features="constant"))
    assert torch.equal(constant[0].x, torch.ones(constant[0].num_nodes, 1))
