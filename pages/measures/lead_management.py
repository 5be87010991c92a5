"""What becomes of the leads we have? The page of lead management."""

from ui import funnel, measures, turns


@turns.fragment
def page() -> None:
    """The page's body: seven measures of the funnel's middle, who leaks, and what the lead score is worth."""
    also = {"Leaks": funnel.leaks, "Lead score": funnel.scores}
    measures.family("What becomes of the leads we have?", "FUNNEL-2.", also)


page()
