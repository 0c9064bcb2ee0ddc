// Methods of one's own: what registration adds, and what it refuses.
import test from 'ava';
import { z } from 'zod';
import type { VsslError } from '#src/errors.js';
import { getMeasure } from '#src/eval/measures.js';
import { loadConfig, resolveConfig } from '#src/methods/config.js';
import { headSchema, nativeHead } from '#src/methods/head.js';
import { defineMethod, type Method } from '#src/methods/method.js';
import { getMethod, getPreset, listMethods, listPresets, registerMethod } from '#src/methods/registry.js';
import { planUniformPair } from '#src/methods/uniform-pair.js';
import { buildSessionSpec } from '#src/train/session-spec.js';

const measure = { name: 'own', title: 'own', run: async () => ({ value: 0, resolution: 1 }) };
const arms = [
  { name: 'better', config: {} },
  { name: 'worse', config: {} },
];
const claim = { name: 'c', statement: 's', source: 'o', measure: 'own', arms };
const preset = { name: 'toy-tiny', description: 'small', config: { method: 'toy' } };
const spec = {
  name: 'toy',
  engine: 'simclr',
  description: 'SimCLR by another name',
  configSchema: z.strictObject({
    temperature: z.number().positive().default(0.2),
    head: headSchema({ hiddenLayers: 1, norm: true }).prefault({}),
  }),
  planViews: (context: Parameters<typeof planUniformPair>[0]) =>
    planUniformPair(context, { sameWindow: true }),
  nativeOptions: ({
    temperature,
    head,
  }: {
    temperature: number;
    head: Parameters<typeof nativeHead>[0];
  }) => ({
    ...{ temperature, lossScale: 1, ownNegatives: false, ...nativeHead(head) },
  }),
  presets: [preset],
  claims: [claim],
  measures: [measure],
} as const;

/** Of `spec`, changed so that it is wrong: what registration says. */
function refusal(change: object, file?: string): VsslError {
  try {
    registerMethod(defineMethod({ ...spec, ...change } as never) as Method, file);
  } catch (error) {
    return error as VsslError;
  }
  throw new Error('nothing was refused');
}

test.serial('a method that is wrong is refused with its key, and nothing of it stays', (t) => {
  const wrong: [change: object, key: string, says: RegExp][] = [
    [{ name: 'Toy' }, 'name', /lower-case letters/],
    [{ name: 'train' }, 'name', /key of every configuration/],
    [{ name: 'extends' }, 'name', /key of every configuration/],
    [{ name: 'constructor' }, 'name', /key of every configuration/],
    [{ name: 'moco', presets: [] }, 'name', /there is a method 'moco'/],
    [{ planViews: undefined }, 'planViews', /expected a function/],
    [{ nativeOptions: 3 }, 'nativeOptions', /expected a function/],
    [{ planView: spec.planViews, planViews: undefined }, 'planView', /did you mean 'planViews'\?/],
    [{ configSchema: {} }, 'configSchema', /zod schema/],
    [{ encoders: [] }, 'encoders', />=1/],
    [{ encoders: [{ name: 'encoder', when: () => true }] }, 'encoders', /always there/],
    [{ description: undefined }, 'description', /expected string/],
    [{ claims: [{ ...claim, arms: [] }] }, 'claims.0.arms', /two arms/],
    [{ claims: [claim, { ...claim, measure: 'lineer' }] }, 'claims.1.measure', /did you mean 'linear'\?/],
    [{ measures: [] }, 'claims.0.measure', /there is no measure 'own'; there are knn, linear/],
    [{ measures: [measure, { ...measure, name: 'knn' }] }, 'measures.1', /no other measure has/],
    [{ measures: [measure, measure] }, 'measures.1.name', /another measure 'own'/],
    [{ presets: [{ ...preset, config: { method: 'moco' } }] }, 'presets.0.config.method', /expected 'toy'/],
    [{ presets: [{ ...preset, name: 'cvrl-tiny' }] }, 'presets.0.name', /there is a preset 'cvrl-tiny'/],
    [{ presets: [preset, preset] }, 'presets.1.name', /there is a preset 'toy-tiny'/],
  ];
  const before = [listMethods().length, listPresets().length];
  for (const [change, key, says] of wrong) {
    const { code, message, details } = refusal(change);
    t.is(code, 'ERR_VSSL_METHOD', message);
    t.is(details.key, key, message);
    t.regex(message, says);
    t.true(message.includes(String(details.method)));
  }
  const { message, details } = refusal({ name: 'moco', presets: [] }, 'toy.mjs');
  t.regex(message, /method 'moco' \(toy\.mjs\): 'name'/);
  t.is(details.file, 'toy.mjs');
  t.throws(() => registerMethod({ ...getMethod('simclr'), name: 'copied' }), { message: /defineMethod/ });
  t.deepEqual([listMethods().length, listPresets().length], before);
  t.throws(() => getMeasure('own'));
});

test.serial('a registered method is as good as those of the package', (t) => {
  const toy = defineMethod(spec);
  registerMethod(toy, 'toy.mjs');
  t.is(getMethod('toy').title, 'toy');
  t.is(getMethod('toy').file, 'toy.mjs');
  t.is(listMethods().at(-1)?.name, 'toy');
  t.is(getPreset('toy-tiny').description, 'small');
  t.is(getMeasure('own').title, 'own');
  const config = resolveConfig<typeof toy>({ method: 'toy', toy: { temperature: 0.5 } });
  t.like(config.toy as object, { temperature: 0.5, head: { dim: 128 } });
  t.like(loadConfig({ preset: 'toy-tiny', set: ['toy.temperature=0.3'] }).toy, { temperature: 0.3 });
  t.throws(() => loadConfig({ preset: 'toy-tiny', set: ['toy.temperatur=1'] }), {
    message: /did you mean 'toy\.temperature'\?/,
  });
  t.throws(() => loadConfig({ preset: 'cvrl', set: ['toy.temperature=1'] }), { message: /another method/ });
  t.throws(() => getMethod('toyy'), { message: /cvrl, .*, attentive, toy.*did you mean 'toy'\?/ });
  const { method, options } = buildSessionSpec(config, { accumulate: 1, device: 'cpu' });
  t.is(method, 'simclr');
  t.deepEqual(
    Object.keys(options).sort(),
    Object.keys(getMethod('simclr').nativeOptions(loadConfig({ preset: 'simclr' }))).sort(),
  );
  const [{ format, name }] = getMethod('toy').encoders as [Method['encoders'][number]];
  t.is(name, 'encoder');
  t.is(format(config).input, 'rgb');
  t.is(refusal({ presets: [] }).details.key, 'name', 'twice is once too often');
});
