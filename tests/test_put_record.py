from benchmarks.graph.records import put_record, read_records, write_records


def test_a_record_takes_the_place_of_its_like(tmp_path):
    path = tmp_path / "new" / "records.jsonl"
    for name, value in (("a", 1), ("b", 1), ("a", 2), ("c", 1)):
        put_record(path, {"name": name, "value": value}, ["name"])
    found = [(record["name"], record["value"]) for record in read_records(path)]
    assert found == [("a", 2), ("b", 1), ("c", 1)]
    assert [file.name for file in path.parent.iterdir()] == ["records.jsonl"]


def test_a_line_cut_short_is_left_out(tmp_path):
    path = tmp_path / "records.jsonl"
    write_records(path, [{"a": 1}, {"a": 2}])
    path.write_text(path.read_text()[:-3])
    assert read_records(path) == [{"a": 1}]
    assert read_records(tmp_path / "none.jsonl") == []
