/** What benchmarks/search.mjs measures, small: re-encoded pieces of long videos are found in the right video and place. */
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { scratch } from '../embed/make-videos.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const { folder, remove } = scratch();
test.after.always(remove);

test('re-encoded pieces of 3 to 10 s are found, by an untrained encoder', (t) => {
  const args = [join(root, 'benchmarks/search.mjs'), '--small', '--work', folder];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  t.is(status, 0, stderr);
  const { pieces, right, near } = JSON.parse(stdout);
  t.is(pieces, 12);
  t.true(right >= 10 && near >= 10, `${right} in the right video, ${near} at the right place`);
});
