/**
 * The files of a run that grow a line at a time: metrics.jsonl, plans.jsonl, quarantine.jsonl and the TensorBoard file.
 * When a run goes on from a checkpoint, what was written after that checkpoint's step is cut off, so that each file
 * reads as one run.
 */
import { createReadStream } from 'node:fs';
import { type FileHandle, open, readdir, readFile, rm, truncate } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import type { PlannedBatch } from '../data/planner.js';
import { VsslError } from '../errors.js';
import { writeReason } from '../weights/atomic-write.js';
import type { FailedClipRecord, QuarantineRecord } from './faults.js';
import { encodeEvent, FILE_VERSION, parseEvents } from './tensorboard.js';

export interface RunLogOptions {
  readonly folder: string;
  readonly tensorboard: boolean;
  readonly plans: boolean;
  /** Steps done in the checkpoint that the run goes on from; 0 for a new run. */
  readonly step: number;
  /** Files known to be bad at that step. */
  readonly quarantine: readonly QuarantineRecord[];
}

/** Beginning of the names of TensorBoard's files. */
const EVENTS = 'events.out.tfevents.';

/** A line of metrics.jsonl. Every entry beside `step` and `epoch` is a number, or a string naming what was evaluated. */
export type MetricsLine = { readonly step: number; readonly epoch: number } & Readonly<
  Record<string, number | string>
>;

export class RunLog {
  readonly #files: { readonly [name: string]: FileHandle | null };
  readonly #folder: string;
  readonly #quarantined: Set<string>;

  private constructor(
    folder: string,
    files: { [name: string]: FileHandle | null },
    quarantined: Set<string>,
  ) {
    this.#folder = folder;
    this.#files = files;
    this.#quarantined = quarantined;
  }

  /** Throws ERR_VSSL_RUN_WRITE when the folder cannot be written to. */
  static async open({ folder, tensorboard, plans, step, quarantine }: RunLogOptions): Promise<RunLog> {
    const at = (name: string) => join(folder, name);
    const files: { [name: string]: FileHandle | null } = {
      metrics: null,
      plans: null,
      quarantine: null,
      events: null,
    };
    try {
      await cutLines(at('metrics.jsonl'), step);
      await cutLines(at('plans.jsonl'), step);
      await cutLines(at('quarantine.jsonl'), step);
      files.metrics = await open(at('metrics.jsonl'), 'a');
      files.quarantine = await open(at('quarantine.jsonl'), 'a');
      if (plans) files.plans = await open(at('plans.jsonl'), 'a');
      if (tensorboard) files.events = await openEvents(folder, step);
      const log = new RunLog(folder, files, await quarantinedFiles(at('quarantine.jsonl')));
      // Those of the first look at the data; and all of them when the checkpoint comes from another folder.
      for (const record of quarantine) await log.quarantine(record);
      return log;
    } catch (error) {
      for (const file of Object.values(files)) await file?.close().catch(() => {});
      throw runWriteError(folder, error);
    }
  }

