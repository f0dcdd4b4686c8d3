from dataclasses import asdict, fields, replace

import pytest

from pyg_prosampler.build import load_for
from pyg_prosampler.config import PretrainConfig, parse_restart_prob


@pytest.fixture
def config(mini_root):
    return PretrainConfig("MINI", root=str(mini_root), batch_size=16, num_folds=5)


def test_options_have_descriptions():
    assert all(field.metadata["help"].endswith(".") for field in fields(PretrainConfig))


@pytest.mark.parametrize(
    ("text", "values"),
    [("0.3", [0.3] * 3), ("0.2:0.1", [0.2, 0.15, 0.1]), ("1", [1.0] * 3)],
)
def test_parse_restart_prob(text, values):
    prob = parse_restart_prob(text, 3)
    found = [prob(epoch) if callable(prob) else prob for epoch in range(3)]
    assert found == pytest.approx(values)


def test_defaults_depend_on_framework_and_objective():
    graphcl, mvgrl = PretrainConfig(), PretrainConfig(framework="mvgrl")
    assert (graphcl.objective, mvgrl.objective) == ("infonce", "jsd")
    assert (graphcl.hidden_channels, mvgrl.hidden_channels) == (32, 512)
    assert (graphcl.num_layers, mvgrl.num_layers) == (3, 2)
    assert (graphcl.learning_rate, mvgrl.learning_rate) == (0.01, 0.001)
    assert (graphcl.node_features, mvgrl.node_features) == ("constant", "degree")
    assert graphcl.recompute_norms
    assert not PretrainConfig(published=True).recompute_norms
    assert (graphcl.temperature, mvgrl.temperature) == (0.2, None)
    assert PretrainConfig(objective="dcl").temperature == 0.5
    assert PretrainConfig(objective="dcl", temperature=0.1).temperature == 0.1
    assert PretrainConfig(framework="mvgrl", hidden_channels=8).hidden_channels == 8


def test_saved_configurations():
    config = PretrainConfig("NCI1", root="/there", tau=0.3, recompute_norms=True)
    assert PretrainConfig.from_saved(asdict(config)) == config
    saved = asdict(config) | {"device": "cuda", "gone": 1}
    del saved["tau"], saved["recompute_norms"]
    early = PretrainConfig.from_saved(saved, root="/here")
    assert (early.device, early.root, early.tau) == ("cpu", "/here", 0.1)
    assert not early.recompute_norms
    assert PretrainConfig.from_saved(asdict(config), device="meta").device == "meta"


def test_identity_is_all_but_places():
    config = PretrainConfig("NCI1")
    for change in ({"root": "/r"}, {"mirror": "file:///m"}, {"device": "meta"}):
        assert replace(config, **change).identity() == config.identity()
    for change in ({"seed": 1}, {"dataset": "MUTAG"}, {"recompute_norms": False}):
        assert replace(config, **change).identity() != config.identity()


def test_pairs_that_make_no_sense_are_refused_with_the_reason():
    with pytest.raises(ValueError, match="views of 'graphcl' do not share their nodes"):
        PretrainConfig(objective="jsd")
    for change in (
        {"objective": "dcl"},
        {"framework": "mvgrl"},
        {"dataset": "ogbg-molbace"},
    ):
        with pytest.raises(ValueError, match=r"public code of GraphCL.*leave it out"):
            PretrainConfig(published=True, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sampler": "hard"}, r"`sampler` should be one of .*\(got 'hard'\)"),
        ({"framework": "x"}, r"`framework` should be one of"),
        ({"objective": "x"}, r"`objective` should be one of"),
        ({"candidates": "x"}, r"`candidates` should be one of .*shared"),
        ({"augmentation": "x"}, r"`augmentation` should be one of .*random2"),
        ({"num_epochs": -1}, r"`num_epochs` should not be negative \(got -1\)"),
        ({"seed": -1}, r"`seed` should not be negative \(got -1\)"),
        ({"num_layers": 0}, r"`num_layers` should be at least 1 \(got 0\)"),
        ({"hidden_channels": 0}, r"`hidden_channels` should be at least 1"),
        ({"learning_rate": 0.0}, r"`learning_rate` should be positive \(got 0.0\)"),
        ({"restart_prob": "0.2-0.1"}, r"`restart_prob` .*\(got '0.2-0.1'\)"),
        ({"restart_prob": "1.2"}, r"`restart_prob` .*\(got '1.2'\)"),
        ({"embedding_source": "x"}, r"`embedding_source` should be one of .*head"),
        (
            {"embedding_source": "head", "framework": "mvgrl"},
            r"`embedding_source` 'head' is the projection head of 'graphcl'",
        ),
        (
            {"sampler": "multi-start", "num_starts": 21},
            r"`num_starts` should be at most .*the batch size \(got 21\)",
        ),
        ({"device": "tpu"}, r"`device` 'tpu' is not to be had here; pass 'cpu'"),
        ({"batch_size": 41}, r"`batch_size` .* between 2 and 40.*\(got 41\)"),
        ({"batch_size": 1}, r"`batch_size` .* between 2 and 40.*\(got 1\)"),
        ({"num_folds": 21}, r"21 times .*got 20 for class 0"),
        ({"num_candidates": 3, "num_neighbors": 4}, "`num_neighbors` should be"),
        ({"protocol": "x"}, "`protocol` should be one of"),
        ({"temperature": 0.0}, "`temperature` should be"),
        ({"negatives": "x"}, "`negatives` should be"),
        ({"objective": "dcl", "tau": 1.0}, "`tau` should be"),
        ({"objective": "hcl", "beta": -1.0}, "`beta` should"),
        ({"node_features": "x"}, "`node_features` should be"),
    ],
)
def test_bad_input_is_found_before_any_work(config, change, message):
    with pytest.raises(ValueError, match=message):
        load_for(replace(config, **change))
