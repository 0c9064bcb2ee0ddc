import type { BenchCase, Stages } from '../bench/case.js';
import { passed } from '../bench/case.js';
import type { BenchResult, BenchRow, PeerResult } from '../bench/result.js';
import type { Estimate } from '../bench/statistics.js';
import { type Column, formatTable, right } from './table.js';

const COLUMNS: readonly Column[] = [
  { title: 'case' },
  right('threads'),
  right('time'),
  right('of limit'),
  { title: 'peer' },
  right('its time'),
  right('ratio'),
  { title: '95 %' },
];

/** The table that `bench` prints: a line a case, one more for each further peer. */
export function formatBench({ rows, machine, threads, pairs }: BenchResult): string {
  const title =
    `${machine.cpu}, ${threads} threads, ${machine.isa.selected}${machine.isa.bf16 ? ' with bf16' : ''}, ` +
    `Node ${machine.node}; ${pairs} pairs`;
  return `${title}\n${formatTable(COLUMNS, rows.flatMap(formatRow))}`;
}

/** What there is, without running it. */
export function formatCases(cases: readonly BenchCase[]): string {
  return formatTable(
    [{ title: 'case' }, { title: 'limit' }, { title: 'peers' }],
    cases.map(({ name, limit, peers }) => [name, limit, peers.map((peer) => peer.name).join(', ') || '-']),
  );
}

/** 0.0123 s as '12.3 ms'. */
export function formatSeconds(seconds: number): string {
  for (const [unit, factor] of [
    ['s', 1],
    ['ms', 1e3],
  ] as const)
    if (seconds * factor >= 1) return `${(seconds * factor).toPrecision(3)} ${unit}`;
  return `${(seconds * 1e6).toPrecision(3)} us`;
}

function formatRow(row: BenchRow): string[][] {
  const { name, threads = '', timing, wrong, checks, extraMemoryBytes } = row;
  if (wrong || !timing)
    return checks
      .filter((check) => !passed(check))
      .map(({ what, error, tolerance }) => [
        name,
        `${threads}`,
        'WRONG',
        '',
        `${what} off by ${error.toExponential(1)}, ${tolerance.toExponential(1)} allowed`,
      ]);
  const { fraction } = timing.limit;
  const first = [
    name,
    `${threads}`,
    formatSeconds(timing.seconds),
    timing.noisy ? 'noisy' : `${(100 * fraction!.median).toFixed(0)} %`,
  ];
  const peers = timing.peers.map(formatPeer);
  if (peers.length === 0) peers.push([]);
  const lines = peers.map((cells, i) => [...(i === 0 ? first : first.map(() => '')), ...cells]);
  if (extraMemoryBytes !== undefined)
    lines.push([...first.map(() => ''), `extra memory ${(extraMemoryBytes / 1e6).toFixed(0)} MB`]);
  if (timing.stages) lines.push([...first.map(() => ''), formatStages(timing.stages)]);
  return lines;
}

function formatStages(stages: Stages): string {
  return Object.entries(stages)
    .map(([name, seconds]) => `${name} ${formatSeconds(seconds)}`)
    .join(', ');
}

function formatPeer(peer: PeerResult): string[] {
  if (peer.status === 'not run') return [`${peer.name}: not run: ${peer.reason}`];
  const { name, allocator, seconds, ratio } = peer;
  return [allocator ? `${name} (${allocator})` : name, formatSeconds(seconds), ...formatRatio(ratio)];
}

function formatRatio(ratio: Estimate | undefined): string[] {
  if (!ratio) return ['noisy'];
  return [`${ratio.median.toFixed(2)}x`, `${ratio.low.toFixed(2)} - ${ratio.high.toFixed(2)}`];
}
