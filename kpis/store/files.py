"""The files of snapshots: a folder each, beside the database or in a bucket, there as a whole or not at all."""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from kpis.errors import StoreError

STILL_WRITING = timedelta(days=1)
"""A folder that nothing refers to may be on its way in for so long; after that its writer has died."""

_STAMP = "%Y%m%dT%H%M%S"
_OURS = re.compile(r"\.?(\d{8}T\d{6})-[0-9a-f]{8}")


def new_name(now: datetime) -> str:
    """A name that no other folder has, beginning with the moment it was made: ``20261122T120103-5f3a9c0e``."""
    return f"{now:{_STAMP}}-{secrets.token_hex(4)}"


@dataclass(frozen=True)
class Files:
    """Folders of files under one root, a local folder or any URL that fsspec knows (``s3://bucket/tandem``)."""

    root: str

    @cached_property
    def _there(self) -> tuple[Any, str]:
        """The file system and the root's path in it."""
        try:
            return url_to_fs(self.root)
        except (ImportError, ValueError) as error:
            raise StoreError(
                f"The snapshots' files cannot be reached ({error})", place=self.root.partition("://")[0],
                way_out="Install what fsspec needs for it, or name a folder",
            ) from None  # fmt: skip

    @property
    def _is_local(self) -> bool:
        return isinstance(self._there[0], LocalFileSystem)

    @contextmanager
    def adding(self, name: str) -> Iterator[Path]:
        """An empty local folder to write files into; when the block ends without an error they are there for good.

        Beside the database they are written under another name, flushed to the disk, and renamed. A bucket takes each
        file whole; nothing refers to the folder before all have arrived.
        """
        system, root = self._there
        with _told(self.root):
            if not self._is_local:
                with tempfile.TemporaryDirectory(prefix="tandem-") as scratch:
                    yield Path(scratch)
                    system.put(f"{scratch}/", f"{root}/{name}/", recursive=True)
                return
            part, whole = Path(root, f".{name}"), Path(root, name)
            part.mkdir(parents=True, mode=0o700)
            try:
                yield part
                for path in (*part.rglob("*"), part):
                    _flush(path)
                part.rename(whole)
                _flush(whole.parent)
            finally:
                if part.exists():
                    system.rm(str(part), recursive=True)

    @contextmanager
    def reading(self, name: str) -> Iterator[Path]:
        """A local folder that holds the files."""
        system, root = self._there
        with _told(self.root):
            if not system.exists(f"{root}/{name}"):
                raise StoreError(f"The files of the snapshot {name} are gone", place=self.root)
            if self._is_local:
                yield Path(root, name)
                return
            with tempfile.TemporaryDirectory(prefix="tandem-") as scratch:
                system.get(f"{root}/{name}/", f"{scratch}/", recursive=True)
                yield Path(scratch)

    def remove(self, name: str) -> None:
        """Delete a folder with its files; one that is not there is deleted already."""
        system, root = self._there
        with _told(self.root):
            if system.exists(f"{root}/{name}"):
                system.rm(f"{root}/{name}", recursive=True)

    def sweep(self, known: Collection[str], now: datetime, still_writing: timedelta = STILL_WRITING) -> list[str]:
        """Delete folders that nothing refers to, left behind by a process that died; give their names."""
        system, root = self._there
        with _told(self.root):
            if not system.exists(root):
                return []
            names = {Path(path).name for path in system.ls(root, detail=False)} - set(known)
        since = f"{now - still_writing:{_STAMP}}"
        orphans = sorted(name for name in names if (found := _OURS.fullmatch(name)) and found[1] <= since)
        for name in orphans:
            self.remove(name)
        return orphans


def _flush(path: Path) -> None:
    """Have the system write a file, or the names in a folder, to its disk; Windows does the latter by itself."""
    is_folder = path.is_dir()
    if is_folder and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY if is_folder else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _told(root: str) -> Iterator[None]:
    """Turn what the system says into an error that a person can act on."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"The snapshots' files cannot be used ({error.strerror or type(error).__name__})", place=root,
            way_out="Check that the folder is there, that it may be written to, and that its disk has room",
        ) from error  # fmt: skip
