/** examples/own-method on the command line, and what --methods says of files that are no such method. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { packageRoot } from '#src/native/load.js';
import { readEncoderDescription } from '#src/weights/encoder-file.js';

const main = fileURLToPath(import.meta.resolve('#src/cli/main.js'));
const example = join(packageRoot, 'examples/own-method');
const folder = mkdtempSync(join(tmpdir(), 'vssl-own-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

const data = 'synthetic:motion?split=train&count=16&pixels=32&seconds=1';
const set = [
  ...['model.width=0.125', 'data.clip.size=32', 'data.clip.frames=4', 'data.workers=2'],
  ...['train.batch=4', 'train.precision=fp32', 'train.schedule.warmupSteps=1'],
].flatMap((entry) => ['--set', entry]);
const device = ['--device', 'cpu', '--threads', '2'];

interface Answer {
  readonly code: number;
  readonly error?: { code: string; message: string; details: Record<string, unknown> };
  readonly [key: string]: unknown;
}

/** The object that the command prints with --json, and its exit code. */
async function cli(...args: string[]): Promise<Answer> {
  const { code = 0, stdout } = (await promisify(execFile)(process.execPath, [main, ...args, '--json']).catch(
    (error: { code: number; stdout: string }) => error,
  )) as { code?: number; stdout: string };
  return { code, ...JSON.parse(stdout.trim().split('\n').at(-1)!) };
}

/** A copy of the example outside the package, changed; it imports the package by path. */
function changed(place: string, from: string, to: string): string {
  const text = readFileSync(join(example, 'near.mjs'), 'utf8');
  const imports = { "'vssl-native'": 'index.js', "'vssl-native/methods'": 'methods/index.js' };
  const all = Object.entries(imports).map(([name, file]) => [
    name,
    `'${import.meta.resolve(`#src/${file}`)}'`,
  ]);
  mkdirSync(place, { recursive: true });
  const file = join(place, 'near.mjs');
  writeFileSync(
    file,
    [...all, [from, to]].reduce((made, [a, b]) => made.replace(a!, b!), text),
  );
  return file;
}

test('it is listed with its options, and its preset with its settings', async (t) => {
  const { methods } = (await cli('methods', 'near', '--methods', example)) as unknown as {
    methods: { options: { key: string }[]; claims: { measure: string }[] }[];
  };
  t.true(methods[0]!.options.some(({ key }) => key === 'near.maxShift'));
  t.is(methods[0]!.claims[0]!.measure, 'class-knn');
  const { config } = (await cli(
    'presets',
    'near-tiny',
    '--methods',
    join(example, 'near.mjs'),
  )) as unknown as {
    config: { method: string; near: object };
  };
  t.like(config, { method: 'near', near: { maxShift: 0.5 } });
  t.is((await cli('methods', 'near')).code, 2, 'without --methods there is none');
});

test('it trains, and goes on; its weights say whose they are', async (t) => {
  const out = join(folder, 'run');
  const run = ['train', '--methods', example, '--preset', 'near-tiny', '--data', data, '--out', out];
  const first = await cli(...run, ...set, ...device, '--max-steps', '2');
  t.like(first, { code: 0, stepsDone: 2 }, first.error?.message);
  t.like(await cli(...run, ...set, ...device, '--max-steps', '3'), { code: 0, step: 3, stepsDone: 1 });
  t.like(await readEncoderDescription(join(out, 'weights.safetensors')), { method: 'near', step: 3 });
});

test('its claim is measured with its own measure', async (t) => {
  const out = join(folder, 'claims');
  const budget = ['--budget', '2', '--seeds', '1'];
  const call = ['eval', 'claims', '--methods', example, '--method', 'near', '--data', data, '--out', out];
  const { code, error, claims } = await cli(...call, ...budget, ...set, ...device);
  t.is(code, 0, error?.message);
  const [claim] = claims as { measure: string; arms: { values: number[] }[] }[];
  t.is(claim!.measure, 'class-knn');
  for (const { values } of claim!.arms) t.true(values[0]! >= 0 && values[0]! <= 1);
});

test('what is no such method is refused with its file and key before anything is done', async (t) => {
  const place = (name: string, text: string) => {
    const file = join(folder, name);
    writeFileSync(file, text);
    return file;
  };
  const module = `import { defineMethod, z } from '${import.meta.resolve('#src/methods/index.js')}';
    export const near = defineMethod({ name: 'near', description: 'd', configSchema: z.strictObject({}),
    planViews: () => ({ views: [] }), nativeOptions: () => ({}) });`;
  const wrong: [file: string, code: string, says: RegExp, key?: string][] = [
    [join(folder, 'absent.mjs'), 'ERR_VSSL_USAGE', /no file or folder/],
    [place('none.mjs', 'export const a = 1;'), 'ERR_VSSL_METHOD', /exports no method/],
    [place('broken.mjs', 'export default {'), 'ERR_VSSL_METHOD', /broken\.mjs: Unexpected/],
    [
      place('name.mjs', module.replace("'near'", "'moco'")),
      'ERR_VSSL_METHOD',
      /there is a method 'moco'/,
      'name',
    ],
    [
      place('views.mjs', module.replace('planViews', 'planView')),
      'ERR_VSSL_METHOD',
      /'planViews'\?/,
      'planView',
    ],
  ];
  for (const [file, code, says, key] of wrong) {
    const answer = await cli('methods', '--methods', file);
    t.is(answer.code, 2, file);
    t.is(answer.error?.code, code);
    t.regex(answer.error!.message, says);
    t.true(answer.error!.message.includes(file), answer.error!.message);
    t.is(answer.error!.details.key, key as never);
  }
  const twice = await cli('methods', '--methods', example, '--methods', place('again.mjs', module));
  t.regex(twice.error!.message, /again\.mjs.*'name'.*there is a method 'near'/);
});

test('a run of a method that gives the engine something else names the file', async (t) => {
  const file = changed(join(folder, 'other option'), 'lossScale: 1', 'lossScal: 1');
  const out = join(folder, 'short');
  const run = ['train', '--methods', file, '--preset', 'near-tiny', '--data', data, '--out', out];
  const { code, error } = await cli(...run, ...set, ...device);
  t.is(code, 2);
  t.regex(error!.message, /lossScal/);
  t.is(error!.details.file, file);
});

test('an engine that was built beside the methods is the one that is used', async (t) => {
  const own = join(folder, 'with engine');
  mkdirSync(join(own, 'build'), { recursive: true });
  writeFileSync(join(own, 'build', 'vssl_engine.node'), 'no addon');
  changed(own, '', '');
  const run = [
    'train',
    '--methods',
    own,
    '--preset',
    'near-tiny',
    '--data',
    data,
    '--out',
    join(folder, 'engine'),
  ];
  const { code, error } = await cli(...run, ...set, ...device);
  t.is(code, 3);
  t.is(error!.code, 'ERR_VSSL_LOAD');
  t.true(error!.message.includes(join(own, 'build', 'vssl_engine.node')));
  t.true(error!.message.includes(`build --methods ${own}`), error!.message);
});
