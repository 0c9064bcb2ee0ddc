import type { ClaimResult, ClaimsResult } from '../claims/result.js';
import { getMeasure } from '../eval/measures.js';
import { meanAndSpread } from '../eval/metrics.js';
import type { Method } from '../methods/method.js';
import { formatTable, right } from './table.js';

/** What `eval claims` prints: each claim, its arms, its neighbouring pairs and the verdict. */
export function formatClaims(result: ClaimsResult): string {
  const { method, preset, budget, seeds, data } = result;
  const where =
    data.folds === undefined ? `${data.train}, tested on ${data.test}` : `${data.data}, folds ${data.folds}`;
  return [
    `${method} (${preset}), ${budget} steps an arm, ${seeds} ${seeds === 1 ? 'seed' : 'seeds'}, on ${where}`,
    ...result.claims.map(formatClaim),
    `Intervals: ${result.interval}. holds: above 0; does not hold: below 0; cannot tell: 0 lies inside, or one seed.`,
  ].join('\n\n');
}

function formatClaim(claim: ClaimResult): string {
  const { name, statement, source, measure, arms, pairs, verdict } = claim;
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
    `${better} > ${worse}`,
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
          .join(' > '),
        claim.statement,
      ]);
      return `${name}\n${rows.length === 0 ? 'makes no claim' : formatTable(columns, rows)}`;
    })
    .join('\n\n');
}
