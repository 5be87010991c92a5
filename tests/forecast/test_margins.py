"""What recalibration tells deals apart by, by hand."""

from __future__ import annotations

import numpy as np

from kpis.engine import NEVER
from kpis.forecast.margins import BANDS, CLOSES, margins, split
from tests.forecast.made import made

TODAY, ENDS = 100, (130, 160, 190)


def test_expected_close_and_pushes_by_hand():
    """Overdue is 0, the windows 1 to 3, later 4; level = 1 + 3 x bucket + pushes (2 for more); 0 when none is set."""
    cases = [
        (99, 0, 1 + 0), (100, 1, 1 + 1),  # yesterday and today are overdue
        (101, 0, 1 + 3), (130, 2, 1 + 3 + 2),  # tomorrow, and the last day of the first window
        (131, 0, 1 + 6), (160, 1, 1 + 6 + 1),
        (161, 0, 1 + 9), (190, 9, 1 + 9 + 2),  # nine pushes count as two
        (191, 0, 1 + 12), (5000, 2, 1 + 12 + 2),
        (NEVER, 2, 0),
    ]  # fmt: skip
    deals = [{"created": 50, "expected_close": close, "pushes": pushes} for close, pushes, _ in cases]
    found = made(deals, [], today=TODAY)
    band = np.arange(len(cases)) % BANDS
    row = np.arange(len(cases))
    code = margins(found, row, ENDS, band)
    assert split(code)[0].tolist() == band.tolist()
    assert split(code)[1].tolist() == [level for *_, level in cases]
    assert max(level for *_, level in cases) == CLOSES - 1


def test_only_the_rows_asked_for_in_their_order():
    deals = [{"created": 50, "expected_close": 99 + k, "pushes": k} for k in range(3)]
    found = made(deals, [], today=TODAY)
    code = margins(found, np.array([2, 0]), ENDS, np.array([5, 6, 4]))
    # Rows 2 and 0 have bands 4 and 5; row 2 closes tomorrow after two pushes, row 0 is overdue without one.
    assert code.tolist() == [4 * CLOSES + 1 + 3 + 2, 5 * CLOSES + 1]
