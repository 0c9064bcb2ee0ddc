/**
 * Training copies that `prepare` makes. Raw pictures: uint8 RGB (T, H, W, 3) in a file NAME.rgb8, and beside it perhaps
 * their flow, 16-bit floats (T - 1, H, W, 2) in NAME.flow16; what the files hold stands in the columns of the manifest.
 * JPEG pictures: NAME.mov, a video file like any other, which says itself what it holds.
 */
import type { ClipSource } from './plan.js';

export const COPY_FORMATS = ['raw', 'jpeg'] as const;
export type CopyFormat = (typeof COPY_FORMATS)[number];

export const PACKED_SUFFIX = '.rgb8';
export const JPEG_SUFFIX = '.mov';
export const FLOW_SUFFIX = '.flow16';

/** Files of a folder that `prepare` made. */
export const PREPARED_FILE = 'prepared.json';
export const PREPARED_MANIFEST = 'manifest.csv';

/** Columns of its manifest besides those of every manifest, where its pictures are raw. */
export const PACKED_COLUMNS = ['frames', 'height', 'width', 'fps', 'flow'] as const;

/** What a packed file holds. */
export interface PackedShape {
  readonly frames: number;
  readonly height: number;
  readonly width: number;
  readonly fps: number;
}

/** The source of a packed file; `flow` is the path of its flow. */
export function packedSource(path: string, shape: PackedShape, flow?: string): ClipSource {
  const { frames, height, width, fps } = shape;
  return {
    kind: 'packed',
    path,
    offset: 0,
    frames,
    height,
    width,
    fps,
    ...(flow !== undefined && {
      flow: { path: flow, offset: 0, frames: countFields(frames), height, width, fps },
    }),
  };
}

/** Fields of flow between `frames` pictures; one picture has one, of zeros. */
export function countFields(frames: number): number {
  return Math.max(1, frames - 1);
}

/** The shape in a manifest's columns, or what is wrong with them. */
export function parsePackedShape(fields: Readonly<Record<string, unknown>>): PackedShape | string {
  const shape = { frames: 0, height: 0, width: 0, fps: 0 };
  for (const key of ['frames', 'height', 'width', 'fps'] as const) {
    const value = Number(fields[key] ?? Number.NaN);
    const good =
      key === 'fps' ? value > 0 && Number.isFinite(value) : Number.isSafeInteger(value) && value > 0;
    if (!good) return `a packed file needs '${key}' in the manifest, as 'vssl-native prepare' writes it`;
    shape[key] = value;
  }
  return shape;
}
