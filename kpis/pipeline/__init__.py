"""The pipeline as it was on a day: deals, their stints in stages, and what changed between two days."""
