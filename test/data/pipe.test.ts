/** Tar shards that commands print. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import { loadManifest } from '#src/data/manifest.js';
import { VsslError } from '#src/errors.js';
import { absoluteSpec } from '#src/train/absolute-spec.js';
import { isAlive } from '../helpers/is-alive.js';
import { makeTar, writeTar } from '../helpers/make-tar.js';

const root = await mkdtemp(join(tmpdir(), 'vssl-piped-'));
process.env.TMPDIR = root; // other tests use the system's too
const shards = join(root, 'shards');
await mkdir(shards);
const body = (i: number) => Buffer.alloc(3000, `video ${i}`);
for (const i of [8, 9, 10])
  await writeTar(join(shards, `c-${String(i).padStart(2, '0')}.tar`), [
    { name: 'k.json', body: JSON.stringify({ label: i < 10 ? 'low' : 'high' }) },
    { name: 'k.mp4', body: body(i) },
  ]);

test.after.always(() => rm(root, { recursive: true, force: true }));

const idsOf = async (spec: string) => (await loadManifest(spec)).rows.map(({ id }) => id);
const refuses = (t: ExecutionContext, spec: string, message: RegExp) =>
  t.throwsAsync(loadManifest(spec), { instanceOf: VsslError, code: 'ERR_VSSL_DATA', message });

test('commands by braces: names, labels and bytes are those of the shards', async (t) => {
  const { rows, warnings } = await loadManifest(`pipe:cat ${shards}/c-{08..10}.tar`);
  t.deepEqual(
    rows.map(({ id, path, label }) => [id, path, label]),
    [
      ['c-08.tar/k', 'pipe:c-08.tar/k.mp4', 'low'],
      ['c-09.tar/k', 'pipe:c-09.tar/k.mp4', 'low'],
      ['c-10.tar/k', 'pipe:c-10.tar/k.mp4', 'high'],
    ],
  );
  t.deepEqual(warnings, []);
  for (const [i, { source }] of rows.entries()) {
    if (source.kind !== 'member') return t.fail();
    const bytes = (await readFile(source.path)).subarray(source.offset, source.offset + source.size);
    t.true(bytes.equals(body(8 + i)));
  }
  t.deepEqual(await idsOf(`pipe?label=high:cat ${shards}/c-{08..10}.tar`), ['c-10.tar/k']);
});

test('a command is as the shell takes it: question marks, colons, pipes, braces of its own', async (t) => {
  const command = `test a = "a" && cat '${shards}/c-08.tar' | sh -c 'x="http://h?a=b"; : \${x}; cat'`;
  t.deepEqual(await idsOf(`pipe:${command}`), ['c-08.tar/k']);
  t.deepEqual(await idsOf(`pipe:gzip -c ${shards}/c-{08,09}.tar | gzip -dc`), ['c-08.tar/k', 'c-09.tar/k']);
  // no names, or one for several: numbers
  t.deepEqual(await idsOf(`pipe:cd ${shards} && cat c-*8.*`), ['shard-0.tar/k']);
  t.deepEqual(await idsOf(`pipe:cat ${shards}/c-08.tar # {a,b}`), ['shard-0.tar/k', 'shard-1.tar/k']);
  for (const spec of ['-', `pipe:${command}`, 'pipe?most=3:cat x?y']) t.is(absoluteSpec(spec), spec);
});

test('a command that fails says so, and nothing of itself', async (t) => {
  const failing = 'secret=hunter2; echo first >&2; echo "no such key" >&2; exit 22 # c-08.tar';
  const error = await refuses(
    t,
    `pipe:${failing}`,
    /the command for c-08\.tar ended with exit code 22: no such key/,
  );
  t.notRegex(JSON.stringify([error!.message, error!.details]), /hunter2/);
  await refuses(t, 'pipe:kill -9 $$', /was ended by SIGKILL/);
  await refuses(t, 'pipe:nothing-of-this-name', /exit code 127: .*not found/);
  const some = `pipe?missing=skip:cat ${shards}/c-{09..11}.tar`;
  t.deepEqual(await idsOf(some), ['c-09.tar/k', 'c-10.tar/k']);
  t.regex(
    (await loadManifest(some)).warnings.join(),
    /left out: the command for c-11\.tar ended with exit code 1: .*No such file/,
  );
  await refuses(
    t,
    `pipe:cat ${shards}/c-{09..11}.tar`,
    /the command for c-11\.tar ended with exit code 1.*missing=skip/,
  );
  await refuses(t, 'pipe?missing=skip:exit 3', /ended with exit code 3/);
  const file = join(shards, 'c-08.tar');
  await t.throwsAsync(loadManifest(`pipe?cache=${file}/in:cat ${file}`), {
    code: 'ERR_VSSL_WRITE',
    message: /cache=FOLDER/,
  });
  await t.throwsAsync(loadManifest('pipe: '), { code: 'ERR_VSSL_INVALID_ARGUMENT', message: /a command/ });
  await t.throwsAsync(loadManifest('pipe?most=no:cat x'), {
    code: 'ERR_VSSL_INVALID_ARGUMENT',
    message: /GB/,
  });
  await t.throwsAsync(loadManifest(`pipe?chache=/x:cat ${shards}/c-08.tar`), {
    code: 'ERR_VSSL_USAGE',
    message: /there is no column 'chache'.*cache/,
  });
});

test('a stream that ends early, is compressed, empty or too long', async (t) => {
  await refuses(
    t,
    `pipe:head -c 2500 ${shards}/c-08.tar`,
    /pipe:c-08\.tar ends in the middle, in 'k\.mp4'.*damaged=skip/,
  );
  const two = join(root, 'two.tar');
  await writeTar(two, [
    { name: 'a.mp4', body: 'a' },
    { name: 'b.mp4', body: body(1) },
  ]);
  t.deepEqual(await idsOf(`pipe?damaged=skip:head -c 2500 ${two}`), ['two.tar/a']);
  await writeFile(`${two}.gz`, gzipSync(makeTar([{ name: 'a.mp4', body: 'a' }])));
  await refuses(t, `pipe:cat ${two}.gz`, /is compressed with gzip.*\| gzip -dc/);
  t.deepEqual(await idsOf(`pipe:cat ${two}.gz | gzip -dc`), ['two.tar/a']);
  await refuses(t, 'pipe:true', /shard-0\.tar is empty/);
  const endless = 'pipe?most=0.01:yes 0123456789';
  await refuses(t, endless, /print more than 0\.01 GB; allow more/);
});

// by itself: it looks at what lies in the folder of temporary files
test.serial('a cache is filled once, and holds whole shards only', async (t) => {
  const cache = join(root, 'cache');
  const log = join(root, 'log');
  const command = `echo run >> ${log}; cat ${shards}/c-{08..09}.tar`;
  const code = `import { loadManifest } from ${JSON.stringify(import.meta.resolve('#src/data/manifest.js'))};
    const { rows } = await loadManifest(process.argv[1]);
    console.log(rows.map(({ path }) => path).join());`;
  const load = async (spec: string) =>
    (await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code, spec])).stdout.trim();
  const first = await load(`pipe?cache=${cache}:${command}`);
  t.regex(first, new RegExp(`^${cache}/c-08-\\w{8}\\.tar/k\\.mp4,${cache}/c-09-\\w{8}\\.tar/k\\.mp4$`));
  t.is(await load(`pipe?cache=${cache}:${command}`), first);
  t.is((await readFile(log, 'utf8')).match(/run/g)!.length, 2, 'once a shard');
  await t.throwsAsync(load(`pipe?cache=${cache}:cat ${shards}/c-10.tar; exit 1`));
  t.is((await readdir(cache)).length, 2);
  // what has no cache goes with the process
  const before = (await readdir(tmpdir())).filter((name) => name.startsWith('vssl-pipe-'));
  await load(`pipe:cat ${shards}/c-10.tar`);
  const after = (await readdir(tmpdir())).filter((name) => name.startsWith('vssl-pipe-'));
  t.deepEqual(
    after.filter((name) => !before.includes(name)),
    [],
  );
});

test('a signal ends a command and all that it started', async (t) => {
  const pids = join(root, 'pids');
  const stop = new AbortController();
  const command = `echo $$ > ${pids}; trap "" TERM; sleep 1000 & echo $! >> ${pids}; wait; sleep 1000`;
  const loading = loadManifest(`pipe:${command}`, { signal: stop.signal });
  for (
    let i = 0;
    i < 200 && (await readFile(pids, 'utf8').catch(() => '')).trim().split('\n').length < 2;
    i++
  )
    await delay(20);
  stop.abort(new Error('enough'));
  await t.throwsAsync(loading, { message: 'enough' });
  await allGone(t, await readFile(pids, 'utf8'));
});

test('the end of the process ends a command', async (t) => {
  const pids = join(root, 'pids-of-exit');
  const code = `import { loadManifest } from ${JSON.stringify(import.meta.resolve('#src/data/manifest.js'))};
    import { existsSync } from 'node:fs';
    loadManifest('pipe:echo $$ > ${pids}.part; mv ${pids}.part ${pids}; exec sleep 1000');
    setInterval(() => { if (existsSync('${pids}')) process.exit(7); }, 20);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: 'inherit' });
  t.deepEqual(await once(child, 'exit'), [7, null]);
  t.true(existsSync(pids));
  await allGone(t, await readFile(pids, 'utf8'));
});

async function allGone(t: ExecutionContext, pids: string): Promise<void> {
  const all = pids.trim().split('\n').map(Number);
  t.true(all.length > 0 && all.every((pid) => pid > 1));
  for (let i = 0; i < 250 && all.some(isAlive); i++) await delay(20);
  t.deepEqual(all.filter(isAlive), []);
}
