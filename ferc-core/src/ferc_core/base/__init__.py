"""Tools without a subject of their own: calls, files, progress, parallel work, seeds, text."""
