"""Files of networks: tensors with a header, the trained model, the state of a training."""
