#!/usr/bin/env node
// Which videos of a folder look most like this one? A whole application around VideoEncoder.
//
//   node nearest-clip.mjs WEIGHTS FOLDER CLIP [TOP]
//
// WEIGHTS is a run folder or a weights.safetensors. Vectors are kept in FOLDER/.vectors.json, so that the second
// question is answered at once.
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { VideoEncoder } from 'vssl-native';

const [weights, folder, clip, top = '5'] = process.argv.slice(2);
if (!clip) {
  console.error('usage: node nearest-clip.mjs WEIGHTS FOLDER CLIP [TOP]');
  process.exit(2);
}

// Ctrl-C ends after the clip that is being embedded; what is known by then is kept.
const stop = new AbortController();
process.once('SIGINT', () => stop.abort());

const encoder = await VideoEncoder.load(weights);
try {
  const store = join(folder, '.vectors.json');
  const known = JSON.parse(await readFile(store, 'utf8').catch(() => '{}'));
  const stamp = async (path) => `${(await stat(weights)).mtimeMs} ${(await stat(path)).mtimeMs}`;

  const videos = (await readdir(folder, { recursive: true }))
    .filter((name) => ['.mp4', '.webm', '.mkv', '.avi', '.mov'].includes(extname(name).toLowerCase()))
    .map((name) => join(folder, name));
  const missing = [];
  for (const path of videos) if (known[path]?.stamp !== (await stamp(path))) missing.push(path);

  try {
    let done = 0;
    for await (const { path, vector, error } of encoder.embedMany(missing, { signal: stop.signal })) {
      process.stderr.write(`\r${++done} of ${missing.length} embedded`);
      if (error) console.error(`\n${path} is left out: ${error.message}`);
      else known[path] = { stamp: await stamp(path), vector: Array.from(vector) };
    }
    if (missing.length > 0) process.stderr.write('\n');
  } finally {
    await writeFile(store, JSON.stringify(known));
  }

  const query = await encoder.embed(clip, { signal: stop.signal });
  const ranked = videos
    .filter((path) => known[path])
    .map((path) => ({ path, similarity: cosine(query, known[path].vector) }))
    .sort((a, b) => b.similarity - a.similarity);
  for (const { path, similarity } of ranked.slice(0, Number(top)))
    console.log(`${similarity.toFixed(4)}  ${path}`);
} finally {
  await encoder.dispose();
}

function cosine(a, b) {
  let dot = 0;
  let aa = 0;
  let bb = 0;
  for (let i = 0; i < a.length; i++) {
    dot += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return dot / Math.sqrt(aa * bb || 1);
}
