"""Synthetic problems of the field."""

from skbayes.datasets._spectrograms import make_spectrograms

__all__ = ["make_spectrograms"]
