import json

import pytest
import torch

from pyg_prosampler import GINEncoder, GraphCL, InfoNCE, ProSamplerLoader
from pyg_prosampler.hardness import hardness
from pyg_prosampler.training import pretrain
from tests.reference_sampling import mean_pair_similarity


def start(graphs, objective=None, num_epochs=2, **kwargs):
    model = GraphCL(GINEncoder(3, 4, 2))
    loader = ProSamplerLoader(graphs, encoder=model.encoder, **kwargs)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    records = pretrain(model, loader, objective or InfoNCE(), optimizer, num_epochs)
    return model, loader, records


def test_records_of_every_epoch(graphs):
    model, _, records = start(graphs, batch_size=4, num_epochs=3)
    before = [p.clone() for p in model.parameters()]
    records = list(records)
    assert [record["epoch"] for record in records] == [0, 1, 2]
    assert [record["warmup"] for record in records] == [True, False, False]
    assert [record["num_steps"] for record in records] == [3, 3, 3]
    assert records[0]["similarity"] is None  # There is nothing to measure on.
    for record in records[1:]:
        assert -1 <= record["similarity"] <= 1
    for record in records:
        assert 0 <= record["false_negative_rate"] <= 1
        assert 0 <= record["sampler_seconds"] <= record["seconds"]
        assert record["loss"] > 0
    assert records[0]["restart_prob"] is None
    assert records[1]["restart_prob"] == pytest.approx(0.2 - 0.15 / 19)
    assert any(
        not torch.equal(old, new)
        for old, new in zip(before, model.parameters(), strict=True)
    )


def test_similarity_is_that_of_the_embeddings_drawn_by(graphs):
    torch.manual_seed(0)
    fixed = torch.randn(10, 4)
    model = GraphCL(GINEncoder(3, 4, 2))
    loader = ProSamplerLoader(
        graphs, 5, encoder=lambda batch: fixed[: batch.num_graphs], encode_batch_size=10
    )
    batches = [[batch.graph_id for batch in loader] for _ in range(2)]
    expected = [
        sum(mean_pair_similarity(fixed[chosen]) for chosen in epoch) / 2
        for epoch in batches
    ]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    calls = []
    records = pretrain(
        model, loader, InfoNCE(), optimizer, 2,
        reference=lambda: calls.append(1) or fixed,
    )  # fmt: skip
    records = list(records)
    floor = mean_pair_similarity(fixed)
    assert [r["similarity_floor"] for r in records] == pytest.approx([floor] * 2)
    assert [r["similarity"] for r in records] == pytest.approx(expected, abs=1e-5)
    assert len(calls) == 1  # In the warm-up epoch.


def test_batches_are_reported_on_as_by_hardness(graphs):
    fixed = torch.randn(10, 4)
    model = GraphCL(GINEncoder(3, 4, 2))
    loader = ProSamplerLoader(
        graphs, 5, encoder=lambda batch: fixed, encode_batch_size=10
    )
    labels = torch.tensor([int(graph.y) for graph in graphs])
    expected = [hardness(loader, fixed, labels, epoch=epoch) for epoch in range(2)]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    records = pretrain(model, loader, InfoNCE(), optimizer, 2, reference=lambda: fixed)
    for record, report in zip(records, expected, strict=True):
        for key in ("similarity", "similarity_floor", "spread", "fill_rate",
                    "false_negative_rate", "false_negative_floor", "coverage",
                    "num_drawn", "num_unique", "num_repeats"):  # fmt: skip
            assert record[key] == pytest.approx(report[key], abs=1e-6), key
        assert 0 < record["hardness_seconds"] < record["seconds"]
        json.dumps(record)


def test_a_refresh_within_an_epoch_is_measured_on_its_own_embeddings(graphs):
    model, states, batches = GraphCL(GINEncoder(3, 4, 2)), [], []

    def encoder(batch):
        states.append(torch.randn(10, 4))
        return states[-1]

    def contrast(batch, objective, mask=None):
        batches.append(batch.graph_id)
        return GraphCL.contrast(model, batch, objective, mask)

    model.contrast = contrast
    loader = ProSamplerLoader(
        graphs, 5, encoder=encoder, encode_batch_size=10,
        refresh_every=1, num_warmup_epochs=0,
    )  # fmt: skip
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    (record,) = pretrain(model, loader, InfoNCE(), optimizer, 1)
    expected = [
        mean_pair_similarity(state[batch])
        for state, batch in zip(states, batches, strict=True)
    ]
    assert record["similarity"] == pytest.approx(sum(expected) / 2, abs=1e-6)
    floors = [mean_pair_similarity(state) for state in states]
    assert record["similarity_floor"] == pytest.approx(sum(floors) / 2, abs=1e-6)


