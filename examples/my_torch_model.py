"""A torch model of your own, trained by your own script, evaluated as it is.

    python examples/my_torch_model.py        trains a small network and writes my_net.pth
    ferc run --plugin examples/my_torch_model.py --method my-net

The script stands for whatever you train with. FER-C needs two things from it: a function that
builds the network, and a file with its state_dict.
"""

import numpy as np

from ferc_core import hookimpl
from ferc_models.ready import ready_made

WEIGHTS = "my_net.pth"
SIDE = 16  # the network averages the images to SIDE x SIDE pixels, whatever their size


def build(num_classes):
    """Return the network, untrained; torch is imported here, so that listing plugins stays fast."""
    from torch import nn

    return nn.Sequential(
        nn.AdaptiveAvgPool2d(SIDE), nn.Flatten(), nn.Linear(3 * SIDE**2, num_classes)
    )


@hookimpl
def register_methods(register):
    register(ready_made("my-net", build, WEIGHTS, normalise="half", summary="My own network."))


def train():
    """Train on toy faces and write the weights."""
    import torch

    from ferc_core import open_dataset

    faces = open_dataset("toyfaces", train=400, size=32)
    images = np.stack([face.image for face in faces.splits["train"]])
    pixels = torch.tensor(images).permute(0, 3, 1, 2) / 127.5 - 1  # normalise="half"
    labels = torch.tensor(faces.splits["train"].labels)
    torch.manual_seed(0)
    network = build(len(faces.classes))
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.003, weight_decay=0.1)
    for _ in range(100):
        loss = torch.nn.functional.cross_entropy(network(pixels), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.save(network.state_dict(), WEIGHTS)
    print(f"wrote {WEIGHTS}; the training loss is {loss.item():.2f}")


if __name__ == "__main__":
    train()
