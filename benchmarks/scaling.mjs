// The tables of docs/scaling.md: what was measured (benchmarks/ranks.mjs and benchmarks/clips.mjs, kept in
// benchmarks/results), the model of a step's exchanges that is fitted to it, and what follows for more ranks.
//   node benchmarks/scaling.mjs --table            writes them
//   node benchmarks/scaling.mjs --table --check    ends with 1 when one is out of date
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fillPage, markdown, root } from './page.mjs';

const page = 'docs/scaling.md';
const read = (name) => JSON.parse(readFileSync(join(root, 'benchmarks/results', `${name}.json`), 'utf8'));

/** Named assumptions of the prediction: seconds a hop, bytes a second of a rank's link, and what a GPU computes. */
const LINK = { hop: 10e-6, bandwidth: 25e9 };
const GPU = { clips: 1000, videos: 32, ranks: [8, 64, 512, 1024] };

/**
 * What a rank sends in a step of n ranks, and the messages that follow one another, as Gloo's rings have it: a sum of B
 * bytes is 2 (n - 1) messages of B / n each, gathering B bytes of each rank n - 1 messages of B.
 */
function exchangesOf({ weights, norms, channels, buckets, embedded }, n) {
  const moments = 8 * (2 * channels + norms); // of BatchNorm, in double: forward gathered, backward summed
  const bytes = ((2 * (n - 1)) / n) * (4 * weights + moments) + (n - 1) * (moments + 4 * embedded);
  // summed: also the losses and which gradients there are; gathered: also the steps done and both views' embeddings
  const hops = 2 * (n - 1) * (norms + buckets + 2) + (n - 1) * (norms + 3);
  return { bytes, hops };
}

/** The same with trees: messages follow one another log2 n times, and moments are merged on the way. */
function treesOf({ weights, norms, channels, buckets, embedded }, n) {
  const moments = 8 * (2 * channels + norms);
  const bytes = ((2 * (n - 1)) / n) * (4 * weights + 2 * moments) + (n - 1) * 4 * embedded;
  const hops = Math.ceil(Math.log2(n)) * (2 * (2 * norms + buckets + 2) + 3);
  return { bytes, hops };
}

/** BatchNorm of each rank's own rows: no exchange of it. */
const withoutSync = (sizes) => ({ ...sizes, norms: 0, channels: 0 });

/**
 * Seconds a hop, and bytes a second of the machine, whose memory all ranks share, that fit best: least squares of the
 * relative errors of t = hop hops + n bytes / bandwidth.
 */
function leastSquares(rows) {
  let [aa, ab, bb, a, b] = [0, 0, 0, 0, 0];
  for (const row of rows) {
    const { bytes, hops } = exchangesOf(row, row.ranks);
    const [x, y] = [hops / row.exchangeSeconds, (row.ranks * bytes) / row.exchangeSeconds];
    [aa, ab, bb, a, b] = [aa + x * x, ab + x * y, bb + y * y, a + x, b + y];
  }
  const det = aa * bb - ab * ab;
  return { hop: (a * bb - b * ab) / det, bandwidth: det / (aa * b - ab * a) };
}

const ms = (seconds) => (1000 * seconds).toFixed(seconds < 0.01 ? 1 : 0);
const mb = (bytes) => (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);
const percent = (share) => `${(100 * share).toFixed(0)} %`;
/** Two digits. */
const short = (value) => String(Number(value.toPrecision(2)));

function steps(rows) {
  const lines = rows.map((row) => [
    `${row.ranks}`,
    row.oneSeconds.toFixed(2),
    row.ranksSeconds.toFixed(2),
    row.kept.toFixed(2),
    mb(row.exchangeBytes),
    row.exchangeSeconds.toFixed(2),
  ]);
  const columns = [
    ...['ranks', 'one process, s', 'ranks, s', 'kept'],
    ...['MB sent by each', 'exchanges and waiting, s'],
  ];
  return `${markdown(columns, lines, 0)}\n`;
}

