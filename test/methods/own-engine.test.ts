/**
 * Methods of one's own with a native part, in a folder outside the package: the toy of two files, which trains on clips, on
 * an int64 view that half of the samples lack and on a side array; and SimCLR, moved out as it stands.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { readSafetensors } from '#src/weights/safetensors.js';
import { makeTinyVideos, readLines, tinyConfig } from '../helpers/tiny-run.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const here = mkdtempSync(join(tmpdir(), 'vssl-own-'));
const { countLines } = (await import(join(root, 'tools/count-lines.mjs'))) as {
  countLines(path: string, source: string): number;
};
const run = (args: readonly string[]) => {
  const env = { ...process.env, VSSL_NATIVE_BINDING: join(here, 'build/vssl_engine.node') };
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: here, env, encoding: 'utf8' });
  return { status, stderr };
};
const build = () => run([join(root, 'dist/esm/cli/main.js'), 'build', '--methods', here]);

/** SimCLR's two files under another name, and the toy's. */
function writeMethods(): void {
  mkdirSync(join(here, 'node_modules'));
  symlinkSync(root, join(here, 'node_modules/vssl-native'), 'junction');
  for (const file of ['toy.cpp', 'toy.mjs'])
    copyFileSync(join(root, 'test/own-methods', file), join(here, file));
  const simclr = readFileSync(join(root, 'dist/esm/methods/simclr.js'), 'utf8')
    .replaceAll(/from '(zod|\.[^']*)'/g, "from 'vssl-native/methods'")
    .replaceAll("'simclr", "'simclr_own");
  writeFileSync(join(here, 'simclr_own.mjs'), simclr);
  const native = readFileSync(join(root, 'native/engine/methods/simclr.cpp'), 'utf8');
  writeFileSync(
    join(here, 'simclr_own.cpp'),
    native.replace('VSSL_METHOD(simclr)', 'VSSL_METHOD(simclr_own)'),
  );
}

const base = tinyConfig();
const configOf = (method: string, options: object) => ({
  ...base,
  method,
  cvrl: undefined,
  [method]: options,
});

/** Trains configurations in one process, where the methods of the folder are registered. */
function train(configs: Readonly<Record<string, object>>): { status: number | null; stderr: string } {
  const script = `
    import { train, registerMethod } from 'vssl-native';
    import { toy } from './toy.mjs';
    import { simclr } from './simclr_own.mjs';
    for (const method of [toy, simclr]) registerMethod(method);
    for (const [out, config] of Object.entries(${JSON.stringify(configs)})) await train({ ...config, out }).result;
  `;
  writeFileSync(join(here, 'train.mjs'), script);
  return run([join(here, 'train.mjs')]);
}

test('the toy is two files of at most 60 lines of code, and stands whole on the page of the architecture', (t) => {
  const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
  const lines = [
    ['toy.cpp', 'toy.cpp'],
    ['toy.mjs', 'toy.ts'],
  ].map(([file, language]) => {
    const source = readFileSync(join(root, 'test/own-methods', file!), 'utf8');
    t.true(page.includes(`\n${source}\`\`\`\n`), file);
    return countLines(language!, source);
  });
  t.true(lines[0]! + lines[1]! <= 60, `${lines}`);
});

test.serial(
  'a folder of methods is built into an engine beside the package’s own, and trained with',
  async (t) => {
    writeMethods();
    const built = build();
    t.is(built.status, 0, built.stderr);

    // Half of the videos have a label.
    const videos = await makeTinyVideos(8);
    const names = Array.from({ length: 8 }, (_, i) => `v${String(i).padStart(2, '0')}.mp4`);
    const list = join(videos.folder, 'list.csv');
    writeFileSync(
      list,
      `path,label\n${names.map((name, i) => `${name},${i % 2 ? '' : `kind${i % 4}`}`).join('\n')}\n`,
    );
    const data = { ...base.data, path: list };
    const head = { hiddenDim: 16, hiddenLayers: 1, dim: 8 };
    const { status, stderr } = train({
      toy: { ...configOf('toy', { labels: 2, head }), data },
      'toy-chunks': {
        ...configOf('toy', { labels: 2, head }),
        data,
        train: { ...base.train, accumulate: 3 },
      },
      simclr: { ...configOf('simclr', { head }), data },
      own: { ...configOf('simclr_own', { head }), data },
    });
    t.is(status, 0, stderr);

    for (const out of ['toy', 'toy-chunks']) {
      const steps = await readLines(join(here, out, 'metrics.jsonl'));
      t.is(steps.length, 8);
      const losses = steps.map((step) => step as { loss: number; label?: number; start: number });
      t.true(losses.every(({ loss }) => Number.isFinite(loss)));
      t.true(
        losses.some(({ label }) => label !== undefined && label > 0),
        'labels are learned',
      );
      const plans = await readLines(join(here, out, 'plans.jsonl'));
      const views = plans.flatMap(({ views }) => views as { name: string; rows?: number[] }[]);
      const partial = views.filter(({ name, rows }) => name === 'label' && rows !== undefined);
      t.true(partial.length > 0, 'some samples of a batch lack the view');
    }
    const tensors = async (out: string) =>
      (await readSafetensors(join(here, out, 'weights.safetensors'))).tensors;
    t.deepEqual(
      await tensors('own'),
      await tensors('simclr'),
      'SimCLR outside the package trains to the same bytes',
    );
  },
);

test.serial('what is wrong with a method of a folder is told with its file and key', async (t) => {
  const toy = readFileSync(join(here, 'toy.mjs'), 'utf8');
  const attempt = (change: string, into: string) => {
    writeFileSync(join(here, 'toy.mjs'), toy.replace(change, into));
    const config = { ...configOf('toy', { labels: 2 }), data: { ...base.data, path: 'list.csv' } };
    return train({ wrong: config });
  };
  const videos = await makeTinyVideos(4);
  writeFileSync(
    join(here, 'list.csv'),
    `path\n${['v00', 'v01', 'v02', 'v03'].map((v) => join(videos.folder, `${v}.mp4`)).join('\n')}\n`,
  );
  for (const [change, into, says] of [
    ['temperature: 0.1, ', '', /toy\.cpp.*temperature/],
    ["name: 'start'", "name: 'begin'", /toy\.cpp.*begin/],
    ['shape: [], values: [pair[0].clip.times[0]]', 'shape: [2], values: [0, 1]', /toy\.cpp.*start/],
    ['shape: [], values: [pair[0].clip.times[0]]', 'shape: [], values: [0, 1]', /toy.*start/],
    ["name: 'toy'", "name: 'simclr'", /there is a method 'simclr'/],
  ] as const) {
    const { status, stderr } = attempt(change, into);
    t.not(status, 0, into);
    t.regex(stderr, says, into);
  }
  writeFileSync(join(here, 'toy.mjs'), toy);
  copyFileSync(join(here, 'simclr_own.cpp'), join(here, 'simclr.cpp'));
  const taken = build();
  t.is(taken.status, 2);
  t.regex(taken.stderr, /simclr\.cpp: the engine has a method 'simclr'/);
});
