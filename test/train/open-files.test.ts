/** When no more files can be opened, no video is to blame. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { FactsIndex } from '#src/data/facts-index.js';
import { Quarantine } from '#src/data/quarantine.js';
import type { VideoRow } from '#src/data/rows.js';
import { VsslError } from '#src/errors.js';
import { Feed } from '#src/train/feed.js';

const root = await mkdtemp(join(tmpdir(), 'vssl-open-'));
test.after.always(() => rm(root, { recursive: true, force: true }));

test('a feed ends with it: nothing is quarantined', async (t) => {
  const quarantine = new Quarantine();
  const failure = {
    view: 0,
    sample: 0,
    path: 'a',
    code: 'ERR_VSSL_TOO_MANY_FILES',
    reason: 'full',
    where: -1,
  };
  let disposed = 0;
  const feed = new Feed({
    planner: {
      position: () => ({ epoch: 0, batch: 0 }),
      stepsPerEpoch: () => 1,
      planBatch: async () => ({
        batch: {
          step: 0,
          epoch: 0,
          plan: { version: 2, views: [] },
          samples: [],
          samplePlans: [],
          failed: [],
          unusable: [],
        },
        bad: [],
      }),
      planReplacements: () => t.fail() as never,
    },
    loader: { load: async () => ({ batch: { dispose: () => disposed++ }, failures: [failure] }) as never },
    quarantine,
    rows: [],
    from: 0,
    to: 1,
    aheadBytes: 0,
    onError: 'skip',
  });
  await t.throwsAsync(feed.next(), { code: 'ERR_VSSL_TOO_MANY_FILES' });
  t.is(quarantine.size, 0);
  t.is(disposed, 1);
});

test('facts: it is not remembered of the file', async (t) => {
  const path = join(root, 'a.mp4');
  await writeFile(path, 'x');
  let calls = 0;
  const index = await FactsIndex.open({
    cacheFile: null,
    generation: '',
    readFacts: async ({ path }) => {
      if (calls++ === 0) throw new VsslError('ERR_VSSL_TOO_MANY_FILES', 'full');
      return { path, codec: '', width: 1, height: 1, times: new Float64Array(1), end: 1, warnings: [] };
    },
  });
  const row = { id: 'a', path, source: { kind: 'file', path } } as VideoRow;
  await t.throwsAsync(index.get(row), { code: 'ERR_VSSL_TOO_MANY_FILES' });
  t.is((await index.get(row)).path, path);
});
