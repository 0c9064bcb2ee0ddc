/**
 * Which videos of some folders show the same, and which copy of each is the one to keep? Nothing is moved or deleted.
 *
 *   node find-duplicates.mjs WEIGHTS FOLDER... [--db DIR] [--threshold 0.6] [--json FILE] [--list FILE]
 *
 * --list writes the paths of the other copies with a zero byte after each, which no path can hold: xargs -0 takes them.
 */
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { checkVideos, indexVideos, VideoEncoder, VideoIndex, VsslError } from 'vssl-native';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    db: { type: 'string' }, // an index that stays, so that the next look is a quick one
    threshold: { type: 'string' }, // likeness from which on two are the same; default: chosen on the data
    json: { type: 'string' },
    list: { type: 'string' },
  },
});
const [weights, ...folders] = positionals;
if (folders.length === 0) {
  console.error(
    'usage: node find-duplicates.mjs WEIGHTS FOLDER... [--db DIR] [--threshold N] [--json FILE] [--list FILE]',
  );
  process.exit(2);
}
const stop = new AbortController();
process.once('SIGINT', () => stop.abort());
const { signal } = stop;

const db = values.db ?? (await mkdtemp(join(tmpdir(), 'duplicates-')));
try {
  const { pairs, clusters, ...found } = await compare();
  const groups = await groupsOf(clusters, pairs);
  report(groups, found);
  const spare = groups.flatMap(({ others }) => others.map(({ path }) => `${path}\0`));
  if (values.list) await writeFile(values.list, spare.join(''));
  if (values.json) await writeFile(values.json, `${JSON.stringify({ ...found, groups }, null, 2)}\n`);
} catch (error) {
  if (!signal.aborted && !(error instanceof VsslError)) throw error;
  console.error(signal.aborted ? 'stopped' : error.message);
  process.exitCode = signal.aborted ? 130 : 1;
} finally {
  if (!values.db) await rm(db, { recursive: true, force: true });
}

/** Brings the index up to date, and compares every video in it with every other. */
async function compare() {
  const failures = [];
  const encoder = await VideoEncoder.load(weights);
  try {
    for (const data of folders) {
      const onProgress = (done, total) => console.error(`${done} of ${total} in ${data}`);
      const result = await indexVideos({ weights: encoder, data, db, signal, onProgress });
      failures.push(...result.failures);
    }
  } finally {
    await encoder.dispose();
  }
  const index = await VideoIndex.open(db);
  try {
    const threshold = values.threshold === undefined ? undefined : Number(values.threshold);
    const { unread, ...found } = await index.duplicates({ threshold, signal });
    return { ...found, failures: [...failures, ...unread] };
  } finally {
    await index.close();
  }
}

/**
 * From pairs to groups: one video to keep, and the others, nearly all of which are in it. A cluster may make several: two
 * films that share an excerpt lie in one cluster with it, and neither of them is in the other.
 */
async function groupsOf(clusters, pairs) {
  const facts = await factsOf(clusters.flat());
  const isIn = new Map();
  for (const { first, second, similarity } of pairs)
    for (const [part, whole] of [
      [first, second],
      [second, first],
    ])
      if (part.share >= 0.8) isIn.set(`${part.path}\0${whole.path}`, similarity);
  const groups = [];
  for (const cluster of clusters)
    for (let left = cluster.map((path) => facts.get(path)).filter(Boolean); left.length > 1; ) {
      const keep = best(left);
      const similarity = ({ path }) => isIn.get(`${path}\0${keep.path}`);
      const others = left.filter((video) => video !== keep && similarity(video) !== undefined);
      if (others.length > 0)
        groups.push({ keep, others: others.map((video) => ({ ...video, similarity: similarity(video) })) });
      left = left.filter((video) => video !== keep && !others.includes(video));
    }
  return groups;
}

/** Of those that are about as long as the longest: the most pixels, then the most bits a second. */
function best(videos) {
  const longest = Math.max(...videos.map(({ seconds }) => seconds));
  const order = (a, b) =>
    b.width * b.height - a.width * a.height ||
    b.kbps - a.kbps ||
    b.seconds - a.seconds ||
    (a.path < b.path ? -1 : 1);
  return videos.filter(({ seconds }) => seconds >= 0.95 * longest).sort(order)[0];
}

/** Size, length and bit rate of videos. Two names of one file, links, are no copies: one of them is left out. */
async function factsOf(paths) {
  const facts = new Map();
  const seen = new Set();
  const { files } = await checkVideos({ data: paths, signal });
  for (const { path, width, height, seconds } of files.filter(({ status }) => status !== 'unusable')) {
    const { dev, ino, size: bytes } = await stat(path);
    if (seen.size === seen.add(`${dev} ${ino}`).size) continue;
    facts.set(path, { path, width, height, seconds, bytes, kbps: Math.round(bytes / seconds / 125) });
  }
  return facts;
}

function report(groups, { threshold, expectedPrecision, failures }) {
  const tell = ({ path, width, height, seconds, kbps }) =>
    `${width}x${height}  ${seconds.toFixed(1)} s  ${kbps} kbit/s  ${path}`;
  for (const { keep, others } of groups) {
    console.log(`keep   ${tell(keep)}`);
    for (const other of others) console.log(`${other.similarity.toFixed(4)} ${tell(other)}`);
    console.log('');
  }
  const others = groups.flatMap((group) => group.others);
  const megabytes = others.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6;
  console.log(
    `${others.length} copies of ${groups.length} videos, ${megabytes.toFixed(1)} MB; nothing was deleted`,
  );
  const right = expectedPrecision === null ? 'unknown' : `${(100 * expectedPrecision).toFixed(1)} %`;
  const why = values.threshold === undefined ? `expected to be right: ${right}` : 'as asked for';
  console.log(`likeness from ${threshold.toFixed(4)} on, ${why}`);
  for (const { path, reason } of failures) console.log(`left out: ${path}: ${reason}`);
}
