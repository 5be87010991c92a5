"""What do we invest in sales and marketing? The page of the investment scorecard."""

from ui import funnel, measures, turns


@turns.fragment
def page() -> None:
    """The page's body: eight measures of investment, dated benchmarks, and the company's own questionnaires."""
    also = {"Benchmarks": funnel.benchmarks, "Questionnaires": funnel.own_scores}
    measures.family("What do we invest in sales and marketing?", "IDC-", also)


page()
