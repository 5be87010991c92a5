"""The seeded demo company: realistic tables with known true parameters."""

from __future__ import annotations

from kpis.demo.company import END, Company, generate
from kpis.demo.files import dictionary, write
from kpis.demo.futures import Futures

__all__ = ["END", "Company", "Futures", "dictionary", "generate", "write"]
