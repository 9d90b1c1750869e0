"""What is kept of a network: tensors and header, the trained model, the state of a training."""
