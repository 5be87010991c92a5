"""How well do we turn opportunities into revenue? The page of closing."""

from ui import measures, turns


@turns.fragment
def page() -> None:
    """The page's body: nine measures of the funnel's end."""
    measures.family("How well do we turn opportunities into revenue?", "FUNNEL-3.")


page()
