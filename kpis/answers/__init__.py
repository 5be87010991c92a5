"""Answers: one question of the meeting each, rendered alike by page, report and command."""
