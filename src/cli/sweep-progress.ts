import type { SweepEvent } from '../sweep/result.js';
import type { TrainEvent } from '../train/events.js';
import type { Logger } from './logger.js';
import { createProgress, type Progress } from './progress.js';
import { RedrawnLine } from './terminal.js';

interface SweepProgress {
  onEvent(event: SweepEvent): void;
  close(): void;
}

const REDRAW_MS = 200;

/**
 * A line for each run that begins, ends or fails. Between them the progress of the run, or of all that are trained at
 * once.
 */
export function createSweepProgress(logger: Pick<Logger, 'info' | 'warn'>, jobs: number): SweepProgress {
  return jobs === 1 ? new OneRun(logger) : new SeveralRuns(logger);
}

/** '3e-3, seed 1' in messages. */
function nameOf({ cell, seed }: { readonly cell: string; readonly seed: number }): string {
  return `${cell}, seed ${seed}`;
}

/** What is said of a run's beginning and end; null of what is in between. */
function lineOf(event: SweepEvent): string | null {
  switch (event.type) {
    case 'run': {
      const { number, total, state, step } = event;
      const how = { new: '', continued: `, going on after step ${step}`, found: ', trained already' }[state];
      return `run ${number} of ${total}: ${nameOf(event)}${how}`;
    }
    case 'evaluate':
      return `evaluating ${nameOf(event)}: ${event.protocol}`;
    case 'failed':
      return `failed: ${nameOf(event)}: ${event.reason} [${event.code}]`;
    default:
      return null;
  }
}

/** As `train` shows it. */
class OneRun implements SweepProgress {
  #progress: Progress | null = null;

  constructor(readonly logger: Pick<Logger, 'info' | 'warn'>) {}

  onEvent(event: SweepEvent): void {
    if (event.type === 'train') {
      this.#progress ??= createProgress();
      this.#progress.onEvent(event.event);
      return;
    }
    this.close();
    const line = lineOf(event);
    if (line !== null) this.logger[event.type === 'failed' ? 'warn' : 'info'](line);
  }

  close(): void {
    this.#progress?.close();
    this.#progress = null;
  }
}

/** One status line for all of them. */
class SeveralRuns implements SweepProgress {
  readonly #line = new RedrawnLine(process.stderr);
  readonly #running = new Map<string, string>();
  readonly #totals = new Map<string, number>();
  #drawn = 0;

  constructor(readonly logger: Pick<Logger, 'info' | 'warn'>) {}

  onEvent(event: SweepEvent): void {
    const name = nameOf(event);
    if (event.type === 'train') {
      this.#note(name, event.event);
      return;
    }
    this.#line.clear();
    const line = lineOf(event);
    if (line !== null) this.logger[event.type === 'failed' ? 'warn' : 'info'](line);
    if (event.type === 'evaluate') this.#running.set(name, `${name}: ${event.protocol}`);
    if (event.type === 'done' || event.type === 'failed') this.#running.delete(name);
  }

  close(): void {
    this.#line.clear();
  }

  #note(name: string, event: TrainEvent): void {
    if (event.type === 'warning') {
      this.#line.clear();
      this.logger.warn(`${name}: ${event.message}`);
    }
    if (event.type === 'start') this.#totals.set(name, event.lastStep);
    if (event.type !== 'step') return;
    this.#running.set(name, `${name}: ${event.step}/${this.#totals.get(name) ?? '?'}`);
    if (performance.now() - this.#drawn < REDRAW_MS) return;
    this.#drawn = performance.now();
    this.#line.show([...this.#running.values()].join('   '));
  }
}
