import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pyg_prosampler.hardness import HardnessMonitor, hardness
from pyg_prosampler.hardness.monitor import ESTIMATE_EVERY
from tests.reference_hardness import same_class_rate
from tests.reference_sampling import mean_pair_similarity


def watch(monitor, batches, embeddings=None, labels=None, epoch=0, is_warmup=False):
    if embeddings is not None:
        monitor.measure_on(embeddings)
    for batch in batches:
        monitor.step(
            torch.tensor(batch), None if labels is None else labels[torch.tensor(batch)]
        )
    return monitor.end_epoch(epoch, is_warmup)


@st.composite
def epochs(draw):
    num_graphs = draw(st.integers(4, 12))
    batch = st.lists(
        st.integers(0, num_graphs - 1), min_size=2, max_size=5, unique=True
    )
    epoch = st.lists(batch, min_size=1, max_size=4)
    return num_graphs, draw(st.lists(epoch, min_size=1, max_size=3))


@given(epochs(), st.sampled_from(["int", "negative", "float"]), st.integers(0, 99))
def test_means_and_counts_equal_reference(case, kind, seed):
    num_graphs, all_epochs = case
    embeddings = torch.randn(
        num_graphs, 3, generator=torch.Generator().manual_seed(seed)
    )
    embeddings[0] = 0  # As the embedding of an empty graph may be.
    labels = torch.arange(num_graphs) % 3
    labels = {"int": labels, "negative": labels - 1, "float": labels / 2}[kind]
    monitor, seen = HardnessMonitor(num_graphs), set()
    for epoch, batches in enumerate(all_epochs):
        record = watch(monitor, batches, embeddings, labels, epoch, is_warmup=True)
        expected = [mean_pair_similarity(embeddings[batch]) for batch in batches]
        assert record["similarity"] == pytest.approx(
            sum(expected) / len(expected), abs=1e-6
        )
        floor = mean_pair_similarity(embeddings)
        assert record["similarity_floor"] == pytest.approx(floor, abs=1e-6)
        assert record["spread"] == pytest.approx(1 - floor, abs=1e-6)
        assert record["false_negative_rate"] == pytest.approx(
            same_class_rate(labels.tolist(), batches)
        )
        drawn = [index for batch in batches for index in batch]
        seen |= set(drawn)
        classes = [labels[index].item() for index in seen]
        assert record["false_negative_floor"] == pytest.approx(
            sum((classes.count(c) / len(classes)) ** 2 for c in set(classes))
        )
        assert record["num_drawn"] == len(drawn)
        assert record["num_unique"] == len(set(drawn))
        assert record["num_repeats"] == len(drawn) - len(set(drawn))
        assert record["coverage"] == len(set(drawn)) / num_graphs


def test_estimates_agree_with_the_exact_report():
    torch.manual_seed(0)
    centres = 2 * torch.randn(12, 6)
    embeddings = centres.repeat_interleave(20, dim=0) + torch.randn(240, 6)
    order = torch.arange(240).view(12, 20)
    # Half of a batch is of one cluster, half of another one.
    batches = torch.cat([order[:, :10], order.roll(1, 0)[:, 10:]], dim=1).tolist()
    exact = hardness(batches, embeddings)
    monitor, records = HardnessMonitor(240), []
    for epoch in range(60):
        records.append(watch(monitor, batches * 3, embeddings, epoch=epoch))
    for at in range(3):
        estimates = [record["similarity_quartiles"][at] for record in records]
        assert sum(estimates) / 60 == pytest.approx(
            exact["similarity_quartiles"][at], abs=0.02
        )
    found = sum(record["neighbors_found"] for record in records) / 60
    assert found == pytest.approx(exact["neighbors_found"], abs=0.02)
    assert 2 * exact["neighbors_floor"] < exact["neighbors_found"] < 0.9
    assert records[0]["neighbors_floor"] == pytest.approx(exact["neighbors_floor"])
    rank = records[0]["effective_rank"]
    assert rank == pytest.approx(exact["effective_rank"], rel=0.1)
    assert records[0]["neighbors_found"] != records[1]["neighbors_found"]


def test_estimates_where_one_batch_holds_everybody_or_two():
    record = watch(HardnessMonitor(9), [list(range(9))], torch.randn(9, 3))
    assert record["neighbors_found"] == record["neighbors_floor"] == 1.0
    embeddings = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]])
    record = watch(HardnessMonitor(4), [[0, 1], [3, 2]], embeddings)
    assert record["neighbors_found"] == 1.0
    record = watch(HardnessMonitor(4), [[0, 2], [3, 1]], embeddings)
    assert record["neighbors_found"] == 0.0
    record = watch(HardnessMonitor(4), [[0, 1]], torch.ones(4, 2))
    assert record["neighbors_found"] == 1.0  # All are equally near.


