// `node tools/publish.mjs --tag v1.2.3 [--packages DIR] [--dry-run]`: publishes the tarballs that tools/make-packages.mjs made,
// vssl-native last, because it names the others. Those that are published already are left out, so that a release which
// broke off can be given again. A version with a '-' is published under the tag `next`.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { isProgram, log, main, output, root, run, sha256Of, ToolError } from './common.mjs';

const isMain = (file) => /^vssl-native-\d/.test(file);

/** The tarballs of a folder in the order in which they are published; throws where one is not what was made. */
export function publishOrder(folder) {
  const lines = readFileSync(join(folder, 'SHA256SUMS'), 'utf8').trim().split('\n');
  const files = lines.map((line) => {
    const [sha256, file] = line.split('  ');
    const found = sha256Of(join(folder, file));
    if (found !== sha256)
      throw new ToolError(`${file} is not the file that was made: its SHA-256 is ${found}`);
    return file;
  });
  if (files.filter(isMain).length !== 1)
    throw new ToolError(`expected one tarball of vssl-native in ${folder}, among ${files.join(', ')}`);
  return [...files.filter((file) => !isMain(file)), ...files.filter(isMain)];
}

function publish(file, { version, dryRun }) {
  const manifest = JSON.parse(output('tar', ['-xOzf', file, 'package/package.json']) ?? 'null');
  if (manifest?.version !== version)
    throw new ToolError(`${file} is of version ${manifest?.version}, and the tag says ${version}`);
  const spec = `${manifest.name}@${version}`;
  if (!dryRun && output('npm', ['view', spec, 'version']) === version) {
    log(`${spec} is published already`);
    return;
  }
  const tag = version.includes('-') ? 'next' : 'latest';
  run('npm', [
    'publish',
    file,
    '--access',
    'public',
    '--tag',
    tag,
    ...(dryRun ? ['--dry-run'] : ['--provenance']),
  ]);
}

if (isProgram(import.meta.url))
  await main(async () => {
    const { values } = parseArgs({
      options: {
        tag: { type: 'string' },
        packages: { type: 'string', default: join(root, 'packages') },
        'dry-run': { type: 'boolean', default: false },
      },
    });
    if (!/^v\d+\.\d+\.\d+(-[\w.]+)?$/.test(values.tag ?? '')) throw new ToolError('expected --tag v1.2.3', 2);
    for (const file of publishOrder(values.packages))
      publish(join(values.packages, file), { version: values.tag.slice(1), dryRun: values['dry-run'] });
  });
