import type { z } from 'zod';
import type { MethodSlice, Preset } from '../config/load.js';
import type { RawConfig } from '../config/raw.js';
import type { ResolvedConfig } from '../config/schema.js';
import { type ClipFormat, clipFormatOf } from '../data/clip-plan.js';
import type { SamplePlan, StepPosition, ViewContext } from '../data/views.js';
import type { Measure } from '../eval/measure.js';
import { checkSpec } from './check-method.js';

/** Where a method was published. */
export interface Paper {
  readonly title: string;
  readonly authors: string;
  readonly venue: string;
  /** arXiv number. */
  readonly arxiv: string;
}

/** One way of training in the comparison that a claim makes. */
export interface ClaimArm {
  readonly name: string;
  /** Laid over the configuration; nothing else differs between arms. */
  readonly config: RawConfig;
  /** Length of training relative to the other arms. Default 1. */
  readonly budget?: number;
}

/** An ordering that the paper reports, as data: what to train and which arm should come out ahead. */
export interface Claim {
  readonly name: string;
  readonly statement: string;
  /** Where the paper or its code says so. */
  readonly source: string;
  /**
   * Name of what is compared, on frozen features: higher is better.
   *
   * knn, linear, retrieval: as `eval` does them, on the labels of the data. shift-probe: how well a ridge regression
   * reads the signed shift in time, in seconds, off the features of two windows of one video; R^2 on videos held out
   * (src/eval/shift-probe.ts). It needs no labels. Others are those of `registerMeasure`.
   */
  readonly measure: string;
  /**
   * What is said of an arm and the one after it. at least as good: not worse by more than the margin of the measure.
   * Default better.
   */
  readonly relation?: 'better' | 'at least as good';
  /** From the best to the worst, as the paper orders them. At least 2. */
  readonly arms: readonly ClaimArm[];
}

/** Numbers that a step is told. */
export type Hyper = Readonly<Record<string, number>>;

/** What a run needs for everything in it to be as configured. */
export interface LeastRun {
  /** Length of a video: so many frames at the rate of the clips, and so many seconds more. */
  readonly frames: number;
  readonly seconds: number;
  /** Steps of the run. */
  readonly steps: number;
}

/** A way of training: its options, the views it wants of a video, and what its paper says of it. */
export interface Method extends MethodSlice {
  /** The engine's method that trains it. */
  readonly engine: string;
  readonly title: string;
  readonly paper?: Paper | undefined;
  /** One or two sentences for people. */
  readonly description: string;
  readonly planViews: (context: ViewContext, config: ResolvedConfig) => SamplePlan;
  /** `options` of the engine's session. */
  readonly nativeOptions: (config: ResolvedConfig) => Readonly<Record<string, unknown>>;
  /** What the engine's step is told besides the learning rate. What it must know of its samples is in their plans. */
  readonly hyper: (config: ResolvedConfig, position: StepPosition) => Hyper;
  /** `eval claims` refuses an arm with less. */
  readonly least: (config: ResolvedConfig) => LeastRun;
  /** With several ranks, BatchNorm sees the batch of all of them (train.syncNorm auto). */
  readonly syncNorm: boolean;
  /** It learns the labels of the data: a way to evaluate what others have trained, and it claims nothing. */
  readonly labels: boolean;
  /** What is exported; first the one that the paper evaluates. At least one. */
  readonly encoders: readonly ExportedEncoder[];
  readonly claims: readonly Claim[];
  /** Measures of its own that its claims may name. */
  readonly measures: readonly Measure[];
  /** Where it was registered from, for messages. */
  readonly file?: string | undefined;
}

/** A trained encoder as the engine names it, and the clips that it takes. */
export interface ExportedEncoder {
  readonly name: string;
  readonly format: (config: ResolvedConfig) => ClipFormat;
  /** Whether a configuration has it. Always so for the first. */
  readonly when: (config: ResolvedConfig) => boolean;
}

