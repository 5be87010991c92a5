"""Files, folders, uploads and archives become a flat list of sources with safe paths and hashes."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from kpis.errors import InputError
from kpis.intake import databases, limits
from kpis.intake.watch import Watch
from kpis.settings import Connection

Upload = tuple[str, bytes]
"""A file that came through the browser: its name and its bytes."""


DOCUMENTS = frozenset(
    (".md", ".rst", ".pdf", ".doc", ".docx", ".ppt", ".pptx", ".html", ".htm", ".json", ".toml", ".py")
)
"""Endings of files that lie beside data and are none."""
DOCUMENT = "document"
"""What such a file is."""


@dataclass(frozen=True)
class Source:
    """One file to read.

    Parameters
    ----------
    name
        What the person calls it; a member of an archive is ``archive.zip › member.csv``.
    group
        The folder it came from: files of one folder belong together.
    path
        Where its bytes are, under a name of our own (no wildcard, no path of the client's choosing).
    kind
        What it is, where its bytes do not tell.
    refused
        Why it is not read at all; empty when it is.
    """

    name: str
    group: str
    path: Path
    kind: str = ""
    refused: str = ""

    @property
    def stem(self) -> str:
        """The file's own name without folder, archive and ending."""
        return PurePosixPath(self.name.split(" › ")[-1].replace("\\", "/")).stem


def gather(
    files: Iterable[str | Path | Upload],
    scratch: Path,
    connection: Connection | None = None,
    watch: Watch | None = None,
) -> list[Source]:
    """Every file in ``files``, folders (without hidden entries) and zip archives expanded, in order of name.

    Raises InputError for a path that does not exist, for a database that cannot be reached, and for more than
    the allowed number of files. ``connection`` names the tables of a database that are read, and ``watch`` follows that.
    """
    sources: list[Source] = []
    for entry in files:
        for source in _expand(entry, scratch, sources, connection or Connection(), watch or Watch()):
            sources.append(source)
            if len(sources) > limits.FILES:
                raise InputError(
                    f"There are more than {limits.FILES:,} files",
                    place=entry[0] if isinstance(entry, tuple) else databases.shown(str(entry)),
                    way_out="Pass the files that matter",
                )
    return _named_apart(sources)


def _named_apart(sources: list[Source]) -> list[Source]:
    """Names with the folder in front, where the files come from several folders."""
    groups = {s.group for s in sources if s.group}
    if len(groups) < 2:
        return sources
    whole = {g: Path(g).absolute() for g in groups}
    common = os.path.commonpath(list(whole.values()))
    folders = {g: os.path.relpath(path, common) for g, path in whole.items()}
    return [
        replace(s, name=s.name if folders.get(s.group, ".") == "." else f"{folders[s.group]}/{s.name}") for s in sources
    ]


def _expand(
    entry: str | Path | Upload, scratch: Path, earlier: Sequence[Source], connection: Connection, watch: Watch
) -> Iterator[Source]:
    if isinstance(entry, tuple):
        name, data = entry
        path = scratch / f"f{len(earlier)}"
        path.write_bytes(data)
        yield from _unpack(_printable(PurePosixPath(name.replace("\\", "/")).name), "", path, scratch)
        return
    scheme, _, rest = str(entry).partition("://")
    if rest and scheme.partition("+")[0] not in databases.SCHEMES:
        raise InputError(
            f"{scheme}:// is no source that is read from",
            place=databases.shown(str(entry)),
            way_out=f"Give files, folders, or the address of a database: {', '.join(f'{s}://' for s in databases.SCHEMES)}",
        )
    if rest and scheme != "duckdb":
        shown = databases.shown(str(entry))
        yield from (_rows(shown, shown, found) for found in databases.fetch(str(entry), scratch, connection, watch))
        return
    path = Path(rest or entry)
    if not path.exists():
        raise InputError("There is no such file or folder", place=str(entry), way_out="Check the path")
    found = sorted(_walk(path)) if path.is_dir() else [path]
    for number, file in enumerate(found):
        if databases.is_database(file):
            yield from _tables(file, scratch)
            continue
        link = scratch / f"f{len(earlier)}_{number}"
        _stand_in(file, link)
        yield from _unpack(_printable(file.name), str(file.parent), link, scratch)


def _tables(file: Path, scratch: Path) -> Iterator[Source]:
    """The tables of a database, a source each."""
    try:
        yield from (_rows(file.name, str(file.parent), found) for found in databases.tables(file, scratch))
    except InputError as error:
        yield Source(_printable(file.name), str(file.parent), file, refused=str(error))


def _rows(database: str, group: str, found: databases.Rows) -> Source:
    return Source(f"{_printable(database)} › {_printable(found.name)}", group, found.path, "database table")


def _stand_in(file: Path, link: Path) -> None:
    """A name of our own for a file; a copy where the system allows no links."""
    try:
        link.symlink_to(file.resolve())
    except OSError:
        shutil.copyfile(file, link)


def _walk(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        yield from (
            Path(root) / f
            for f in files
            if not f.startswith(".") and not f.startswith("~$") and Path(root, f).is_file()
        )


def _unpack(name: str, group: str, path: Path, scratch: Path) -> Iterator[Source]:
    """The file itself, or the members of a zip archive (a workbook is a file, not an archive)."""
    size = path.stat().st_size
    if PurePosixPath(name).suffix.lower() in DOCUMENTS:
        yield Source(name, group, path, DOCUMENT, refused="a document to be read by people, not a table")
        return
    if size > limits.FILE_BYTES:
        yield Source(
            name,
            group,
            path,
            refused=f"the file has {size / 2**30:.1f} GB; at most {limits.FILE_BYTES >> 30} GB are read",
        )
        return
    if not zipfile.is_zipfile(path) or _head(path) != b"PK":
        yield Source(name, group, path)
        return
    with zipfile.ZipFile(path) as archive:
        members = [m for m in archive.infolist() if not m.is_dir()]
        problem = packed_too_tight(members, size)
        if problem:
            yield Source(name, group, path, refused=problem)
        elif any(m.filename in ("[Content_Types].xml", "mimetype") for m in members):
            yield Source(name, group, path)
        else:
            for number, member in enumerate(members):
                inner = PurePosixPath(member.filename.replace("\\", "/")).name
                if inner.startswith(".") or "__MACOSX" in member.filename:
                    continue
                target = scratch / f"{path.name}_m{number}"
                problem = _extract(archive, member, target)
                yield Source(f"{name} › {_printable(inner)}", group, target, refused=problem)


def packed_too_tight(members: Sequence[zipfile.ZipInfo], size: int) -> str:
    """Why an archive of ``size`` bytes is not unpacked; empty when it may be."""
    if len(members) > limits.FILES:
        return f"the archive holds {len(members):,} files; at most {limits.FILES:,} are read"
    return too_tight(sum(m.file_size for m in members), size)


def too_tight(unpacked: int, size: int) -> str:
    """Why ``size`` bytes that hold ``unpacked`` are not unpacked; empty when they may be."""
    if unpacked > limits.UNPACKED_BYTES or unpacked > max(limits.UNPACKED_FREE, limits.UNPACKED_RATIO * size):
        return f"{size:,} bytes would unpack to {unpacked:,}: more than a real export does, so it is not unpacked"
    return ""


def _extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> str:
    """Unpack one member, trusting its bytes and not its declared size; the reason when that fails."""
    if member.flag_bits & 1:
        target.touch()
        return "it is protected by a password; unpack it and load the file itself"
    try:
        left = member.file_size
        with archive.open(member) as packed, target.open("wb") as out:
            while chunk := packed.read(1 << 20):
                left -= len(chunk)
                if left < 0:
                    return "it unpacks to more than the archive declares"
                out.write(chunk)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError, RuntimeError) as error:
        target.touch()
        return f"the archive is damaged here ({error})"
    return (
        "it is an archive inside an archive; unpack it first"
        if _head(target) == b"PK" and target.suffix == "" and _is_plain_zip(target)
        else ""
    )


def _is_plain_zip(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return not any(m in ("[Content_Types].xml", "mimetype") for m in archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return False


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(2)


def _printable(name: str) -> str:
    return "".join(c if c.isprintable() else "�" for c in name)[:200] or "unnamed"