  /** `tags`: the same numbers under the names that TensorBoard groups by. */
  async metrics(line: MetricsLine, tags: Readonly<Record<string, number>>): Promise<void> {
    await this.#append('metrics', `${JSON.stringify(line)}\n`);
    await this.#append(
      'events',
      encodeEvent({ wallTime: Date.now() / 1000, step: line.step, scalars: tags }),
    );
  }

  async plan(step: number, { plan, epoch, samples }: PlannedBatch): Promise<void> {
    if (!this.#files.plans) return;
    const places = samples.map(({ row, sample, attempt }) => ({ id: row.id, sample, attempt }));
    await this.#append('plans', `${JSON.stringify({ ...plan, step, epoch, samples: places })}\n`);
  }

  /** Writes each clip, and a file once; false when it is there already. */
  async quarantine(record: QuarantineRecord | FailedClipRecord): Promise<boolean> {
    if (record.what === 'file') {
      if (this.#quarantined.has(record.path)) return false;
      this.#quarantined.add(record.path);
    }
    await this.#append('quarantine', `${JSON.stringify(record)}\n`);
    return true;
  }

  async close(): Promise<void> {
    for (const file of Object.values(this.#files)) await file?.close().catch(() => {});
  }

  async #append(name: string, data: string | Uint8Array): Promise<void> {
    try {
      await this.#files[name]?.appendFile(data);
    } catch (error) {
      throw runWriteError(this.#folder, error, name === 'events' ? EVENTS : `${name}.jsonl`);
    }
  }
}

/** What a run asks of its log. */
export type LogOfRun = Pick<RunLog, 'metrics' | 'plan' | 'quarantine' | 'close'>;

/** Of ranks that do not write. */
export const NO_LOG: LogOfRun = {
  metrics: async () => {},
  plan: async () => {},
  quarantine: async () => false,
  close: async () => {},
};

/** Removes the growing files of an earlier run. */
export async function removeRunLog(folder: string): Promise<void> {
  for (const name of ['metrics.jsonl', 'plans.jsonl', 'quarantine.jsonl', ...(await eventFiles(folder))])
    await rm(join(folder, name), { force: true });
}

/** `file`: the one that was being written, where it is known. */
export function runWriteError(folder: string, error: unknown, file?: string): VsslError {
  if (error instanceof VsslError) return error;
  const { code } = error as NodeJS.ErrnoException;
  const which = file === undefined ? '' : ` (${basename(file)})`;
  return new VsslError(
    'ERR_VSSL_RUN_WRITE',
    `the run folder ${folder} cannot be written to${which}: ${writeReason(error)}. Make room or choose another --out; an earlier checkpoint in it is whole, and the same command goes on from there`,
    { details: { folder, file, systemCode: code }, cause: error },
  );
}

/** Cuts a JSON-lines file before its first line of a later step, or one that is not whole. */
async function cutLines(path: string, step: number): Promise<void> {
  if (step === 0) return await rm(path, { force: true });
  let kept = 0;
  let rest = Buffer.alloc(0);
  let whole = true;
  try {
    for await (const chunk of createReadStream(path)) {
      rest = Buffer.concat([rest, chunk as Buffer]);
      let start = 0;
      for (let end = rest.indexOf(10); whole && end >= 0; end = rest.indexOf(10, start)) {
        whole = stepOf(rest.toString('utf8', start, end)) <= step;
        if (whole) start = end + 1;
      }
      kept += start;
      rest = rest.subarray(start);
      if (!whole) break;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  await truncate(path, kept);
}

/** Paths of the files that a quarantine.jsonl has already; its lines are whole. */
async function quarantinedFiles(path: string): Promise<Set<string>> {
  const lines = (await readFile(path, 'utf8')).split('\n').filter((line) => line !== '');
  const records = lines.map((line) => JSON.parse(line) as QuarantineRecord | FailedClipRecord);
  return new Set(records.filter(({ what }) => what !== 'clip').map((record) => record.path));
}

function stepOf(line: string): number {
  try {
    const step = (JSON.parse(line) as { step?: unknown }).step;
    return typeof step === 'number' ? step : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

async function eventFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [] as string[]);
  return names.filter((name) => name.startsWith(EVENTS)).sort();
}

/** Continues the run's event file after cutting later steps off, or starts one. */
async function openEvents(folder: string, step: number): Promise<FileHandle> {
  let last: string | undefined;
  for (const name of await eventFiles(folder)) {
    const path = join(folder, name);
    let kept = 0;
    if (step > 0)
      for (const event of parseEvents(await readFile(path))) {
        if (event.step > step) break;
        kept = event.end;
      }
    if (kept === 0) {
      await rm(path, { force: true });
      continue;
    }
    await truncate(path, kept);
    last = path;
  }
  if (last) return await open(last, 'a');
  const now = Date.now() / 1000;
  const path = join(folder, `${EVENTS}${Math.floor(now)}.${hostname()}`);
  const file = await open(path, 'a');
  try {
    await file.appendFile(encodeEvent({ wallTime: now, step: 0, fileVersion: FILE_VERSION, scalars: {} }));
    return file;
  } catch (error) {
    await file.close().catch(() => {});
    throw runWriteError(folder, error, path);
  }
}
