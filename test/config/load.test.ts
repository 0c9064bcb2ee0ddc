import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { diffConfigs } from '#src/config/diff.js';
import { parseConfigText, parseSetting } from '#src/config/read-file.js';
import { VsslError } from '#src/errors.js';
import { configJsonSchema, loadConfig, resolveConfig, type TrainConfig } from '#src/methods/config.js';

const folder = mkdtempSync(join(tmpdir(), 'config-'));
test.after.always(() => rmSync(folder, { recursive: true }));
let files = 0;

function write(text: string, suffix = 'yaml'): string {
  const path = join(folder, `c${files++}.${suffix}`);
  writeFileSync(path, text);
  return path;
}

/** The error of a configuration: its key and its message. */
function fail(make: () => unknown): { key: unknown; message: string } {
  try {
    make();
  } catch (error) {
    if (error instanceof VsslError && error.code === 'ERR_VSSL_CONFIG') {
      return { key: error.details.key, message: error.message };
    }
    throw error;
  }
  throw new Error('no error was thrown');
}

test('defaults: a method alone is a whole configuration', (t) => {
  const config = resolveConfig({ method: 'cvrl' });
  t.is(config.formatVersion, 1);
  t.deepEqual(config.model, { arch: 'r3d_18', width: 1, checkpoint: 'none' });
  t.deepEqual(config.data.clip, { frames: 16, stride: 2, size: 112, fps: null });
  t.is(config.data.onError, 'skip');
  t.is(config.train.epochs, 200);
  t.is(config.train.steps, null);
  t.is(config.train.checkpointEvery, 500);
  t.is(config.train.keepCheckpoints, 3);
  t.deepEqual(config.log, { every: 10, tensorboard: true, plans: false });
  t.deepEqual(config.cvrl, {
    sampling: 'decreasing',
    samplingPower: 1,
    temperature: 0.1,
    head: { hiddenLayers: 3, norm: true, hiddenDim: 'auto', dim: 128 },
    lossScale: 2,
    ownNegatives: 'none',
  });
  t.is(config.simclr, undefined);
});

test('a resolved configuration resolves to itself, and goes through JSON', (t) => {
  for (const preset of [
    'cvrl',
    'simclr',
    'moco',
    'cate',
    'cvrl-tiny',
    'simclr-tiny',
    'moco-tiny',
    'cate-tiny',
  ]) {
    const config = loadConfig({ preset });
    t.deepEqual(resolveConfig(config as TrainConfig), config);
    t.deepEqual(loadConfig({ file: write(JSON.stringify(config), 'json') }), config);
  }
});

test("a run's own config.json can be given again; a stray 'run' key is still an error", (t) => {
  const config = resolveConfig({ method: 'cvrl' });
  const recorded = write(JSON.stringify({ ...config, run: { version: '0.1.0' } }), 'json');
  t.deepEqual(loadConfig({ file: recorded, set: [] }), config);
  t.is(fail(() => loadConfig({ file: write('method: cvrl\nrun: { a: 1 }'), set: [] })).key, 'run');
});

test('preset < file < --set; the file may extend a preset', (t) => {
  const file = write('extends: cvrl\ntrain: { batch: 32 }\nlog:\n  every: 5\n');
  const config = loadConfig({ file, set: ['train.batch=16', 'model.width=0.5', 'train.batch=8'] });
  t.is(config.train.batch, 8);
  t.is(config.model.width, 0.5);
  t.is(config.log.every, 5);
  t.is(config.model.arch, 'r3d_50');
  t.is(loadConfig({ preset: 'cvrl', file: write('train: { batch: 4 }') }).train.batch, 4);
  t.is(loadConfig({ preset: 'cvrl', file }).train.batch, 32);
  t.is(fail(() => loadConfig({ preset: 'simclr', file })).key, 'extends');
});

test('a GPU may be named by its number', (t) => {
  for (const device of ['auto', 'cpu', 'cuda', 'cuda:0', 'cuda:7'] as const) {
    t.is(loadConfig({ preset: 'cvrl', set: [`train.device=${device}`] }).train.device, device);
    t.is(resolveConfig({ extends: 'cvrl', train: { device } }).train.device, device);
  }
});

