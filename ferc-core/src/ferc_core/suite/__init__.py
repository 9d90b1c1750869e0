"""The corrupted images: cells, how they are made, how a build stores them, the contact sheet."""
