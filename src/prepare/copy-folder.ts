/** The folder of a training copy: the settings that it was begun with, and what of it is finished. */
import { appendFile, mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { PREPARED_FILE } from '../data/packed.js';
import { VsslError } from '../errors.js';
import {
  TEMPORARY_SUFFIX,
  type WriteOperations,
  writeFileAtomic,
  writeReason,
} from '../weights/atomic-write.js';
import type { Entry, PackSettings } from './pack-row.js';

const FORMAT_VERSION = 1;
/** One line a finished video: what a later call need not do again. */
const FINISHED_FILE = 'finished.jsonl';

/** Makes the folder of a copy, or checks that it holds a copy with the same settings. */
export async function openFolder(
  out: string,
  settings: PackSettings,
  operations?: WriteOperations,
): Promise<void> {
  const file = join(out, PREPARED_FILE);
  const wanted = { formatVersion: FORMAT_VERSION, ...settings };
  try {
    await mkdir(out, { recursive: true });
    const text = await readFile(file, 'utf8').catch(() => null);
    if (text === null) {
      const others = (await readdir(out)).filter((name) => !name.endsWith(TEMPORARY_SUFFIX));
      if (others.length > 0)
        throw new VsslError(
          'ERR_VSSL_USAGE',
          `${out} holds other files (${others[0]}...) and no copy that was begun; give a new folder`,
          { details: { out } },
        );
      await writeFileAtomic(file, [Buffer.from(`${JSON.stringify(wanted, null, 2)}\n`)], operations);
      return;
    }
    const written = parseSettings(text);
    if (!written)
      throw new VsslError(
        'ERR_VSSL_DATA',
        `${file} is damaged: expected the settings of the copy as a JSON object; remove ${out}, or give a new folder`,
        { details: { out, file } },
      );
    // copies that were begun when there was no other format do not say theirs
    const found: Readonly<Record<string, unknown>> = { format: 'raw', quality: null, ...written };
    for (const [key, value] of Object.entries(wanted))
      if (found[key] !== value)
        throw new VsslError(
          'ERR_VSSL_USAGE',
          `${out} holds a copy with ${key} ${String(found[key])}, not ${String(value)}; give the same setting or a new folder`,
          { details: { out, key } },
        );
  } catch (error) {
    throw writeFault(out, error);
  }
}

/** null when it is no JSON object. */
function parseSettings(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const found: unknown = JSON.parse(text);
    return typeof found === 'object' ? (found as Record<string, unknown> | null) : null;
  } catch {
    return null;
  }
}

/** What earlier calls finished, by the row's id; a torn line costs its video and nothing else. */
export async function readFinished(
  out: string,
  { shortSide, fps }: PackSettings,
): Promise<ReadonlyMap<string, Entry>> {
  const file = join(out, FINISHED_FILE);
  const text = await readFile(file, 'utf8').catch(() => '');
  // What comes next begins on a line of its own.
  if (text !== '' && !text.endsWith('\n')) await appendFile(file, '\n');
  const finished = new Map<string, Entry>();
  for (const line of text.split('\n')) {
    try {
      const entry = JSON.parse(line) as Entry & { version: number };
      const same = entry.version === FORMAT_VERSION && entry.shortSide === shortSide && entry.rate === fps;
      if (same) finished.set(entry.id, entry);
    } catch {
      // an empty line, or the last one of a process that was killed
    }
  }
  return finished;
}

/** Notes a video as finished. */
export function noteFinished(out: string, entry: Entry): Promise<void> {
  return appendFile(join(out, FINISHED_FILE), `${JSON.stringify({ version: FORMAT_VERSION, ...entry })}\n`);
}

/** Errors of the file system as one that says what to do; others as they are. */
export function writeFault(out: string, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  // only errors of the system have names such as ENOSPC; the reason of an aborted signal may be anything
  if (error instanceof VsslError || typeof code !== 'string' || !/^E[A-Z0-9]+$/.test(code)) return error;
  const room = code === 'ENOSPC' || code === 'EDQUOT';
  const why =
    writeReason(error) +
    (room ? '; make room, or take a smaller --short-side (half the side is a quarter of the bytes)' : '');
  return new VsslError(
    'ERR_VSSL_WRITE',
    `cannot write the copy in ${out}: ${why}. What is finished stays: the same command goes on from there`,
    { details: { out, code }, cause: error },
  );
}

/** What a killed process left half-written. */
export async function removeTemporary(out: string): Promise<void> {
  const names = await readdir(out, { recursive: true }).catch(() => [] as string[]);
  const old = Date.now() - 3600_000;
  for (const name of names.filter((n) => n.endsWith(TEMPORARY_SUFFIX))) {
    const found = await stat(join(out, name)).catch(() => null);
    // Another process may be at work here: what is young may be its own.
    if (found && found.mtimeMs < old) await rm(join(out, name), { force: true });
  }
}
