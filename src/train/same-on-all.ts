/** Whether the ranks of a run are about to train the same: what differs would end in other shapes, or in other weights. */
import { diffConfigs } from '../config/diff.js';
import type { ResolvedConfig } from '../config/schema.js';
import type { Manifest } from '../data/rows.js';
import { configError, VsslError } from '../errors.js';
import type { EngineAddon } from '../native/bindings.js';
import { packageVersion } from '../native/version.js';
import type { RankGroup } from './ranks.js';
import { videosFingerprint } from './run-state.js';

interface Said {
  readonly version: string;
  readonly libtorch: string;
  readonly config: ResolvedConfig;
  readonly videos: string;
  readonly rows: number;
  readonly maxSteps: number | null;
}

/** Throws ERR_VSSL_CONFIG for a batch that so many ranks cannot share. */
export function checkBatch({ train: { batch } }: ResolvedConfig, ranks: number): void {
  const over = batch % ranks;
  if (over === 0) return;
  const around = batch < ranks ? `${ranks}` : `${batch - over} and ${batch - over + ranks}`;
  throw configError(
    'train.batch',
    `expected a multiple of the ${ranks} ranks, which share each batch, but got ${batch}; next to it: ${around}`,
  );
}

/** Throws ERR_VSSL_RANKS naming the first rank that differs from rank 0, and in what. */
export async function checkSameOnAll(
  group: RankGroup,
  run: {
    readonly config: ResolvedConfig;
    readonly manifest: Manifest;
    readonly engine: Pick<EngineAddon, 'info'>;
    readonly maxSteps: number | undefined;
  },
): Promise<void> {
  if (group.size === 1) return;
  const { config, manifest, engine, maxSteps = null } = run;
  const own: Said = {
    version: packageVersion,
    libtorch: engine.info().torchVersion,
    config: { ...config, out: null, data: { ...config.data, path: null } },
    videos: videosFingerprint(manifest),
    rows: manifest.rows.length,
    maxSteps,
  };
  const [first, ...others] = await group.exchange(own);
  others.forEach((said, i) => {
    const why = difference(first!, said);
    if (why)
      throw new VsslError('ERR_VSSL_RANKS', `rank ${i + 1} would not train what rank 0 does: ${why}`, {
        details: { rank: i + 1 },
      });
  });
}

function difference(first: Said, other: Said): string | null {
  if (first.version !== other.version)
    return `it has vssl-native ${other.version}, rank 0 has ${first.version}`;
  if (first.libtorch !== other.libtorch)
    return `it has libtorch ${other.libtorch}, rank 0 has ${first.libtorch}`;
  const keys = diffConfigs(first.config, other.config);
  if (keys.length > 0)
    return `${keys.map(({ key, a, b }) => `${key} is ${JSON.stringify(b)} there and ${JSON.stringify(a)} on rank 0`).join(', ')}`;
  if (first.maxSteps !== other.maxSteps)
    return `--max-steps is ${other.maxSteps ?? 'not given'} there and ${first.maxSteps ?? 'not given'} on rank 0`;
  if (first.videos !== other.videos)
    return `data.path holds other videos there (${other.rows}) than on rank 0 (${first.rows}); all ranks need the same`;
  return null;
}
