// `node tools/make-packages.mjs [--prebuilds DIR] [--out DIR] [--all]`: the tarballs that are published. One for each prebuilt
// addon that tools/prebuild.mjs made, and that of vssl-native itself, which names those of the kernels. --all: an addon that
// is missing is an error, as it is for a release. The last line of stdout is JSON.
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { isProgram, log, main, output, root, sha256Of, ToolError } from './common.mjs';
import { sources } from './ffmpeg-sources.mjs';
import { nameOf, packages } from './package-list.mjs';

const readJson = (file) => JSON.parse(readFileSync(file, 'utf8'));
const writeJson = (file, value) => writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);

/** The repository that a workflow runs in, by its own variables: npm's provenance wants it in every manifest. */
function repositoryOf({ GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: name } = process.env) {
  return server && name ? { repository: { type: 'git', url: `git+${server}/${name}.git` } } : {};
}

/** The one template of the packages beside vssl-native. */
function manifestOf(entry, { version, license, engines }, hasFfmpeg) {
  const { os, cpu, libc, addon, what, tag } = entry;
  return {
    name: nameOf(entry),
    version,
    description: `${what} of vssl-native, prebuilt for ${tag}`,
    license: hasFfmpeg ? [license, ...sources.map(({ terms }) => terms)].join(' AND ') : license,
    ...repositoryOf(),
    engines,
    os,
    cpu,
    ...(libc && { libc }),
    // Yarn's Plug'n'Play leaves addons in archives otherwise.
    preferUnplugged: true,
    main: `./${addon}.node`,
    exports: {
      '.': `./${addon}.node`,
      [`./${addon}.node`]: `./${addon}.node`,
      './package.json': './package.json',
    },
    publishConfig: { access: 'public' },
  };
}

const readmeOf = (entry) => `# ${nameOf(entry)}

${entry.what[0].toUpperCase()}${entry.what.slice(1)} of the package vssl-native, prebuilt for ${entry.tag}.
${
  entry.kind === 'kernels'
    ? 'It is installed with vssl-native by itself.'
    : '`npx vssl-native setup` installs it, gets the libtorch that it needs, and tries whether it loads.'
}
`;

function stageAddon(entry, prebuilds, stage, manifest) {
  const from = join(prebuilds, entry.folder);
  const record = readJson(join(from, 'vssl-prebuild.json'));
  if (record.version !== manifest.version)
    throw new ToolError(
      `${from} was built from version ${record.version}, and this is ${manifest.version}: build it again`,
    );
  // npm leaves links out of a tarball: what they lead to is packed.
  cpSync(from, stage, { recursive: true, dereference: true });
  cpSync(join(root, 'LICENSE'), join(stage, 'LICENSE'));
  writeFileSync(join(stage, 'README.md'), readmeOf(entry));
  writeJson(join(stage, 'package.json'), manifestOf(entry, manifest, existsSync(join(stage, 'licenses'))));
}

/** What `npm pack` takes, with a manifest that names the kernels and nothing that is of the repository alone. */
function stageMain(stage, { scripts, devDependencies, ava, ...manifest }) {
  const [{ files }] = JSON.parse(
    output('npm', ['pack', '--dry-run', '--json', '--ignore-scripts']) ?? '[{"files":[]}]',
  );
  for (const { path } of files) {
    mkdirSync(dirname(join(stage, path)), { recursive: true });
    cpSync(join(root, path), join(stage, path));
  }
  const kernels = packages.filter(({ kind }) => kind === 'kernels');
  writeJson(join(stage, 'package.json'), {
    ...manifest,
    ...repositoryOf(),
    optionalDependencies: Object.fromEntries(kernels.map((entry) => [nameOf(entry), manifest.version])),
  });
}

function pack(stage, out) {
  const text = output('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', out], {
    cwd: stage,
  });
  if (!text) throw new ToolError(`npm pack failed in ${stage}`);
  const [{ name, filename, size, unpackedSize, files }] = JSON.parse(text);
  const file = join(out, filename);
  log(`${name}: ${file}, ${(size / 1e6).toFixed(2)} MB`);
  return {
    name,
    file,
    bytes: size,
    unpacked: unpackedSize,
    sha256: sha256Of(file),
    files: files.map(({ path }) => path),
  };
}

/** { name, file, bytes, unpacked, sha256, files } of each tarball in `out`, vssl-native last: the others have to be there before. */
export function makePackages({ prebuilds = 'prebuilds', out = 'packages', all = false } = {}) {
  const manifest = readJson(join(root, 'package.json'));
  const folder = resolve(out);
  const staging = join(folder, 'staging');
  const here = (entry) => existsSync(join(prebuilds, entry.folder, `${entry.addon}.node`));
  const missing = packages.filter((entry) => !here(entry));
  if (all && missing.length > 0)
    throw new ToolError(`${prebuilds} lacks ${missing.map((entry) => entry.folder).join(', ')}`, 3);
  rmSync(staging, { recursive: true, force: true });
  const made = [];
  for (const entry of packages.filter(here)) {
    const stage = join(staging, entry.folder);
    stageAddon(entry, prebuilds, stage, manifest);
    made.push(pack(stage, folder));
  }
  stageMain(join(staging, 'vssl-native'), manifest);
  made.push(pack(join(staging, 'vssl-native'), folder));
  rmSync(staging, { recursive: true });
  const sums = made.map(({ sha256, file }) => `${sha256}  ${file.slice(folder.length + 1)}\n`);
  writeFileSync(join(folder, 'SHA256SUMS'), sums.join(''));
  return made;
}

if (isProgram(import.meta.url))
  await main(async () => {
    const { values } = parseArgs({
      options: { prebuilds: { type: 'string' }, out: { type: 'string' }, all: { type: 'boolean' } },
    });
    console.log(JSON.stringify(makePackages(values)));
  });
