import { z } from 'zod';
import { requireOptions } from '../checks.js';
import { configError, VsslError } from '../errors.js';
import { didYouMean, nearestName } from '../spelling.js';
import { checkConsistency } from './consistency.js';
import { explainIssues } from './explain.js';
import { type ConfigLayer, isRecord, mergeRaw, nestRaw, type RawConfig, readRaw } from './raw.js';
import { parseSetting, readConfigFile } from './read-file.js';
import { type BaseConfigInput, baseConfigShape, type ResolvedConfig } from './schema.js';

/** Named settings of a method that a configuration can start from. */
export interface Preset<Name extends string = string> {
  readonly name: Name;
  /** One sentence for people. */
  readonly description: string;
  /** Its network and clips are too much for a processor: `train` says so where there is no GPU. Default false. */
  readonly needsGpu?: boolean;
  readonly config: BaseConfigInput & { readonly [slice: string]: unknown };
}

/** What the configuration must know of a method. */
export interface MethodSlice {
  readonly name: string;
  /** The method's own options with the published values as defaults. */
  readonly configSchema: z.ZodType;
  /** Settings outside its slice whose published values differ from the general defaults. */
  readonly defaults: RawConfig;
  readonly presets: readonly Preset[];
  /** Rules between its options and the other keys. Throws ERR_VSSL_CONFIG. */
  readonly check: (config: ResolvedConfig) => void;
}

export interface LoadOptions {
  readonly file?: string | undefined;
  readonly preset?: string | undefined;
  /** `a.b=c`, later ones win. */
  readonly set?: readonly string[] | undefined;
}

/** What one run of several is made of: a configuration, and what is laid over it. */
export interface CellOptions extends LoadOptions {
  /** A configuration, instead of a file. */
  readonly config?: RawConfig | undefined;
  /** Values by key, such as `train.optimizer.lr`; `preset` is the preset to start from. */
  readonly cell: Readonly<Record<string, unknown>>;
}

/** The configuration of a run: preset < file (`extends:` a preset) < --set. Throws ERR_VSSL_CONFIG naming the key. */
export function loadConfigWith(methods: readonly MethodSlice[], options: LoadOptions): ResolvedConfig {
  requireOptions(options, ['file', 'preset', 'set']);
  return resolveLayers(methods, layersOf(methods, options));
}

/**
 * The configuration of one run of several: preset < file or config < --set < the cell. Throws ERR_VSSL_CONFIG naming the
 * key.
 */
export function loadCellWith(methods: readonly MethodSlice[], options: CellOptions): ResolvedConfig {
  const { config, cell, ...rest } = options;
  const { preset = rest.preset, ...values } = cell;
  if (preset !== undefined && typeof preset !== 'string')
    throw configError('preset', 'expected the name of a preset');
  const layers = layersOf(methods, { ...rest, preset }, config);
  for (const [key, value] of Object.entries(values))
    layers.push({ origin: `--grid ${key}`, value: nestRaw(key.split('.'), value), dropOtherMethods: false });
  return resolveLayers(methods, layers);
}

function layersOf(methods: readonly MethodSlice[], options: LoadOptions, config?: RawConfig): ConfigLayer[] {
  const layers: ConfigLayer[] = [];
  if (options.preset !== undefined) layers.push(presetLayer(methods, options.preset));
  if (options.file !== undefined) {
    layers.push(...fileLayers(methods, readConfigFile(options.file), options.file, options.preset));
  }
  if (config !== undefined) layers.push(...fileLayers(methods, config, 'config', options.preset));
  for (const setting of options.set ?? []) {
    layers.push({ origin: `--set ${setting}`, value: parseSetting(setting), dropOtherMethods: false });
  }
  return layers;
}

/** Checks a configuration object and fills in every default. */
export function resolveConfigWith(methods: readonly MethodSlice[], config: RawConfig): ResolvedConfig {
  if (!isRecord(config)) throw configError('', 'expected an object with the keys of a configuration');
  return resolveLayers(methods, fileLayers(methods, config));
}

/** Schema of a whole configuration of one method. */
export function methodConfigSchema(method: MethodSlice): z.ZodType {
  return z.strictObject({ ...baseConfigShape, [method.name]: method.configSchema.prefault({}) });
}

