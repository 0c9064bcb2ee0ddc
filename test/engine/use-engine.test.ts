// Another engine than the package's own, as `build --methods` makes one.
import { copyFileSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { loadEngine, packageRoot, useEngine } from '#src/native/load.js';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'vssl-engine-')));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

test('a process has one engine, the one that was asked for first', (t) => {
  const own = join(packageRoot, 'build/Release/vssl_engine.node');
  const copy = join(folder, 'vssl_engine.node');
  t.throws(() => useEngine(copy), { code: 'ERR_VSSL_NO_BINARY', message: /build --methods/ });
  t.throws(() => useEngine(3 as never), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
  copyFileSync(own, copy);
  useEngine(copy);
  useEngine(copy);
  t.throws(() => useEngine(own), { code: 'ERR_VSSL_USAGE' });
  t.is(typeof loadEngine().createSession, 'function');
  const { sharedObjects } = process.report.getReport() as unknown as { sharedObjects: string[] };
  t.deepEqual(
    sharedObjects.filter((path) => path.endsWith('vssl_engine.node')),
    [copy],
  );
  t.throws(() => useEngine(own), { code: 'ERR_VSSL_USAGE', message: /a process has one/ });
});
