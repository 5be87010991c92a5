"""What the session has read, and reading it again: with a correction, with other settings, as it was before.

The bytes of an upload stay in the session's memory, and on no disk unless somebody keeps them, for as long as the
session works on them: a correction may come at any time, and a file cannot be read again without them. They go with the
next upload, with the way back to the demo company, and with the session. What could not be used is kept beside it until
it is corrected, left or replaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

import streamlit as st

from kpis.errors import TandemError
from kpis.intake import FileReport, Intake, check, read
from kpis.intake.sources import Upload
from kpis.settings import Settings
from ui import levers, state, workspaces
from ui.cards import plain, problem

Files = Sequence[Upload | Path]
NOW, FAILED, NEXT = "reading", "reading failed", "reading next"


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
    return [file.name if isinstance(file, Path) else file[0] for file in shown().files]


def begin(files: Sequence[Upload]) -> None:
    """Read new files; a settings file among them applies, and alone it applies to what is there.

    Without one, files that come together with one of before keep its settings: somebody added a file. Others are
    read with the settings of the workspace.
    """
    data = [file for file in files if not _is_settings(file)]
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
        _read(data, settings, None)
    else:
        again(current, settings)


def again(reading: Reading, settings: Settings) -> None:
    """Read the same files once more with other settings."""
    _read(reading.files, settings, replace(reading, intake=None))


def undo(reading: Reading) -> None:
    """Read the files as they were read before the last change."""
    if reading.before:
        _read(reading.files, reading.before.settings, reading.before.before)


def reopen(found: Intake, files: Sequence[Upload]) -> None:
    """Show data that were kept, as they were read then."""
    levers.reset()
    st.session_state[NEXT] = Reading(files, found.dataset.settings, found.files, found)


def come_back(found: Intake, files: Sequence[Upload]) -> None:
    """Show data that were kept, before anything of other data is drawn."""
    levers.reset()
    st.session_state[NOW] = Reading(files, found.dataset.settings, found.files, found)
    state.use(found)


def leave() -> None:
    """Forget files that could not be used (a callback)."""
    st.session_state.pop(FAILED, None)


def back_to_demo() -> None:
    """Show the demo company again (a callback)."""
    levers.reset()
    workspaces.leave()
    st.session_state[NEXT] = None


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


def tell() -> None:
    """Say why the last files cannot be used, and who else changed the settings, with the ways on."""
    reading = now()
    _tell_clash(reading)
    if reading.error:
        problem(reading.error)
        st.button("Leave these files", on_click=leave, icon=":material/close:", key="leave")


def _tell_clash(reading: Reading) -> None:
    """Ask whose settings hold where somebody else saved others meanwhile."""
    with workspaces.told():
        clash = workspaces.settings_clash()
        if clash is None:
            return
        what, mine, theirs = clash
        with st.container(border=True, key="settings_clash"):
            st.markdown(f":material/warning: {plain(what)}. Yours hold in this session only.")
            with st.container(horizontal=True):
                if st.button("Take theirs", icon=":material/download:", key="settings_theirs"):
                    workspaces.settle_clash(theirs)
                    again(reading, theirs)
                st.button(
                    "Save mine in their place", on_click=workspaces.settle_clash, args=(mine,), key="settings_mine",
                    icon=":material/upload:",
                )  # fmt: skip


def ask_dates() -> None:
    """Ask for the order of day and month where the files do not tell, and read them again with the answer."""
    reading = now()
    asked = [question.partition("; set dates")[0] for file in reading.reports for question in file.questions]
    if not asked:
        return
    with st.container(border=True, key="ask_dates"):
        st.subheader("Which comes first in these dates, the day or the month?", anchor=False)
        st.markdown("\n".join(f"* {plain(question)}" for question in asked))
        with st.container(horizontal=True):
            for order, example in (("day-first", "3/4 is 3 April"), ("month-first", "3/4 is March 4")):
                if st.button(f"{order.capitalize()}: {example}", key=order):
                    again(reading, reading.settings.revised(dates=order))


def offer_settings() -> None:
    """The settings in force as a file, which does the same next time."""
    settings = now().settings
    st.download_button(
        "Settings file", settings.as_toml, "tandem.toml", "application/toml", key="settings", on_click="ignore",
        icon=":material/download:", disabled=not settings.model_fields_set,
        help="Load it together with your next export: what you set here applies by itself.",
    )  # fmt: skip


def _is_settings(file: Upload) -> bool:
    return file[0].lower().endswith(".toml")


def _read(files: Files, settings: Settings, before: Reading | None) -> None:
    """Read files with their progress; what the session showed before stays when they cannot be used."""
    bar = st.progress(0.0, "Reading")
    try:
        found = read(files, settings=settings, progress=lambda share, text: bar.progress(min(share, 1.0), text))
    except TandemError as error:
        st.session_state[NEXT] = Reading(files, settings, _told(files, settings), None, error, before)
    else:
        name = state.DEMO if isinstance(files[0], Path) else _name(found, len(files))
        found = replace(found, dataset=replace(found.dataset, name=name))
        st.session_state[NEXT] = Reading(files, settings, found.files, found, before=before)
        levers.reset()
        workspaces.agree(settings)
    finally:
        bar.empty()


def _told(files: Files, settings: Settings) -> tuple[FileReport, ...]:
    """What became of each file although they make no dataset together; nothing where the settings are at fault."""
    try:
        return tuple(check(files, settings=settings)[0])
    except TandemError:
        return ()


def _name(found: Intake, n: int) -> str:
    """The file that holds the opportunities, and how many came with it."""
    main = next((report.file for report in found.files if report.table == "opportunities"), found.files[0].file)
    more = f" and {n - 1} more" if n > 1 else ""
    return f"{PurePath(main).stem}{more}"
