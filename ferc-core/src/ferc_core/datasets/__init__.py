"""Data sets that the core opens: toy faces, your own folder or table, FER+."""
