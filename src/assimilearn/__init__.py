"""Data assimilation and machine learning studies on chaotic geophysical models."""

__version__ = "0.1.0"
