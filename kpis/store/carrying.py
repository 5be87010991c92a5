"""From a session of its own into a workspace: what was saved in the one is saved in the other."""

from __future__ import annotations

from kpis.store import decisions, ledger, scenarios
from kpis.store.versions import Changed
from kpis.store.workspace import Workspace


def carry(source: Workspace, target: Workspace) -> list[str]:
    """Copy scenarios, decisions and predictions; nothing of the target is replaced.

    A scenario whose name stands for another one there comes under a name of its own.

    Returns
    -------
    list of str
        What came under another name, in words.
    """
    notes = []
    for row in scenarios.listed(source):
        try:
            scenarios.save(target, row.name, scenarios.read(row))
        except Changed:
            name = scenarios.free_name(target, row.name)
            scenarios.save(target, name, scenarios.read(row))
            notes.append(f"'{row.name}' was there already: yours is now '{name}'.")
    for taken in decisions.listed(source):
        decisions.add(target, taken.text, taken.owner, taken.due, taken.page)
    for prediction in reversed(ledger.listed(source)):
        ledger.save(target, ledger.copy(prediction))
    return notes
