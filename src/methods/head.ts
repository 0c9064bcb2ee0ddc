import { z } from 'zod';
import { auto, flag, whole } from '../config/fields.js';

/** Options of an MLP projection head: hidden layers of (Linear, BatchNorm if any, ReLU), then a layer to `dim`. */
export function headSchema(defaults: { readonly hiddenLayers: number; readonly norm: boolean }) {
  return z.strictObject({
    hiddenLayers: whole(0, 16).default(defaults.hiddenLayers).describe('Hidden layers, each with ReLU'),
    norm: flag(defaults.norm).describe('BatchNorm before each ReLU'),
    hiddenDim: auto(whole(1, 65536)).describe(
      "Width of the hidden layers; auto: the encoder's, 2048 for r3d_50",
    ),
    dim: whole(1, 65536).default(128).describe('Width of the embedding'),
  });
}

/** The head as the engine's methods take it; a hidden width of 0 is the encoder's. */
export function nativeHead(head: z.output<ReturnType<typeof headSchema>>) {
  return {
    headLayers: head.hiddenLayers,
    headHidden: head.hiddenDim === 'auto' ? 0 : head.hiddenDim,
    headDim: head.dim,
    headNorm: head.norm,
  };
}
