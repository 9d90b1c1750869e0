"""RAF-DB: basic and compound expressions, RAF-ML, and the mixture of six classes of the paper."""

from ferc_core.datasets.rafdb.loader import open_rafdb

__all__ = ["open_rafdb"]
