"""What the session has read, and reading it again: with a correction, with other settings, as it was before.

The bytes of an upload stay in the session's memory, and on no disk unless somebody keeps them, for as long as the
session works on them: a correction may come at any time, and a file cannot be read again without them. They go with the
next upload, with the way back to the demo company, and with the session. What could not be used is kept beside it until
it is corrected, left or replaced.

A reading runs beside the page. Until it is over, and when it is stopped, the session shows what it showed before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

import streamlit as st

from kpis.errors import StoreError, TandemError, told
from kpis.intake import FileReport, Intake, Stopped, Watch, check, extend, read
from kpis.intake.sources import Upload
from kpis.report import pack
from kpis.report.pack import Kept
from kpis.settings import Connection, Settings
from kpis.store import workspace
from ui import levers, room, state, workspaces
from ui.running import Running

Files = Sequence[Upload | Path | str]
NOW, FAILED, NEXT, RUNNING = "reading", "reading failed", "reading next", "reading running"


@dataclass(frozen=True)
class Reading:
    """Files, how they were read, and what became of them.

    Parameters
    ----------
    intake
        What was read; None where it could not be used, and then ``error`` says why.
    before
        The reading of the same files that this one corrects, without its dataset: to go back is to read again.
    """

    files: Files
    settings: Settings
    reports: tuple[FileReport, ...]
    intake: Intake | None
    error: TandemError | None = None
    before: Reading | None = None

    @property
    def changes(self) -> int:
        """How many changes lie between the first reading of these files and this one."""
        return self.before.changes + 1 if self.before else 0


def now() -> Reading:
    """What the pages of data are about: the last files that were given, also where they could not be used yet."""
    if FAILED in st.session_state:
        return st.session_state[FAILED]
    return shown()


def shown() -> Reading:
    """The reading that every page shows."""
    if not state.is_demo():
        return st.session_state[NOW]
    found = state.intake()
    return Reading(state.demo_files(), found.dataset.settings, found.files, found)


def names() -> list[str]:
    """What the files are called that every page shows, for somebody who has them beside a notebook."""
    if state.is_demo():
        return [state.SAMPLE.name]
    return [file if isinstance(file, str) else file[0] for file in shown().files]


def kept() -> Callable[[], Kept | None]:
    """Finds, in any thread, where the data that every page shows are kept; the store is asked when it is called.

    With masked names a part is kept nowhere: its place says whose rows they are.
    """
    name, data = workspaces.entered(), state.intake().dataset
    if name is None or (data.part and state.names_masked()):
        return lambda: None
    store, person = workspaces.lasting(), workspaces.person()

    def find() -> Kept | None:
        with suppress(StoreError):
            return pack.kept(workspace.find(store, name, person), data)
        return None

    return find


def begin(files: Sequence[Upload]) -> None:
    """Read new files; a settings file among them applies, and alone it applies to what is there.

    Without one, files that come together with one of before keep its settings: somebody added a file. Others are
    read with the settings of the workspace.
    """
    data = [file for file in files if not _is_settings(file)]
    if data and not _fits(data):
        return
    current = now()
    added = {file[0] for file in data} & {file[0] for file in current.files if isinstance(file, tuple)}
    given = [file for file in files if _is_settings(file)]
    settings = current.settings
    try:
        if given:
            name, content = given[-1]
            settings = Settings.parse(content, name)
        elif not added:
            settings = workspaces.settings()
    except TandemError as error:
        st.session_state[NEXT] = Reading(data, settings, (), None, error)
        return
    if data:
        _start(Reading(data, settings, (), None))
    else:
        again(current, settings)


def connect(url: str, connection: Connection) -> None:
    """Read tables of a database; the definitions of the workspace hold."""
    if not _fits([url]):
        return
    try:
        settings = workspaces.settings().revised(connection=connection)
    except TandemError as error:
        st.session_state[NEXT] = Reading([url], now().settings, (), None, error)
    else:
        _start(Reading([url], settings, (), None))


def goes_on() -> bool:
    """Whether a later export can be added to what every page shows: to somebody's own deals, whose files are there."""
    current = shown()
    return not state.is_demo() and bool(current.files) and state.intake().dataset.has("opportunities")


def go_on(files: Sequence[Upload]) -> None:
    """Add a later export to the data that every page shows; those are not read again.

    With a settings file among them everything is read again, since it holds for the former files as well.
    """
    current = shown()
    data = [file for file in files if not _is_settings(file)]
    added = replace(current, files=(*current.files, *data), before=None)
    given = [file for file in files if _is_settings(file)]
    if not _fits(added.files):
        return
    if not given:
        _start(added, data)
        return
    try:
        _start(replace(added, settings=Settings.parse(given[-1][1], given[-1][0])))
    except TandemError as error:
        st.session_state[NEXT] = replace(added, intake=None, error=error)


