"""Soft labels: visibility, the valence-arousal mixture, label schemes (paper, eqs 5-11)."""