def test_estimates_are_spaced_by_steps():
    monitor = HardnessMonitor(6)
    batches = [[0, 1, 2]] * (ESTIMATE_EVERY // 2)
    has_estimates = [
        watch(monitor, batches, torch.randn(6, 3))["neighbors_found"] is not None
        for _ in range(5)
    ]
    assert has_estimates == [True, False, True, False, True]


def test_batches_are_measured_on_the_embeddings_of_their_time():
    first, second = torch.randn(2, 8, 3)
    monitor = HardnessMonitor(8)
    monitor.measure_on(first)
    monitor.step(torch.tensor([0, 1, 2]))
    monitor.measure_on(second)
    first.zero_()  # As an embedding bank changes.
    monitor.step(torch.tensor([3, 4]))
    assert monitor.latest()["similarity"] == pytest.approx(
        mean_pair_similarity(second[3:5]), abs=1e-6
    )
    record = monitor.end_epoch(0)
    torch.manual_seed(12345)
    first, second = torch.randn(2, 8, 3)
    expected = mean_pair_similarity(first[:3]) + mean_pair_similarity(second[3:5])
    assert record["similarity"] == pytest.approx(expected / 2, abs=1e-6)
    floors = mean_pair_similarity(first) + mean_pair_similarity(second)
    assert record["similarity_floor"] == pytest.approx(floors / 2, abs=1e-6)


def test_nothing_to_measure_on():
    monitor = HardnessMonitor(4)
    monitor.step(torch.tensor([0, 1]))
    assert monitor.latest() == {}
    record = monitor.end_epoch(0)
    for key in ("similarity", "spread", "neighbors_found", "false_negative_rate"):
        assert record[key] is None
    assert record["coverage"] == 0.5
    assert record["hardness_seconds"] > 0


def test_randomness_of_others_is_left_alone():
    state = torch.get_rng_state()
    watch(HardnessMonitor(6), [[0, 1, 2]], torch.ones(6, 2))
    assert torch.equal(torch.get_rng_state(), state)


COLLAPSED = {
    "spread": torch.ones(20, 3) + 1e-3 * torch.randn(20, 3),
    "effective rank": torch.linspace(0, 1, 20).view(-1, 1) * torch.tensor([[0.0, 1.0]])
    + torch.tensor([[10.0, 0.0]]),
}
COLLAPSED["effective rank"][:, 1] *= 5


@pytest.mark.parametrize("what", COLLAPSED)
def test_collapse_warns_once_after_three_epochs(what):
    monitor = HardnessMonitor(20)
    batches = [[0, 1, 2, 3]] * ESTIMATE_EVERY
    for epoch in range(3):
        watch(monitor, batches, COLLAPSED[what], epoch=epoch)
    with pytest.warns(
        UserWarning, match=rf"collapsed by epoch 3: their {what} .* lower the learning"
    ):
        watch(monitor, batches, COLLAPSED[what], epoch=3)
    watch(monitor, batches, COLLAPSED[what], epoch=4)  # Else an error.


def test_diverse_embeddings_do_not_warn():
    monitor = HardnessMonitor(20)
    for epoch in range(6):
        batches = [[0, 1, 2, 3]] * ESTIMATE_EVERY
        watch(monitor, batches, 1 + 0.3 * torch.randn(20, 3), epoch=epoch)


def batch_of(num_same):
    r"""A batch of 10 with so many graphs of class 0, out of 20 of two classes."""
    return [[*range(num_same), *range(10, 20 - num_same)]]


LABELS = torch.arange(20) // 10


def run_of(sizes, num_warmup_epochs=0, **kwargs):
    monitor = HardnessMonitor(20, **kwargs)
    monitor.step(torch.arange(20), LABELS)
    monitor.end_epoch(0, is_warmup=True)
    for epoch, num_same in enumerate(sizes, start=1):
        is_warmup = epoch <= num_warmup_epochs
        watch(monitor, batch_of(num_same), None, LABELS, epoch, is_warmup)


def test_false_negatives_that_run_away_warn_once():
    # Over the latest three, the excess is 0.496 in epoch 5 and 0.867 in epoch 6.
    with pytest.warns(UserWarning, match="run away: by epoch 6") as told:
        run_of([5, 5, 5, 9, 10, 10, 10, 10])
    (message,) = [str(warning.message) for warning in told]
    assert "100% of the pairs" in message
    assert "uniform batches: 50%" in message
    assert "make batches less hard" in message


@pytest.mark.parametrize(
    ("sizes", "kwargs"),
    [
        ([10] * 9, {}),  # Many, but no more than at first.
        ([5, 5, 5, 8, 8, 8, 8], {}),  # More, but not many.
        ([5, 5, 5, 10, 5, 5, 10, 5], {}),  # Now and then.
        ([5, 5, 5, 10, 10, 10], {"watch_false_negatives": False}),
        ([5, 5, 5, 10, 10, 10], {"num_warmup_epochs": 3}),
    ],
)
def test_false_negatives_that_do_not_run_away(sizes, kwargs):
    run_of(sizes, **kwargs)


def test_one_class_only():
    monitor = HardnessMonitor(4)
    for epoch in range(5):
        labels = torch.zeros(4, dtype=torch.long)
        record = watch(monitor, [[0, 1, 2, 3]], None, labels, epoch)
    assert record["false_negative_rate"] == record["false_negative_floor"] == 1.0


def test_same_epoch_same_record():
    embeddings = torch.randn(30, 4)
    records = []
    for _ in range(2):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            record = watch(
                HardnessMonitor(30), [[*range(9)], [*range(9, 18)]], embeddings, epoch=7
            )
        del record["hardness_seconds"]
        records.append(record)
    assert records[0] == records[1]