test("a method's published values outside its slice lie under everything else", (t) => {
  t.deepEqual(resolveConfig({ method: 'simclr' }).data.augment.crop, {
    area: [0.2, 0.766],
    aspect: [0.75, 4 / 3],
    attempts: 100,
    minCovered: 0.1,
  });
  t.deepEqual(resolveConfig({ method: 'cvrl' }).data.augment.crop!.area, [0.3, 1]);
  const own = resolveConfig({ method: 'simclr', data: { augment: { crop: { area: [0.5, 1] } } } });
  t.deepEqual(own.data.augment.crop!.area, [0.5, 1]);
  t.is(own.data.augment.jitter.brightness, 0.6);
});

test('--set reads values by the rules of YAML', (t) => {
  t.deepEqual(parseSetting('a.b=1e-6'), { a: { b: 1e-6 } });
  t.deepEqual(parseSetting('a=true'), { a: true });
  t.deepEqual(parseSetting('a=no'), { a: 'no' });
  t.deepEqual(parseSetting('a=null'), { a: null });
  t.deepEqual(parseSetting('a='), { a: null });
  t.deepEqual(parseSetting('a=[1, x]'), { a: [1, 'x'] });
  t.deepEqual(parseSetting('a={b: 2}'), { a: { b: 2 } });
  t.deepEqual(parseSetting('a="1"'), { a: '1' });
  t.deepEqual(parseSetting('a=b=c'), { a: 'b=c' });
  t.deepEqual(parseSetting('out=C:/x y'), { out: 'C:/x y' });
  for (const wrong of ['a', '=1', 'a..b=1', '.a=1', ''])
    t.throws(() => parseSetting(wrong), { code: 'ERR_VSSL_CONFIG' });
  t.is(fail(() => parseSetting('a=[1')).key, 'a');
  t.is(
    loadConfig({ preset: 'cvrl', set: ['train.schedule={name: step, milestones: [3, 5]}'] }).train.schedule
      .gamma,
    0.1,
  );
});

test('epochs and steps, warm-up in epochs and in steps: the later layer decides', (t) => {
  const steps = loadConfig({ preset: 'cvrl', set: ['train.steps=100'] });
  t.deepEqual([steps.train.epochs, steps.train.steps], [null, 100]);
  const epochs = loadConfig({
    preset: 'cvrl-tiny',
    set: ['train.epochs=3', 'train.schedule.warmupEpochs=1'],
  });
  t.deepEqual([epochs.train.epochs, epochs.train.steps], [3, null]);
  t.deepEqual([epochs.train.schedule.warmupEpochs, epochs.train.schedule.warmupSteps], [1, null]);
  t.is(resolveConfig({ method: 'cvrl', train: { steps: 5 } }).train.epochs, null);
  t.regex(
    fail(() => resolveConfig({ method: 'cvrl', train: { steps: 5, epochs: 5 } })).message,
    /either .* not both/,
  );
  t.is(
    fail(() => resolveConfig({ method: 'cvrl', train: { steps: null, epochs: null } })).key,
    'train.epochs',
  );
});

test('unknown and misspelt keys name the key and the nearest valid one', (t) => {
  const cases: readonly [text: string, key: string, hint: RegExp][] = [
    ['method: cvrl\ntrain: { bacth: 3 }', 'train.bacth', /did you mean 'train.batch'/],
    ['method: cvrl\ntrian: { batch: 3 }', 'trian', /did you mean 'train'/],
    ['method: cvrl\nlr: 0.1', 'lr', /did you mean 'train.optimizer.lr'/],
    ['method: cvrl\ntrain: { momentum: 0.1 }', 'train.momentum', /did you mean 'train.optimizer.momentum'/],
    ['method: cvrl\ncvrl: { samplingpower: 2 }', 'cvrl.samplingpower', /did you mean 'cvrl.samplingPower'/],
    ['method: cvrl\ncvlr: { samplingPower: 2 }', 'cvlr', /did you mean 'cvrl'/],
    ['method: cvrl\nlog: { qqq: 2 }', 'log.qqq', /valid here: every, tensorboard, plans/],
    [
      'method: cvrl\ndata: { augment: { crop: { areas: [0.1, 1] } } }',
      'data.augment.crop.areas',
      /'data.augment.crop.area'/,
    ],
    ['method: cvrl\nconstructor: 1', 'constructor', /unknown key/],
  ];
  for (const [text, key, hint] of cases) {
    const file = write(text);
    const error = fail(() => loadConfig({ file }));
    t.is(error.key, key, error.message);
    t.regex(error.message, hint);
    t.true(error.message.includes(file), 'says where the key came from');
  }
  t.is(fail(() => loadConfig({ file: write('method: cvrl\n__proto__: { a: 1 }') })).key, '__proto__');
  t.is(fail(() => loadConfig({ preset: 'cvrl', set: ['train.__proto__.x=1'] })).key, 'train.__proto__');
  const set = fail(() => loadConfig({ preset: 'cvrl', set: ['train.batchh=3'] }));
  t.regex(set.message, /'train\.batchh' \(--set train\.batchh=3\): unknown key; did you mean 'train\.batch'/);
});

