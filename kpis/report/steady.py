"""Office files are zips that note when they were written; the same data should give the same bytes."""

from __future__ import annotations

import re
from datetime import date
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

EPOCH = (1980, 1, 1, 0, 0, 0)
_DATES = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*")


def steady(zipped: bytes, day: date) -> bytes:
    """The file, and the workbooks inside it, as if written at the beginning of that day."""
    buffer = BytesIO()
    with ZipFile(BytesIO(zipped)) as before, ZipFile(buffer, "w", ZIP_DEFLATED) as after:
        for entry in before.infolist():
            content = before.read(entry)
            if entry.filename.endswith(".xlsx"):
                content = steady(content, day)
            elif entry.filename == "docProps/core.xml":
                content = _DATES.sub(rb"\g<1>" + f"{day}T00:00:00Z".encode(), content)
            after.writestr(ZipInfo(entry.filename, EPOCH), content, ZIP_DEFLATED)
    return buffer.getvalue()
