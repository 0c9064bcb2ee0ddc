import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { loadEngine } from '#src/native/load.js';
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

/** Seconds and megabytes of a process that checks one file. */
function cost(path: string): {
  seconds: number;
  megabytes: number;
  files: { width?: number; height?: number }[];
} {
  const script = `
    process.on('exit', () => process.stderr.write(JSON.stringify(process.resourceUsage().maxRSS)));
    process.argv.push('check', '--data', ${JSON.stringify(path)}, '--json');
    await import(${JSON.stringify(import.meta.resolve('#src/cli/main.js'))});`;
  const start = performance.now();
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script, '--'], {
    encoding: 'utf8',
  });
  const seconds = (performance.now() - start) / 1000;
  const { files = [] } = JSON.parse(stdout.trim().split('\n').at(-1)!);
  return { seconds, megabytes: Number(/\d+$/.exec(stderr)![0]) / 1024, files };
}

/** Sets the clock of the last pictures of an FLV file 24 days ahead. */
function jumpClock(path: string): void {
  const flv = readFileSync(path);
  const tags: number[] = [];
  for (let at = 13; at + 11 < flv.length; at += 15 + flv.readUIntBE(at + 1, 3))
    if (flv[at] === 9) tags.push(at);
  for (const at of tags.slice(-3)) flv[at + 7] = 0x7f;
  writeFileSync(path, flv);
}

test.serial('a small file costs a check little, whatever it says of itself', async (t) => {
  const { writeVideo } = loadEngine();
  writeFileSync(file('text.mp4'), 'no video at all');
  const side = 4608;
  await writeVideo(file('large.avi'), new Uint8Array(2 * side * side * 3), [2, side, side], { fps: 25 });
  await writeVideo(file('jump.flv'), new Uint8Array(22 * 32 * 32 * 3), [22, 32, 32], { codec: 'flv' });
  jumpClock(file('jump.flv'));
  const base = cost(file('text.mp4'));
  const others = process.env.VSSL_TEST_DATA
    ? ['odd-files', 'numbered'].flatMap((name) => {
        const folder = join(process.env.VSSL_TEST_DATA!, name);
        return readdirSync(folder).map((entry) => join(folder, entry));
      })
    : [];
  const small = others.filter((path) => !path.endsWith('.md') && statSync(path).size < 1e6);
  for (const path of [file('good/a.avi'), file('large.avi'), file('jump.flv'), ...small]) {
    const { seconds, megabytes, files } = cost(path);
    const { width = 0, height = 0 } = files[0] ?? {};
    const picture = (1.5 * width * height) / 2 ** 20;
    // what a process takes that only says that a text is no video; twice that where others work here too
    const time = (picture > 16 ? 6 : 2) + 2 * base.seconds;
    const room = picture > 16 ? base.megabytes + 4 * picture : 300;
    t.true(seconds < time, `${path}: ${seconds} s`);
    t.true(megabytes < room, `${path}: ${megabytes} MB`);
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
