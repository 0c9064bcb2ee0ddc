/** The runs of the arms: a folder for each arm and seed, trained or continued as far as it is not finished. */
import { join } from 'node:path';
import type { DeviceChoice } from '../checks.js';
import { loadManifest } from '../data/manifest.js';
import type { GetFacts, VideoRow } from '../data/rows.js';
import { readFacts } from '../embed/video-facts.js';
import { noFlow } from '../native/flow.js';
import { openEngine } from '../native/load.js';
import type { TrainEvent } from '../train/events.js';
import { needsFlow } from '../train/flow-need.js';
import { runPaths } from '../train/run-folder.js';
import { checkSameVideos, type RunState, videosFingerprint } from '../train/run-state.js';
import { train } from '../train/train.js';
import { listCheckpoints } from '../weights/checkpoint.js';
import { readSafetensorsMetadata } from '../weights/safetensors.js';
import type { ArmPlan, PlannedArm, PlannedClaim } from './plan-arms.js';
import { configOfSeed } from './seeded.js';

export function runFolder(out: string, { id }: Pick<PlannedArm, 'id'>, seed: number): string {
  return join(out, `arm-${id}`, `seed-${seed}`);
}

/** Throws ERR_VSSL_NO_FLOW when an arm that is not trained yet needs optical flow, which cannot be computed here. */
export async function checkFlow(
  { arms, claims }: ArmPlan,
  rows: readonly VideoRow[],
  out: string,
  { seeds, device = 'auto' }: { readonly seeds: readonly number[]; readonly device?: DeviceChoice },
): Promise<void> {
  const engine = await openEngine(device);
  if (engine.info().flowVersion) return;
  const getFacts: GetFacts = (row) => readFacts(engine, row);
  const needing = new Set<string>();
  for (const arm of arms)
    if ((await isUnfinished(arm, out, seeds)) && (await needsFlow(arm.config, rows, getFacts)))
      needing.add(arm.id);
  if (needing.size === 0) return;
  const needs = (claim: PlannedClaim) => claim.arms.some((id) => needing.has(id));
  const namesOf = (some: readonly PlannedClaim[]) => some.map(({ claim }) => claim.name);
  const others = namesOf(claims.filter((claim) => !needs(claim)));
  const leave = `leave out the claims that need it (${namesOf(claims.filter(needs)).join(', ')})`;
  throw noFlow(engine, others.length === 0 ? leave : `${leave}: --claim ${others.join(' ')}`);
}

async function isUnfinished(
  { id, config }: PlannedArm,
  out: string,
  seeds: readonly number[],
): Promise<boolean> {
  for (const seed of seeds) {
    const { checkpoints } = runPaths(runFolder(out, { id }, seed));
    const last = (await listCheckpoints(checkpoints)).at(-1);
    if ((last?.step ?? 0) < config.train.steps!) return true;
  }
  return false;
}

/** Trains one arm with one seed, or what is missing of it; returns whether anything was. */
export async function trainArm(
  arm: PlannedArm,
  seed: number,
  folder: string,
  { signal, onEvent }: { readonly signal?: AbortSignal; readonly onEvent?: (event: TrainEvent) => void },
): Promise<boolean> {
  const run = train(configOfSeed(arm.config, seed), { out: folder, ...(signal ? { signal } : {}) });
  for await (const event of run) onEvent?.(event);
  return (await run.result).stepsDone > 0;
}

/**
 * A finished run is taken as it is, and train looks at no video then. Gives a check, for one call, that its videos are
 * those of today: throws ERR_VSSL_RESUME_MISMATCH otherwise, as train does for an unfinished one.
 */
export function checkFinished(): (arm: PlannedArm, seed: number, folder: string) => Promise<void> {
  const known = new Map<string, Promise<string>>();
  return async ({ config }, seed, folder) => {
    const last = (await listCheckpoints(runPaths(folder).checkpoints)).at(-1);
    if (!last || last.step < config.train.steps!) return;
    const metadata = await readSafetensorsMetadata(last.path).catch(() => null); // train says what is wrong with it
    if (!metadata?.state) return;
    const state = JSON.parse(metadata.state) as RunState;
    const spec = configOfSeed(config, seed).data.path!;
    const videos = known.get(spec) ?? loadManifest(spec, { except: [folder] }).then(videosFingerprint);
    known.set(spec, videos);
    if ((await videos) !== state.videos)
      checkSameVideos(folder, state, await loadManifest(spec, { except: [folder] }));
  };
}
