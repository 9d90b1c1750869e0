"""A dataset on its way into a run: opened, split, made noisy, checked, previewed."""
