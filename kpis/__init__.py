"""Tandem's numbers: everything that is computed, and nothing that is drawn by Streamlit."""

__version__ = "0.1.0"
