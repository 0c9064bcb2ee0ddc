import type { ResolvedConfig } from '../config/schema.js';
import { clipFormatOf, planEvaluationClips } from '../data/clip-plan.js';
import type { FactsIndex } from '../data/facts-index.js';
import { extractFeatures } from '../embed/extract-features.js';
import { openFacts } from '../embed/video-facts.js';
import type { EngineAddon, NativeLoader, NativeSession } from '../native/bindings.js';
import {
  type DataOptions,
  type EvaluationData,
  loadEvaluationData,
  narrowSplits,
} from './evaluation-data.js';
import { scoreKnn } from './protocols.js';

/** What the step loop gives an evaluation. */
export interface KnnHookContext {
  readonly config: ResolvedConfig;
  readonly engine: EngineAddon;
  readonly session: NativeSession;
  readonly loader: NativeLoader;
  readonly signal: AbortSignal;
}

/** An evaluation that the step loop calls; fits its list of hooks. */
export interface KnnHook {
  readonly name: string;
  readonly everyEpochs: number;
  run(context: KnnHookContext): Promise<Readonly<Record<string, number>>>;
}

/**
 * kNN on frozen features during training, as the configuration's `eval` section asks: null when it does not. Gives
 * `accuracy` with `accuracyLow` and `accuracyHigh`, between which 95 % of resamples of the test videos lie,
 * `meanClassAccuracy` and, of more than five classes, `top5`, of the encoder as it is at that moment; files are looked
 * into once a run.
 */
export function createKnnHook(config: Pick<ResolvedConfig, 'eval'>): KnnHook | null {
  const { everyEpochs, data, test, folds, windows, neighbours } = config.eval;
  if (everyEpochs === null || data === null) return null;
  let loaded: Promise<{ data: EvaluationData; facts: FactsIndex }> | undefined;
  return {
    name: 'knn',
    everyEpochs,
    async run({ config, engine, session, loader, signal }) {
      loaded ??= open(engine, test === null ? { data, folds } : { train: data, test });
      const { data: set, facts } = await loaded;
      const encoder = session.encoderNames()[0]!;
      const format = clipFormatOf(config);
      const rows = set.rows.flatMap((_, row) => (set.classes[row]! >= 0 ? [row] : []));
      const { features, kept } = await extractFeatures(rows, {
        loader,
        planClips: async (row) => {
          const { source, start, end } = set.rows[row]!;
          const known = await facts.get(set.rows[row]!);
          return { clip: planEvaluationClips({ source, facts: known, format, windows, start, end }) };
        },
        embedders: [{ embed: (batch) => session.embed(batch, 'clip', encoder) }],
        signal,
      });
      const usable = kept.map((i) => rows[i]!);
      const labelled = {
        classes: Int32Array.from(usable, (row) => set.classes[row]!),
        labels: set.labels,
        groups: usable.map((row) => set.rows[row]!.group),
        splits: narrowSplits(set.splits, usable),
      };
      const settings = { k: neighbours, weighting: 'majority', temperature: 0.07 } as const;
      const { accuracy, interval, meanClassAccuracy, top5 } = await scoreKnn(
        features[0]!,
        labelled,
        settings,
        signal,
      );
      const [accuracyLow, accuracyHigh] = interval;
      return { accuracy, accuracyLow, accuracyHigh, meanClassAccuracy, ...(top5 && { top5: top5.accuracy }) };
    },
  };
}

async function open(engine: EngineAddon, options: DataOptions) {
  return { data: await loadEvaluationData(options), facts: await openFacts(engine) };
}
