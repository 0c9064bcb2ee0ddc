/** The output of a shell command as a file. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { VsslError } from '../../errors.js';
import { fsPath } from '../file-names.js';

export interface PipeOptions {
  /** What messages call it. */
  readonly name: string;
  /** Told of each piece that was read; ends the command by throwing. */
  readonly onBytes: (count: number) => void;
  readonly signal: AbortSignal | undefined;
}

/** Ends of stderr that are kept. */
const LAST_WORDS = 4096;
/** From the wish to end until the end. */
const GRACE_MS = 2000;

const running = new Set<ChildProcess>();
let endsWithProcess = false;

function endWithProcess(child: ChildProcess): void {
  running.add(child);
  child.once('close', () => running.delete(child));
  if (endsWithProcess) return;
  endsWithProcess = true;
  process.on('exit', () => {
    for (const child of running) end(child, 'SIGKILL');
  });
}

/**
 * Runs `command` with the shell of the system and writes what it prints to `file`; stdin where it is '-'. It ends with
 * the call, and all that it started: the processes of a command are a group. Throws ERR_VSSL_DATA where it fails, with its
 * last words, what writing throws, and the signal's reason.
 */
export async function pipeToFile(command: string, file: string, options: PipeOptions): Promise<void> {
  const into = createWriteStream(fsPath(file));
  const { onBytes, signal } = options;
  const counted = async function* (source: AsyncIterable<Buffer>) {
    for await (const piece of source) {
      onBytes(piece.length);
      yield piece;
    }
  };
  if (command === '-') return await pipeline(process.stdin, counted, into, { signal });
  const child = spawn('/bin/sh', ['-c', command], { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  endWithProcess(child);
  let words = '';
  child.stderr.on('data', (text) => {
    words = (words + text).slice(-LAST_WORDS);
  });
  try {
    const closed = once(child, 'close'); // rejects where there is no shell
    await Promise.all([pipeline(child.stdout, counted, into, { signal }), closed]);
    if (child.exitCode !== 0) throw failed(options.name, child, words);
  } catch (error) {
    end(child, 'SIGTERM');
    setTimeout(() => end(child, 'SIGKILL'), GRACE_MS).unref();
    throw error;
  }
}

function end({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {} // it is gone
}

function failed(name: string, { exitCode, signalCode }: ChildProcess, words: string): VsslError {
  const how = exitCode === null ? `was ended by ${signalCode}` : `ended with exit code ${exitCode}`;
  const last = words.trimEnd().split('\n').at(-1);
  return new VsslError(
    'ERR_VSSL_DATA',
    `the command for ${name} ${how}${last ? `: ${last}` : ''}; see that it works in a shell, or leave such shards out (pipe?missing=skip:COMMAND)`,
    { details: { shard: name, exitCode, signal: signalCode } },
  );
}
