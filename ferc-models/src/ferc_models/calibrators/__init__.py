"""Post-hoc calibrators: fitted on validation logits, applied to those of the scored split."""
