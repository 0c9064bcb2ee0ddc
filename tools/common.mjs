// Small pieces that the build tools share. Node built-ins only: they run before npm packages are there.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, totalmem } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const isMusl = process.platform === 'linux' && !process.report.getReport().header.glibcVersionRuntime;
/** As src/native/platform.ts. */
export const platformTag = `${process.platform}${isMusl ? 'musl' : ''}-${process.arch}`;

/** Of a small file, in hexadecimal digits. */
export const sha256Of = (file) => createHash('sha256').update(readFileSync(file)).digest('hex');

/** A fault with the exit code that the command line gives it, 1 failed, 3 environment, and its own code where it has one. */
export class ToolError extends Error {
  constructor(message, exitCode = 1, code = undefined) {
    super(message);
    this.exitCode = exitCode;
    this.code = code;
  }
}

/** Progress goes to stderr: stdout belongs to results. */
export const log = (line) => process.stderr.write(`${line}\n`);

/** Runs a program with its output on stderr; throws when it fails. */
export function run(program, args, options = {}) {
  const done = spawnSync(program, args, {
    cwd: root,
    stdio: ['ignore', process.stderr, 'inherit'],
    ...options,
  });
  if (done.error) throw new ToolError(`could not start '${program}': ${done.error.message}`, 3);
  if (done.status !== 0)
    throw new ToolError(
      `'${program} ${args.join(' ')}' ended with ${done.signal ?? `exit code ${done.status}`}`,
    );
}

/** Trimmed stdout of a program, or undefined when it is missing or fails. */
export function output(program, args, options = {}) {
  const done = spawnSync(program, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    ...options,
  });
  return done.status === 0 ? done.stdout.trim() : undefined;
}

export const have = (program) => output('sh', ['-c', `command -v ${program}`]) !== undefined;

/** The header of OpenCV's video module, which native/video/flow needs; undefined where it is not. */
export const flowHeader = () =>
  ['/usr/include', '/usr/local/include']
    .flatMap((folder) => [join(folder, 'opencv4'), folder])
    .map((folder) => join(folder, 'opencv2/video/tracking.hpp'))
    .find((file) => existsSync(file));

/** Compiling against libtorch takes about 1.5 GB a job. */
export const jobs = () => Math.max(1, Math.min(availableParallelism(), Math.floor(totalmem() / 2 ** 31)));

/** Files under a folder of the project, sorted. */
export function filesUnder(folder) {
  const base = join(root, folder);
  if (!existsSync(base)) return [];
  return readdirSync(base, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)))
    .sort();
}

/** Hash of file contents, names and extra facts: what a build depends on. */
export function fingerprint(files, ...facts) {
  const hash = createHash('sha256');
  for (const file of files)
    hash
      .update(file)
      .update('\0')
      .update(readFileSync(join(root, file)))
      .update('\0');
  for (const fact of facts) hash.update(JSON.stringify(fact)).update('\0');
  return hash.digest('hex');
}

/** Runs a tool's main function; a ToolError is one line and its exit code. The command line, where it started the tool, says it. */
export async function main(body) {
  try {
    await body();
  } catch (error) {
    const { exitCode, code, message } = error ?? {};
    process.exitCode = exitCode ?? 1;
    if (exitCode === undefined) log(String(error?.stack ?? error));
    else if (process.send) process.send({ code, message });
    else log(`error: ${message}`);
  }
}

/** Whether the module at `url` is the program that was started, by whatever path or link. */
export const isProgram = (url) =>
  existsSync(process.argv[1] ?? '') && realpathSync(process.argv[1]) === fileURLToPath(url);

/** A package's command: its own file where it is installed, here or in the project around; else through npx. */
export function npmTool(name, version) {
  try {
    const manifest = createRequire(join(root, 'package.json')).resolve(`${name}/package.json`);
    const { bin, version: found } = JSON.parse(readFileSync(manifest, 'utf8'));
    if (Number.parseInt(found, 10) !== version) throw new Error('another version');
    return [process.execPath, [join(dirname(manifest), typeof bin === 'string' ? bin : bin[name])]];
  } catch {
    return ['npx', ['--yes', '--prefer-offline', `${name}@${version}`]];
  }
}

/** Builds go into the package's own folder: says whose it is before minutes are spent. */
export function requireWritable() {
  const folder = ['build/Release', 'build', '.']
    .map((name) => join(root, name))
    .find((path) => existsSync(path));
  try {
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw new ToolError(
      `the addons are built inside the package, and ${folder} is not writable for you (${error.code}). Give the ` +
        'command as the owner of that folder (sudo, where an administrator installed it), or install the package ' +
        'in a project of your own',
      3,
    );
  }
}

/** Node's own prefix, when its headers are there: lets node-gyp work without a download. */
export function nodePrefix() {
  for (const prefix of [dirname(dirname(process.execPath)), '/usr', '/usr/local'])
    if (existsSync(join(prefix, 'include/node/node_api.h'))) return prefix;
  return undefined;
}
