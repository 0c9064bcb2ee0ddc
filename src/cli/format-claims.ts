import type { ClaimResult, ClaimsResult, MeasurePool } from '../claims/result.js';
import { getMeasure } from '../eval/measures.js';
import { meanAndSpread } from '../eval/metrics.js';
import type { Method } from '../methods/method.js';
import { formatTable, right } from './table.js';

/** Between an arm and the next one. */
const SIGNS = { better: '>', 'at least as good': '>=' } as const;

/** What `eval claims` prints: each claim, its arms, its neighbouring pairs and the verdict. */
export function formatClaims(result: ClaimsResult): string {
  const { method, preset, budget, firstSeed, seeds, data } = result;
  const where =
    data.folds === undefined ? `${data.train}, tested on ${data.test}` : `${data.data}, folds ${data.folds}`;
  return [
    `${method} (${preset}), ${budget} steps an arm, ${seedsText(firstSeed, seeds)}, on ${where}`,
    ...result.claims.map(formatClaim),
    [...result.pools.map(formatPool), formatCorrection(result)].join('\n'),
  ].join('\n\n');
}

function seedsText(first: number, count: number): string {
  return count === 1 ? `seed ${first}` : `seeds ${first} to ${first + count - 1}`;
}

/** What the pairs of a measure have in common. */
function formatPool({ measure, margin, deviation, degrees, pairs }: MeasurePool): string {
  const { title, scale = 1 } = getMeasure(measure);
  const points = (value: number) => (scale * value).toFixed(1);
  const pooled =
    deviation === null
      ? 'no pair has two seeds, so nothing can be told'
      : `deviation of a difference ${points(deviation)}, of ${pairs} ${pairs === 1 ? 'pair' : 'pairs'} with ` +
        `${degrees.toFixed(1)} degrees of freedom`;
  return `${title}: ${pooled}; ${margin > 0 ? `equal: within ${points(margin)}` : 'no margin'}.`;
}

function formatCorrection({ interval, tests, level }: ClaimsResult): string {
  return (
    `Intervals: ${interval}; each of its pair alone. Verdicts are of ${tests} ${tests === 1 ? 'test' : 'tests'} together, ` +
    `of which a part of ${level} may be wrong (Benjamini-Hochberg).`
  );
}

function formatClaim(claim: ClaimResult): string {
  const { name, statement, source, measure, relation, arms, pairs, verdict } = claim;
  const { title, scale = 1 } = getMeasure(measure);
  const points = (value: number) => (scale * value).toFixed(1);
  const armRows = arms.map(({ name: arm, values }) => {
    const there = values.filter((value) => value !== null);
    const { mean, std } = meanAndSpread(there);
    return [
      arm,
      there.length === 0 ? '-' : points(mean),
      there.length < 2 ? '-' : points(std),
      values.map((value) => (value === null ? 'failed' : points(value))).join(' '),
    ];
  });
  const pairRows = pairs.map(({ better, worse, difference, interval, seeds, verdict: of }) => [
    `${better} ${SIGNS[relation]} ${worse}`,
    seeds === 0 ? '-' : points(difference),
    interval === null ? '-' : interval.map(points).join(' to '),
    of,
  ]);
  return [
    `${name}: ${verdict}`,
    `  ${statement} (${source})`,
    formatTable([{ title }, right('mean'), right('deviation'), { title: 'by seed' }], armRows),
    formatTable([{ title: 'pair' }, right('difference'), right('interval'), { title: '' }], pairRows),
  ].join('\n');
}

/** What `eval claims --list` prints. */
export function formatClaimList(methods: readonly Method[]): string {
  const columns = [
    { title: 'claim' },
    { title: 'measure' },
    { title: 'arms, best first' },
    { title: 'says' },
  ];
  return methods
    .map(({ name, claims }) => {
      const rows = claims.map((claim) => [
        claim.name,
        claim.measure,
        claim.arms
          .map((arm) => arm.name + (arm.budget === undefined ? '' : ` (x ${arm.budget})`))
          .join(` ${SIGNS[claim.relation ?? 'better']} `),
        claim.statement,
      ]);
      return `${name}\n${rows.length === 0 ? 'makes no claim' : formatTable(columns, rows)}`;
    })
    .join('\n\n');
}
