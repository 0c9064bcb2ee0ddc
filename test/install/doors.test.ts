// Who may use whom: docs/architecture.md, section "Doors". Reads the #include and import lines of every file.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');

function filesUnder(folder: string, pattern: RegExp): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => pattern.test(file))
    .map((file) => join(folder, file).replaceAll('\\', '/'));
}

/** Rooms of src and the rooms that each may import from; `true`: all. A missing room is an error. */
const typescriptDoors: Record<string, readonly string[] | true> = {
  'error-codes': [],
  errors: ['error-codes'],
  spelling: [],
  checks: ['spelling', 'errors'],
  native: ['checks', 'errors'],
  kernels: ['checks', 'native', 'errors'],
  bench: ['checks', 'kernels', 'native', 'errors'],
  weights: ['checks', 'native', 'data', 'errors'],
  data: ['checks', 'spelling', 'errors'],
  config: ['checks', 'data', 'spelling', 'errors'],
  methods: ['checks', 'config', 'data', 'embed', 'eval', 'spelling', 'errors'],
  embed: ['checks', 'native', 'weights', 'data', 'errors'],
  prepare: ['checks', 'native', 'weights', 'data', 'embed', 'errors'],
  search: ['checks', 'kernels', 'native', 'weights', 'data', 'embed', 'report', 'errors'],
  exchange: ['checks', 'config', 'data', 'weights', 'embed', 'native', 'spelling', 'errors'],
  train: [
    'checks',
    'methods',
    'data',
    'config',
    'weights',
    'embed',
    'exchange',
    'native',
    'spelling',
    'errors',
  ],
  report: ['data', 'native', 'errors'],
  eval: ['checks', 'data', 'config', 'weights', 'embed', 'native', 'spelling', 'errors'],
  'run-report': [
    'checks',
    'train',
    'eval',
    'methods',
    'data',
    'config',
    'weights',
    'embed',
    'report',
    'native',
    'errors',
  ],
  predict: ['checks', 'data', 'weights', 'embed', 'eval', 'native', 'errors'],
  claims: [
    'checks',
    'methods',
    'data',
    'config',
    'weights',
    'embed',
    'train',
    'eval',
    'native',
    'spelling',
    'errors',
  ],
  tune: ['checks', 'methods', 'data', 'config', 'weights', 'embed', 'train', 'eval', 'native', 'errors'],
  compare: ['checks', 'config', 'eval', 'train', 'spelling', 'errors'],
  sweep: ['checks', 'compare', 'methods', 'data', 'config', 'weights', 'train', 'eval', 'native', 'errors'],
  init: ['checks', 'methods', 'data', 'config', 'embed', 'train', 'native', 'errors'],
  cli: true,
  index: true,
  types: true,
};
/** npm packages that a room may import. */
const packages: Record<string, readonly string[]> = {
  data: ['zod', 'yaml', 'brace-expansion'],
  config: ['zod', 'yaml'],
  methods: ['zod'],
  search: ['picomatch', '@lancedb/lancedb'],
  init: ['yaml'],
  cli: ['commander', 'picocolors', 'string-width', 'yaml', 'zod'],
};

