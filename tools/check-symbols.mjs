// `node tools/check-symbols.mjs [--glibc 2.28] [--glibcxx 3.4.25] FILE...`: the oldest system that built libraries run on.
// Prints each one's floor, and fails where one needs a newer glibc or libstdc++ than the limits, or a library that is neither
// the system's, nor libtorch's, nor beside it. Needs readelf.
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { isProgram, main, output, ToolError } from './common.mjs';

/** What manylinux_2_28 allows, which is also the floor of PyTorch's own wheels and of Node. */
export const LIMITS = { GLIBC: '2.28', GLIBCXX: '3.4.25' };
const SYSTEM = /^(lib(c|m|dl|pthread|rt|stdc\+\+|gcc_s|gomp)|ld-linux-[\w-]+|libc\.musl-\w+)\.so/;
const LIBTORCH = /^lib(c10|torch|cudart)/;

const isNewer = (version, than) => version.localeCompare(than, 'en', { numeric: true }) > 0;

/** { GLIBC, GLIBCXX, needed }: newest symbol versions, undefined where it uses none, and libraries that a library asks for. */
export function floorOf(file) {
  const text = output('readelf', ['--wide', '--version-info', '--dynamic', file]);
  if (!text?.includes('(NEEDED)')) throw new ToolError(`readelf finds no shared library in ${file}`, 3);
  const newest = (name) =>
    [...text.matchAll(new RegExp(`\\bName: ${name}_([\\d.]+)`, 'g'))]
      .map(([, version]) => version)
      .reduce((most, version) => (most && !isNewer(version, most) ? most : version), undefined);
  const needed = [...text.matchAll(/\(NEEDED\).*\[([^\]]+)\]/g)].map(([, name]) => name);
  return { GLIBC: newest('GLIBC'), GLIBCXX: newest('GLIBCXX'), needed };
}

/** What is wrong with a library's floor, a line each. */
export function faultsOf(file, floor, limits = LIMITS) {
  const newer = Object.entries(limits)
    .filter(([name, limit]) => floor[name] && isNewer(floor[name], limit))
    .map(([name, limit]) => `needs ${name} ${floor[name]}, and ${limit} is the limit`);
  const strange = floor.needed.filter(
    (name) => !SYSTEM.test(name) && !LIBTORCH.test(name) && !existsSync(join(dirname(file), name)),
  );
  return [...newer, ...strange.map((name) => `needs ${name}, which is neither the system's nor beside it`)];
}

/** Prints the floors; throws where one is too high. */
export function checkSymbols(files, limits) {
  const faults = [];
  for (const file of files) {
    const floor = floorOf(file);
    console.log(`${basename(file)}: GLIBC ${floor.GLIBC ?? 'none'}, GLIBCXX ${floor.GLIBCXX ?? 'none'}`);
    faults.push(...faultsOf(file, floor, limits).map((fault) => `${file} ${fault}`));
  }
  if (faults.length > 0) throw new ToolError(`not for every system:\n  ${faults.join('\n  ')}`);
}

if (isProgram(import.meta.url))
  await main(async () => {
    const { values, positionals } = parseArgs({
      options: {
        glibc: { type: 'string', default: LIMITS.GLIBC },
        glibcxx: { type: 'string', default: LIMITS.GLIBCXX },
      },
      allowPositionals: true,
    });
    if (positionals.length === 0) throw new ToolError('expected the files to look at', 2);
    checkSymbols(positionals, { GLIBC: values.glibc, GLIBCXX: values.glibcxx });
  });
