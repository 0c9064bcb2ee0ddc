import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { ways, works } from '../helpers/exit-child.js';
import { faultOf, runToExit } from '../helpers/exits.js';
import { makeTinyVideos } from '../helpers/tiny-run.js';

/** The promise is 1 s on a quiet machine (npm run test:exit); other tests run beside this one. */
const MOST = 4000;

let data: string;
let out: string;
test.before(async () => {
  data = (await makeTinyVideos(8)).folder;
  out = await mkdtemp(join(tmpdir(), 'vssl-exit-'));
});
test.after.always(async () => {
  for (const folder of [data, out]) await rm(folder, { recursive: true, force: true });
});

// Each kind of work and each way out once; all their combinations are in test:exit.
const pairs = works.map((work, i) => [work, ways[i]!] as const);
for (const [work, way] of [...pairs, ['forward', ways[5]] as const])
  test.serial(`${way} during ${work}: no crash, the exit code is the program's`, async (t) => {
    const leaving = { work, way, delay: 150, data, out: join(out, `${work} ${way}`) };
    t.is(faultOf(leaving, await runToExit(leaving), MOST), '');
  });
