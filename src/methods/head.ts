import { z } from 'zod';

/** Options of an MLP projection head: hidden layers of (Linear, BatchNorm if any, ReLU), then a layer to `dim`. */
export function headSchema(defaults: { readonly hiddenLayers: number; readonly norm: boolean }) {
  return z.strictObject({
    hiddenLayers: z
      .int()
      .min(0)
      .max(16)
      .default(defaults.hiddenLayers)
      .describe('Hidden layers, each with ReLU'),
    norm: z.boolean().default(defaults.norm).describe('BatchNorm before each ReLU'),
    hiddenDim: z
      .union([z.literal('auto'), z.int().min(1).max(65536)])
      .default('auto')
      .describe("Width of the hidden layers; auto: the encoder's, 2048 for r3d_50"),
    dim: z.int().min(1).max(65536).default(128).describe('Width of the embedding'),
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
