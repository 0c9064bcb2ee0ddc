import { configError } from '../errors.js';
import { architecturesWith, checkLeastClip } from './architectures.js';
import type { ResolvedConfig } from './schema.js';

/** Rules between keys that a schema of single keys cannot say. Throws ERR_VSSL_CONFIG. */
export function checkConsistency(config: ResolvedConfig): void {
  const { train, data, model } = config;
  const { arch, width: _, checkpoint: __, ...options } = model;
  for (const [key, value] of Object.entries(options)) {
    const having = architecturesWith(key);
    if (value !== undefined && !having.includes(arch))
      throw configError(`model.${key}`, `is an option of ${having.join(', ')} alone; ${arch} has none such`);
  }
  checkLeastClip(arch, data.clip, 'data.clip.frames');
  if (train.epochs === null && train.steps === null) {
    throw configError(
      'train.epochs',
      "give the length of the run as 'train.epochs' or 'train.steps'; both are null",
    );
  }
  if (train.accumulate > train.batch) {
    throw configError(
      'train.accumulate',
      `expected at most train.batch (${train.batch}) chunks but got ${train.accumulate}`,
    );
  }
  if (train.optimizer.nesterov && train.optimizer.momentum === 0) {
    throw configError('train.optimizer.nesterov', 'needs a momentum above 0');
  }
  const { schedule, optimizer } = train;
  if (schedule.name === 'step' && schedule.milestones.length === 0) {
    throw configError(
      'train.schedule.milestones',
      "a 'step' schedule needs at least one milestone, such as [120, 160]",
    );
  }
  if (schedule.milestones.some((m, i) => i > 0 && m <= (schedule.milestones[i - 1] as number))) {
    throw configError('train.schedule.milestones', 'expected ascending numbers');
  }
  if (schedule.finalLr > optimizer.lr) {
    throw configError('train.schedule.finalLr', `expected at most train.optimizer.lr (${optimizer.lr})`);
  }
  checkBackground(config);
  if (data.input !== 'rgb' && data.clip.frames < 2) {
    throw configError(
      'data.clip.frames',
      `input '${data.input}' needs at least 2 frames: a single one has no motion`,
    );
  }
  checkBlends(config);
  if (config.eval.everyEpochs !== null && config.eval.data === null) {
    throw configError(
      'eval.data',
      "is missing: 'eval.everyEpochs' is set, so say which labelled data to evaluate on",
    );
  }
  if (config.eval.test !== null && config.eval.data === null) {
    throw configError(
      'eval.data',
      "is missing: 'eval.test' is set, so say which labelled data its videos are compared with",
    );
  }
}

/** What a background needs of the other keys: frames that differ, and another video to take it from. */
function checkBackground({ data, train }: ResolvedConfig): void {
  const { background, perFrame } = data.augment;
  if (background === 'own') return;
  const why =
    data.clip.frames < 2
      ? 'needs clips of at least 2 frames (data.clip.frames): a single one shows no motion'
      : train.batch < 2
        ? 'needs batches of at least 2 videos (train.batch): the background is that of another one'
        : perFrame
          ? 'needs one augmentation a clip: set data.augment.perFrame to false'
          : null;
  if (why !== null) throw configError('data.augment.background', `'${background}' ${why}`);
}

/** What is done to pictures along time needs them as they are. */
function checkBlends({ data }: ResolvedConfig): void {
  const drawn = (['still', 'meanRemoval'] as const).find((key) => data.augment[key].p > 0);
  if (drawn === undefined || data.input === 'rgb') return;
  throw configError(
    `data.augment.${drawn}.p`,
    `is for pictures as they are, but data.input is '${data.input}', which has taken away what it changes; set data.input ` +
      "to 'rgb', or this to 0",
  );
}
