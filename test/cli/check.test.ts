import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { scratch, writeSquareVideo } from '../embed/make-videos.js';

const main = fileURLToPath(import.meta.resolve('#src/cli/main.js'));
const { file, remove } = scratch();
test.after.always(remove);

test.before(async () => {
  for (const folder of ['good', 'some', 'none', 'long']) mkdirSync(file(folder));
  await writeSquareVideo(file('good/a.avi'), (t) => [0, t]);
  copyFileSync(file('good/a.avi'), file('some/a.avi'));
  for (const folder of ['some', 'none']) writeFileSync(file(`${folder}/bad.mp4`), 'no video at all');
  await writeSquareVideo(file('long/a.mpg'), (t) => [0, t]);
  // an end that is all zeros and takes no room: reading it takes minutes
  truncateSync(file('long/a.mpg'), 2 ** 36);
});

test('check ends with 1 when something is unusable, with 4 when everything is', (t) => {
  const cases = [
    ['good', 0, 0],
    ['some', 1, 0],
    ['none', 4, 4],
  ] as const;
  for (const [folder, code, allowed] of cases)
    for (const flags of [[], ['--allow-unusable']]) {
      const args = [main, 'check', '--data', file(folder), '--json', ...flags];
      const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' });
      t.is(status, flags.length > 0 ? allowed : code, folder);
      const { files } = JSON.parse(stdout) as { files: { path: string; status: string; reason?: string }[] };
      for (const { path, status, reason } of files) {
        t.is(status, path.endsWith('bad.mp4') ? 'unusable' : 'ok');
        t.is(typeof reason, status === 'ok' ? 'undefined' : 'string');
      }
    }
});

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  test.serial(`${signal} stops a check within a second, in the middle of a file`, async (t) => {
    const child = spawn(process.execPath, [main, 'check', '--data', file('long')], { stdio: 'ignore' });
    const ended = once(child, 'exit');
    await new Promise((resolve) => setTimeout(resolve, 4000));
    t.is(child.exitCode, null, 'still reading');
    const start = performance.now();
    child.kill(signal);
    const [code] = await ended;
    t.is(code, 130);
    // a second where the processors are free; the file itself would take minutes
    t.true(performance.now() - start < 3000, `${performance.now() - start} ms`);
  });
