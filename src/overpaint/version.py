"""The version of this package: what recipes tell."""

__version__ = "0.1.0"