test('wrong values say what was expected, what came, and the nearest valid word', (t) => {
  const cases: readonly [set: string, message: RegExp][] = [
    ['train.batch=0', /'train\.batch' .*expected a whole number >= 1 but got 0/],
    ['train.batch=2.5', /expected a whole number >= 1 but got 2\.5/],
    ['train.batch=many', /expected a whole number >= 1 but got 'many'/],
    ['train.device=tpu', /'train.device'.*: expected one of auto, cpu, cuda or cuda:N but got 'tpu'/],
    ['train.device=cuda:-1', /expected one of auto, cpu, cuda or cuda:N but got 'cuda:-1'/],
    ['model.arch=r3d18', /expected one of r3d_10, .* but got 'r3d18'; did you mean 'r3d_18'/],
    ['train.optimizer.lr=-1', /expected a number > 0 but got -1/],
    ['train.optimizer.momentum=1', /expected a number >= 0 and < 1 but got 1/],
    [
      'data.workers=autp',
      /expected 'auto' or a whole number >= 1 and <= 1024 but got 'autp'; did you mean 'auto'/,
    ],
    ['train.clipNorm=x', /expected a number > 0 or null but got 'x'/],
    ['log.tensorboard=yes', /expected true or false but got 'yes'/],
    ['train=5', /expected keys and values \(batch, epochs, .*\) but got 5/],
    ['data.augment.crop.area=[0.5]', /expected a list of 2 values but got a list of 1/],
    ['data.augment.crop.area=[0.9, 0.1]', /expected \[low, high\] with low <= high but got a list of 2/],
    ['data.normalize.std=[1, 0, 1]', /'data\.normalize\.std\.1' .*expected a number > 0 but got 0/],
    ['cvrl.sampling=decresing', /did you mean 'decreasing'/],
    ['formatVersion=2', /expected 1 but got 2/],
    ['train.optimizer.betas=[0.9, 1]', /expected a number >= 0 and < 1/],
  ];
  for (const [set, message] of cases) {
    const error = fail(() => loadConfig({ preset: 'cvrl', set: [set] }));
    t.regex(error.message, message);
    t.true(String(error.key).startsWith(set.split('=')[0]!), error.message);
  }
});

test('rules between keys', (t) => {
  const cases: readonly [set: string[], key: string][] = [
    [['train.accumulate=2000'], 'train.accumulate'],
    [['train.schedule.name=step'], 'train.schedule.milestones'],
    [['train.schedule.name=step', 'train.schedule.milestones=[5, 3]'], 'train.schedule.milestones'],
    [['train.schedule.finalLr=1'], 'train.schedule.finalLr'],
    [['data.clip.frames=1', 'data.input=difference'], 'data.clip.frames'],
    [['eval.everyEpochs=1'], 'eval.data'],
    [['eval.test=test.csv'], 'eval.data'],
    [['train.optimizer.nesterov=true', 'train.optimizer.momentum=0'], 'train.optimizer.nesterov'],
    [['model.batchNorm=true'], 'model.batchNorm'],
  ];
  for (const [set, key] of cases) t.is(fail(() => loadConfig({ preset: 'cvrl', set })).key, key);
  t.notThrows(() => loadConfig({ preset: 'cvrl', set: ['model.arch=c3d', 'model.batchNorm=true'] }));
});

test('duplicate keys are errors, in YAML and in JSON', (t) => {
  const yaml = fail(() => parseConfigText('train:\n  batch: 1\n  batch: 2\n', 'run.yaml'));
  t.is(yaml.key, 'batch');
  t.regex(yaml.message, /'batch' stands twice in run\.yaml at line 3/);
  t.is(
    fail(() => parseConfigText('{"method": "cvrl", "log": {}, "method": "cvrl"}', 'c.json')).key,
    'method',
  );
});

