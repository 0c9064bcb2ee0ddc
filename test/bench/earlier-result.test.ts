// Rows of an earlier result beside new ones.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { addRows, readEarlierResult } from '#src/bench/earlier-result.js';
import { describeMachine } from '#src/bench/machine.js';
import type { BenchResult, BenchRow } from '#src/bench/result.js';

const row = (name: string, threads: number, flops = 1) => ({ name, threads, flops }) as BenchRow;
const result = (rows: BenchRow[], more: Partial<BenchResult> = {}): BenchResult => ({
  format: 'vssl-native bench',
  formatVersion: 1,
  what: 'step',
  date: '2026-01-01T00:00:00.000Z',
  machine: describeMachine(),
  threads: Math.max(...rows.map(({ threads }) => threads ?? 0)),
  pairs: 10,
  rows,
  ...more,
});

const folder = await mkdtemp(join(tmpdir(), 'vssl-earlier-'));
test.after.always(() => rm(folder, { recursive: true }));
const saved = async (name: string, value: unknown) => {
  const path = join(folder, name);
  await writeFile(path, typeof value === 'string' ? value : JSON.stringify(value));
  return path;
};
const asked = { what: 'step', pairs: 10 } as const;

test('new rows take the place of old ones, the others stay, and all are in the order of the cases', (t) => {
  const earlier = result([row('b', 2), row('a', 1), row('gone', 1)]);
  const later = result([row('c', 1), row('b', 2, 7)], { date: '2026-01-02T00:00:00.000Z' });
  const { rows, threads, date } = addRows(earlier, later, ['a', 'b', 'c']);
  t.deepEqual(
    rows.map(({ name, threads, flops }) => [name, threads, flops]),
    [
      ['a', 1, 1],
      ['b', 2, 7],
      ['c', 1, 1],
      ['gone', 1, 1],
    ],
  );
  t.is(threads, 2);
  t.is(date, later.date);
});

test('a file of the same machine, commit and number of pairs is added to', async (t) => {
  const whole = result([row('a', 1)]);
  t.deepEqual(
    await readEarlierResult(await saved('same.json', whole), asked),
    JSON.parse(JSON.stringify(whole)),
  );
  t.is(await readEarlierResult(join(folder, 'none.json'), asked), null);
});

test('another file is refused, with what differs and what to do', async (t) => {
  const machine = describeMachine();
  const code = 'ERR_VSSL_USAGE';
  for (const [name, value, message] of [
    ['text.json', 'no result', /--add: .*text\.json is no result of a bench; give another --out/],
    ['null.json', 'null', /is no result of bench step/],
    ['kernels.json', result([row('a', 1)], { what: 'kernels' }), /is no result of bench step/],
    ['pairs.json', result([row('a', 1)], { pairs: 3 }), /has 3 pairs a row, not 10/],
    [
      'commit.json',
      result([row('a', 1)], { machine: { ...machine, commit: 'abc' } }),
      /with commit abc and Node .*, this is /,
    ],
    ['cpu.json', result([row('a', 1)], { machine: { ...machine, cpu: 'Z80' } }), /was measured on Z80/],
  ] as const)
    await t.throwsAsync(readEarlierResult(await saved(name, value), asked), { code, message }, name);
});
