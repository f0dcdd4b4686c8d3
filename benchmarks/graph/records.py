r"""Files of records, one JSON line each."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Record = dict[str, Any]


def read_records(path: Path) -> list[Record]:
    r"""Reads whole lines; one that was cut short is left out."""
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


def write_records(path: Path, records: Iterable[Record]) -> None:
    r"""Writes a file that is whole at every moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    temporary.write_text("".join(json.dumps(record) + "\n" for record in records))
    temporary.replace(path)


def put_record(path: Path, record: Record, keys: Iterable[str]) -> None:
    r"""Writes a record into a file, in place of one with the same values of some
    keys, if there is any.
    """
    keys = list(keys)
    records = read_records(path)
    places = [
        index
        for index, other in enumerate(records)
        if all(other.get(key) == record.get(key) for key in keys)
    ]
    place = places[0] if places else len(records)
    records[place : place + 1] = [record]
    write_records(path, records)