function losses(rows) {
  const lines = rows.map(({ ranks, lossSeconds, lossExchangeSeconds, loss }) => [
    `${ranks}`,
    ...[...lossSeconds, lossExchangeSeconds].map(ms),
    loss.toFixed(2),
  ]);
  const columns = ['ranks', 'one process, ms', 'ranks, ms', 'of them exchanges', 'ratio without them'];
  return `${markdown(columns, lines, 0)}\n`;
}

function fitted(rows) {
  const { hop, bandwidth } = leastSquares(rows);
  const errors = [];
  const lines = rows.map((row) => {
    const { bytes, hops } = exchangesOf(row, row.ranks);
    if (Math.abs(bytes / row.exchangeBytes - 1) > 0.01)
      throw new Error(
        `${row.case}, ${row.ranks} ranks: the model sends ${bytes}, measured ${row.exchangeBytes}`,
      );
    const seconds = hop * hops + (row.ranks * bytes) / bandwidth;
    errors.push(Math.abs(seconds / row.exchangeSeconds - 1));
    const cells = [(row.weights / 1e6).toFixed(1), mb(row.exchangeBytes), `${hops}`];
    return [`${row.ranks}`, ...cells, ms(row.exchangeSeconds), ms(seconds)];
  });
  const columns = [
    ...['ranks', 'weights, millions', 'MB sent by each', 'messages in a row'],
    ...['exchanges, ms', 'fitted, ms'],
  ];
  const constants = `a = ${short(1e6 * hop)} µs, B = ${short(bandwidth / 1e9)} GB/s of the machine`;
  const worst = `the largest error is ${percent(Math.max(...errors))}`;
  return `${markdown(columns, lines, 0)}\n\nFitted: ${constants}; ${worst}.\n`;
}

function predicted({ weights, norms, channels, buckets }) {
  const sizes = { weights, norms, channels, buckets, embedded: 2 * GPU.videos * 128 };
  const computing = (2 * GPU.videos) / GPU.clips;
  const cost = ({ bytes, hops }) => LINK.hop * hops + bytes / LINK.bandwidth;
  const lines = GPU.ranks.map((n) => {
    const ways = [exchangesOf(sizes, n), exchangesOf(withoutSync(sizes), n), treesOf(sizes, n)];
    return [
      `${n}`,
      mb(ways[0].bytes),
      ...ways.flatMap((way) => [ms(cost(way)), percent(computing / (computing + cost(way)))]),
    ];
  });
  const columns = [
    ...['GPUs', 'MB sent by each', 'rings, ms', 'keeps'],
    ...['rings, `syncNorm` off, ms', 'keeps', 'trees, ms', 'keeps'],
  ];
  return `${markdown(columns, lines, 0)}\n`;
}

function data(rows) {
  const lines = rows.map(({ source, kind, loadedByThread, planned, bytes }) => [
    source,
    kind === 'packed' ? 'packed' : 'decoded',
    loadedByThread.toFixed(0),
    (GPU.clips / loadedByThread).toFixed(1),
    bytes ? ((GPU.clips * bytes) / 1e9).toFixed(1) : '',
    short(planned),
  ]);
  const columns = [
    ...['source', 'read', 'clips/s a core', `cores a GPU of ${GPU.clips} clips/s`],
    ...['GB/s read for it', 'clips/s planned by one process'],
  ];
  return `${markdown(columns, lines, 2)}\n`;
}

function writeTables(check) {
  const ranks = read('ranks');
  const of = (prefix) => ranks.filter((row) => row.case.startsWith(prefix));
  fillPage(page, 'steps', steps(of('r3d_18')), check);
  fillPage(page, 'loss', losses(of('nt-xent')), check);
  fillPage(page, 'exchanges', fitted(of('exchange-')), check);
  fillPage(page, 'prediction', predicted(of('r3d_18')[0]), check);
  fillPage(page, 'data', data(read('clips')), check);
}

const { values } = parseArgs({ options: { table: { type: 'boolean' }, check: { type: 'boolean' } } });
if (values.table) writeTables(values.check ?? false);
else console.error('expected --table, with or without --check');
