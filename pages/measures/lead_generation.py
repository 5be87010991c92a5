"""Are we finding enough of the right prospects? The page of lead generation."""

from ui import measures, turns


@turns.fragment
def page() -> None:
    """The page's body: five measures of the funnel's top."""
    measures.family("Are we finding enough of the right prospects?", "FUNNEL-1.")


page()
