import type { WriteStream } from 'node:tty';
import type { StartEvent, StepEvent, TrainEvent } from '../train/events.js';
import { canRedraw, colors, printableLines, RedrawnLine } from './terminal.js';

export interface Progress {
  onEvent(event: TrainEvent): void;
  /** Writes a line above the status line. */
  writeLine(line: string): void;
  /** Leaves the terminal as it should be. */
  close(): void;
}

/** A line every so often when nobody watches a terminal. */
const PLAIN_MS = 10_000;
const REDRAW_MS = 100;

/** One status line on a terminal; plain lines where none can be drawn again. */
export function createProgress(
  stream: WriteStream & { isTTY?: boolean } = process.stderr as WriteStream,
  env: NodeJS.ProcessEnv = process.env,
): Progress {
  return canRedraw(stream, env) ? new StatusLine(stream, env) : new PlainLines(stream);
}

/** Speed over the last steps, so that a checkpoint or a slow start does not linger in it. */
class Speedometer {
  #recent: { step: number; clips: number; data: number; busy: number; at: number }[] = [];

  add({ step, clips, dataSeconds, stepSeconds }: StepEvent): void {
    this.#recent.push({ step, clips, data: dataSeconds, busy: stepSeconds, at: performance.now() });
    if (this.#recent.length > 50) this.#recent.shift();
  }

  rates(): { stepsPerSecond: number; clipsPerSecond: number; wait: number } {
    const first = this.#recent[0];
    const last = this.#recent.at(-1);
    if (!first || !last) return { stepsPerSecond: 0, clipsPerSecond: 0, wait: 0 };
    const sum = (key: 'clips' | 'data' | 'busy') =>
      this.#recent.reduce((total, entry) => total + entry[key], 0);
    const inSteps = sum('data') + sum('busy');
    const wall = (last.at - first.at) / 1000;
    return {
      stepsPerSecond: this.#recent.length > 1 && wall > 0 ? (this.#recent.length - 1) / wall : 1 / inSteps,
      clipsPerSecond: sum('clips') / inSteps,
      wait: sum('data') / inSteps,
    };
  }
}

abstract class Base {
  protected start: StartEvent | null = null;
  protected readonly speed = new Speedometer();

  constructor(protected readonly stream: WriteStream) {}

  abstract writeLine(line: string): void;

  /** What is told in the same way on a terminal and off it; true when that was all. */
  protected tell(event: TrainEvent): boolean {
    switch (event.type) {
      case 'start':
        this.start = event;
        this.writeLine(printableLines(startLine(event)));
        return true;
      case 'warning':
        this.writeLine(`${colors.yellow('warning:')} ${printableLines(event.message)}`);
        return true;
      case 'quarantine':
        this.writeLine(`${colors.yellow('not usable:')} ${printableLines(`${event.path}: ${event.reason}`)}`);
        return true;
      case 'failed-clip':
        // one line a file: quarantine.jsonl has them all
        if (event.failed === 1)
          this.writeLine(
            `${colors.yellow('clip left out:')} ${printableLines(`${event.path}: ${event.reason}`)}`,
          );
        return true;
      case 'evaluation':
        this.writeLine(`step ${event.step}: ${event.name} ${formatValues(event.values)}`);
        return true;
      default:
        return false;
    }
  }

  protected status(event: StepEvent): { text: string; part: number } {
    const { start, speed } = this;
    const { stepsPerSecond, clipsPerSecond, wait } = speed.rates();
    const last = start?.lastStep ?? event.step;
    const eta = stepsPerSecond > 0 ? formatDuration((last - event.step) / stepsPerSecond) : '?';
    const text = [
      `step ${event.step}/${last}`,
      `loss ${(event.losses.loss ?? Number.NaN).toFixed(4)}`,
      `lr ${event.lr.toPrecision(3)}`,
      `${stepsPerSecond.toPrecision(3)} step/s`,
      `${clipsPerSecond.toPrecision(3)} clips/s`,
      `data wait ${(100 * wait).toFixed(0)} %`,
      `ETA ${eta}`,
    ].join('  ');
    return { text, part: event.step / Math.max(1, last) };
  }
}

class StatusLine extends Base implements Progress {
  readonly #line: RedrawnLine;
  #drawn = 0;

  constructor(stream: WriteStream, env: NodeJS.ProcessEnv) {
    super(stream);
    this.#line = new RedrawnLine(stream, env);
  }

  onEvent(event: TrainEvent): void {
    if (this.tell(event)) return;
    if (event.type === 'index')
      this.#draw(`looking at the videos ${event.done}/${event.total}`, event.done === event.total);
    else if (event.type === 'step') {
      this.speed.add(event);
      const { text, part } = this.status(event);
      this.#draw(`${bar(part)} ${text}`, event.step === this.start?.lastStep);
    }
  }

  writeLine(line: string): void {
    this.#line.writeAbove(line);
  }

  close(): void {
    this.#line.keep();
  }

  #draw(line: string, now: boolean): void {
    const time = performance.now();
    if (!now && time - this.#drawn < REDRAW_MS) return;
    this.#drawn = time;
    this.#line.show(line);
  }
}

class PlainLines extends Base implements Progress {
  #written = Number.NEGATIVE_INFINITY;

  onEvent(event: TrainEvent): void {
    if (this.tell(event)) return;
    if (event.type === 'index' && event.done === event.total)
      this.writeLine(`looked at ${event.total} videos`);
    if (event.type === 'checkpoint') this.writeLine(printableLines(`checkpoint ${event.path}`));
    if (event.type !== 'step') return;
    this.speed.add(event);
    const time = performance.now();
    if (time - this.#written < PLAIN_MS && event.step !== this.start?.lastStep) return;
    this.#written = time;
    this.writeLine(this.status(event).text);
  }

  writeLine(line: string): void {
    this.stream.write(`${line}\n`);
  }

  close(): void {}
}

function startLine(event: StartEvent): string {
  const { step, videos, batch, stepsPerEpoch, totalSteps, device, threads, workers, out } = event;
  const from = step > 0 ? `going on after step ${step} of ${totalSteps}` : `${totalSteps} steps`;
  return `training in ${out}: ${from}, ${videos} videos, batch ${batch}, ${stepsPerEpoch} steps an epoch, ${device} with ${threads} threads, ${workers} decoders`;
}

function bar(part: number): string {
  const width = 20;
  const full = Math.min(width, Math.max(0, Math.round(part * width)));
  return `[${'#'.repeat(full)}${'.'.repeat(width - full)}]`;
}

function formatValues(values: Readonly<Record<string, number>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${value.toPrecision(4)}`)
    .join('  ');
}

/** 3725 as '1:02:05'. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n: number) => String(n).padStart(2, '0');
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
