"""What is kept between sessions: workspaces with snapshots of data, settings, scenarios, decisions and predictions."""

from kpis.store.place import IN_MEMORY, Place, place
from kpis.store.store import Store
from kpis.store.workspace import LOCAL, OPERATOR, Workspace

__all__ = ["IN_MEMORY", "LOCAL", "OPERATOR", "Place", "Store", "Workspace", "place"]
