/** One run of a sweep in a process of its own, so that whatever ends it ends nothing else. */
import { type ChildProcess, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { abortReason, throwIfAborted } from '../checks.js';
import { VsslError, type VsslErrorCode } from '../errors.js';
import { packageRoot } from '../native/load.js';
import type { CellWork, FromCell, ToCell } from './messages.js';

/** Of what a process has said on stderr. */
const MOST_SAID = 10_000;

/**
 * Does the work and gives the number of steps that were trained. Throws what the run throws, ERR_VSSL_PROCESS when its
 * process is ended, and the signal's reason after a checkpoint.
 */
export async function runCell(
  work: CellWork,
  { signal, onMessage }: { readonly signal: AbortSignal; onMessage(message: FromCell): void },
): Promise<number> {
  throwIfAborted(signal);
  const child = start();
  const stop = () => send(child, { type: 'stop' });
  signal.addEventListener('abort', stop, { once: true });
  try {
    send(child, { type: 'work', work });
    const last = await ended(child, onMessage);
    if (last.type === 'end') return last.stepsDone;
    if (last.type === 'stopped') throw signal.aborted ? abortReason(signal) : stoppedAlone();
    throw new VsslError(last.code as VsslErrorCode, last.message, { details: { ...last.details } });
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function start(): ChildProcess {
  const file = join(packageRoot, 'dist', 'esm', 'sweep', 'cell-process.js');
  if (!existsSync(file))
    throw new VsslError(
      'ERR_VSSL_ENVIRONMENT',
      `${file} is missing, which trains the runs of a sweep: this installation is not complete, or was taken into a bundle; install it again, or leave the package external`,
    );
  return fork(file, [], {
    execArgv: [],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
}

/** A process that has ended takes no more messages, and says so in another way. */
function send(child: ChildProcess, message: ToCell): void {
  if (child.connected) child.send(message, () => {});
}

type LastMessage = Extract<FromCell, { type: 'end' | 'stopped' | 'failed' }>;

/** Its last message, once it has ended. */
function ended(child: ChildProcess, onMessage: (message: FromCell) => void): Promise<LastMessage> {
  let said = '';
  let last: LastMessage | null = null;
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-MOST_SAID);
  });
  child.on('message', (message: FromCell) => {
    if (message.type === 'train' || message.type === 'evaluate') onMessage(message);
    else last = message;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => (last ? resolve(last) : reject(lost(code, signal, said))));
  });
}

/** A process that ended without a last message. */
function lost(code: number | null, signal: NodeJS.Signals | null, said: string): VsslError {
  const how = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
  const memory = signal === 'SIGKILL' ? ' (as the system does where memory runs out)' : '';
  const words = said.trim() === '' ? '' : `; it said: ${said.trim()}`;
  return new VsslError(
    'ERR_VSSL_PROCESS',
    `the process of the run ${how}${memory}${words}. Its last checkpoint is whole, and the same command goes on from there`,
    { details: { exitCode: code, signal } },
  );
}

/** Somebody has stopped the process of this run alone. */
function stoppedAlone(): VsslError {
  return new VsslError(
    'ERR_VSSL_PROCESS',
    'the process of the run was told to stop; it has written a checkpoint, and the same command goes on from there',
  );
}
