/** What callers may give as a video, and which kind of it they gave. */
import type { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { fileURLToPath } from 'node:url';
import { types } from 'node:util';
import { checkCount, checkOptions, checkRate, isUint8Array, LIMITS } from '../checks.js';
import { invalidArgument } from '../errors.js';

/**
 * An encoded video file that is not on disk: its bytes, or a stream of them. The bytes are copied while a call runs, so
 * leave an array as it is until then. A stream is read to its end by the call and by nothing else; it is destroyed
 * when the call fails or is aborted.
 */
export type EncodedVideo =
  | Uint8Array
  | ArrayBuffer
  | SharedArrayBuffer
  | Blob
  | Readable
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>;

/**
 * Frames in memory: uint8 RGB of shape (T, H, W, 3), `fps` of them a second. Without `fps` they are taken to come at the
 * rate that the encoder's clips are cut at, so that its stride counts them as they are.
 */
export interface FramesInput {
  readonly frames: Uint8Array;
  readonly shape: readonly [t: number, h: number, w: number, channels: 3];
  readonly fps?: number;
}

/** A video file by its path or file URL (or a folder of pictures), an encoded video in memory, or its frames. */
export type VideoInput = string | URL | EncodedVideo | FramesInput;

/** Refuses what is no video. */
export function checkVideo(video: VideoInput): VideoInput {
  if (typeof video === 'string' || isUrl(video)) {
    pathOf(video);
    return video;
  }
  if (isEncodedVideo(video)) return video;
  const expected =
    'a path, a file URL, the bytes of an encoded file (Uint8Array, Blob, stream) or { frames: Uint8Array, shape: [T, H, W, 3], fps? }';
  if (typeof video !== 'object' || video === null || !('frames' in video))
    throw invalidArgument('video', expected, video);
  checkOptions(video, ['frames', 'shape', 'fps'], 'video');
  const { frames, shape, fps } = video;
  if (fps !== undefined) checkRate('video.fps', fps);
  if (!Array.isArray(shape) || shape.length !== 4 || shape[3] !== 3)
    throw invalidArgument('video.shape', '[T, H, W, 3]', shape);
  for (const [i, extent] of shape.entries())
    checkCount('video.shape', extent, 1, i === 1 || i === 2 ? LIMITS.side : undefined);
  const bytes = shape.reduce((a, b) => a * b, 1);
  if (!isUint8Array(frames) || frames.length !== bytes)
    throw invalidArgument('video.frames', `a Uint8Array of ${bytes} bytes`, frames);
  return video;
}

/** Refuses what is no series of videos, such as the bytes of one. */
export function checkVideos(videos: unknown): void {
  const iterable = isObject(videos) && (Symbol.iterator in videos || Symbol.asyncIterator in videos);
  if (!iterable || isBytes(videos))
    throw invalidArgument('videos', 'an iterable or async iterable of videos', videos);
}

/** Whether it is an encoded video that is no file: an array of bytes, a Blob, or a stream. */
export function isEncodedVideo(value: unknown): value is EncodedVideo {
  return isBytes(value) || isBlob(value) || isStream(value);
}

/** Of this realm or another. */
export function isBytes(value: unknown): value is Uint8Array | ArrayBufferLike {
  return isUint8Array(value) || types.isAnyArrayBuffer(value);
}

/** A path, or that of a file URL. Throws ERR_VSSL_INVALID_ARGUMENT. */
export function pathOf(video: string | URL): string {
  if (typeof video === 'string') return video;
  if (video.protocol !== 'file:')
    throw invalidArgument(
      'video',
      "a URL with the protocol 'file:'",
      video.href,
      '; fetch what lies elsewhere and give its body',
    );
  try {
    return fileURLToPath(video);
  } catch {
    throw invalidArgument('video', 'a file URL that names a file of this machine', video.href);
  }
}

/** What a video of embedMany is called: its path, the name of a File, or its number. */
export function nameOf(video: unknown, index: number): string {
  if (typeof video === 'string') return video;
  if (isUrl(video)) return video.protocol === 'file:' ? pathOf(video) : video.href;
  const name = isBlob(video) ? (video as { name?: unknown }).name : undefined;
  return typeof name === 'string' && name !== '' ? name : `#${index}`;
}

// By their shape, not by their class: those of another realm or library are as good.

export function isUrl(value: unknown): value is URL {
  return isObject(value) && typeof value.href === 'string' && typeof value.protocol === 'string';
}

export function isBlob(value: unknown): value is Blob {
  return isObject(value) && typeof value.size === 'number' && typeof value.stream === 'function';
}

function isObject(value: unknown): value is Record<PropertyKey, unknown> {
  return typeof value === 'object' && value !== null;
}

function isStream(value: unknown): value is AsyncIterable<Uint8Array> {
  return isObject(value) && (Symbol.asyncIterator in value || 'getReader' in value);
}
