r"""What README and docs show is run, and their numbers are those of the records."""

import io
import json
import re
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch_geometric.nn import global_add_pool

from pyg_prosampler.compare import describe_comparison, to_table
from pyg_prosampler.experiment import PretrainConfig

PROJECT = Path(__file__).resolve().parents[1]
RESULTS = PROJECT / "benchmarks" / "graph" / "results"
README = (PROJECT / "README.md").read_text()


def code_blocks(path: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (PROJECT / path).read_text(), re.DOTALL)


def test_drop_in_example(graphs):
    steps = []
    names = {
        "dataset": graphs * 4,
        "encoder": lambda batch: global_add_pool(batch.x, batch.batch),
        "train_step": steps.append,
    }
    (example,) = code_blocks("README.md")
    exec(example, names)
    assert len(steps) == 20 * 2
    for epoch in (0, 7, 19):
        drawn = torch.cat([steps[2 * epoch].graph_id, steps[2 * epoch + 1].graph_id])
        assert sorted(drawn.tolist()) == list(range(40))


def test_policy_example(graphs):
    names = {
        "graphs": graphs * 4,
        "encoder": lambda batch: global_add_pool(batch.x, batch.batch),
    }
    (example,) = code_blocks("CONTRIBUTING.md")
    exec(example, names)
    for _ in range(2):
        drawn = [int(i) for batch in names["loader"] for i in batch.graph_id]
        assert sorted(drawn) == list(range(40))


@pytest.mark.parametrize("name", re.findall(r"<!-- begin: (\S+) -->", README))
def test_tables_are_those_of_the_records(name):
    record = json.loads((RESULTS / f"{name}.json").read_text())
    buffer = io.StringIO()
    console = Console(file=buffer, width=80)
    table = to_table(
        record["rows"], describe_comparison(record), record["false_negative_floor"]
    )
    console.print(table)
    expected = [line.rstrip() for line in buffer.getvalue().splitlines()]
    shown = re.search(rf"<!-- begin: {name} -->\n```\n(.*?)```", README, re.DOTALL)
    assert shown is not None
    assert shown[1].splitlines() == expected


def test_records_are_of_the_make_run_job():
    record = json.loads((RESULTS / "compare-MUTAG.json").read_text())
    assert record["command"].startswith("prosampler ")
    (arguments,) = re.findall(
        r"^RUN_ARGS \?= (.*)$", (PROJECT / "Makefile").read_text(), re.MULTILINE
    )
    assert record["command"].startswith(f"prosampler {arguments}")
    seeds = record["config"].pop("seed")
    samplers = record["config"].pop("sampler")
    assert (samplers, seeds) == (["uniform", "prosampler"], [0, 1, 2])
    assert PretrainConfig(**record["config"]).batch_size == 32


def test_links_lead_somewhere():
    for path in (PROJECT / "README.md", *(PROJECT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
            if "://" not in target:
                assert (path.parent / target).exists(), (path.name, target)
