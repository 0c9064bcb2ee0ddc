/** Disks that are full, limits on the size of files, and names that are no place for a file. */
import { execFile, execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { embedToFile } from '#src/embed/embed-to-file.js';
import { prepare } from '#src/prepare/prepare.js';
import { writeSyntheticVideos } from '#src/prepare/write-synthetic.js';
import { checkOutFile, writeFileAtomic } from '#src/weights/atomic-write.js';
import { scratch, writeSquareVideo, writeTinyWeights } from '../embed/make-videos.js';

const { file, remove } = scratch();
const child = fileURLToPath(new URL('../helpers/full-disk-writers.js', import.meta.url));
const main = fileURLToPath(import.meta.resolve('#src/cli/main.js'));
const run = promisify(execFile);

let mounted = false;

test.before(async () => {
  mkdirSync(file('videos/a'), { recursive: true });
  mkdirSync(file('run'));
  for (const name of ['one', 'two']) await writeSquareVideo(file(`videos/a/${name}.mp4`), (t) => [12, t]);
  await writeTinyWeights(file('run/weights.safetensors'));
  writeFileSync(file('run/config.json'), '{}');
  mkdirSync(file('small'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', file('small')], { stdio: 'ignore' });
    mounted = true;
    mkdirSync(file('small/out'));
  } catch {
    mounted = false; // not root: the size limit below stands for the full disk
  }
});

test.after.always(() => {
  if (mounted) execFileSync('umount', [file('small')]);
  remove();
});

interface Line {
  readonly writer: string;
  readonly code: string;
  readonly message: string;
}

/** What each writer said; `limit`: greatest size of a file in blocks of 512 bytes. */
async function tryAll(out: string, limit: number | null): Promise<Map<string, Line>> {
  mkdirSync(out, { recursive: true });
  const args = [child, out, file('videos'), file('run/weights.safetensors'), file('run')];
  const script = limit === null ? 'exec "$@"' : `ulimit -f ${limit}; exec "$@"`;
  const { stdout } = await run('sh', ['-c', script, 'sh', process.execPath, ...args], {
    maxBuffer: 2 ** 24,
  });
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  return new Map(lines.map((line) => [line.writer, line]));
}

/** Code of each writer's error, and the file that it names. */
const expected: Record<string, readonly [code: string, file: RegExp]> = {
  result: ['ERR_VSSL_WRITE', /result\.json/],
  checkpoint: ['ERR_VSSL_CHECKPOINT_WRITE', /step-000000003\.safetensors/],
  pipe: ['ERR_VSSL_WRITE', /cache\/shard-0-\w+\.tar/],
  metrics: ['ERR_VSSL_RUN_WRITE', /metrics\.jsonl/],
  plans: ['ERR_VSSL_RUN_WRITE', /plans\.jsonl/],
  quarantine: ['ERR_VSSL_RUN_WRITE', /quarantine\.jsonl/],
  tensorboard: ['ERR_VSSL_RUN_WRITE', /events\.out\.tfevents/],
  'facts cache': ['warning', /video-index\.jsonl/],
  prepare: ['ERR_VSSL_WRITE', /copy/],
  synthesize: ['ERR_VSSL_VIDEO_WRITE', /clips\/[a-z-]+\/train_0000\d\.mp4/],
};

test.serial(
  'a limit on the size of files: every writer says which file, and leaves no half of one',
  async (t) => {
    const lines = await tryAll(file('limited'), 1);
    for (const { writer, code, message } of lines.values())
      if (writer !== 'left over') t.regex(code, /^(ERR_VSSL_(?!INTERNAL)|warning)/, `${writer}: ${message}`);
    for (const [writer, [code, name]] of Object.entries(expected)) {
      const line = lines.get(writer)!;
      t.is(line.code, code, `${writer}: ${line.message}`);
      t.regex(line.message, name);
      t.regex(line.message, /size limit.*EFBIG|EFBIG|File too large/, writer);
    }
    t.is(lines.get('left over')!.message, '');
  },
);

test.serial('a full disk: the same, and what was there before stays', async (t) => {
  const out = mounted ? file('small/out') : file('limited again');
  if (mounted) writeFileSync(file('small/fill'), new Uint8Array(40_000));
  const lines = await tryAll(out, mounted ? null : 1);
  for (const [writer, [code]] of Object.entries(expected)) {
    const line = lines.get(writer)!;
    t.is(line.code, code, `${writer}: ${line.message}`);
    t.regex(line.message, mounted ? /ENOSPC|No space left/ : /EFBIG|File too large/, writer);
  }
  t.is(lines.get('left over')!.message, '');
});

test.serial('embed and eval keep what was there when the new result does not fit', async (t) => {
  for (const name of ['v.jsonl', 'v.safetensors']) {
    const out = file(name);
    writeFileSync(out, 'before');
    const args = [main, 'embed', '--weights', file('run/weights.safetensors'), '--data', file('videos')];
    const error = await t.throwsAsync<Error & { code: number; stderr: string }>(
      run('sh', ['-c', 'ulimit -f 1; exec "$@"', 'sh', process.execPath, ...args, '--out', out]),
    );
    t.is(error!.code, 1);
    t.regex(error!.stderr, /v\.(jsonl|safetensors): the file would pass the size limit.*ERR_VSSL_WRITE/);
    t.is(readFileSync(out, 'utf8'), 'before');
  }
  const results = () =>
    readdirSync(file('run')).flatMap((name) =>
      name.startsWith('eval-') ? [[name, readFileSync(join(file('run'), name), 'utf8')]] : [],
    );
  const before = results();
  const args = [main, 'eval', 'retrieval', '--run', file('run'), '--data', file('videos')];
  const error = await t.throwsAsync<Error & { code: number; stderr: string }>(
    run('sh', ['-c', 'ulimit -f 1; exec "$@"', 'sh', process.execPath, ...args]),
  );
  t.regex(error!.stderr, /eval-retrieval-\w+\.json.*ERR_VSSL_WRITE/);
  t.deepEqual(results(), before);
  t.deepEqual(
    readdirSync(file('.'), { recursive: true }).filter((name) => String(name).endsWith('.tmp')),
    [],
  );
});

test.serial('a name that cannot be a file is refused before any work', async (t) => {
  mkdirSync(file('folder.jsonl'));
  symlinkSync('/dev/full', file('device.jsonl'));
  symlinkSync('/dev/full', file('device.safetensors'));
  execFileSync('mkfifo', [file('pipe.jsonl')]);
  for (const [name, why] of [
    ['folder.jsonl', /is a folder/],
    ['device.jsonl', /is a device/],
    ['device.safetensors', /is a device/],
    ['pipe.jsonl', /is a pipe/],
    ['no/folder/x.jsonl', /there is no folder/],
    ['run/config.json/x.jsonl', /is a file, not a folder/],
  ] as const) {
    // neither the weights nor the data are there: they were not looked at
    const options = { weights: file('absent'), data: file('absent'), out: file(name) };
    await t.throwsAsync(embedToFile(options), { code: 'ERR_VSSL_USAGE', message: why });
  }
  await t.throwsAsync(checkOutFile(''), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
  await t.throwsAsync(writeFileAtomic(file('device.jsonl'), 'x'), { code: 'EEXIST' });
  t.true(statSync('/dev/full').isCharacterDevice(), 'the device is still one');
  t.true(existsSync(file('pipe.jsonl')));
});

test('a folder to write that is a file or a device is refused', async (t) => {
  writeFileSync(file('plain'), '');
  for (const out of [file('plain'), file('plain/deeper'), '/dev/full'])
    for (const write of [
      () => prepare({ data: file('videos'), out }),
      () => writeSyntheticVideos({ data: 'synthetic:motion?count=1&pixels=32', out }),
    ])
      await t.throwsAsync(write(), { code: 'ERR_VSSL_WRITE', message: /EEXIST|ENOTDIR/ }, out);
  t.is(statSync(file('plain')).size, 0);
});

test('a full standard output is told on standard error', async (t) => {
  const error = await t.throwsAsync<Error & { code: number; stderr: string }>(
    run('sh', ['-c', 'exec "$@" > /dev/full', 'sh', process.execPath, main, 'presets']),
  );
  t.is(error!.code, 1);
  t.regex(error!.stderr, /cannot write standard output: the disk is full \(ENOSPC\).*ERR_VSSL_WRITE/);
  t.notRegex(error!.stderr, /at .*\.js:\d+/);
});

test('a long name leaves room for the temporary one', async (t) => {
  const path = file(`${'n'.repeat(250)}.json`);
  await writeFileAtomic(path, 'x');
  t.is(readFileSync(path, 'utf8'), 'x');
  t.true(existsSync(join(path)));
});