@pytest.mark.parametrize("use_labels", [False, True])
def test_false_negatives_that_run_away_warn(graphs, use_labels):
    # After three mixed epochs, every batch is of one class.
    calls = []

    def by_class(embeddings, members, batch_size, generator):
        calls.append(1)
        classes = members % 2 if len(calls) > 3 else members % 5
        return members[classes.argsort(stable=True)].split(batch_size)

    model = GraphCL(GINEncoder(3, 4, 2))
    loader = ProSamplerLoader(graphs, 5, encoder=model.encoder, policy=by_class)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    records = pretrain(model, loader, InfoNCE(), optimizer, 7, use_labels=use_labels)
    if use_labels:  # None of them is a negative.
        list(records)
    else:
        with pytest.warns(UserWarning, match="false negatives run away"):
            list(records)


def test_collapsed_embeddings_warn(graphs):
    model = GraphCL(GINEncoder(3, 4, 2))
    loader = ProSamplerLoader(
        graphs, 5, encoder=lambda batch: torch.ones(batch.num_graphs, 4)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with pytest.warns(UserWarning, match="embeddings have collapsed by epoch 3"):
        list(pretrain(model, loader, InfoNCE(), optimizer, 4))


def test_a_batch_of_one_graph_is_left_out(graphs):
    _, _, records = start(graphs, batch_size=3)
    assert [record["num_steps"] for record in records] == [3, 3]


def test_graphs_without_labels(graphs):
    for graph in graphs:
        del graph.y
    model, loader, records = start(graphs, batch_size=5)
    assert [record["false_negative_rate"] for record in records] == [None, None]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    with pytest.raises(ValueError, match="`use_labels` needs a label `y`"):
        list(pretrain(model, loader, InfoNCE(), optimizer, 1, use_labels=True))


def test_bank_is_fed(graphs):
    _, loader, records = start(graphs, batch_size=5, embedding_source="bank")
    list(records)
    assert loader.bank().abs().sum(dim=1).gt(0).all()


def test_steps_are_told(graphs):
    steps = []
    model = GraphCL(GINEncoder(3, 4, 2))
    loader = ProSamplerLoader(graphs, 5, encoder=model.encoder)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    list(pretrain(model, loader, InfoNCE(), optimizer, 2, on_step=steps.append))
    assert len(steps) == 4
    assert {"loss", "similarity", "restart_prob"} <= steps[-1].keys()
    assert [step["epoch"] for step in steps] == [0, 0, 1, 1]


def test_a_loss_that_is_not_finite_stops_with_a_remedy(graphs):
    def objective(z1, z2):
        return (z1 - z2).sum() * torch.nan

    _, _, records = start(graphs, objective, batch_size=5)
    with pytest.raises(FloatingPointError, match=r"nan at epoch 0, step 0; lower the"):
        list(records)


def test_same_seed_same_weights(graphs):
    weights = []
    for _ in range(2):
        torch.manual_seed(7)
        model, _, records = start(graphs, batch_size=4)
        list(records)
        weights.append(model.encoder.convs[0].nn[0].weight)
    assert torch.equal(*weights)


def test_twins_are_left_out_of_the_negatives(graphs):
    twins = torch.arange(10) % 3
    _, loader, _ = start(graphs, batch_size=5)
    seen = []

    class Model:
        def train(self, mode=True):
            return self

        def contrast(self, batch, objective, mask=None):
            seen.append((batch.graph_id, batch.y, mask))
            return weight.sum(), torch.zeros(batch.num_graphs, 2)

    weight = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.1)
    for use_labels in (False, True):
        seen.clear()
        options = {"use_labels": use_labels, "twins": twins}
        list(pretrain(Model(), loader, None, optimizer, 2, **options))
        for graph_id, labels, mask in seen:
            alike = twins[graph_id][:, None] == twins[graph_id]
            if use_labels:
                alike |= labels[:, None] == labels
            assert torch.equal(mask, alike)