// not of a word 'import' that stands in quotes itself
const importLines = /(?:\bfrom|(?<!')\bimport|\bimport\(|\brequire\()\s*'([^']+)'/g;
const includeLines = /^\s*#\s*include\s*([<"])([^>"]+)[>"]/gm;
const roomOf = (file: string) => relative('src', file).split('/')[0]!.replace(/\.ts$/, '');

test('TypeScript rooms import only what their doors allow', (t) => {
  const faults: string[] = [];
  let seen = 0;
  for (const file of filesUnder('src', /\.ts$/)) {
    const room = roomOf(file);
    const allowed = typescriptDoors[room];
    if (allowed === undefined) {
      faults.push(`${file}: room '${room}' is not in the list`);
      continue;
    }
    const text = readFileSync(join(root, file), 'utf8');
    for (const match of text.matchAll(importLines)) {
      const target = match[1]!;
      seen++;
      if (target.startsWith('node:')) continue;
      if (!target.startsWith('.')) {
        const name = target
          .split('/')
          .slice(0, target.startsWith('@') ? 2 : 1)
          .join('/');
        if (!packages[room]?.includes(name)) faults.push(`${file}: package ${name} is not for ${room}`);
        continue;
      }
      const other = roomOf(normalize(join(dirname(file), target.replace(/\.js$/, '.ts'))));
      if (other !== room && allowed !== true && !allowed.includes(other))
        faults.push(`${file}: ${room} must not use ${other} (${target})`);
    }
  }
  t.true(seen > 50, `only ${seen} imports were found: the pattern is out of date`);
  t.deepEqual(faults, []);
});

/** Rooms of native and what each may include: other rooms, and libraries by the beginning of a header's name. */
const nativeDoors: Record<string, { rooms: readonly string[]; libraries: RegExp | null }> = {
  common: { rooms: [], libraries: null },
  kernels: { rooms: ['common'], libraries: null },
  'kernels/cuda': { rooms: ['common', 'kernels'], libraries: /^cuda_runtime(_api)?\.h$/ },
  video: { rooms: ['common', 'kernels', 'video/flow'], libraries: /^lib(av|sw)/ },
  'video/flow': { rooms: [], libraries: /^opencv2\// },
  engine: {
    rooms: ['common', 'kernels', 'video', 'engine/device'],
    libraries: /^(torch|ATen|c10)\/|^omp\.h$|^cuda_runtime_api\.h$/,
  },
  'engine/device': {
    rooms: ['common', 'kernels', 'kernels/cuda', 'engine'],
    libraries: /^(torch|ATen|c10)\//,
  },
  binding: { rooms: ['common', 'kernels', 'engine', 'video'], libraries: /^napi\.h$/ },
  tests: {
    rooms: ['common', 'kernels', 'kernels/cuda', 'engine', 'engine/device', 'video'],
    libraries: /^(torch|ATen|c10)\/|^lib(av|sw)|^cuda_runtime(_api)?\.h$/,
  },
};
/** Folders of a room that have a door of their own. */
const chambers = ['kernels/cuda', 'video/flow', 'engine/device'];
const nativeRoomOf = (file: string) =>
  chambers.find((chamber) => file.startsWith(`native/${chamber}/`)) ?? file.split('/')[1]!;
/** Of another room, binding sees the facade headers alone. */
const bindingHeaders = /^native\/(common\/\w+|kernels\/\w+|engine\/engine|video\/(video|writer))\.h$/;
const isSystemHeader = (header: string) =>
  /^[a-z0-9_]+$/.test(header) ||
  /^(windows|delayimp|math|immintrin|arm_neon|cpuid|x86intrin|dlfcn|fcntl|unistd|pthread|sched|netdb|netinet\/in)\.h$/.test(
    header,
  ) ||
  /^sys\/\w+\.h$/.test(header);

test('native rooms include only what their doors allow', (t) => {
  const faults: string[] = [];
  let seen = 0;
  for (const file of filesUnder('native', /\.(h|cpp|inl|cu|cuh)$/)) {
    const room = nativeRoomOf(file);
    const door = nativeDoors[room];
    if (!door) {
      faults.push(`${file}: room '${room}' is not in the list`);
      continue;
    }
    for (const match of readFileSync(join(root, file), 'utf8').matchAll(includeLines)) {
      const header = match[2]!;
      seen++;
      if (match[1] === '<') {
        if (!isSystemHeader(header) && !door.libraries?.test(header)) faults.push(`${file}: <${header}>`);
        continue;
      }
      const target = normalize(join(dirname(file), header));
      const other = nativeRoomOf(target);
      if (other === room) continue;
      if (!door.rooms.includes(other)) faults.push(`${file}: ${room} must not include "${header}"`);
      else if (room === 'binding' && !bindingHeaders.test(target))
        faults.push(`${file}: "${header}" is no facade`);
    }
  }
  t.true(seen > 50, `only ${seen} includes were found: the pattern is out of date`);
  t.deepEqual(faults, []);
});

test('the engine asks a table what differs between devices, and no tensor which device it is on', (t) => {
  const faults = filesUnder('native/engine', /\.(h|cpp|inl)$/)
    .filter((file) => nativeRoomOf(file) === 'engine')
    .filter((file) =>
      /\bis_cuda\b|\bkCUDA\b|\b(at|c10)::cuda\b|\bis_privateuseone\b/.test(
        readFileSync(join(root, file), 'utf8'),
      ),
    );
  t.deepEqual(faults, []);
});

/** The first circle that following `next` from any of `files` comes upon, or null. */
function findCircle(files: readonly string[], next: (file: string) => readonly string[]): string[] | null {
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): string[] | null => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return null;
    for (const other of next(file)) {
      const circle = visit(other, [...path, file]);
      if (circle) return circle;
    }
    done.add(file);
    return null;
  };
  for (const file of files) {
    const circle = visit(file, []);
    if (circle) return circle;
  }
  return null;
}

test('no circle among files, imports of types included', (t) => {
  const targets = (file: string, lines: RegExp, group: number, suffix: RegExp) =>
    [...readFileSync(join(root, file), 'utf8').matchAll(lines)]
      .filter((match) => match[group]!.startsWith('.') || match[1] === '"')
      .map((match) => normalize(join(dirname(file), match[group]!.replace(suffix, '.ts'))));
  const imports = (file: string) => targets(file, importLines, 1, /\.js$/);
  t.is(findCircle(filesUnder('src', /\.ts$/), imports), null);
  const includes = (file: string) => targets(file, includeLines, 2, /$^/);
  t.is(findCircle(filesUnder('native', /\.(h|cpp|inl|cu|cuh)$/), includes), null);
  const ring: Record<string, string[]> = { a: ['b', 'd'], b: ['c'], c: ['b'], d: [] };
  t.deepEqual(
    findCircle(['a'], (name) => ring[name]!),
    ['b', 'c', 'b'],
  );
});
