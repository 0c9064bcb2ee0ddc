// The package in an app's bundle: what a bundler may leave out, and what a bundle that lacks the addons says.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { packageVersion } from '#src/native/version.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');

interface BuildOptions {
  readonly format?: 'esm' | 'cjs';
  readonly banner?: { readonly js: string };
  readonly external?: readonly string[];
}
interface BuildResult {
  readonly metafile: { readonly outputs: Readonly<Record<string, { readonly inputs: object }>> };
}

/** Loaded by a name that the compiler does not follow: the tests compile where no bundler is installed, too. */
async function build(options: object): Promise<BuildResult> {
  const name: string = 'esbuild';
  const esbuild = (await import(name)) as { build(options: object): Promise<BuildResult> };
  return esbuild.build(options);
}

const app = `
  import { VsslError, getPreset, version } from 'vssl-native';
  import { ntXent } from 'vssl-native/kernels';
  console.log(getPreset('cvrl-tiny').name, version);
  try {
    console.log('loss', ntXent(new Float32Array(16).fill(1), { rows: 4, dim: 4 }).loss);
  } catch (error) {
    console.log(error instanceof VsslError, error.code, error.message);
  }`;

/** Bundles `source` as an app that has the package in its node_modules; gives the app's folder and the output. */
async function bundle(t: ExecutionContext, source: string, options: BuildOptions = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'vssl-bundle-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules/vssl-native'));
  writeFileSync(join(folder, 'app.ts'), source);
  const outfile = join(folder, `out/app.${options.format === 'cjs' ? 'cjs' : 'mjs'}`);
  const { metafile } = await build({
    ...{ entryPoints: [join(folder, 'app.ts')], outfile, bundle: true, platform: 'node', format: 'esm' },
    ...{ metafile: true, logLevel: 'silent', ...options },
  });
  return {
    folder,
    outfile,
    inputs: Object.keys(metafile!.outputs[Object.keys(metafile!.outputs)[0]!]!.inputs),
  };
}

function run(file: string): string {
  const env = { ...process.env, VSSL_NATIVE_BINDING: '' };
  const { status, stdout, stderr } = spawnSync(process.execPath, [file], {
    encoding: 'utf8',
    env,
    cwd: dirname(file),
  });
  return status === 0 ? stdout : stderr;
}

// esbuild's own shim: CommonJS packages inside an ES module ask for Node's modules with require
const banner = {
  js: "import { createRequire as make } from 'node:module'; const require = make(import.meta.url);",
};

for (const options of [{ format: 'esm', banner }, { format: 'cjs' }] as const)
  test(`a bundle (${options.format}) without the addons says what to mark as external`, async (t) => {
    const { folder, outfile } = await bundle(t, app, options);
    rmSync(join(folder, 'node_modules'), { recursive: true });
    const said = run(outfile);
    t.true(said.startsWith(`cvrl-tiny ${packageVersion}\n`), said);
    t.regex(said, /true ERR_VSSL_BUNDLED/);
    for (const name of ['--external:vssl-native', 'webpack', 'Rollup', 'Vite', 'serverExternalPackages'])
      t.true(said.includes(name), `${name}: ${said}`);
  });

test('a bundle with the package beside it finds the addons', async (t) => {
  const { outfile } = await bundle(t, app, { banner });
  t.regex(run(outfile), /loss 1\.09/);
});

test('marked as external, the package works as ever', async (t) => {
  const { outfile, inputs } = await bundle(t, app, { external: ['vssl-native'] });
  t.is(inputs.length, 1);
  t.regex(run(outfile), /loss 1\.09/);
});

test('what is not used is left out: an import alone leaves nothing', async (t) => {
  const { outfile, inputs } = await bundle(
    t,
    "import 'vssl-native'; import 'vssl-native/kernels'; export {};",
  );
  t.deepEqual(
    inputs.filter((name) => !name.endsWith('app.ts')),
    [],
  );
  t.true(readFileSync(outfile).length < 300);
  const one = await bundle(t, "export { VsslError } from 'vssl-native';");
  t.true(one.inputs.length <= 4, one.inputs.join('\n'));
});

test('that is true: imports leave no trace in the process', (t) => {
  // zod keeps two tables of its own there
  const program = `
    const seen = () => ({
      names: Object.getOwnPropertyNames(globalThis).filter((name) => !name.startsWith('__zod_')),
      listeners: process.eventNames().map((name) => [String(name), process.listenerCount(name)]),
      env: { ...process.env },
      prototypes: [Array, Map, Promise, Float32Array].map(({ prototype }) => Reflect.ownKeys(prototype).length),
      exitCode: process.exitCode,
    });
    const before = seen();
    await import('vssl-native');
    await import('vssl-native/kernels');
    const after = seen();
    const changed = Object.keys(after).filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]));
    console.log(changed.map((key) => JSON.stringify([before[key], after[key]])).join('\\n') || 'same');`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    ...{ encoding: 'utf8', cwd: root },
  });
  t.is(stdout.trim(), 'same', stderr);
});

test('the version in the source is that of package.json', (t) => {
  t.is(packageVersion, JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version);
});
