// node read-whole.mjs FOLDER...: every file below is read from its first picture to its last. Prints JSON: the FFmpeg that the
// engine has, and of each file what came of it and the seconds. tools/test-ffmpeg.mjs compares two engines by it.
import { createHash } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [root, ...given] = process.argv.slice(2);
const from = (name) => import(pathToFileURL(join(root, 'dist/esm', `${name}.js`)).href);
const { loadEngine } = await from('native/load');
const { TrackReader } = await from('search/frame-track');

const files = given.flatMap((path) =>
  statSync(path).isDirectory()
    ? readdirSync(path, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
        .sort()
    : [path],
);
const engine = loadEngine('cpu');
const loader = engine.createLoader({ threads: 1, cacheBytes: 0 });
const reader = new TrackReader(engine, loader);
const found = {};
for (const file of files) {
  const start = performance.now();
  try {
    const { start: first, end, count, grey } = await reader.read(file, 0, 0);
    const seconds = (performance.now() - start) / 1000;
    found[file] = {
      what: `${first} ${end} ${count} ${createHash('sha256').update(grey).digest('hex')}`,
      seconds,
    };
  } catch (error) {
    if (!error.code?.startsWith('ERR_VSSL_')) throw error;
    found[file] = { what: error.code };
  }
}
console.log(JSON.stringify({ ffmpeg: engine.info().libavVersion, found }));
