/** What a written evaluation says of each tested video, under each of its measures. */
import type { LowshotScore } from '../eval/lowshot.js';
import type { ClassificationScore, RecallScore } from '../eval/protocols.js';
import { bootstrapMean } from '../eval/resampling.js';
import type { RetrievalScore, TestedVideos } from '../eval/scores.js';
import type { WrittenEvaluation } from '../eval/written-evaluation.js';

/** Right or wrong, video by video. */
export interface Outcomes {
  readonly ids: readonly string[];
  readonly groups: readonly (string | null)[];
  /** 1: right; 0: wrong. */
  readonly hits: readonly number[];
}

export interface Measured {
  readonly measure: string;
  readonly value: number;
  /** 95 %, over the tested videos. */
  readonly interval: readonly [number, number] | null;
  readonly count: number;
  /** null in files of versions that did not keep them. */
  readonly outcomes: Outcomes | null;
}

/** The measures of the trained encoder: accuracy of a classification, R@1 of a retrieval. */
export function measuresOf({ protocol, tested, trained }: WrittenEvaluation): Measured[] {
  if (protocol === 'lowshot')
    return (trained as LowshotScore).shots.map(({ shots, accuracy: value, interval, count }) => ({
      ...{ measure: `accuracy with ${shots} a class`, value, interval, count },
      // each draw of labels has outcomes of its own
      outcomes: null,
    }));
  if (protocol !== 'retrieval') return [accuracy(trained as ClassificationScore, tested?.label)];
  const { label, instance } = trained as RetrievalScore;
  return [
    ...(label ? [recall('R@1 by label', label, tested?.label)] : []),
    recall('R@1 by instance', instance, tested?.instance),
  ];
}

function accuracy(score: ClassificationScore, tested: TestedVideos | undefined): Measured {
  const { accuracy: value, interval, count, predictions } = score;
  const outcomes = outcomesOf(tested, predictions, (predicted, i) => predicted === tested!.classes[i]);
  return { measure: 'accuracy', value, interval, count, outcomes };
}

function recall(measure: string, score: RecallScore, tested: TestedVideos | undefined): Measured {
  const { queries: count, ranks } = score;
  const value = score.recall[1] ?? 0;
  const outcomes = outcomesOf(tested, ranks, (rank) => rank === 1);
  const interval = outcomes && bootstrapMean(outcomes.hits, clustersOf(outcomes.groups));
  return { measure, value, interval, count, outcomes };
}

function clustersOf(groups: readonly (string | null)[]): (string | undefined)[] {
  return groups.map((group) => group ?? undefined);
}

function outcomesOf(
  tested: TestedVideos | undefined,
  values: readonly number[] | undefined,
  isHit: (value: number, i: number) => boolean,
): Outcomes | null {
  if (!tested || values?.length !== tested.ids.length) return null;
  const hits = values.map((value, i) => (isHit(value, i) ? 1 : 0));
  return { ids: tested.ids, groups: tested.groups, hits };
}

/** Outcomes of several runs as one: their mean, of the videos that all of them tested. */
export function meanOutcomes(runs: readonly Outcomes[]): Outcomes {
  const [first, ...others] = runs;
  const maps = others.map(({ ids, hits }) => new Map(ids.map((id, i) => [id, hits[i]!])));
  const kept = [...first!.ids.keys()].filter((i) => maps.every((map) => map.has(first!.ids[i]!)));
  return {
    ids: kept.map((i) => first!.ids[i]!),
    groups: kept.map((i) => first!.groups[i]!),
    hits: kept.map((i) => {
      const sum = maps.reduce((total, map) => total + map.get(first!.ids[i]!)!, first!.hits[i]!);
      return sum / runs.length;
    }),
  };
}
