"""Stand-ins for data sets that nobody may pass on: their layouts, filled with toy faces."""
