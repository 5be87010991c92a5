"""What do the marketing manager's measures say? The page of fifteen."""

from ui import experiments, marketing, measures, turns


@turns.fragment
def page() -> None:
    """The page's body: fifteen measures for marketing managers, attribution, spend, tests and content."""
    also = {
        "Attribution": marketing.credit,
        "Spend": marketing.spend,
        "A/B tests": experiments.tests,
        "Content": marketing.content,
    }
    measures.family("What do the marketing manager's measures say?", "MKTG-", also)


page()
