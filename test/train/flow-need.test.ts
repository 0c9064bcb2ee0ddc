import test from 'ava';
import { loadManifest } from '#src/data/manifest.js';
import type { GetFacts } from '#src/data/rows.js';
import { resolveConfig } from '#src/methods/config.js';
import { needsFlow } from '#src/train/flow-need.js';

const getFacts: GetFacts = async ({ facts }) => {
  if (facts) return facts;
  throw new Error('no such file');
};

test('flow has to be computed when clips of it are planned and no file holds it', async (t) => {
  const { rows } = await loadManifest('synthetic:motion?count=2&pixels=32&seconds=1');
  const config = (input: 'flow' | 'flow-edges' | 'difference', lambda = 1) =>
    resolveConfig({ extends: 'modist-tiny', modist: { lambda, motion: { input } } });
  t.true(await needsFlow(config('flow'), rows, getFacts));
  t.true(await needsFlow(config('flow-edges'), rows, getFacts));
  t.false(await needsFlow(config('difference'), rows, getFacts));
  t.false(await needsFlow(config('flow', 0), rows, getFacts), 'no loss looks at motion');
  t.false(await needsFlow(resolveConfig({ extends: 'cvrl-tiny' }), rows, getFacts));

  const { fps } = config('flow').data.clip;
  const shape = { path: '/copy/a', offset: 0, frames: 25, height: 32, width: 32, fps: fps! };
  const { facts: _, ...row } = rows[0]!;
  const stored = { ...row, source: { kind: 'packed', ...shape, flow: { ...shape, frames: 24 } } } as const;
  t.false(await needsFlow(config('flow'), [stored], getFacts));
  const missing = { ...row, source: { kind: 'file', path: '/gone' } } as const;
  t.true(await needsFlow(config('flow'), [missing, ...rows], getFacts), 'the first that can be used answers');
});