test('broken files: syntax, kind, absence', (t) => {
  t.regex(
    fail(() => parseConfigText('a: [1', 'run.yaml')).message,
    /run\.yaml is not valid YAML or JSON at line/,
  );
  t.regex(fail(() => parseConfigText('- a\n- b', 'run.yaml')).message, /keys and values/);
  t.regex(fail(() => parseConfigText('a: 1\n---\nb: 2', 'run.yaml')).message, /not valid/);
  t.deepEqual(parseConfigText('', 'run.yaml'), {});
  t.deepEqual(parseConfigText('{\n\t"log": {\n\t\t"every": 3\n\t}\n}', 'tabs.json'), { log: { every: 3 } });
  t.regex(fail(() => loadConfig({ file: join(folder, 'gone.yaml') })).message, /no such file/);
});

test('what the YAML library throws or only warns of is an error of the configuration', (t) => {
  for (const [text, reason] of [
    ['train: *none\n', /alias/i],
    [`method: ${'['.repeat(20_000)}`, /nested too deeply|not valid/],
    ['method: !!js/function cvrl\n', /tag/],
    ['? '.repeat(650), /all keys must be strings/],
  ] as const)
    t.regex(fail(() => parseConfigText(text, 'run.yaml')).message, reason, text.slice(0, 40));
  t.regex(fail(() => parseSetting(`train.batch=${'? '.repeat(650)}`)).message, /train\.batch/);
});

test('the method: missing, misspelt, and options of another one', (t) => {
  t.regex(fail(() => resolveConfig({})).message, /'method': is missing; expected one of cvrl, simclr/);
  t.regex(
    fail(() => loadConfig({ file: write('metod: cvrl') })).message,
    /did you mean 'method' where it says 'metod'/,
  );
  t.regex(fail(() => loadConfig({ file: write('method: cvlr') })).message, /did you mean 'cvrl'/);
  t.is(fail(() => loadConfig({ file: write('method: cvrl\nsimclr: { temperature: 1 }') })).key, 'simclr');
  // A preset's own slice goes when the method is changed.
  const changed = loadConfig({ preset: 'cvrl-tiny', set: ['method=simclr'] });
  t.is(changed.cvrl, undefined);
  t.is(changed.method, 'simclr');
});

test('an unknown preset names the nearest', (t) => {
  t.regex(fail(() => loadConfig({ preset: 'cvrl_tiny' })).message, /did you mean 'cvrl-tiny'/);
  t.regex(
    fail(() => resolveConfig({ extends: 'nothing' as never })).message,
    /there are cvrl, cvrl-tiny, simclr, simclr-tiny/,
  );
});

test('the JSON schema covers every key and both methods', (t) => {
  const schema = configJsonSchema() as { properties: Record<string, unknown>; additionalProperties: boolean };
  t.deepEqual(Object.keys(schema.properties).sort(), [
    'attentive',
    'cate',
    'concur',
    'cstp',
    'cvrl',
    'data',
    'eval',
    'extends',
    'fame',
    'finetune',
    'formatVersion',
    'log',
    'method',
    'moco',
    'model',
    'modist',
    'out',
    'simclr',
    'tcgl',
    'teg',
    'train',
    'videomoco',
  ]);
  t.false(schema.additionalProperties);
});

test('differences of configurations name the keys', (t) => {
  const a = loadConfig({ preset: 'cvrl' });
  const b = loadConfig({
    preset: 'cvrl',
    set: ['train.batch=8', 'data.augment.crop=null', 'cvrl.samplingPower=2'],
  });
  t.deepEqual(
    diffConfigs(a, b).map((d) => d.key),
    ['cvrl.samplingPower', 'data.augment.crop', 'train.batch'],
  );
  t.deepEqual(diffConfigs(a, structuredClone(a)), []);
});

test('types: misspelt keys do not compile', (t) => {
  const good: TrainConfig = { method: 'cvrl', cvrl: { samplingPower: 2 }, train: { optimizer: { lr: 1 } } };
  // @ts-expect-error
  const bad: TrainConfig = { method: 'cvrl', train: { bacth: 1 } };
  // @ts-expect-error
  const wrong: TrainConfig = { method: 'cvlr' };
  t.notThrows(() => resolveConfig(good));
  t.throws(() => resolveConfig(bad));
  t.throws(() => resolveConfig(wrong));
});
