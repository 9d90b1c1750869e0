"""The benchmark itself; start reading at `pipeline`."""
