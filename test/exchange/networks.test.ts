// The lists of layers are those of the engine: names, shapes, channels, for every architecture.
import test from 'ava';
import { ARCHITECTURE_NAMES } from '#src/config/architectures.js';
import { networkOf, tensorsOf } from '#src/exchange/networks.js';
import { loadEngine } from '#src/native/load.js';

const models = [
  ...ARCHITECTURE_NAMES.map((arch) => ({ arch, width: 1 / 64 })),
  ...ARCHITECTURE_NAMES.map((arch) => ({ arch, width: 0.3 })),
  { arch: 'c3d', width: 0.125, batchNorm: false },
  { arch: 'r3d_10', width: 1 / 32, timeStrides: [2, 1, 1, 2] },
  { arch: 'r2plus1d_18', width: 1 / 32, timeStrides: [1, 2, 1, 1] },
  { arch: 'r2plus1d_18', width: 1 },
];

for (const model of models)
  test(`tensors of ${JSON.stringify(model)}`, async (t) => {
    const encoder = await loadEngine().createEncoder({ ...model, seed: 1, device: 'cpu' });
    const network = networkOf(model);
    t.is(network.dim, encoder.dim);
    const engine = (await encoder.weights()).map(
      ({ name, dtype, shape }) => [name, { dtype, shape }] as const,
    );
    t.deepEqual(Object.fromEntries(tensorsOf(network)), Object.fromEntries(engine));
    encoder.dispose();
  });

test('what there is not is refused by name', (t) => {
  const code = 'ERR_VSSL_WEIGHTS';
  t.throws(() => networkOf({ arch: 'r3d18', width: 1 }), { code, message: /did you mean 'r3d_18'/ });
  t.throws(() => networkOf({ arch: 'r3d_18', width: 9 }), {
    code,
    message: /from 0\.015625 to 8, but it is 9/,
  });
  t.throws(() => networkOf({ arch: 'toString', width: 1 }), { code });
});
