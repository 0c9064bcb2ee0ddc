/** A commented configuration for a folder of videos. */
import { checkCount, checkSignal, checkText, requireOptions } from '../checks.js';
import { parseConfigText } from '../config/read-file.js';
import type { ResolvedConfig } from '../config/schema.js';
import { VsslError } from '../errors.js';
import { loadConfig, resolveConfig, type TrainConfig } from '../methods/config.js';
import { getMethod, getPreset } from '../methods/registry.js';
import { lackOfCuda, lookAround } from '../native/flavour.js';
import { absoluteSpec } from '../train/absolute-spec.js';
import { chooseBatch, chooseClip } from './choose-clip.js';
import { type LookedAt, lookAtVideos } from './look-at-videos.js';
import { writeConfigText } from './write-config.js';

export interface SuggestConfigOptions {
  /** Folder, manifest or data source. */
  readonly data: string;
  /** Default cvrl. */
  readonly method?: string;
  /**
   * Default: NAME-tiny without a GPU, and with fewer videos than a batch of the published settings; else the published
   * ones.
   */
  readonly preset?: string;
  /** Videos that are looked at. Default 64. */
  readonly look?: number;
  readonly signal?: AbortSignal;
}

export interface SuggestedConfig {
  /** YAML with comments: what a file for `--config` holds. */
  readonly text: string;
  /** What it comes to. */
  readonly config: ResolvedConfig;
  readonly preset: string;
  readonly looked: LookedAt;
}

/**
 * Looks at some of the videos and writes a configuration that fits them: preset, clips, batch. Throws ERR_VSSL_DATA,
 * ERR_VSSL_NO_USABLE_VIDEO, ERR_VSSL_INVALID_ARGUMENT for an unknown method, ERR_VSSL_CONFIG for an unknown preset and
 * ERR_VSSL_USAGE for one of another method.
 */
export async function suggestConfig(options: SuggestConfigOptions): Promise<SuggestedConfig> {
  requireOptions(options, ['data', 'method', 'preset', 'look', 'signal']);
  const data = absoluteSpec(checkText('data', 'a folder or manifest', options.data));
  const most = checkCount('look', options.look ?? 64);
  const signal = checkSignal(options.signal);
  const named = options.preset === undefined ? null : getPreset(options.preset);
  const method = getMethod(options.method ?? String(named?.config.method ?? 'cvrl'));
  if (named && named.config.method !== method.name)
    throw new VsslError(
      'ERR_VSSL_USAGE',
      `the preset '${named.name}' is one of ${String(named.config.method)}, not of ${method.name}; ${method.name} has ${method.presets.map(({ name }) => name).join(', ')}`,
    );
  const looked = await lookAtVideos(data, most, signal);
  const preset = named
    ? { value: named.name, why: 'as asked for' }
    : choosePreset(method.name, method.presets, looked);
  const base = loadConfig({ preset: preset.value });
  const text = writeConfigText({
    ...{ data, preset, base, looked },
    clip: chooseClip(base, looked),
    batch: chooseBatch(base, looked),
  });
  const config = resolveConfig(parseConfigText(text, 'the suggested configuration') as TrainConfig);
  return { text, config, preset: preset.value, looked };
}

/** The published settings need a GPU and more videos than a batch of theirs. */
function choosePreset(
  method: string,
  presets: readonly { readonly name: string; readonly needsGpu?: boolean }[],
  { videos }: LookedAt,
) {
  const published = presets.find(({ needsGpu }) => needsGpu);
  const small = presets.find(({ needsGpu = false }) => !needsGpu);
  if (!published || !small) {
    const only = published ?? small;
    if (!only)
      throw new VsslError(
        'ERR_VSSL_USAGE',
        `the method '${method}' has no preset to start from; name one of another`,
      );
    return { value: only.name, why: `the only preset of ${method}` };
  }
  if (lackOfCuda(lookAround()) !== null)
    return {
      value: small.name,
      why: `there is no GPU to be used here; with one, '${published.name}' has the published settings`,
    };
  const { batch } = loadConfig({ preset: published.name }).train;
  if (videos < batch)
    return {
      value: small.name,
      why: `'${published.name}', the published settings, takes ${batch} videos in a batch`,
    };
  return { value: published.name, why: 'the published settings, for a GPU' };
}
