r"""The records of a grid, by row and data set."""

from collections.abc import Iterable
from dataclasses import replace

from benchmarks.graph.grids.grid import Grid
from benchmarks.graph.records import Record
from benchmarks.graph.statistics import Difference, paired_difference
from benchmarks.graph.sweep import key_of


class Cells:
    r"""The records of a grid by row and data set.

    Args:
        grid (Grid): The grid.
        records (Iterable[dict]): Records of any studies.
    """

    def __init__(self, grid: Grid, records: Iterable[Record]) -> None:
        self.grid = grid
        by_key = {key_of(record["config"]): record for record in records}
        self.records: dict[tuple[str, str], dict[int, Record]] = {
            (name, dataset): {
                seed: by_key[key]
                for seed in grid.seeds
                if (key := key_of(grid.config(name, dataset, seed).identity()))
                in by_key
            }
            for name in grid.rows
            for dataset in grid.datasets
        }

    def __or__(self, other: "Cells") -> "Cells":
        r"""The rows of both, with the data sets and seeds of the first."""
        grid = replace(self.grid, rows=self.grid.rows | other.grid.rows)
        both = Cells(grid, [])
        both.records |= self.records | other.records
        return both

    def all(self) -> list[Record]:
        r"""All records that were found."""
        return [record for cell in self.records.values() for record in cell.values()]

    def scores(self, name: str, dataset: str) -> dict[int, float]:
        r"""The scores of a cell in %, by seed."""
        return {
            seed: 100 * record["mean"]
            for seed, record in self.records.get((name, dataset), {}).items()
        }

    def difference(self, name: str, baseline: str, dataset: str) -> Difference | None:
        r"""A row less its baseline, over the seeds that both have."""
        first, second = (self.scores(row, dataset) for row in (baseline, name))
        seeds = sorted(first.keys() & second.keys())
        if len(seeds) < 3:
            return None
        return paired_difference([first[s] for s in seeds], [second[s] for s in seeds])
