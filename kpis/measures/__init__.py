"""The 72 KPIs: each measure one function, found by itself; counts and sums come from the engine."""
