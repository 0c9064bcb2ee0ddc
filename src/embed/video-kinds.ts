/** What kind of video a caller gave. */
import { fileURLToPath } from 'node:url';
import { types } from 'node:util';
import { isUint8Array } from '../checks.js';
import { invalidArgument } from '../errors.js';
import type { EncodedVideo } from './encoder-options.js';

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
