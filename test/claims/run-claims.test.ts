// The whole way: two arms are trained for a few steps, measured and compared; a second call trains nothing.
import { execFile } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { type ClaimsEvent, runClaims } from '#src/claims/run-claims.js';
import { packageRoot } from '#src/native/load.js';
import { writeSyntheticVideos } from '#src/prepare/write-synthetic.js';

const folder = mkdtempSync(join(tmpdir(), 'vssl-claims-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

const data = 'synthetic:motion?split=train&count=16&pixels=32&seconds=1';
const set = [
  'model.width=0.125',
  'data.clip.size=32',
  'data.clip.frames=4',
  'train.batch=4',
  'train.precision=fp32',
  'train.threads=2',
  'train.device=cpu',
  'data.workers=2',
];
const options = {
  method: 'cvrl',
  data,
  budget: 3,
  seeds: 2,
  out: join(folder, 'cvrl'),
  claims: ['consistent-augmentation'],
  set,
  device: 'cpu',
} as const;

test.serial('arms are trained, measured and compared; what is there is not done again', async (t) => {
  const events: ClaimsEvent[] = [];
  const first = await runClaims({ ...options, onEvent: (event) => events.push(event) });
  t.is(first.trained, 4);
  t.is(first.found, 0);
  t.deepEqual(first.data, { train: data, test: data.replace('train', 'test') });
  const [claim] = first.claims;
  t.is(claim!.arms.length, 2);
  for (const { values, id } of claim!.arms) {
    t.is(values.length, 2);
    t.true(values.every((value) => value !== null && value >= 0 && value <= 1));
    t.true(existsSync(join(options.out, `arm-${id}`, 'seed-1', 'weights.safetensors')));
  }
  const [pair] = claim!.pairs;
  t.is(pair!.seeds, 2);
  t.true(pair!.interval![0] <= pair!.difference && pair!.difference <= pair!.interval![1]);
  t.true(['holds', 'does not hold', 'equal', 'cannot tell'].includes(claim!.verdict));
  t.like(first, { firstSeed: 0, seeds: 2, dataBySeed: false, tests: 2, level: 0.05 });
  t.like(first.pools[0]!, { measure: 'linear', margin: 0.03, degrees: 1, pairs: 1 });
  t.deepEqual(JSON.parse(readFileSync(first.file, 'utf8')), JSON.parse(JSON.stringify(first)));
  t.is(events.filter(({ type }) => type === 'run').length, 4);
  t.is(events.filter((event) => event.type === 'train' && event.event.type === 'step').length, 12);

  const again: ClaimsEvent[] = [];
  const second = await runClaims({ ...options, onEvent: (event) => again.push(event) });
  t.is(second.trained, 0);
  t.is(second.found, 4);
  t.deepEqual(second.claims, first.claims);
  t.false(again.some((event) => event.type === 'train' && event.event.type === 'step'));

  // another seed is added to the two
  const more = await runClaims({ ...options, seeds: 3 });
  t.is(more.trained, 2);
  t.deepEqual(
    more.claims[0]!.arms.map(({ values }) => values.slice(0, 2)),
    first.claims[0]!.arms.map(({ values }) => values),
  );
  // and later seeds alone
  const later = await runClaims({ ...options, firstSeed: 2, seeds: 1 });
  t.is(later.trained, 0);
  t.deepEqual(
    later.claims[0]!.arms.map(({ values }) => values),
    more.claims[0]!.arms.map(({ values }) => values.slice(2)),
  );
  await t.throwsAsync(runClaims({ ...options, firstSeed: -1 }), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
});

test.serial('with {seed} in its data each seed trains and is tested on videos of its own', async (t) => {
  const out = join(folder, 'seeded');
  const seeded = `${data}&seed={seed}`;
  const result = await runClaims({ ...options, out, data: seeded, firstSeed: 4 });
  t.true(result.dataBySeed);
  t.deepEqual(result.data, {
    train: `${data}&seed=4`,
    test: `${data.replace('train', 'test')}&seed=4`,
  });
  for (const { id } of result.claims[0]!.arms)
    for (const seed of [4, 5]) {
      const config = JSON.parse(readFileSync(join(out, `arm-${id}`, `seed-${seed}`, 'config.json'), 'utf8'));
      t.is(config.data.path, `${data}&seed=${seed}`);
      t.is(config.train.seed, seed);
    }
  const again = await runClaims({ ...options, out, data: seeded, firstSeed: 4 });
  t.is(again.found, 4);
  t.deepEqual(again.claims, result.claims);
});

test.serial('videos too short for an arm end the call before anything is trained', async (t) => {
  const out = join(folder, 'short');
  await t.throwsAsync(runClaims({ ...options, out, set: [...set, 'data.clip.stride=6'] }), {
    code: 'ERR_VSSL_DATA',
    message: /16 of 16 videos are too short for the arm 'consistent'/,
  });
  t.false(existsSync(out));
});

test.serial(
  'a kept measure is taken again only with the same weights, videos, engine, device and precision',
  async (t) => {
    const out = join(folder, 'kept');
    const videos = join(folder, 'kept videos');
    await writeSyntheticVideos({ data: `${data}&label=left,right`, out: videos });
    const call = { ...options, out, data: videos, test: videos, seeds: 1 };
    const first = await runClaims(call);
    const arm = (i: number) => join(out, `arm-${first.claims[0]!.arms[i]!.id}`, 'seed-0');
    const measure = first.claims[0]!.measure;
    const files = [0, 1].map((i) => join(arm(i), `measure-${measure}.json`));
    const read = (file: string) => JSON.parse(readFileSync(file, 'utf8'));
    // a value that no measure gives: it is there as long as the file is taken as it is
    const mark = (changes: object = {}) => {
      for (const file of files) writeFileSync(file, JSON.stringify({ ...read(file), value: -1, ...changes }));
    };
    const values = async (changes: object = {}) => {
      const { claims, trained } = await runClaims({ ...call, ...changes });
      t.is(trained, 0);
      return claims[0]!.arms.map(({ values }) => values[0]!);
    };
    const isFresh = async (what: string, expected: boolean, changes: object = {}) =>
      t.deepEqual(
        (await values(changes)).map((value) => value !== -1),
        [expected, expected],
        what,
      );
    mark();
    await isFresh('nothing changed', false);
    await isFresh('the precision changed', true, { precision: 'bf16' });
    mark();
    await isFresh('and back', true);
    for (const key of ['engine', 'device', 'packageVersion', 'weights', 'videos']) {
      mark({ [key]: 'other' });
      await isFresh(key, true);
    }
    mark();
    const [label] = readdirSync(videos).filter((name) => !name.endsWith('.csv'));
    const video = join(videos, label!, readdirSync(join(videos, label!))[0]!);
    utimesSync(video, 1000, 1000);
    await isFresh('a video changed', true);
    mark();
    copyFileSync(join(arm(1), 'weights.safetensors'), join(arm(0), 'weights.safetensors'));
    const [swapped, own] = await values();
    t.not(swapped, -1, 'weights of the other arm');
    t.is(own, -1);
  },
);

test.serial('finished arms of other videos are no arms of these', async (t) => {
  const out = join(folder, 'grown');
  const videos = join(folder, 'grown videos');
  await writeSyntheticVideos({ data: `${data}&label=left,right`, out: videos });
  rmSync(join(videos, 'manifest.csv'));
  const call = { ...options, out, data: videos, test: videos, seeds: 1 };
  await runClaims(call);
  copyFileSync(join(videos, 'left', readdirSync(join(videos, 'left'))[0]!), join(videos, 'left', 'new.mp4'));
  await t.throwsAsync(runClaims(call), {
    code: 'ERR_VSSL_RESUME_MISMATCH',
    message: /made with other videos/,
  });
});

test.serial('a stopped call goes on where it was', async (t) => {
  const out = join(folder, 'stopped');
  const stop = new AbortController();
  const reason = new Error('enough');
  let runs = 0;
  await t.throwsAsync(
    runClaims({
      ...options,
      out,
      signal: stop.signal,
      onEvent: (event) => {
        if (event.type === 'run' && ++runs === 3) stop.abort(reason);
      },
    }),
    { is: reason },
  );
  const { trained, found } = await runClaims({ ...options, out });
  t.is(found, 2);
  t.is(trained, 2);
});

test.serial('data that says nothing of what tests is refused before anything is trained', async (t) => {
  const out = join(folder, 'none');
  await t.throwsAsync(runClaims({ ...options, out, test: 'synthetic:motoin' }), {
    code: 'ERR_VSSL_INVALID_ARGUMENT',
  });
  await t.throwsAsync(runClaims({ ...options, out, test: data, folds: 'group' }), { code: 'ERR_VSSL_USAGE' });
  await t.throwsAsync(runClaims({ ...options, out, seeds: 0 }), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
  await t.throwsAsync(runClaims({ ...options, out, folds: 'sprit' }), {
    code: 'ERR_VSSL_USAGE',
    message: /no column 'sprit'.*did you mean 'sprite'/,
  });
  await t.throwsAsync(runClaims({ ...options, out, folds: 'group:1' }), { code: 'ERR_VSSL_USAGE' });
  writeFileSync(join(folder, 'bare.csv'), 'path\na.mp4\nb.mp4\n');
  const bare = { data: join(folder, 'bare.csv'), test: join(folder, 'bare.csv') };
  await t.throwsAsync(runClaims({ ...options, out, ...bare }), { code: 'ERR_VSSL_DATA', message: /labels/ });
  t.false(existsSync(out));
});

test.serial('what a measure warns of and leaves out is told once and kept', async (t) => {
  const out = join(folder, 'warned');
  const videos = join(folder, 'videos');
  await writeSyntheticVideos({ data: `${data}&label=left,right`, out: videos });
  const broken = join(videos, 'left', 'broken.avi');
  writeFileSync(broken, 'no video at all');
  const call = { ...options, out, data: videos, test: videos, seeds: 1 };
  for (const round of [1, 2]) {
    const events: ClaimsEvent[] = [];
    const result = await runClaims({ ...call, onEvent: (event) => events.push(event) });
    const warnings = events.flatMap((event) => (event.type === 'warning' ? [event.message] : []));
    t.is(warnings.filter((warning) => /test videos are training videos too/.test(warning)).length, 1);
    t.deepEqual(result.warnings, warnings, `round ${round}`);
    t.deepEqual(
      events.flatMap((event) => (event.type === 'left-out' ? [event.path] : [])),
      [broken],
    );
    t.deepEqual(
      result.leftOut.map(({ path }) => path),
      [broken],
    );
  }
});

test.serial('a folder that cannot be made says what to do', async (t) => {
  const out = join(folder, 'file');
  writeFileSync(out, '');
  for (const place of [out, join(out, 'x')])
    await t.throwsAsync(runClaims({ ...options, out: place }), {
      code: 'ERR_VSSL_RUN_WRITE',
      message: /a part of that path is a file; choose another --out/,
    });
});

const main = fileURLToPath(import.meta.resolve('#src/cli/main.js'));
const cli = (...args: string[]) =>
  promisify(execFile)(process.execPath, [main, 'eval', 'claims', ...args], {
    env: { ...process.env, NO_COLOR: '1' },
  }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) =>
      ({ code, stdout, stderr }) as { code: number; stdout: string; stderr: string },
  );

test.serial('command line: --list needs no addon and no data', async (t) => {
  const list = await promisify(execFile)(
    process.execPath,
    [main, 'eval', 'claims', '--list', '--method', 'cvrl'],
    {
      env: { ...process.env, VSSL_NATIVE_BINDING: '/nonexistent' },
    },
  );
  t.regex(list.stdout, /consistent-augmentation +linear +consistent > per frame/);
  const { stdout, code } = await cli('--list', '--json');
  t.is(code, 0);
  const { methods } = JSON.parse(stdout) as { methods: { name: string; claims: { arms: unknown[] }[] }[] };
  t.true(methods.length >= 4);
  t.true(methods.every(({ claims }) => claims.every(({ arms }) => arms.length >= 2)));
});

test.serial(
  'command line: claims that need optical flow where there is none end before anything is trained',
  async (t) => {
    const addons = join(folder, 'addons');
    mkdirSync(addons);
    // without the module of flow that stands beside it
    const engine = join(packageRoot, 'build', 'Release', 'vssl_engine.node');
    copyFileSync(engine, join(addons, 'vssl_engine.node'));
    const out = join(folder, 'flow');
    const args = ['--method', 'modist', '--data', data, '--budget', '2', '--out', out];
    const failed = await promisify(execFile)(process.execPath, [main, 'eval', 'claims', ...args], {
      env: { ...process.env, NO_COLOR: '1', VSSL_NATIVE_BINDING: addons, VSSL_ENGINE: 'cpu' },
    }).then(
      () => ({ code: 0, stderr: '' }),
      ({ code, stderr }) => ({ code, stderr }) as { code: number; stderr: string },
    );
    t.is(failed.code, 3, failed.stderr);
    t.regex(failed.stderr, /need it \(motion-input\): --claim cross-modal shifted two-way/);
    t.false(existsSync(out));
  },
);

test.serial('command line: the table, and what is missing', async (t) => {
  const args = ['--method', 'cvrl', '--data', data, '--budget', '3', '--seeds', '2', '--out', options.out];
  const flags = [...args, '--claim', 'consistent-augmentation', '--device', 'cpu'];
  const settings = set
    .filter((entry) => !entry.startsWith('train.device'))
    .flatMap((entry) => ['--set', entry]);
  const { code, stdout, stderr } = await cli(...flags, ...settings);
  t.is(code, 0, stderr);
  t.regex(stdout, /consistent-augmentation: (holds|does not hold|equal|cannot tell)/);
  t.regex(stdout, /consistent > per frame/);
  t.regex(stdout, /linear probe accuracy, %: deviation of a difference [\d.]+, of 1 pair/);
  t.deepEqual(readdirSync(options.out).filter((name) => name.startsWith('arm-')).length, 2, 'no further arm');
  t.is((await cli('--method', 'cvrl')).code, 2);
  t.is((await cli(...args, '--claim', 'nope')).code, 2);
});
