// What both sides of the package must know alike: TypeScript's tables are those that the engine tells.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { ARCHITECTURES } from '#src/config/architectures.js';
import { INPUT_KINDS } from '#src/data/plan.js';
import { loadConfig } from '#src/methods/config.js';
import { listMethods } from '#src/methods/registry.js';
import { loadEngine, packageRoot } from '#src/native/load.js';
import { buildSessionSpec } from '#src/train/session-spec.js';

test('architectures, their keys, least clips and widths', (t) => {
  const told = loadEngine().architectures();
  t.deepEqual(
    Object.fromEntries(told.map(({ name, ...facts }) => [name, facts])),
    structuredClone(ARCHITECTURES),
  );
});

test('kinds of input', (t) => {
  t.deepEqual(loadEngine().inputKinds(), [...INPUT_KINDS]);
});

test('methods, each with its file', (t) => {
  const told = loadEngine().methods();
  t.deepEqual(
    told.map(({ name }) => name).sort(),
    [...new Set(listMethods().map(({ engine }) => engine))].sort(), // fame is moco's
  );
  for (const { file } of told) t.true(existsSync(join(packageRoot, 'native/engine/methods', file)), file);
});

test('weights of an encoder are loaded into a session, those of another network are refused', async (t) => {
  const open = (change: readonly string[]) => {
    const config = loadConfig({ preset: 'moco-tiny', set: ['model.width=0.125', ...change] });
    return loadEngine().createSession(buildSessionSpec(config, { accumulate: 1, device: 'cpu' }));
  };
  const [given, trained, wider] = await Promise.all([
    open(['train.seed=1']),
    open(['train.seed=2']),
    open(['model.width=0.25']),
  ]);
  const [encoder] = given!.encoderNames() as [string];
  const weights = await given!.exportEncoder(encoder);
  t.notDeepEqual(await trained!.exportEncoder(encoder), weights);
  await trained!.loadWeights(encoder, weights);
  t.deepEqual(await trained!.exportEncoder(encoder), weights);
  const refused = { code: 'ERR_VSSL_WEIGHTS' };
  await t.throwsAsync(trained!.loadWeights('absent', weights), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
  await t.throwsAsync(trained!.loadWeights(encoder, weights.slice(1)), refused);
  await t.throwsAsync(wider!.loadWeights(encoder, weights), refused);
  for (const session of [given, trained, wider]) session!.dispose();
  await t.throwsAsync(async () => trained!.loadWeights(encoder, weights), { code: 'ERR_VSSL_DISPOSED' });
});
