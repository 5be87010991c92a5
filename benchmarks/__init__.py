"""What is measured, and the figures as measured (README.md)."""
