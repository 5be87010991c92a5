"""Keeping by AppTest: session only by default, a workspace that comes back, two windows on one scenario, predictions."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from kpis.store import LOCAL, Store, agreement, ledger, place, scenarios, snapshots
from kpis.store.workspace import find, names
from tests.test_data_pages import upload
from ui.upload import TEMPLATE
from ui.workspaces import SESSION

LOAD, WHAT_IF, TRACK, PIPELINE = (
    "pages/data/load.py", "pages/meeting/what_if.py", "pages/meeting/track_record.py", "pages/meeting/pipeline.py",
)  # fmt: skip
FIRST_RUN = 120


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty place to keep things."""
    monkeypatch.setenv("TANDEM_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def start(root, path=LOAD, **query):
    """A session of its own, on a page."""
    app = AppTest.from_file(str(root / "app.py"), default_timeout=60)
    for key, value in query.items():
        app.query_params[key] = str(value)
    if path:
        app.switch_page(path)
    app.run(timeout=FIRST_RUN)
    assert not app.exception
    return app


def keep(app, name="Plan"):
    next(box for box in app.text_input if box.label == "Workspace").set_value(name)
    next(button for button in app.button if button.label == "Keep this data").click().run(timeout=FIRST_RUN)
    assert not app.exception
    return app


def kept(folder, name="Plan"):
    """The workspace, as another process finds it."""
    return find(Store.open(place(str(folder))), name, LOCAL)


def told(app):
    return "\n".join(text.value for text in app.markdown).replace("\\", "")


def save(app, name):
    app.text_input(key="scenario_name").set_value(name)
    next(b for b in app.button if b.label == "Save").click().run()
    assert not app.exception


# Session only, unless somebody says so


def test_by_default_nothing_is_kept_and_the_page_says_so(root, folder):
    app = start(root)
    assert "In this session only: nothing is kept" in told(app)
    assert "**No.**" in told(app)
    upload(app, ("deals.csv", TEMPLATE))
    app.switch_page(WHAT_IF).run()
    assert "In this session only: nothing is kept" in told(app)
    assert not folder.exists()
    with pytest.raises(KeyError):
        app.selectbox(key="workspace")


def test_data_that_are_kept_come_back_with_everything_else(root, folder):
    app = start(root, WHAT_IF, slippage=70)
    save(app, "Slow")  # still in the session
    app.switch_page(LOAD).run()
    upload(app, ("mine.csv", TEMPLATE))
    keep(app)
    assert "Kept in Plan" in told(app)
    assert app.selectbox(key="workspace").value == "Plan"
    assert "1 scenario, 0 decisions, 0 saved forecasts" in told(app)  # it came along
    [row] = snapshots.listed(kept(folder))
    assert (row.name, row.rows) == ("mine", 3)
    # Another visit: the link, or the choice in the sidebar.
    by_link = start(root, None, workspace="Plan")
    by_choice = start(root, None)
    assert "Kept in Plan" not in told(by_choice)
    by_choice.selectbox(key="workspace").set_value("Plan").run(timeout=FIRST_RUN)
    for other in (by_link, by_choice):
        assert not other.exception
        assert "Kept in Plan" in told(other)
        other.switch_page(WHAT_IF).run(timeout=FIRST_RUN)
        other.switch_page(LOAD).run(timeout=FIRST_RUN)
        assert other.header[0].value.startswith("mine")
    assert [row.name for row in scenarios.listed(kept(folder))] == ["Slow"]


def test_other_data_in_a_workspace_are_not_kept_until_somebody_says_so(root, folder):
    app = keep(start(root))
    upload(app, ("mine.csv", TEMPLATE))
    assert "These data are not kept" in told(app)
    assert "**Not these.**" in told(app)
    keep(app)
    assert "Kept in Plan" in told(app)
    newest, oldest = snapshots.listed(kept(folder))
    assert {newest.name, oldest.name} == {"mine", "Demo company"}
    # The other one can be opened, and is then what is shown.
    demo = next(row for row in (newest, oldest) if row.name == "Demo company")
    app.button(key=f"open_{demo.id}").click().run(timeout=FIRST_RUN)
    assert app.header[0].value.startswith("Demo company")
    assert app.button(key=f"open_{demo.id}").disabled


def test_deleting_deletes(root, folder):
    app = keep(start(root))
    [row] = snapshots.listed(kept(folder))
    app.button(key=f"delete {row.id}").click().run()
    assert snapshots.listed(kept(folder)) == []
    assert list((folder / "snapshots").iterdir()) == []
    assert "These data are not kept" in told(app)
    app.button(key="delete workspace").click().run()
    assert not app.exception
    assert names(Store.open(place(str(folder))), LOCAL) == []
    assert "In this session only: nothing is kept" in told(app)


def test_a_workspace_needs_a_name(root, folder):
    app = keep(start(root), "  ")
    assert "needs a name" in app.error[0].value
    assert "In this session only: nothing is kept" in told(app)


def test_leaving_keeps_to_the_session(root, folder):
    app = keep(start(root))
    app.selectbox(key="workspace").set_value(SESSION).run()
    assert "In this session only" in told(app)
    app.switch_page(WHAT_IF).run()
    save(app, "Mine alone")
    assert scenarios.listed(kept(folder)) == []


def test_a_workspace_that_somebody_deleted_is_left(root, folder):
    from kpis.store.workspace import remove

    app = keep(start(root))
    remove(kept(folder))
    app.switch_page(WHAT_IF).run()
    assert not app.exception
    assert any("no workspace 'Plan'" in error.value.replace("\\", "") for error in app.error) or "session only" in told(
        app
    )
    app.run()
    assert "In this session only" in told(app)


# Two windows


@pytest.fixture
def windows(root, folder):
    """Two sessions in one workspace with the scenario Plan A on the sliders of both."""
    first = keep(start(root))
    first.switch_page(WHAT_IF).run()
    first.slider(key="slippage").set_value(70).run()
    save(first, "Plan A")
    second = start(root, WHAT_IF, workspace="Plan")
    for app in (first, second):
        app.button(key="scenario_show_0").click().run()
        assert "edited" not in told(app)
    first.slider(key="new_opportunities").set_value(100).run()
    second.slider(key="sales_cycle").set_value(120).run()
    assert "edited, not saved" in told(first)
    first.button(key="scenario_save_0").click().run()
    return first, second


def saved(folder):
    return {row.name: set(scenarios.read(row).changed()) for row in scenarios.listed(kept(folder))}


FIRST, SECOND = {"slippage", "new_opportunities"}, {"slippage", "sales_cycle"}


def test_the_second_save_is_told_and_can_merge(windows, folder):
    _, second = windows
    second.button(key="scenario_save_0").click().run()
    assert "a later save of the scenario 'Plan A'" in told(second)
    assert saved(folder) == {"Plan A": FIRST}
    second.button(key="clash_merge_mine").click().run()
    assert saved(folder) == {"Plan A": FIRST | SECOND}
    assert (second.slider(key="sales_cycle").value, second.slider(key="new_opportunities").value) == (120, 100)
    assert "a later save" not in told(second)
    assert "edited" not in told(second)


def test_the_second_save_can_fork_or_take_theirs(windows, folder):
    first, second = windows
    second.button(key="scenario_save_0").click().run()
    second.button(key="clash_fork").click().run()
    assert saved(folder) == {"Plan A": FIRST, "Plan A (2)": SECOND}
    # The first window goes on with its own, and the second takes it over.
    first.slider(key="new_opportunities").set_value(110).run()
    first.button(key="scenario_save_0").click().run()
    save(second, "Plan A")
    assert "have not opened it" in told(second)
    second.button(key="clash_theirs").click().run()
    assert second.slider(key="new_opportunities").value == 110
    assert saved(folder) == {"Plan A": FIRST, "Plan A (2)": SECOND}


def test_a_lever_that_both_changed_is_listed(windows, folder):
    _, second = windows
    second.slider(key="new_opportunities").set_value(50).run()
    second.button(key="scenario_save_0").click().run()
    assert "New opportunities: mine 50 a month, theirs 100 a month" in told(second)
    second.button(key="clash_merge_theirs").click().run()
    assert second.slider(key="new_opportunities").value == 100
    assert second.slider(key="sales_cycle").value == 120
    assert saved(folder) == {"Plan A": FIRST | SECOND}


def test_settings_that_two_people_changed_are_asked_about(root, folder):
    euro, yen = "confidence = 0.85\n", "confidence = 0.95\n"
    first = keep(start(root))
    upload(first, ("mine.csv", TEMPLATE), ("tandem.toml", euro))
    second = start(root, workspace="Plan")
    upload(first, ("tandem.toml", yen))
    assert agreement.agreed(kept(folder))[0].confidence == 0.95
    upload(second, ("mine.csv", TEMPLATE), ("tandem.toml", "confidence = 0.7\n"))
    assert "Yours hold in this session only" in told(second)
    assert agreement.agreed(kept(folder))[0].confidence == 0.95
    second.button(key="settings_mine").click().run()
    assert agreement.agreed(kept(folder))[0].confidence == 0.7
    assert "Yours hold" not in told(second)
    # The next export is read with what was agreed.
    third = start(root, workspace="Plan")
    upload(third, ("mine.csv", TEMPLATE))
    assert "confidence = 0.7" in agreement.agreed(kept(folder))[0].as_toml()


# The ledger


def test_a_saved_forecast_is_judged_by_later_data(root, folder):
    app = keep(start(root))
    app.switch_page(PIPELINE).run()
    app.date_input(key="as_of").set_value("2026-01-20").run(timeout=FIRST_RUN)
    app.button(key="predict").click().run()
    assert app.button(key="predict").disabled
    [made] = ledger.listed(kept(folder))
    assert (made.made_on.isoformat(), made.levers) == ("2026-01-20", 0)
    # Another visit, on the newest day of the data.
    later = start(root, TRACK, workspace="Plan")
    said = told(later)
    assert "1 forecast saved, the latest as of 20 Jan 2026" in said
    headers = [header.value.replace("\\", "") for header in later.header]
    assert any("1 forecast saved, by period: 3 on track" in header for header in headers)
    table = next(frame.value for frame in later.dataframe if "status" in frame.value)
    assert list(table["phase"]) == ["over", "over", "running"]
    later.selectbox(key="forget_which")
    later.button(key="forget_it").click().run()
    assert ledger.listed(kept(folder)) == []
    assert any("No forecast is saved yet" in header.value for header in later.header)


def test_the_ledger_works_in_a_session_too(root, folder):
    app = start(root, TRACK)
    assert any("No forecast is saved yet" in header.value for header in app.header)
    app.button(key="predict").click().run()
    assert any("1 forecast saved" in header.value for header in app.header)
    assert not folder.exists()
