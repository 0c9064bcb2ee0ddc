"""Peer of CVRL's training step."""

from peer import Unavailable
from train_step import ContrastiveStep


def open_peer(name, parameters, inputs, threads):
    if name != "torch":
        raise Unavailable(f"there is no peer '{name}' of CVRL's step")
    return ContrastiveStep(parameters, inputs, threads, bias=True, output_norm=False)
