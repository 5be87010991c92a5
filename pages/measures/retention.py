"""Do customers stay, and what are they worth? The page of retention."""

from ui import funnel, measures, turns


@turns.fragment
def page() -> None:
    """The page's body: four measures of customers, what one is worth, and how much hangs on few of them."""
    also = {"Lose the top account": funnel.losing, "Customer value": funnel.worth}
    measures.family("Do customers stay, and what are they worth?", "FUNNEL-4.", also)


page()