/** A method as its file writes it down: its functions get the method's own options, checked and typed. */
export interface MethodSpec<Name extends string, Schema extends z.ZodType, PresetName extends string> {
  /** Also the key of its options in a configuration: lower-case letters, digits and '_'. */
  readonly name: Name;
  /** Default `name`. */
  readonly engine?: string;
  /** Default `name`. */
  readonly title?: string;
  readonly paper?: Paper;
  readonly description: string;
  readonly configSchema: Schema;
  readonly defaults?: RawConfig;
  /** NAME-tiny is the one that claims start from. */
  readonly presets?: readonly Preset<PresetName>[];
  /** Rules between the options and the other keys. Throws ERR_VSSL_CONFIG. */
  readonly check?: (options: z.output<Schema>, config: ResolvedConfig) => void;
  readonly planViews: (context: ViewContext, options: z.output<Schema>) => SamplePlan;
  readonly nativeOptions: (
    options: z.output<Schema>,
    config: ResolvedConfig,
  ) => Readonly<Record<string, unknown>>;
  readonly hyper?: (options: z.output<Schema>, position: StepPosition, config: ResolvedConfig) => Hyper;
  /** What a run needs; default a clip, which frames, seconds and steps that are left out are of. */
  readonly least?: (options: z.output<Schema>, config: ResolvedConfig) => Partial<LeastRun>;
  /**
   * Default one, `encoder`. `format`: default the clips of the configuration's `data` section. `when`: whether there is
   * such a network with these options, default true; not for the first, which is evaluated.
   */
  readonly encoders?: readonly {
    readonly name: string;
    readonly format?: (options: z.output<Schema>, config: ResolvedConfig) => ClipFormat;
    readonly when?: (options: z.output<Schema>, config: ResolvedConfig) => boolean;
  }[];
  /** With several ranks, BatchNorm sees the batch of all of them, not each rank its own. Default true. */
  readonly syncNorm?: boolean;
  /** It learns the labels of the data. Default false. */
  readonly labels?: boolean;
  readonly claims?: readonly Claim[];
  readonly measures?: readonly Measure[];
}

/** Frames of a video from the first of a clip to its last, both counted. */
export function clipReach({ data: { clip } }: ResolvedConfig): number {
  return (clip.frames - 1) * clip.stride + 1;
}

/** Marks what defineMethod made, in whichever build of this package. */
const BRAND = Symbol.for('vssl-native.Method');

export function isMethod(value: unknown): value is Method {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, BRAND);
}

export type DefinedMethod<
  Name extends string,
  Schema extends z.ZodType,
  PresetName extends string,
> = Method & {
  readonly name: Name;
  readonly configSchema: Schema;
  readonly presets: readonly Preset<PresetName>[];
};

/** Makes a method of its description. Throws ERR_VSSL_METHOD, naming the key that is wrong. */
export function defineMethod<
  const Name extends string,
  Schema extends z.ZodType,
  const PresetName extends string,
>(spec: MethodSpec<Name, Schema, PresetName>): DefinedMethod<Name, Schema, PresetName> {
  checkSpec(spec);
  const { name, encoders = [{ name: 'encoder' }] } = spec;
  const optionsOf = (config: ResolvedConfig) => config[name] as z.output<Schema>;
  const method: DefinedMethod<Name, Schema, PresetName> = {
    ...{
      engine: name,
      title: name,
      syncNorm: true,
      labels: false,
      defaults: {},
      presets: [],
      claims: [],
      measures: [],
    },
    ...spec,
    check: (config) => spec.check?.(optionsOf(config), config),
    planViews: (context, config) => spec.planViews(context, optionsOf(config)),
    nativeOptions: (config) => spec.nativeOptions(optionsOf(config), config),
    hyper: (config, position) => spec.hyper?.(optionsOf(config), position, config) ?? {},
    least: (config) => ({
      ...{ frames: clipReach(config), seconds: 0, steps: 1 },
      ...spec.least?.(optionsOf(config), config),
    }),
    encoders: encoders.map(({ name, format, when }) => ({
      name,
      format: (config) => format?.(optionsOf(config), config) ?? clipFormatOf(config),
      when: (config) => when?.(optionsOf(config), config) ?? true,
    })),
  };
  Object.defineProperty(method, BRAND, { value: true });
  return method;
}
