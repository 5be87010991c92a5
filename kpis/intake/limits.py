"""How much a file may ask of us before it is refused: bounds against bombs and mistakes."""

from __future__ import annotations

FILES = 5_000
"""Files in one upload, folders and archives expanded."""
FILE_BYTES = 4 << 30
"""Size of one file as it lies on disk."""
UNPACKED_BYTES = 2 << 30
"""What an archive or workbook may unpack to."""
UNPACKED_RATIO = 200
"""How many times its own size a packed file may unpack to, beyond the first 50 MB."""
UNPACKED_FREE = 50 << 20
CELL_BYTES = 4
"""What a cell of a Parquet file counts for at least, however well its rows are packed."""
COLUMNS = 1_000
"""Columns of one table."""
CELL = 1 << 20
"""Characters in one cell."""
LINE = 8 << 20
"""Bytes in one line."""
HEADER_WITHIN = 60
"""Records at the top of a file or block among which its header must be."""
CELLS = 50_000_000
"""Cells of one worksheet."""
WORKER_BYTES = 3 << 30
"""Memory for the process that opens a workbook."""
WORKER_SECONDS = 60
"""Processor time for it."""
