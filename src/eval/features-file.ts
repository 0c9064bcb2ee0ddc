/**
 * The features of an evaluation in a file: jobs write those of a share each, `merge` makes one file of theirs, and the
 * evaluation reads it instead of embedding. Metadata that is a JSON list speaks of videos of the share; all else says what
 * the features hang on, and is the same in all shares.
 */
import { createHash } from 'node:crypto';
import { formatShard, parseShard, type Shard } from '../data/shard.js';
import type { ExtractedFeatures } from '../embed/extract-features.js';
import { VsslError } from '../errors.js';
import { packageVersion } from '../native/load.js';
import { writeError } from '../weights/atomic-write.js';
import { fileDigest } from '../weights/file-digest.js';
import { readSafetensors, type SafetensorsFile, writeSafetensors } from '../weights/safetensors.js';
import type { EvaluationData } from './evaluation-data.js';
import { type EvaluateOptions, retrievalSettings } from './evaluation-options.js';
import { runAugmentation } from './instance-windows.js';
import { EVALUATION_PRECISION } from './precision.js';
import { describeRows } from './result-file.js';
import { STAGES, type Stage, type StagedFeatures } from './staged-features.js';

/** Version of the files written here. */
const FORMAT_VERSION = 1;
const FORMAT = 'vssl-evaluation-features';

/** What features hang on, by the names that messages give it. */
export type FeaturesIdentity = Readonly<Record<string, string>>;

/** What files say that do not speak of it, and evaluations that were not asked for anything else. */
const UNSAID = { frames: 'as in training', pool: '1 x 1 x 1' };

/** `weights`: the file. Throws ERR_VSSL_FILE. */
export async function featuresIdentity(
  weights: string,
  { rows, trainRows }: EvaluationData,
  options: EvaluateOptions,
): Promise<FeaturesIdentity> {
  const { windows = 3, crops = 1, frames, pool, baseline, baselineSeed = 0, floors = false } = options;
  return {
    weights: await fileDigest(weights),
    videos: digest([describeRows(rows), trainRows]),
    precision: options.precision ?? EVALUATION_PRECISION,
    windows: String(windows),
    crops: String(crops),
    frames: frames === undefined ? UNSAID.frames : String(frames),
    pool: pool === undefined ? UNSAID.pool : pool.join(' x '),
    baseline: baseline ? `${baseline} with seed ${baselineSeed}` : 'none',
    floors: String(floors),
    ...(options.protocol === 'retrieval' && {
      seed: String(retrievalSettings(options).seed),
      augmentation: digest(await runAugmentation(options.run)),
    }),
  };
}

/** Writes the features of a share. `names`: what the matrices of a stage are of. Throws ERR_VSSL_WRITE. */
export async function writeFeatures(
  path: string,
  shard: Shard,
  identity: FeaturesIdentity,
  stages: StagedFeatures,
  names: readonly string[],
): Promise<void> {
  const present = STAGES.flatMap((stage) => (stages[stage] ? [[stage, stages[stage]] as const] : []));
  const tensors = present.flatMap(([stage, { features }]) =>
    features.map(({ data, rows, dim }, i) => ({
      ...{ name: `${stage}/${names[i]}`, dtype: 'F32' as const, shape: [rows, dim] },
      data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    })),
  );
  const lists = present.flatMap(([stage, { kept, damaged, failures }]) => [
    [`${stage} kept`, JSON.stringify(kept)],
    [`${stage} damaged`, JSON.stringify(damaged)],
    [`${stage} failures`, JSON.stringify(failures.map(plainFailure))],
  ]);
  await writeSafetensors(path, tensors, {
    ...{ format: FORMAT, format_version: String(FORMAT_VERSION), package_version: packageVersion },
    ...{ ...identity, shard: formatShard(shard) },
    ...Object.fromEntries(lists),
  }).catch((error) => {
    throw writeError(path, error);
  });
}

function plainFailure({ index, error: { code, message } }: ExtractedFeatures['failures'][number]) {
  return { index, code, message };
}

/**
 * Reads what writeFeatures and `merge` wrote. Throws ERR_VSSL_USAGE when it is a share alone or does not go with the
 * evaluation, naming in what; ERR_VSSL_FILE and ERR_VSSL_SAFETENSORS.
 */
export async function readFeatures(
  path: string,
  identity: FeaturesIdentity,
  names: readonly string[],
): Promise<StagedFeatures> {
  const file = await readSafetensors(path);
  const metadata: Readonly<Record<string, string>> = { ...UNSAID, ...file.metadata };
  if (metadata.format !== FORMAT) throw usage(`${path} was not written by 'eval --shard' and 'merge'`);
  if (metadata.format_version !== String(FORMAT_VERSION))
    throw usage(`${path} is of version ${metadata.format_version}; this package reads ${FORMAT_VERSION}`);
  if (metadata.shard !== undefined && parseShard(metadata.shard).count > 1)
    throw usage(`${path} is shard ${metadata.shard} alone: 'vssl-native merge' makes one file of all`);
  for (const [name, value] of Object.entries(identity))
    if (metadata[name] !== value) throw usage(`${path} holds ${otherFeatures(name, metadata[name], value)}`);
  const stages = STAGES.flatMap((stage) => {
    const read = readStage(file, path, stage, names);
    return read ? [[stage, read] as const] : [];
  });
  return Object.fromEntries(stages);
}

function otherFeatures(name: string, theirs: string | undefined, ours: string): string {
  if (theirs === undefined) return "no features of instances: only 'eval retrieval --shard' writes them";
  if (theirs.startsWith('sha256:'))
    return `features of other ${name} than this evaluation: embed again with its options`;
  return `features of another evaluation: ${name} is ${theirs} there and ${ours} here`;
}

function readStage(
  { tensors, metadata }: SafetensorsFile,
  path: string,
  stage: Stage,
  names: readonly string[],
): ExtractedFeatures | null {
  if (metadata[`${stage} kept`] === undefined) return null;
  const list = <T>(what: string): T[] => {
    try {
      return JSON.parse(metadata[`${stage} ${what}`] ?? '');
    } catch {
      throw usage(`${path} is damaged: its list of ${stage} ${what} cannot be read`);
    }
  };
  const kept = list<number>('kept');
  const features = names.map((name) => {
    const found = tensors.find((tensor) => tensor.name === `${stage}/${name}`);
    const [rows, dim] = found?.shape ?? [];
    if (found?.dtype !== 'F32' || rows !== kept.length || dim === undefined)
      throw usage(`${path} is damaged: it lacks ${stage} of '${name}' for ${kept.length} videos`);
    const { buffer, byteOffset } = found.data;
    return { data: new Float32Array(buffer as ArrayBuffer, byteOffset, rows * dim), rows, dim };
  });
  const failures = list<ReturnType<typeof plainFailure>>('failures').map(({ index, code, message }) => ({
    index,
    error: new VsslError(code, message),
  }));
  return { features, kept, damaged: list('damaged'), failures };
}

function digest(value: unknown): string {
  return `sha256:${createHash('sha256').update(JSON.stringify(value)).digest('hex')}`;
}

function usage(message: string): VsslError {
  return new VsslError('ERR_VSSL_USAGE', message);
}
