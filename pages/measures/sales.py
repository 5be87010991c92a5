"""What do the sales manager's measures say? The page of fifteen."""

from ui import measures, turns


@turns.fragment
def page() -> None:
    """The page's body: fifteen measures for sales managers."""
    measures.family("What do the sales manager's measures say?", "SALES-")


page()
