/** Why two arms that answered the same protocol cannot be compared video by video. */
import { diffConfigs } from '../config/diff.js';
import type { WrittenEvaluation } from '../eval/written-evaluation.js';
import type { Answer, AskedQuestion } from './evaluations.js';
import type { Arm } from './read-arms.js';
import type { NotPaired } from './result.js';

/** For each arm after the first, each protocol that both have, but no question in common. */
export function findNotPaired(arms: readonly Arm[], asked: readonly AskedQuestion[]): NotPaired[] {
  const protocols = [...new Set(asked.map(({ protocol }) => protocol))];
  return arms.slice(1).flatMap(({ name }, i) =>
    protocols.flatMap((protocol) => {
      const of = asked.filter((one) => one.protocol === protocol);
      if (of.some(({ answers }) => answers[0]!.length > 0 && answers[i + 1]!.length > 0)) return [];
      const base = of.flatMap(({ answers }) => answers[0]!)[0];
      const other = of.flatMap(({ answers }) => answers[i + 1]!)[0];
      if (!base || !other) return [];
      return [{ protocol, arm: name, against: arms[0]!.name, why: whyNot(base, other) }];
    }),
  );
}

function whyNot({ evaluation: base }: Answer, { evaluation: other }: Answer): string {
  const old = [base, other].find(({ question, tested }) => question === undefined || !tested);
  if (old)
    return `${old.encoder.weights} was evaluated by an earlier version, which did not keep what came of each video; evaluate it again`;
  const reasons = [...differentVideos(base, other), ...differentSettings(base, other)];
  return reasons.length > 0 ? reasons.join('; ') : 'the videos that train the probe are others';
}

function differentVideos(base: WrittenEvaluation, other: WrittenEvaluation): string[] {
  const [a, b] = [testedOf(base), testedOf(other)];
  const common = [...b.keys()].filter((id) => a.has(id));
  const relabelled = common.filter((id) => a.get(id) !== b.get(id)).length;
  const reasons: string[] = [];
  if (common.length < Math.max(a.size, b.size))
    reasons.push(`other videos are tested: ${a.size} and ${b.size}, ${common.length} of them the same`);
  if (relabelled > 0) reasons.push(`${relabelled} videos have another label`);
  const [folds, others] = [base.data.folds, other.data.folds];
  if (folds !== others) reasons.push(`other splits: ${splitName(folds)} and ${splitName(others)}`);
  else if (base.data.videos !== other.data.videos)
    reasons.push(`${base.data.videos} and ${other.data.videos} videos in all`);
  return reasons;
}

function splitName(folds: string | undefined): string {
  return folds === undefined ? 'a test set' : `folds ${folds}`;
}

/** Label of each tested video. */
function testedOf({ tested, data }: WrittenEvaluation): Map<string, string | undefined> {
  const { ids, classes } = tested?.label ?? tested?.instance ?? { ids: [], classes: [] };
  return new Map(ids.map((id, i) => [id, data.labels[classes[i]!]]));
}

function differentSettings(base: WrittenEvaluation, other: WrittenEvaluation): string[] {
  return diffConfigs(base.settings, other.settings).map(
    ({ key, a, b }) => `other settings: ${key} ${JSON.stringify(a)} and ${JSON.stringify(b)}`,
  );
}