def again(reading: Reading, settings: Settings) -> None:
    """Read the same files once more with other settings."""
    _start(replace(reading, settings=settings, before=replace(reading, intake=None)))


def undo(reading: Reading) -> None:
    """Read the files as they were read before the last change."""
    if reading.before:
        _start(replace(reading, settings=reading.before.settings, before=reading.before.before))


def reopen(found: Intake, files: Sequence[Upload]) -> None:
    """Show data that were kept, as they were read then."""
    room.take(files)
    _drop()
    levers.reset()
    st.session_state[NEXT] = Reading(files, found.dataset.settings, found.files, found)


def come_back(found: Intake, files: Sequence[Upload]) -> None:
    """Show data that were kept, before anything of other data is drawn."""
    room.take(files)
    _drop()
    levers.reset()
    st.session_state[NOW] = Reading(files, found.dataset.settings, found.files, found)
    state.use(found)


def leave() -> None:
    """Forget files that could not be used (a callback)."""
    st.session_state.pop(FAILED, None)


def back_to_demo() -> None:
    """Show the demo company again (a callback)."""
    _drop()
    levers.reset()
    room.leave()
    workspaces.leave()
    st.session_state[NEXT] = None


def forget() -> None:
    """Show the demo company again, before anything of other data is drawn; nothing of what was read stays."""
    levers.reset()
    room.leave()
    for key in (NOW, FAILED, NEXT, RUNNING):
        st.session_state.pop(key, None)
    state.use(None)


def show_next() -> None:
    """Show what was read, or why it cannot be used; after the levers, which the run before the change puts back.

    A lever in the address was set for the data before. It leaves the address only as the lever is drawn on its
    default once more, and would otherwise be taken for a value of the new data.
    """
    if NEXT not in st.session_state:
        return
    reading: Reading | None = st.session_state.pop(NEXT)
    if reading and reading.error:
        st.session_state[FAILED] = reading
    else:
        st.session_state.pop(FAILED, None)
        st.session_state[NOW] = reading
        state.use(reading.intake if reading else None)
    st.rerun()


def _fits(files: Files) -> bool:
    """Whether there is room for these files in place of those of before; else why not is said, and they are let go."""
    try:
        room.take(files)
    except TandemError as error:
        st.session_state[NEXT] = Reading((), shown().settings, (), None, error)
        return False
    return True


def _is_settings(file: Upload) -> bool:
    return file[0].lower().endswith(".toml")


def _start(wanted: Reading, new: Files | None = None) -> None:
    """Read files beside the page, in place of a reading that is under way; the next run shows how far it is.

    Parameters
    ----------
    wanted
        The files and settings, and where the way back leads.
    new
        Those of the files that are added to what was read of the others; all are read where none is named.
    """
    st.session_state[RUNNING] = Running(lambda watch: _read(wanted, new, watch))
    st.rerun()


def _drop() -> None:
    """Stop a reading that is under way: other data are wanted now."""
    st.session_state.pop(RUNNING, None)


def take() -> None:
    """What came of the reading; before the levers are drawn, which go back to the estimates of the new data."""
    running: Running[Reading] = st.session_state.pop(RUNNING)
    try:
        found = running.result()
    except Stopped:
        room.take(shown().files)
        workspaces.say("Reading was stopped. The former data are as they were.")
        st.rerun()
    st.session_state[NEXT] = found
    if not found.error:
        levers.reset()
        workspaces.agree(found.settings)


def _read(wanted: Reading, new: Files | None, watch: Watch) -> Reading:
    """Read files; what cannot be used keeps the reason. It runs in a thread that knows no session."""
    files, settings = wanted.files, wanted.settings
    try:
        if new is None:
            found = read(files, settings=settings, progress=watch)
        else:
            found = extend(wanted.intake, new, progress=watch)
        found = replace(found, dataset=replace(found.dataset, name=_name(found, files)))
        return replace(wanted, reports=found.files, intake=found, error=None)
    except Exception as error:  # noqa: BLE001  whatever breaks, the session shows what it showed before, and says why
        reports = _told(files, settings, watch)
        watch.check()
        return replace(wanted, reports=reports, intake=None, error=told(error).with_traceback(None))


def _told(files: Files, settings: Settings, watch: Watch) -> tuple[FileReport, ...]:
    """What became of each file although they make no dataset together; nothing where the settings are at fault."""
    try:
        return tuple(check(files, settings=settings, progress=watch)[0])
    except (TandemError, OSError):
        return ()


def _name(found: Intake, files: Files) -> str:
    """The demo company's name, a database's own, else the file with the opportunities and how many came with it."""
    if isinstance(files[0], Path):
        return state.DEMO
    if isinstance(files[0], str):
        return found.dataset.name
    main = next((report.file for report in found.files if report.table == "opportunities"), found.files[0].file)
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return f"{PurePath(main).stem}{more}"
