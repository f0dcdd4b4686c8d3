r"""Fast paths against plain ones, side by side: ``python -m benchmarks.graph.speed``.

One module for each part. Its function ``measure(root, mirror)`` yields records with a
``case`` and what :meth:`~benchmarks.graph.speed.timing.side_by_side` returns.
"""
