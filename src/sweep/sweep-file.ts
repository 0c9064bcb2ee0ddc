/** sweep.json: what the cells of a sweep's folder are laid over, so that no later call adds cells of another sweep. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { diffConfigs } from '../config/diff.js';
import { isRecord, type RawConfig } from '../config/raw.js';
import { VsslError } from '../errors.js';
import { runWriteError } from '../train/run-log.js';
import { writeFileAtomic } from '../weights/atomic-write.js';
import type { SweepPlan } from './plan-sweep.js';
import { SWEEP_FORMAT_VERSION } from './result.js';

type Bases = SweepPlan['bases'];

export function sweepFile(out: string): string {
  return join(out, 'sweep.json');
}

/** The bases that a folder has; null where nothing was swept yet. Throws ERR_VSSL_RESUME_MISMATCH for another version. */
async function readBases(out: string): Promise<Bases | null> {
  const text = await readFile(sweepFile(out), 'utf8').catch(() => null);
  if (text === null) return null;
  let written: unknown;
  try {
    written = JSON.parse(text);
  } catch {
    written = null;
  }
  if (isRecord(written) && written.formatVersion === SWEEP_FORMAT_VERSION && isRecord(written.bases))
    return written.bases as Bases;
  throw new VsslError(
    'ERR_VSSL_RESUME_MISMATCH',
    `${sweepFile(out)} is not what a sweep of this version writes; choose another --out, or remove that file to go on with the runs beside it`,
    { details: { folder: out, keys: [] } },
  );
}

/** Throws ERR_VSSL_RESUME_MISMATCH naming every key in which the folder's sweep is laid over something else. */
export async function checkSameBase(out: string, bases: Bases): Promise<void> {
  const before = (await readBases(out)) ?? {};
  for (const [name, base] of Object.entries(bases)) {
    // what one of the two varies is not known of it
    const different = diffConfigs(before[name] ?? {}, base).filter(
      ({ a, b }) => a !== undefined && b !== undefined,
    );
    if (different.length === 0) continue;
    const list = different.map(
      ({ key, a, b }) => `${key} (${JSON.stringify(a)} there, ${JSON.stringify(b)} now)`,
    );
    throw new VsslError(
      'ERR_VSSL_RESUME_MISMATCH',
      `${out} holds a sweep whose base configuration differs: ${list.join(', ')}. Give the same one to go on with it, or another --out for a new sweep`,
      { details: { folder: out, keys: different.map(({ key }) => key) } },
    );
  }
}

/** Adds what this call lays cells over. Throws ERR_VSSL_RUN_WRITE. */
export async function writeBases(out: string, bases: Bases): Promise<void> {
  const all: Record<string, RawConfig> = { ...(await readBases(out)) };
  for (const [name, base] of Object.entries(bases)) all[name] = union(all[name] ?? {}, base);
  await writeSweepFile(out, sweepFile(out), { formatVersion: SWEEP_FORMAT_VERSION, bases: all });
}

/** What either knows; where both do, they say the same. */
function union(a: RawConfig, b: RawConfig): RawConfig {
  const all: Record<string, unknown> = { ...a };
  for (const [key, value] of Object.entries(b)) {
    const below = all[key];
    all[key] = isRecord(below) && isRecord(value) ? union(below, value) : value;
  }
  return all;
}

/** Writes one of the files of a sweep's folder. Throws ERR_VSSL_RUN_WRITE. */
export async function writeSweepFile(out: string, file: string, content: object | string): Promise<void> {
  const text = typeof content === 'string' ? content : `${JSON.stringify(content, null, 2)}\n`;
  await writeFileAtomic(file, text).catch((error) => {
    throw runWriteError(out, error, file);
  });
}
