/** Which runs a method's claims need: each arm's whole configuration, and arms that are the same run as one. */
import { createHash } from 'node:crypto';
import { checkCount } from '../checks.js';
import { mergeRaw, type RawConfig } from '../config/raw.js';
import { parseSetting } from '../config/read-file.js';
import type { ResolvedConfig } from '../config/schema.js';
import { configError, VsslError } from '../errors.js';
import { resolveConfig, type TrainConfig } from '../methods/config.js';
import type { Claim, ClaimArm, Method } from '../methods/method.js';
import { getPreset } from '../methods/registry.js';
import { didYouMean } from '../spelling.js';

/** A run to train with each seed. Arms of several claims that come to the same configuration share it. */
export interface PlannedArm {
  /** Made of the configuration: the same arm has the same name in a later call. */
  readonly id: string;
  /** As the first claim that needs it calls it. */
  readonly name: string;
  /** Without seed and run folder. */
  readonly config: ResolvedConfig;
  readonly measures: ReadonlySet<string>;
}

export interface PlannedClaim {
  readonly claim: Claim;
  /** Ids, in the order of the claim's arms. */
  readonly arms: readonly string[];
}

export interface ArmPlan {
  readonly arms: readonly PlannedArm[];
  readonly claims: readonly PlannedClaim[];
}

export interface ArmOptions {
  /** Absolute, or a named source. */
  readonly data: string;
  /** Steps of an arm whose own budget is 1. */
  readonly budget: number;
  /** Default NAME-tiny. */
  readonly preset?: string;
  /** `a.b=c`, laid over the preset and under what the arms set. */
  readonly set?: readonly string[];
}

/** The claims of these names, or all. Throws ERR_VSSL_USAGE. */
export function chooseClaims(method: Method, names: readonly string[] | undefined): readonly Claim[] {
  if (method.claims.length === 0)
    throw new VsslError(
      'ERR_VSSL_USAGE',
      `the method '${method.name}' makes no claims; 'vssl-native eval claims --list' shows those that do`,
    );
  return withClaims([method], names)[0]!.claims;
}

/** The methods that make claims of these names, with those claims alone; or all. Throws ERR_VSSL_USAGE when none does. */
export function withClaims(
  methods: readonly Method[],
  names: readonly string[] | undefined,
): readonly Method[] {
  if (names === undefined || names.length === 0) return methods.filter(({ claims }) => claims.length > 0);
  const known = [...new Set(methods.flatMap(({ claims }) => claims.map(({ name }) => name)))];
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new VsslError(
      'ERR_VSSL_USAGE',
      `no claim '${unknown}' is made by ${methods.map(({ name }) => name).join(', ')}; there are ${known.join(', ')}${didYouMean(unknown, known)}`,
    );
  return methods
    .map((method) => ({ ...method, claims: method.claims.filter(({ name }) => names.includes(name)) }))
    .filter(({ claims }) => claims.length > 0);
}

/**
 * Throws ERR_VSSL_CONFIG for settings that are wrong, for a preset of another method, and when two arms of a claim come
 * to the same run.
 */
export function planArms(method: Method, claims: readonly Claim[], options: ArmOptions): ArmPlan {
  checkCount('budget', options.budget);
  checkPreset(method, options.preset);
  const arms = new Map<string, PlannedArm & { measures: Set<string> }>();
  const planned = claims.map((claim): PlannedClaim => {
    const ids = claim.arms.map((arm) => {
      const config = configOf(method, arm, options);
      const id = idOf(config);
      const known = arms.get(id) ?? { id, name: arm.name, config, measures: new Set<string>() };
      known.measures.add(claim.measure);
      arms.set(id, known);
      return id;
    });
    const twin = ids.findIndex((id, i) => ids.indexOf(id) < i);
    if (twin >= 0)
      throw configError(
        method.name,
        `the arms '${claim.arms[ids.indexOf(ids[twin]!)]!.name}' and '${claim.arms[twin]!.name}' of the claim '${claim.name}' come to the same configuration; leave out the setting that makes them so, or choose other claims`,
      );
    return { claim, arms: ids };
  });
  return { arms: [...arms.values()], claims: planned };
}

function checkPreset(method: Method, name: string | undefined): void {
  if (name === undefined || getPreset(name).config.method === method.name) return;
  throw new VsslError(
    'ERR_VSSL_CONFIG',
    `the preset '${name}' is of another method; expected one of ${method.name}: ${method.presets.map((preset) => preset.name).join(', ')}`,
    { details: { preset: name } },
  );
}

/** preset < set < arm < the budget, to which the schedule is scaled. */
function configOf(method: Method, arm: ClaimArm, options: ArmOptions): ResolvedConfig {
  const { preset = `${method.name}-tiny`, set = [], data, budget } = options;
  let raw: RawConfig = { method: method.name };
  for (const layer of [...set.map(parseSetting), arm.config]) raw = mergeRaw(raw, layer);
  const full = resolve(raw, preset);
  const steps = Math.max(1, Math.round(budget * (arm.budget ?? 1)));
  const { steps: usual, schedule } = full.train;
  const scale = usual === null ? 1 : steps / usual;
  const train: RawConfig = {
    steps,
    keepCheckpoints: 1,
    ...(schedule.warmupSteps === null
      ? {}
      : { schedule: { warmupSteps: Math.round(schedule.warmupSteps * scale) } }),
  };
  const milestones =
    usual === null ? {} : { train: { schedule: { milestones: schedule.milestones.map((m) => m * scale) } } };
  return resolve(mergeRaw(mergeRaw(raw, milestones), { train, data: { path: data } }), preset);
}

function resolve(raw: RawConfig, preset: string): ResolvedConfig {
  return resolveConfig({ ...raw, extends: preset } as TrainConfig);
}

/** What tells two runs apart, whatever the order of keys; seed and run folder left out. */
function idOf(config: ResolvedConfig): string {
  const { out: _out, train, ...rest } = config;
  const { seed: _seed, threads: _threads, ...training } = train;
  const text = JSON.stringify(sorted({ ...rest, train: training }));
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, entry]) => [key, sorted(entry)]));
}
