import json

import pytest
import typer

from benchmarks.graph.speed import __main__ as speed
from benchmarks.graph.speed import tables, timing


def record(case, allocation="default", **facts):
    times = {
        "seconds": {
            "plain": {"median": 0.2, "low": 0.1, "high": 0.3},
            "fast": {"median": 0.01234, "low": 0.01, "high": 0.02},
        },
        "ratio": {"fast": {"median": 16.2, "low": 10.0, "high": 17.0}},
    }
    return {"case": case, "allocation": allocation, "part": "walks", **times, **facts}


def test_ways_take_turns(monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(clock))
    calls = []
    ways = {name: lambda name=name: calls.append(name) for name in "ab"}
    found = timing.side_by_side(ways, num_repetitions=3)
    assert "".join(calls) == "ab" * 4  # The first pair warms up.
    assert found["num_repetitions"] == 3
    assert found["ratio"] == {"b": {"median": 1.0, "low": 1.0, "high": 1.0}}


def test_no_repetition_begins_late(monkeypatch):
    clock = iter(range(0, 10_000, 50))
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(clock))
    found = timing.side_by_side({"a": int, "b": int}, num_repetitions=9, max_seconds=1)
    assert found["num_repetitions"] == 1


def test_ratios_are_those_of_repetitions(monkeypatch):
    seconds = iter([4.0, 1.0, 9.0, 3.0, 10.0, 2.0])
    monkeypatch.setattr(timing, "_timed", lambda run: next(seconds))
    found = timing.side_by_side({"a": int, "b": int}, num_repetitions=3)
    assert found["seconds"]["a"]["median"] == 9.0
    assert found["ratio"]["b"] == {"median": 4.0, "low": 3.5, "high": 4.5}


def test_what_has_finished_is_kept(monkeypatch, tmp_path):
    measured = []

    def measure(part, variables, num_threads):
        measured.append((part, bool(variables), num_threads))
        return [{"part": part, "case": "x", "seconds": {}, "ratio": {}}]

    monkeypatch.setattr(speed, "_measure_in_process", measure)
    out = tmp_path / "speed.jsonl"
    speed.main(["walks", "collate"], out=out)
    speed.main(["walks"], out=out)
    both = [("walks", False, 1), ("walks", True, 1)]
    assert measured == [*both, ("collate", False, 1), ("collate", True, 1)]
    speed.main(["walks"], out=out, again=True)
    assert measured[4:] == both
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    keys = [(line["part"], line["allocation"]) for line in lines]
    assert keys == [
        (part, setting)
        for part in ("collate", "walks")
        for setting in ("default", "tuned")
    ]
    with pytest.raises(typer.BadParameter, match="'flying'"):
        speed.main(["flying"], out=out)


def test_what_fails_in_its_process_fails_here(monkeypatch):
    monkeypatch.setattr("sys.argv", ["speed"])
    with pytest.raises(SystemExit, match="1"):
        speed._measure_in_process("no_such_part", {}, 1)


def test_table_of_ratios():
    other = record("y")
    other["seconds"] = {"slow": other["seconds"]["plain"], "fast": {"median": 1.0}}
    text = tables.ratios([record("x"), record("x", "tuned"), other])
    assert text == (
        "|  | plain, ms | fast |\n|---|---|---|\n"
        "| x | 200 (200) | 16.2x [10, 17] (16.2x [10, 17]) |\n\n"
        "|  | slow, ms | fast |\n|---|---|---|\n| y | 200 | 16.2x [10, 17] |"
    )


def test_evaluation_says_when_scores_differ():
    same = record("x", identical=True)
    assert "all fold scores and all chosen *C* were the same" in tables.evaluation(
        [same]
    )
    assert "**Not in all" in tables.evaluation([same, record("y", identical=False)])


def test_growth_is_drawn(tmp_path):
    records = [
        {
            "way": "walks",
            "num_nodes": num_nodes,
            "allocation": allocation,
            "seconds": {"walks": {"median": 1e-6 * num_nodes**2}},
        }
        for num_nodes in (1000, 100)
        for allocation in ("default", "tuned")
    ]
    assert tables.growth(records).splitlines()[-1] == (
        "| walks | 0.01 s at N = 100 | 1 s at N = 1000 | 2.00 |"
    )
    for path in tables.draw_growth(records, tmp_path / "growth"):
        assert path.stat().st_size > 1000
