/** The arms of a comparison: what each path stands for. */
import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { diffConfigs } from '../config/diff.js';
import type { RawConfig } from '../config/raw.js';
import { VsslError } from '../errors.js';
import { readEvaluation, type WrittenEvaluation } from '../eval/written-evaluation.js';
import { isRun, isThere, type ReadRun, readRun, seedFolders } from './read-run.js';

export interface Arm {
  readonly name: string;
  readonly path: string;
  /** One a seed; none for an evaluation file. */
  readonly runs: readonly ReadRun[];
  /** Of an evaluation file. */
  readonly evaluation: WrittenEvaluation | null;
}

/** A file that `sweep` writes into its folder. */
const SWEEP = 'sweep.json';

/**
 * Reads what the paths name: run folders, folders with a run for each seed, evaluation files, and folders of a sweep,
 * which stand for all of their cells. Throws ERR_VSSL_FILE for what is not there, ERR_VSSL_USAGE for what is none of
 * these, for fewer than two arms, and for seeds of an arm that are runs of different configurations.
 */
export async function readArms(paths: readonly string[]): Promise<Arm[]> {
  const found: Omit<Arm, 'name'>[] = [];
  for (const path of paths) {
    const cells = (await isThere(join(path, SWEEP))) ? await cellFolders(path) : [path];
    for (const cell of cells) found.push(await readArm(cell));
  }
  const twice = found.find(({ path }, i) => found.findIndex((other) => other.path === path) < i);
  if (twice) throw usage(`${twice.path} is named twice; give each run once`);
  if (found.length < 2)
    throw usage(
      `expected at least two runs to compare but got ${found.length === 0 ? 'none' : `only ${found[0]!.path}`}`,
    );
  const names = shortNames(found.map(({ path }) => path));
  return found.map((arm, i) => ({ name: names[i]!, ...arm }));
}

async function readArm(given: string): Promise<Omit<Arm, 'name'>> {
  const path = resolve(given);
  const there = await stat(path).catch(() => null);
  if (!there)
    throw new VsslError('ERR_VSSL_FILE', `there is no run folder or evaluation file ${given}`, {
      details: { path },
    });
  if (!there.isDirectory()) {
    const evaluation = await readEvaluation(path);
    if (evaluation) return { path, runs: [], evaluation };
    throw usage(`${given} holds no evaluation; expected a file that 'eval' has written, or a run folder`);
  }
  if (await isRun(path)) return { path, runs: [await readRun(path)], evaluation: null };
  const runs: ReadRun[] = [];
  for (const folder of await seedFolders(path)) if (await isRun(folder)) runs.push(await readRun(folder));
  if (runs.length === 0)
    throw usage(
      `${given} holds no run; expected a run folder (with config.json), or a folder with a run for each seed (seed-0, seed-1...)`,
    );
  checkSeeds(given, runs);
  return { path, runs, evaluation: null };
}

/** The runs of an arm differ in their seed alone. */
function checkSeeds(path: string, runs: readonly ReadRun[]): void {
  const configs = runs.flatMap(({ config }) => (config ? [withoutSeed(config)] : []));
  for (const config of configs) {
    const [different] = diffConfigs(configs[0], config);
    if (different)
      throw usage(
        `the runs in ${path} differ in ${different.key}, not in their seed alone; name them one by one`,
      );
  }
}

/** Settings without the seed and the place of the run. */
export function withoutSeed(config: RawConfig): RawConfig {
  const { out: _out, train, ...rest } = config;
  const { seed: _seed, ...training } = (train ?? {}) as RawConfig;
  return { ...rest, train: training };
}

/** Cells of a sweep that have begun. */
async function cellFolders(folder: string): Promise<string[]> {
  const cells: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const cell = join(folder, entry.name);
    for (const run of await seedFolders(cell))
      if (await isRun(run)) {
        cells.push(cell);
        break;
      }
  }
  return cells.sort();
}

/** The least number of last parts of each path that tells it from the others. */
function shortNames(paths: readonly string[]): string[] {
  const parts = paths.map((path) => path.split(/[\\/]/).filter(Boolean));
  const end = (of: readonly string[], length: number) => of.slice(-length).join('/');
  return parts.map((own, i) => {
    let length = 1;
    while (
      length < own.length &&
      parts.some((other, j) => j !== i && end(other, length) === end(own, length))
    )
      length++;
    return end(own, length);
  });
}

function usage(message: string): VsslError {
  return new VsslError('ERR_VSSL_USAGE', message);
}
