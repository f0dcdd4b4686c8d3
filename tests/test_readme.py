r"""What README and docs show is run, and their numbers are those of the records."""

import json
import re
from pathlib import Path

import pytest
import torch
from torch_geometric.nn import global_add_pool

from benchmarks.graph import tables
from pyg_prosampler.build import build_framework, load_for
from pyg_prosampler.config import PretrainConfig

PROJECT = Path(__file__).resolve().parents[1]


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


def test_published_example(mini_root):
    config = PretrainConfig("MINI", root=str(mini_root), batch_size=16, published=True)
    built = build_framework(config, load_for(config))
    names = {"encoder": built.encoder}
    (example,) = code_blocks("docs/objectives.md")
    exec(example, names)
    assert repr(names["model"]) == repr(built)
    assert repr(names["model"].augmentations) == repr(built.augmentations)
    assert repr(names["model"].transform) == repr(built.transform)


@pytest.mark.parametrize(
    ("path", "number"), [("CONTRIBUTING.md", 0), ("docs/policies.md", 1)]
)
def test_policy_example(graphs, path, number):
    names = {
        "graphs": graphs * 4,
        "encoder": lambda batch: global_add_pool(batch.x, batch.batch),
    }
    exec(code_blocks(path)[number], names)
    for _ in range(2):
        drawn = [int(i) for batch in names["loader"] for i in batch.graph_id]
        assert sorted(drawn) == list(range(40))


def test_tables_are_those_of_the_records():
    for path in tables.documents():
        assert tables.filled(path.read_text()) == path.read_text(), path.name


def test_every_table_is_shown_somewhere():
    shown = "".join(path.read_text() for path in tables.documents())
    for name in tables.TABLES:
        assert f"<!-- begin: {name} -->" in shown


def test_record_is_of_the_make_run_job():
    (line,) = (tables.RESULTS / "compare-MUTAG.jsonl").read_text().splitlines()
    record = json.loads(line)
    (arguments,) = re.findall(
        r"^RUN_ARGS \?= (.*)$", (PROJECT / "Makefile").read_text(), re.MULTILINE
    )
    assert record["command"] == f"prosampler {arguments}"


def test_links_lead_somewhere():
    for path in (PROJECT / "README.md", *(PROJECT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
            if "://" not in target:
                assert (path.parent / target).exists(), (path.name, target)
