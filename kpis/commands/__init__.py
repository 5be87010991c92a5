"""The headless commands, a module a family; each prints an answer that a page shows too."""