/** Schema of a configuration file of any of the methods, for editors. */
export function configJsonSchemaWith(methods: readonly MethodSlice[]): Record<string, unknown> {
  const slices = Object.fromEntries(methods.map((m) => [m.name, m.configSchema.optional()]));
  const names = methods.map((m) => m.name) as [string, ...string[]];
  const schema = z.strictObject({
    extends: z.string().optional().describe('Name of a preset whose settings these are laid over'),
    ...baseConfigShape,
    method: z.enum(names).optional(),
    ...slices,
  });
  return z.toJSONSchema(schema, { io: 'input' }) as Record<string, unknown>;
}

/** The preset of that name. Throws ERR_VSSL_CONFIG with the nearest name. */
export function findPreset(methods: readonly MethodSlice[], name: string): Preset {
  const presets = methods.flatMap((method) => method.presets);
  const found = presets.find((preset) => preset.name === name);
  if (found) return found;
  const names = presets.map((preset) => preset.name);
  throw new VsslError(
    'ERR_VSSL_CONFIG',
    `there is no preset '${name}'; there are ${names.join(', ')}${didYouMean(name, names)}`,
    { details: { preset: name } },
  );
}

function presetLayer(methods: readonly MethodSlice[], name: string): ConfigLayer {
  return { origin: `preset '${name}'`, value: findPreset(methods, name).config, dropOtherMethods: true };
}

function fileLayers(
  methods: readonly MethodSlice[],
  config: RawConfig,
  origin = 'config',
  preset?: string,
): ConfigLayer[] {
  const { extends: base, ...value } = config;
  const own: ConfigLayer = { origin, value, dropOtherMethods: false };
  if (base === undefined || base === null) return [own];
  if (typeof base !== 'string') throw configError('extends', 'expected the name of a preset');
  if (preset !== undefined && preset !== base) {
    throw configError(
      'extends',
      `the file extends '${base}' but the preset '${preset}' was asked for; give one of them`,
    );
  }
  return [presetLayer(methods, base), own];
}

function resolveLayers(methods: readonly MethodSlice[], layers: readonly ConfigLayer[]): ResolvedConfig {
  const method = chooseMethod(methods, layers);
  let merged: RawConfig = method.defaults;
  for (const layer of layers) {
    const foreign = Object.keys(layer.value).filter(
      (key) => key !== method.name && methods.some((m) => m.name === key),
    );
    if (foreign.length > 0 && !layer.dropOtherMethods) {
      throw configError(
        foreign[0] as string,
        `these are options of another method; this configuration's method is '${method.name}'`,
      );
    }
    const value = Object.fromEntries(Object.entries(layer.value).filter(([key]) => !foreign.includes(key)));
    merged = mergeRaw(merged, value);
  }
  const schema = methodConfigSchema(method);
  const parsed = schema.safeParse(merged);
  if (!parsed.success) {
    throw explainIssues(schema, parsed.error, merged, (path) => originOf(layers, path));
  }
  const resolved = parsed.data as ResolvedConfig;
  checkConsistency(resolved);
  method.check(resolved);
  return resolved;
}

function chooseMethod(methods: readonly MethodSlice[], layers: readonly ConfigLayer[]): MethodSlice {
  const names = methods.map((m) => m.name);
  const layer = layers.findLast((l) => l.value.method !== undefined);
  if (layer === undefined) {
    const misspelt = layers.flatMap((l) => Object.keys(l.value)).find((key) => nearestName(key, ['method']));
    const hint = misspelt === undefined ? '' : ` (did you mean 'method' where it says '${misspelt}'?)`;
    throw configError('method', `is missing${hint}; expected one of ${names.join(', ')}, or a preset`);
  }
  const name = layer.value.method;
  const method = methods.find((m) => m.name === name);
  if (method) return method;
  const hint = typeof name === 'string' ? didYouMean(name, names) : '';
  throw new VsslError(
    'ERR_VSSL_CONFIG',
    `config key 'method' (${layer.origin}): expected one of ${names.join(', ')} but got '${String(name)}'${hint}`,
    { details: { key: 'method', origin: layer.origin } },
  );
}

function originOf(layers: readonly ConfigLayer[], path: readonly PropertyKey[]): string | undefined {
  return layers.findLast((layer) => readRaw(layer.value, path) !== undefined)?.origin;
}
