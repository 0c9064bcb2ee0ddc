/** The bytes of an encoded video, from wherever a program holds them, into the loader's memory. No file is made. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isUint8Array, throwIfAborted } from '../checks.js';
import { invalidArgument, messageOf, VsslError } from '../errors.js';
import type { NativeLoader } from '../native/bindings.js';
import { abortable } from './abortable.js';
import { type EncodedVideo, isBlob, isBytes } from './video-input.js';

/** Bytes copied before the event loop has its turn: about a millisecond. */
const kPiece = 2 ** 20;

/** Bytes that come piece by piece. */
interface ByteSource {
  /** All of them, where that is known beforehand. */
  readonly size?: number;
  /** The next piece, or undefined at the end. */
  next(): Promise<unknown>;
  /** Nothing more is wanted: streams are destroyed. Any number of times, at any moment. */
  stop(): void;
}

/**
 * Copies the bytes to a memory file of the loader, which the caller removes, and gives its id. Never takes more than
 * `maxBytes` of memory. Whatever ends it early (the signal, the limit, an error of the stream) also destroys the stream.
 * Throws ERR_VSSL_TOO_LARGE; ERR_VSSL_STREAM with the stream's error as its cause; ERR_VSSL_VIDEO_OPEN for no bytes at
 * all; the signal's reason.
 */
export async function keepBytes(
  loader: Pick<NativeLoader, 'addMemoryFile' | 'appendMemoryFile' | 'removeMemoryFile'>,
  video: EncodedVideo,
  maxBytes: number,
  signal?: AbortSignal,
): Promise<number> {
  const source = openSource(video);
  const id = loader.addMemoryFile();
  try {
    checkSize(source.size ?? 0, maxBytes);
    let size = 0;
    for (;;) {
      const chunk = await abortable(source.next(), signal);
      if (chunk === undefined) break;
      if (!isUint8Array(chunk))
        throw invalidArgument('video', 'a stream of bytes, each chunk a Uint8Array,', chunk);
      size += chunk.length;
      checkSize(size, maxBytes);
      await append(loader, id, chunk, signal);
    }
    if (source.size !== undefined && size !== source.size) throw changed(source.size, size);
    if (size === 0) throw new VsslError('ERR_VSSL_VIDEO_OPEN', 'the video has no bytes');
    return id;
  } catch (error) {
    source.stop();
    loader.removeMemoryFile(id);
    throw error;
  }
}

async function append(
  loader: Pick<NativeLoader, 'appendMemoryFile'>,
  id: number,
  chunk: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { length } = chunk;
  for (let at = 0; at < length; at += kPiece) {
    if (at > 0) {
      await nextTurn();
      throwIfAborted(signal);
      if (chunk.length !== length) throw changed(length, chunk.length);
    }
    loader.appendMemoryFile(id, chunk.subarray(at, at + kPiece));
  }
}

function checkSize(size: number, maxBytes: number): void {
  if (size > maxBytes)
    throw new VsslError(
      'ERR_VSSL_TOO_LARGE',
      `the video has more than ${maxBytes} bytes; the option maxBytes sets the limit`,
      { details: { maxBytes } },
    );
}

function changed(before: number, now: number): VsslError {
  const expected = 'bytes that stay as they are until the call ends';
  return invalidArgument('video', expected, `an array that had ${before} bytes and now has ${now}`);
}

function openSource(video: EncodedVideo): ByteSource {
  if (isBytes(video)) return ofArray(video);
  if (isBlob(video)) return { ...ofWebStream(video.stream()), size: video.size };
  return 'getReader' in video ? ofWebStream(video) : ofIterable(video);
}

function ofArray(video: Uint8Array | ArrayBufferLike): ByteSource {
  let rest: Uint8Array | undefined;
  try {
    // a view of its own: it throws for a detached buffer, which otherwise looks like an empty one
    rest = isUint8Array(video)
      ? new Uint8Array(video.buffer, video.byteOffset, video.length)
      : new Uint8Array(video);
  } catch {
    throw invalidArgument('video', 'bytes of an encoded file', 'a detached buffer');
  }
  return {
    size: rest.length,
    next: async () => {
      const all = rest;
      rest = undefined;
      return all;
    },
    stop: () => {},
  };
}

function ofWebStream(stream: ReadableStreamLike): ByteSource {
  if (stream.locked) throw invalidArgument('video', 'a stream that nothing else reads', 'a locked stream');
  const reader = stream.getReader();
  return {
    next: async () => {
      const { done, value } = await reader.read().catch(failed);
      return done ? undefined : value;
    },
    stop: () => void reader.cancel().catch(() => {}),
  };
}

function ofIterable(stream: AsyncIterable<unknown> & { destroy?: () => unknown }): ByteSource {
  const iterator = stream[Symbol.asyncIterator]();
  return {
    next: async () => {
      const { done, value } = await iterator.next().catch(failed);
      return done ? undefined : value;
    },
    stop: () => {
      // without an error: nobody may be listening for it, and this call's promise tells it
      if (typeof stream.destroy === 'function') stream.destroy();
      else iterator.return?.().catch(() => {});
    },
  };
}

function failed(cause: unknown): never {
  throw new VsslError('ERR_VSSL_STREAM', `the stream of the video failed: ${messageOf(cause)}`, { cause });
}

interface ReadableStreamLike {
  readonly locked: boolean;
  getReader(): {
    read(): Promise<{ readonly done: boolean; readonly value?: unknown }>;
    cancel(): Promise<unknown>;
  };
}
