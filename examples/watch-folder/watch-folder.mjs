/**
 * Follows a folder: a video that comes is indexed and labelled, and a JSON line says what it is and what it is most like.
 *
 *   node watch-folder.mjs CLASSIFIER FOLDER INDEX LINES.jsonl
 *
 * Nothing is moved. Ctrl-C or SIGTERM stops it; started again, it goes on with what has no line yet.
 */
import { open } from 'node:fs/promises';
import { Classifier, VideoIndex, watchVideos } from 'vssl-native';

const [classifierFile, folder, db, linesFile] = process.argv.slice(2);
if (!linesFile) {
  console.error('usage: node watch-folder.mjs CLASSIFIER FOLDER INDEX LINES.jsonl');
  process.exit(2);
}
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort());
const { signal } = stop;

const classifier = await Classifier.load(classifierFile);
const lines = await open(linesFile, 'a+');
try {
  const done = await readDone(lines);
  const { encoder } = classifier;
  console.log(`watching ${folder}; ${done.size} videos have a line`);
  for await (const { failures } of watchVideos({ weights: encoder, data: folder, db, signal })) {
    for (const { path, reason } of failures) console.warn(`left out: ${path}: ${reason}`);
    await labelNew(done);
  }
} catch (error) {
  if (!signal.aborted) throw error;
  console.log('stopped');
} finally {
  await lines.close();
  await classifier.dispose();
}

/**
 * Which state of which video has its line. What follows the last whole line was cut off by a kill: it goes, so that the
 * next line stands by itself, and its video gets a new one.
 */
async function readDone(file) {
  const bytes = await file.readFile();
  const end = bytes.lastIndexOf('\n') + 1;
  await file.truncate(end);
  const all = bytes.toString('utf8', 0, end).split('\n').filter(Boolean);
  return new Map(all.map((line) => JSON.parse(line)).map(({ path, stamp }) => [path, stamp]));
}

/** A line for each video of the index that has none. The index is asked, not what came just now: a kill may lie between. */
async function labelNew(done) {
  const index = await VideoIndex.open(db);
  try {
    const stamps = new Map();
    for await (const { path, stamp } of index.videos()) if (done.get(path) !== stamp) stamps.set(path, stamp);
    for await (const found of classifier.predictMany(stamps.keys(), { signal })) {
      const { path } = found;
      if ('error' in found) {
        console.warn(`no label: ${path}: ${found.error.message}`); // it has gone meanwhile, or will change
        continue;
      }
      await addLine(found, stamps.get(path), index);
      done.set(path, stamps.get(path));
    }
  } finally {
    await index.close();
  }
}

async function addLine({ path, guess, confidence, vector }, stamp, index) {
  const nearest = await index.search(vector, { top: 2, perVideo: true, signal });
  const other = nearest.find((hit) => hit.path !== path);
  const line = { path, stamp, label: guess, confidence: round(confidence), nearest: tell(other) };
  await lines.appendFile(`${JSON.stringify(line)}\n`);
  console.log(`${guess} (${(100 * confidence).toFixed(0)} %)  ${path}`);
}

/** Nothing is near the first video. */
function tell(hit) {
  if (!hit) return null;
  const { path, start, end, similarity } = hit;
  return { path, start, end, similarity: round(similarity) };
}

function round(value) {
  return Number(value.toFixed(4));
}
