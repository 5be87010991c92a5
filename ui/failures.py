"""Whatever fails on a page: told in words where it happened, and one line in the log of the server."""

from __future__ import annotations

from streamlit.logger import get_logger
from streamlit.runtime.scriptrunner import get_script_run_ctx

from kpis import log
from kpis.errors import told
from ui.cards import problem


def watch() -> None:
    """Have every failure of this server logged as one line without values; before the first visitor."""
    get_logger(log.LOG.name)
    log.without_values(_where)


def say(error: Exception) -> bool:
    """Tell a person what failed, in place of Streamlit's own words; the log has it already."""
    said = told(error)
    said.is_noted = True
    problem(said)
    return True


def _where() -> dict[str, str]:
    """The page that is being run; none in a thread beside it."""
    context = get_script_run_ctx(suppress_warning=True)
    if context is None:
        return {}
    page = context.pages_manager.get_pages().get(context.page_script_hash, {})
    return {"page": f"/{page.get('url_pathname', '')}"}
