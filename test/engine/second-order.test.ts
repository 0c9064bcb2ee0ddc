import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { packageRoot } from '#src/native/load.js';

test('every autograd function of the engine refuses gradients of its gradient', (t) => {
  const engine = join(packageRoot, 'native/engine');
  let found = 0;
  for (const name of readdirSync(engine, { recursive: true, encoding: 'utf8' })) {
    if (!/\.(cpp|h|inl)$/.test(name)) continue;
    const text = readFileSync(join(engine, name), 'utf8');
    const functions = text.match(/: (public )?torch::autograd::(Function<|Node\b)/g) ?? [];
    const refusals = text.match(/variable_list backward\([^)]*\) \{\s*refuse_second_order\(/g) ?? [];
    t.is(refusals.length, functions.length, name);
    found += functions.length;
  }
  t.true(found >= 4, `${found} functions`);
});
