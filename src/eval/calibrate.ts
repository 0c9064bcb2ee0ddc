import { throwIfAborted } from '../checks.js';
import { checkClipPlan } from '../data/clip-limits.js';
import { type ClipPlan, PLAN_VERSION } from '../data/plan.js';
import type { VideoRow } from '../data/rows.js';
import { refuseEnvironment } from '../embed/clip-failure.js';
import { mapAhead } from '../embed/map-ahead.js';
import type { VideoEncoder } from '../embed/video-encoder.js';
import { isEnvironmentCode, VsslError } from '../errors.js';
import type { NativeBatch, NativeLoader } from '../native/bindings.js';
import { spread } from './folds.js';

/** Videos whose clips set the statistics, at most; more change them little. */
const kVideos = 512;
const kBatch = 16;

/**
 * Gives an untrained encoder the BatchNorm statistics of real clips: the middle window of up to 512 of `rows`, evenly
 * chosen. With the initial statistics its activations shrink or grow from layer to layer, and it would be a straw man.
 */
export async function calibrateEncoder(
  encoder: VideoEncoder,
  loader: NativeLoader,
  rows: readonly VideoRow[],
  planClip: (row: VideoRow) => Promise<ClipPlan>,
  signal?: AbortSignal,
): Promise<void> {
  await encoder.calibrate(calibrationBatches(loader, spread(rows, kVideos), planClip, signal));
}

/** Batches of the clips that can be used. A batch is freed when the next is asked for. */
async function* calibrationBatches(
  loader: NativeLoader,
  rows: readonly VideoRow[],
  planClip: (row: VideoRow) => Promise<ClipPlan>,
  signal?: AbortSignal,
): AsyncGenerator<NativeBatch, void, undefined> {
  const groups: VideoRow[][] = [];
  for (let i = 0; i < rows.length; i += kBatch) groups.push(rows.slice(i, i + kBatch));
  const loaded = mapAhead(
    groups,
    async (group) => {
      throwIfAborted(signal);
      const plan = async (row: VideoRow) => {
        const clip = await planClip(row);
        checkClipPlan(clip);
        return clip;
      };
      const planned = await Promise.all(
        group.map((row) =>
          plan(row).catch((error) => {
            if (isEnvironmentCode(String(error?.code))) throw error;
            return null;
          }),
        ),
      );
      return loadGood(
        loader,
        planned.filter((clip) => clip !== null),
      );
    },
    2,
    (batch) => batch?.dispose(),
  );
  let some = false;
  for await (const batch of loaded) {
    if (!batch) continue;
    some = true;
    try {
      yield batch;
    } finally {
      batch.dispose();
    }
  }
  if (!some)
    throw new VsslError(
      'ERR_VSSL_NO_USABLE_VIDEO',
      `none of ${rows.length} videos could be used to calibrate BatchNorm`,
    );
}

/** Loads clips, and again without those that failed: an empty slot must not enter the statistics. */
async function loadGood(loader: NativeLoader, clips: readonly ClipPlan[]): Promise<NativeBatch | null> {
  let good = clips;
  while (good.length > 0) {
    const { batch, failures } = await loader.load({
      version: PLAN_VERSION,
      views: [{ name: 'clip', clips: good }],
    });
    if (failures.length === 0) return batch;
    batch.dispose();
    refuseEnvironment(failures);
    const failed = new Set(failures.map((failure) => failure.sample));
    good = good.filter((_, i) => !failed.has(i));
  }
  return null;
}
