/** Small things that the actions of several commands need. */
import { InvalidArgumentError } from 'commander';
import { VsslError } from '../errors.js';
import { formatDuration } from './progress.js';
import type { ActionContext } from './run-action.js';
import { RedrawnLine } from './terminal.js';

/** The work's result; when the user stopped it, ERR_VSSL_ABORTED (exit code 130) instead of the signal's reason. */
export async function unlessStopped<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (signal.aborted && !(error instanceof VsslError))
      throw new VsslError('ERR_VSSL_ABORTED', 'stopped by the user', { cause: error });
    throw error;
  }
}

/** A whole number from 1, for commander. */
export function parseCount(text: string): number {
  return parseWhole(text, 1);
}

/** Whole numbers from 1, separated by commas, for commander. */
export function parseCounts(text: string): number[] {
  return text.split(',').map(parseCount);
}

/** A whole number from 0, for commander. */
export function parseSeed(text: string): number {
  return parseWhole(text, 0);
}

function parseWhole(text: string, least: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least)
    throw new InvalidArgumentError(`expected a whole number from ${least}`);
  return value;
}

/** A number from 0, for commander. */
export function parseNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0)
    throw new InvalidArgumentError('expected a number from 0');
  return value;
}

/**
 * Work whose progress is a counter on a status line, redrawn a few times a second, with the time that is left where the
 * end is known; its warnings, and the videos that it left out, are told after it. `what` says what is counted.
 */
export async function metered<T extends object>(
  { logger, signal }: ActionContext,
  what: string,
  work: (onProgress: (done: number, total: number, what?: string) => void) => Promise<T>,
): Promise<T> {
  const line = new RedrawnLine(process.stderr);
  const start = performance.now();
  let drawn = 0;
  const onProgress = (done: number, total: number, stage = what) => {
    const now = performance.now();
    if (now - drawn < 100 && done < total) return;
    drawn = now;
    line.show(
      Number.isFinite(total)
        ? `${stage} ${done} of ${total}${etaOf(done, total, now - start)}`
        : `${stage} ${done}`,
    );
  };
  const result = await unlessStopped(
    signal,
    work(onProgress).finally(() => line.clear()),
  );
  const { warnings = [], failures = [] }: { warnings?: readonly string[]; failures?: readonly LeftOut[] } =
    result;
  for (const warning of warnings) logger.warn(warning);
  for (const failure of failures) logger.warn(leftOut(failure));
  return result;
}

/** Time left at the pace so far; nothing in the first seconds, when there is no pace yet. */
function etaOf(done: number, total: number, ms: number): string {
  if (done === 0 || done >= total || ms < 2000) return '';
  return `  ETA ${formatDuration(((total - done) * ms) / done / 1000)}`;
}

interface LeftOut {
  readonly path: string;
  readonly reason: string;
}

/** One line about a video that was left out. */
export function leftOut({ path, reason }: LeftOut): string {
  return `left out: ${reason.includes(path) ? reason : `${path}: ${reason}`}`;
}

/** For commands that decode and train nothing: the engine for the CPU does, and loads faster. */
export function needsNoGpu(): void {
  process.env.VSSL_ENGINE ||= 'cpu';
}
