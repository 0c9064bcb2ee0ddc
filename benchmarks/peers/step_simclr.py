"""Peer of SimCLR's training step."""

from peer import Unavailable
from train_step import ContrastiveStep


def open_peer(name, parameters, inputs, threads):
    if name != "torch":
        raise Unavailable(f"there is no peer '{name}' of SimCLR's step")
    return ContrastiveStep(parameters, inputs, threads, bias=False, output_norm=True)
