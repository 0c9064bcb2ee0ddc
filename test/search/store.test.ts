/** Which store an index has, and what is said where the packages of LanceDB are missing. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { VideoIndex } from '#src/search/video-index.js';
import { scratch, writeSquareVideo, writeTinyWeights } from '../embed/make-videos.js';
import { ENCODER, entryOf } from './entries.js';

const { file, remove } = scratch();
test.after.always(remove);
const main = fileURLToPath(import.meta.resolve('#src/cli/main.js'));
/** Without packages that are not this one's own. */
const env = { ...process.env, NODE_PATH: '' };

function isMissing(t: ExecutionContext, code: string, message: string) {
  t.is(code, 'ERR_VSSL_ENVIRONMENT');
  t.regex(message, /needs the packages @lancedb\/lancedb and apache-arrow, which are not installed/);
  t.regex(message, /'npm install @lancedb\/lancedb@0\.31 apache-arrow@18'/);
}

/** In a process of its own: the error of opening an index. */
function openAway(name: string, options: object): { code: string; message: string } {
  const program = `const { VideoIndex } = await import(${JSON.stringify(import.meta.resolve('#src/search/video-index.js'))});
    await VideoIndex.open(process.argv[1], JSON.parse(process.argv[2])).then(
      () => console.log('{}'), ({ code, message }) => console.log(JSON.stringify({ code, message })));`;
  const args = ['--input-type=module', '-e', program, file(name), JSON.stringify(options)];
  const { stdout, stderr } = spawnSync(process.execPath, args, { env, encoding: 'utf8' });
  return JSON.parse(stdout || JSON.stringify({ code: 'none', message: stderr }));
}

test('without its packages nothing of an index is made, or lost', (t) => {
  const made = openAway('new', { encoder: ENCODER, store: 'lancedb' });
  isMissing(t, made.code, made.message);
  t.false(existsSync(file('new')));
  const header = JSON.stringify({
    ...{ format: 'vssl-index', version: 1, store: 'lancedb', dim: 16, type: 'fp16' },
    ...{ encoder: ENCODER.digest, settings: null, shards: [], next: 1 },
  });
  mkdirSync(file('there'));
  writeFileSync(file('there/header.json'), header);
  const opened = openAway('there', {});
  isMissing(t, opened.code, opened.message);
  t.is(readFileSync(file('there/header.json'), 'utf8'), header);
  // what is wrong with it is said before what is missing
  t.is(openAway('there', { encoder: { ...ENCODER, digest: 'other' } }).code, 'ERR_VSSL_INDEX_MISMATCH');
});

test('the command says it before anything is embedded, with the exit code of the environment', async (t) => {
  const weights = file('weights.safetensors');
  await writeTinyWeights(weights);
  mkdirSync(file('videos'));
  await writeSquareVideo(file('videos/a.avi'), (time) => [time % 36, time % 48], { frames: 30 });
  const run = (...more: string[]) => {
    const args = ['index', '--weights', weights, '--data', file('videos'), '--db', file('db'), ...more];
    return spawnSync(process.execPath, [main, ...args], { env, encoding: 'utf8' });
  };
  const missing = run('--store', 'lancedb', '--json');
  t.is(missing.status, 3, missing.stderr);
  t.regex(missing.stdout + missing.stderr, /npm install @lancedb\/lancedb@0\.31/);
  t.false(existsSync(file('db')));
  t.is(run('--store', 'lance').status, 2);
  t.regex(run('--help').stdout, /--store <name>[^-]*LanceDB/);
});

test('the store is fixed when an index is made; the first indexes name none', async (t) => {
  const index = await VideoIndex.open(file('flat'), { encoder: ENCODER, store: 'flat' });
  await index.add(entryOf('/a', 2));
  t.is((await index.stats()).store, 'flat');
  await index.close();
  await t.throwsAsync(VideoIndex.open(file('flat'), { encoder: ENCODER, store: 'lancedb' }), {
    code: 'ERR_VSSL_INDEX_MISMATCH',
    message: /its vectors in the store 'flat', not 'lancedb'/,
  });
  await t.throwsAsync(VideoIndex.open(file('flat'), { store: 'sqlite' as never }), {
    code: 'ERR_VSSL_INVALID_ARGUMENT',
    message: /flat.*lancedb/,
  });
  const { store, ...first } = JSON.parse(readFileSync(file('flat/header.json'), 'utf8'));
  t.is(store, 'flat');
  writeFileSync(file('flat/header.json'), JSON.stringify(first));
  t.is((await (await VideoIndex.open(file('flat'))).stats()).videos, 1);
  writeFileSync(file('flat/header.json'), JSON.stringify({ ...first, store: 'sqlite' }));
  await t.throwsAsync(VideoIndex.open(file('flat')), { code: 'ERR_VSSL_INDEX' });
});
