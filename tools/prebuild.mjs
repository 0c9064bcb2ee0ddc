// `node tools/prebuild.mjs kernels|engine|engine-cuda [--out DIR] [--built FILE] [--any-system] [--system-ffmpeg]`: an addon as
// it is published, in DIR/NAME (default: prebuilds), for tools/make-packages.mjs. Builds it, or takes what was built; strips
// it, and checks that it runs on every system that is meant (on glibc; --any-system leaves that out). An engine has an FFmpeg
// inside, whose licences come beside it; with --system-ffmpeg it wants that of the system. Other files in the folder go into
// the package as well. `node tools/prebuild.mjs kernels --for win32-x64` makes that of Windows, on a system with mingw-w64.
import { copyFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildFfmpeg } from './build-ffmpeg.mjs';
import { buildNative, cmakeBuild } from './build-native.mjs';
import { buildForWindows, WINDOWS, windowsStrip } from './build-windows.mjs';
import { checkSymbols, floorOf } from './check-symbols.mjs';
import { isProgram, log, main, platformTag, root, run, ToolError } from './common.mjs';
import { locateLibtorch } from './locate-libtorch.cjs';
import { packageFor, packages } from './package-list.mjs';

/** The addon, built without this machine's paths in it. */
function build(kind, tag, ffmpeg) {
  if (tag === WINDOWS) return join(root, buildForWindows(['vssl_kernels']), 'vssl_kernels.node');
  if (kind === 'kernels') {
    buildNative({ kernelsOnly: true });
    return join(root, 'build/Release/vssl_kernels.node');
  }
  const flavour = kind === 'engine-cuda' ? 'cuda' : 'cpu';
  // libtorch is brought into the process by the loader; what the package brings is beside the engine.
  const ownFolder = process.platform === 'darwin' ? '@loader_path' : '$ORIGIN';
  const defines = {
    CMAKE_BUILD_WITH_INSTALL_RPATH: 'ON',
    CMAKE_INSTALL_RPATH: ownFolder,
  };
  const folder = `build/prebuild-${flavour}`;
  cmakeBuild({ libtorch: libtorchOf(kind).prefix, target: 'vssl_engine', flavour, folder, defines, ffmpeg });
  return join(root, folder, 'Release/vssl_engine.node');
}

function libtorchOf(kind) {
  if (kind === 'kernels') return { version: null, cuda: null };
  const flavour = kind === 'engine-cuda' ? 'cuda' : 'cpu';
  const found = locateLibtorch(undefined, flavour);
  if (!found) throw new ToolError(`no libtorch for ${flavour} was found: give 'npm run setup' first`, 3);
  return found;
}

/** Gives the folder of the prebuilt addon. `built`: a file that is there already, with nothing of others inside. */
export function prebuild(
  kind,
  { out = 'prebuilds', tag = platformTag, built, anySystem = false, systemFfmpeg = false, libtorch } = {},
) {
  const entry = packageFor(kind, tag);
  if (!entry)
    throw new ToolError(
      `no package of ${kind} is made for ${tag}; there are ${packages.map(({ folder }) => folder).join(', ')}`,
      2,
    );
  const ffmpeg = built || systemFfmpeg || kind === 'kernels' ? '' : buildFfmpeg();
  const source = built ?? build(kind, tag, ffmpeg);
  const folder = join(out, entry.folder);
  const addon = join(folder, `${entry.addon}.node`);
  mkdirSync(folder, { recursive: true });
  copyFileSync(source, addon);
  if (tag === WINDOWS) run(windowsStrip, ['--strip-unneeded', addon]);
  else if (process.platform === 'linux') run('strip', ['--strip-unneeded', addon]);
  else if (process.platform === 'darwin') run('strip', ['-x', addon]);
  if (ffmpeg) cpSync(join(ffmpeg, 'licenses'), join(folder, 'licenses'), { recursive: true });
  const isGlibc = tag.startsWith('linux-');
  if (isGlibc && !anySystem) checkSymbols([addon]);
  const { version, cuda } = libtorch ?? libtorchOf(kind);
  const record = {
    version: JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version,
    platform: tag,
    napi: 9,
    glibc: isGlibc ? (floorOf(addon).GLIBC ?? null) : null,
    libtorch: version,
    cuda,
  };
  writeFileSync(join(folder, 'vssl-prebuild.json'), `${JSON.stringify(record, null, 2)}\n`);
  log(`${entry.folder}: ${addon}`);
  return folder;
}

if (isProgram(import.meta.url))
  await main(async () => {
    const { values, positionals } = parseArgs({
      options: {
        out: { type: 'string' },
        for: { type: 'string' },
        built: { type: 'string' },
        'any-system': { type: 'boolean' },
        'system-ffmpeg': { type: 'boolean' },
      },
      allowPositionals: true,
    });
    const [kind] = positionals;
    if (positionals.length !== 1 || !packages.some((one) => one.kind === kind))
      throw new ToolError('expected kernels, engine or engine-cuda', 2);
    const { for: tag = platformTag } = values;
    if (tag !== platformTag && tag !== WINDOWS)
      throw new ToolError(
        `--for: an addon for another system than this one can be made for ${WINDOWS} alone`,
        2,
      );
    prebuild(kind, {
      out: values.out,
      tag,
      built: values.built,
      anySystem: values['any-system'],
      systemFfmpeg: values['system-ffmpeg'],
    });
  });
