import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BaseConfig, baseConfigSchema } from '../config/schema.js';
import { drawAugment } from '../data/augment/draw-augment.js';
import { type ClipFormat, clockOf, planEvaluationClips, spanOf } from '../data/clip-plan.js';
import type { ClipPlan, VideoFacts } from '../data/plan.js';
import { Rng } from '../data/rng.js';
import type { VideoRow } from '../data/rows.js';
import { clipTimes } from '../data/samplers/clock.js';
import { drawUniformStarts } from '../data/samplers/starts.js';
import { VsslError } from '../errors.js';

export type Augmentation = BaseConfig['data']['augment'];

/** The augmentation that training uses when its configuration says nothing. */
export function defaultAugmentation(): Augmentation {
  return baseConfigSchema.shape.data.parse({}).augment;
}

/** The augmentation a run was trained with; the default one for a weights file alone. */
export async function runAugmentation(run: string | undefined): Promise<Augmentation> {
  if (run === undefined) return defaultAugmentation();
  const path = join(run, 'config.json');
  try {
    const config = JSON.parse(await readFile(path, 'utf8')) as { data?: { augment?: Augmentation } };
    return { ...defaultAugmentation(), ...config.data?.augment };
  } catch (error) {
    throw new VsslError(
      'ERR_VSSL_FILE',
      `${path} cannot be read, it says which augmentation was used: give --weights instead`,
      {
        details: { path },
        cause: error,
      },
    );
  }
}

/**
 * The two clips of instance retrieval: two windows of one video, their starts independent and uniform. The gallery's
 * is its centre square as it is; the query's has fresh augmentation. Draws hang on (seed, row id) alone, so that every
 * encoder is asked the same questions.
 */
export function planInstancePair(options: {
  readonly row: VideoRow;
  readonly facts: VideoFacts;
  readonly format: ClipFormat;
  readonly augment: Augmentation;
  readonly seed: number;
}): { gallery: ClipPlan; query: ClipPlan } {
  const { row, facts, format, augment, seed } = options;
  const { frames, stride, size } = format.clip;
  const clock = clockOf(row, facts, format);
  const rng = new Rng(seed, 'instance retrieval', row.id);
  const starts = drawUniformStarts(spanOf(clock, format), 2, false, rng.fork('time'));
  const { source, start, end } = row;
  const clip = planEvaluationClips({ source, facts, format, windows: 1, start, end })[0]!;
  // view 1: the one that an asymmetric recipe treats more gently
  const target = { width: facts.width, height: facts.height, size, frames, view: 1 };
  return {
    gallery: { ...clip, times: clipTimes(clock, starts[0]!, frames, stride) },
    query: {
      ...clip,
      times: clipTimes(clock, starts[1]!, frames, stride),
      augment: drawAugment(augment, target, rng.fork('augment')),
    },
  };
}
