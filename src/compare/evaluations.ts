/** Evaluations side by side: each question with the arms that were asked it, and how they differ from the first. */
import { meanInterval, pairedDifference } from '../eval/intervals.js';
import type { WrittenEvaluation } from '../eval/written-evaluation.js';
import { type Measured, meanOutcomes, measuresOf } from './outcomes.js';
import type { Arm } from './read-arms.js';
import type { ComparedEvaluation, ComparedScore, PairedScore } from './result.js';

/** The evaluation of one run of an arm; `seed` is null where the file alone is known. */
export interface Answer {
  readonly seed: number | null;
  readonly evaluation: WrittenEvaluation;
}

/** Questions in the order in which they are met, each with the answers of every arm. */
export interface AskedQuestion {
  readonly question: string | null;
  readonly protocol: string;
  readonly answers: readonly (readonly Answer[])[];
}

export function questionsOf(arms: readonly Arm[]): AskedQuestion[] {
  const found = new Map<string, { question: string | null; protocol: string; answers: Answer[][] }>();
  for (const [a, { runs, evaluation }] of arms.entries()) {
    const all = [
      ...runs.flatMap(({ seed, evaluations }) =>
        latestOf(evaluations).map((one) => ({ seed, evaluation: one })),
      ),
      ...(evaluation ? [{ seed: null, evaluation }] : []),
    ];
    for (const answer of all) {
      const { question = null, protocol, key } = answer.evaluation;
      // what does not say what it was asked is compared with nothing
      const name = question ?? `${a} ${key}`;
      const known = found.get(name) ?? { question, protocol, answers: arms.map(() => []) };
      known.answers[a]!.push(answer);
      found.set(name, known);
    }
  }
  return [...found.values()].sort((a, b) => a.protocol.localeCompare(b.protocol));
}

/** Of the results of one question in a run folder (with and without a baseline, after more steps), the last. */
export function latestOf(evaluations: readonly WrittenEvaluation[]): WrittenEvaluation[] {
  const latest = new Map<string, WrittenEvaluation>();
  for (const one of evaluations) {
    const name = one.question ?? one.key;
    const before = latest.get(name);
    if (!before || before.encoder.step <= one.encoder.step) latest.set(name, one);
  }
  return [...latest.values()];
}

/** A table for each measure of a question. */
export function compareAnswers(arms: readonly Arm[], asked: AskedQuestion): ComparedEvaluation[] {
  const { question, protocol, answers } = asked;
  const measured = answers.map((all) =>
    all.map(({ seed, evaluation }) => ({ seed, measures: measuresOf(evaluation) })),
  );
  const names = [
    ...new Set(measured.flat().flatMap(({ measures }) => measures.map(({ measure }) => measure))),
  ];
  return names.map((measure) => {
    const byArm = measured.map((runs) =>
      runs.flatMap(({ seed, measures }) => {
        const found = measures.find((one) => one.measure === measure);
        return found ? [{ seed, ...found }] : [];
      }),
    );
    const scores = arms.flatMap(({ name }, a) => (byArm[a]!.length > 0 ? [scoreOf(name, byArm[a]!)] : []));
    const paired = arms
      .slice(1)
      .flatMap(({ name }, i) => pairsOf(arms[0]!.name, byArm[0]!, name, byArm[i + 1]!));
    return { protocol, measure, title: titleOf(answers.flat()[0]!.evaluation), question, scores, paired };
  });
}

type MeasuredRun = Measured & { readonly seed: number | null };

function scoreOf(arm: string, runs: readonly MeasuredRun[]): ComparedScore {
  const values = runs.map(({ value }) => value);
  const [first] = runs;
  const several = meanInterval(values, resolutionOf(runs));
  const interval = runs.length === 1 ? first!.interval : within01(several.interval);
  return { arm, value: several.mean, interval, values, count: first!.count };
}

/** A share is not known to be below 0 or above 1, however far seeds are apart. */
function within01(interval: readonly [number, number] | null): readonly [number, number] | null {
  return interval && [Math.max(0, interval[0]), Math.min(1, interval[1])];
}

/** The least difference that means something: what one test video makes. */
function resolutionOf(runs: readonly MeasuredRun[]): number {
  return 1 / Math.max(1, ...runs.map(({ count }) => count));
}

/** By the same videos where their outcomes are known, and by seeds where both arms have two or more of the same. */
function pairsOf(
  against: string,
  base: readonly MeasuredRun[],
  arm: string,
  other: readonly MeasuredRun[],
): PairedScore[] {
  if (base.length === 0 || other.length === 0) return [];
  const pairs: PairedScore[] = [];
  const outcomes = [...other, ...base].flatMap(({ outcomes }) => outcomes ?? []);
  if (outcomes.length === base.length + other.length) {
    const common = new Set(meanOutcomes(outcomes).ids);
    const narrow = (runs: readonly MeasuredRun[]) => {
      const { ids, groups, hits } = meanOutcomes(runs.map((run) => run.outcomes!));
      const kept = ids.flatMap((id, i) => (common.has(id) ? [i] : []));
      return new Map(kept.map((i) => [ids[i]!, { group: groups[i]!, hit: hits[i]! }]));
    };
    const [a, b] = [narrow(other), narrow(base)];
    if (common.size > 0) {
      const ids = [...a.keys()];
      const pick = (of: ReadonlyMap<string, { readonly hit: number }>) => ids.map((id) => of.get(id)!.hit);
      const groups = ids.map((id) => a.get(id)!.group);
      const { difference, interval, by } = pairedDifference(pick(a), pick(b), groups);
      pairs.push({ arm, against, difference, interval, by, pairs: ids.length, verdict: verdictOf(interval) });
    }
  }
  return [...pairs, ...pairedBySeed(against, base, arm, other)];
}

function pairedBySeed(
  against: string,
  base: readonly MeasuredRun[],
  arm: string,
  other: readonly MeasuredRun[],
): PairedScore[] {
  const differences = other.flatMap(({ seed, value }) => {
    const same = seed === null ? undefined : base.find((run) => run.seed === seed);
    return same ? [value - same.value] : [];
  });
  const { mean: difference, interval } = meanInterval(differences, resolutionOf(base));
  if (interval === null) return [];
  const verdict = verdictOf(interval);
  return [{ arm, against, difference, interval, by: 'seed', pairs: differences.length, verdict }];
}

function verdictOf([low, high]: readonly [number, number]): PairedScore['verdict'] {
  return low > 0 ? 'better' : high < 0 ? 'worse' : 'cannot tell';
}

function titleOf({ protocol, data, settings }: WrittenEvaluation): string {
  const where =
    data.train !== undefined
      ? `${data.train}, tested on ${data.test}`
      : `${data.data}${data.folds === undefined ? '' : `, folds ${data.folds}`}`;
  const how = Object.entries(settings).map(([key, value]) => `${key} ${String(value)}`);
  return `${protocol} on ${where} (${how.join(', ')})`;
}
