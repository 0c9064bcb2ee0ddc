import { spawnSync } from 'node:child_process';
import test from 'ava';
import { loadKernels } from '#src/native/load.js';

const kernels = import.meta.resolve('#src/kernels/index.js');
const load = import.meta.resolve('#src/native/load.js');

/** Runs one small loss in a process of its own, with VSSL_ISA as given. */
function withIsa(isa: string | undefined): {
  selected?: string;
  loss?: number;
  code?: string;
  message?: string;
} {
  const source = `
    try {
      const { ntXent } = await import(${JSON.stringify(kernels)});
      const { loadKernels } = await import(${JSON.stringify(load)});
      const x = Float32Array.from({ length: 66 * 17 }, (_, i) => Math.sin(i * 12.9898));
      const { loss } = ntXent(x, { rows: 66, dim: 17, temperature: 0.07 });
      console.log(JSON.stringify({ loss, selected: loadKernels().isa().selected }));
    } catch ({ code, message }) {
      console.log(JSON.stringify({ code, message }));
    }
  `;
  const env = { ...process.env };
  delete env.VSSL_ISA;
  if (isa !== undefined) env.VSSL_ISA = isa;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', source], {
    encoding: 'utf8',
    env,
  });
  if (!stdout) throw new Error(stderr);
  return JSON.parse(stdout);
}

const { detected } = loadKernels().isa();

test('portable is always there, the fastest detected is the default', (t) => {
  t.is(detected[0], 'portable');
  t.is(withIsa(undefined).selected, detected.at(-1));
  t.is(withIsa('').selected, detected.at(-1));
});

for (const isa of ['portable', 'neon', 'avx2', 'avx512']) {
  test(`VSSL_ISA=${isa}`, (t) => {
    const result = withIsa(isa);
    if (!detected.includes(isa)) {
      t.is(result.code, 'ERR_VSSL_INVALID_ARGUMENT');
      return;
    }
    t.is(result.selected, isa);
    const { loss } = withIsa('portable');
    t.true(Math.abs(result.loss! - loss!) < 1e-5 * loss!);
  });
}

test('an unknown VSSL_ISA is an error that names it', (t) => {
  const { code, message } = withIsa('sse9');
  t.is(code, 'ERR_VSSL_INVALID_ARGUMENT');
  t.regex(message ?? '', /VSSL_ISA.*sse9/);
});
