"""`health`: what could keep the open deals from coming through."""

from __future__ import annotations

from kpis.commands.options import Json, Scenario, Source, Target, about_data, show


@about_data
def health(source: Source, target: Target = None, scenario: Scenario = None, as_json: Json = False) -> None:
    """List risk flags per deal, the parts of coverage, the deals that the outcome depends on, and who can help."""
    from kpis.answers.assists import assists
    from kpis.answers.dependence import dependence
    from kpis.answers.health import deal_health, document

    found = source.outlook(source.levers(scenario, target))
    if as_json:
        show(document(found), as_json)
    else:
        show({}, as_json, deal_health(found), dependence(found), assists(found))
