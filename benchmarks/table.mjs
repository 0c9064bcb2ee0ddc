// Writes the tables of `bench` from the committed results, so that no number in them is typed. A table stands between
// two comments, which name benchmarks/results/NAME.json and how much of it is shown:
//
//   <!-- benchmarks: NAME short|full|files -->
//   ...
//   <!-- /benchmarks -->
//
//   node benchmarks/table.mjs            writes them
//   node benchmarks/table.mjs --check    ends with 1 when one is out of date
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { markdown, root } from './page.mjs';

const pages = ['README.md', 'docs/kernels.md', 'docs/engine.md', 'docs/video.md'];
const place = /(<!-- benchmarks: (\S+) (short|full|files) -->\n)[\s\S]*?(<!-- \/benchmarks -->)/g;

/** 0.0123 as '12.3 ms'. */
function time(seconds) {
  const [unit, factor] = seconds >= 1 ? ['s', 1] : seconds >= 1e-3 ? ['ms', 1e3] : ['µs', 1e6];
  const value = seconds * factor;
  return `${value.toFixed(value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2)} ${unit}`;
}

const times = (value) => `${value.toFixed(value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2)}×`;
const ms = (seconds) => `${(1000 * seconds).toFixed(seconds < 0.0995 ? 1 : 0)}`;
const ratio = (r) => (r ? `${times(r.median)} (${times(r.low)} to ${times(r.high)})` : 'noisy');
const share = ({ fraction }) => (fraction ? `${(100 * fraction.median).toFixed(0)} %` : 'noisy');
const memory = ({ extraMemoryBytes: bytes }) =>
  bytes === undefined ? '' : `, ${(bytes / 1e6).toFixed(0)} MB beside its arguments`;
/** A peer that ran, by name, with the allocator of its memory. */
const named = ({ name, allocator }) => name + (allocator ? ` with ${allocator}` : '');
const fastestOf = (peers) =>
  peers
    .filter(({ status }) => status === 'run')
    .reduce((a, b) => (a && a.seconds <= b.seconds ? a : b), undefined);

/** A line a case: the peer named first, and the fastest one. */
function shortTable(rows) {
  return markdown(
    ['case', 'time', 'of the limit', 'beside', 'beside the fastest that ran'],
    rows.map((row) => {
      const { timing } = row;
      const ran = timing.peers.filter(({ status }) => status === 'run');
      const fastest = fastestOf(ran);
      const cell = (peer) =>
        peer ? `${named(peer)}: ${peer.ratio ? times(peer.ratio.median) : 'noisy'}` : '';
      return [
        row.name,
        time(timing.seconds) + memory(row),
        `${share(timing.limit)} of ${timing.limit.kind}`,
        cell(ran.find((peer) => peer === timing.peers[0])),
        fastest === timing.peers[0] ? '' : cell(fastest),
      ];
    }),
    5,
  );
}

/** Name, time and ratio of each peer of a row, or why it did not run. */
function peerCells({ peers }) {
  const cells = peers.map((peer) =>
    peer.status === 'run'
      ? [
          `${named(peer)} (${peer.version})${peer.note ? `; ${peer.note}` : ''}`,
          time(peer.seconds),
          ratio(peer.ratio),
        ]
      : [peer.name, `not run: ${peer.reason}`, ''],
  );
  return cells.length > 0 ? cells : [['', '', '']];
}

/** A line a peer; `own` are the cells of the row itself, on its first line alone. */
function lines(own, timing) {
  return peerCells(timing).map((cells, i) => [...(i === 0 ? own : own.map(() => '')), ...cells]);
}

const PEER_COLUMNS = ['peer', 'its time', 'ratio (95 %)'];

function fullTable(rows) {
  return markdown(
    ['case', 'time', 'of the limit', ...PEER_COLUMNS],
    rows.flatMap((row) => {
      const { timing } = row;
      const reached = `${share(timing.limit)} of ${limit(timing)}`;
      return lines([row.name, time(timing.seconds) + memory(row), reached], timing);
    }),
    6,
  );
}

/** Of step and embed: a line a case and number of threads, with the fastest peer. */
function shortEngineTable(rows) {
  return markdown(
    ['case', 'threads', 'clips/s', 'beside the fastest that ran', 'ratio (95 %)'],
    rows.map(({ name, threads, clips, timing }) => {
      const fastest = fastestOf(timing.peers.filter((peer) => !peer.name.includes('bare')));
      const beside = fastest ? [named(fastest), ratio(fastest.ratio)] : ['', ''];
      return [name, threads, perSecond(clips, timing), ...beside];
    }),
  );
}

const perSecond = (clips, { seconds }) => (clips / seconds).toPrecision(3);

function embedTable(rows) {
  return markdown(
    ['case', 'threads', 'time', 'clips/s', 'bare convolutions', ...PEER_COLUMNS],
    rows.flatMap(({ name, threads, clips, flops, timing }) => {
      const bare = flops / timing.limit.perSecond;
      const rate = `${(timing.limit.perSecond / 1e9).toFixed(0)} GFLOP/s`;
      const convolutions = `${time(bare)} (${share(timing.limit)}), ${rate}`;
      return lines([name, threads, time(timing.seconds), perSecond(clips, timing), convolutions], timing);
    }),
    1,
  );
}

/** Of embed from files: how it does beside its two parts one after the other. */
function filesTable(rows) {
  return markdown(
    ['case', 'threads', 'time', 'clips/s', 'beside decoding, then the network', ...PEER_COLUMNS],
    rows.flatMap(({ name, threads, clips, timing }) => {
      const { fraction } = timing.limit;
      const beside = fraction ? times(1 / fraction.median) : 'noisy';
      return lines([name, threads, time(timing.seconds), perSecond(clips, timing), beside], timing);
    }),
    1,
  );
}

function stepTable(rows) {
  const stages = ['forward', 'backward', 'losses', 'optimizer'];
  return markdown(
    ['case', 'threads', 'clips', 'step, ms', ...stages, 'step / passes', ...PEER_COLUMNS],
    rows.flatMap(({ name, threads, clips, timing }) => {
      const parts = stages.map((stage) => ms(timing.stages[stage]));
      const { fraction } = timing.limit;
      const own = [name, threads, clips, ms(timing.seconds), ...parts];
      return lines([...own, fraction ? (1 / fraction.median).toFixed(2) : 'noisy'], timing);
    }),
    1,
  );
}

/** Of the loader: a line a case and number of threads. */
function loaderTable(rows) {
  return markdown(
    ['case', 'threads', 'time', 'clips/s', 'beside the limit', ...PEER_COLUMNS],
    rows.flatMap(({ name, threads, clips, timing }) => {
      const { kind, fraction } = timing.limit;
      const beside = fraction ? `${times(1 / fraction.median)} of ${kind}` : 'noisy';
      return lines([name, threads, time(timing.seconds), perSecond(clips, timing), beside], timing);
    }),
    1,
  );
}

function limit({ limit: { kind, perSecond } }) {
  const unit = kind.endsWith('multiply-adds') ? 'GFLOP/s' : 'GB/s';
  return `${kind}, ${(perSecond / 1e9).toFixed(perSecond >= 1e11 ? 0 : 1)} ${unit}`;
}

const FORMS = {
  kernels: { short: shortTable, full: fullTable },
  embed: { short: shortEngineTable, full: embedTable, files: filesTable },
  step: { short: shortEngineTable, full: stepTable },
  loader: { full: loaderTable },
};

function table(name, form) {
  const file = join(root, 'benchmarks/results', `${name}.json`);
  if (!existsSync(file)) {
    const [what] = name.split('-');
    return `(No result has been committed yet: \`bench ${what} --peers --out ${relative(root, file)}\`.)\n`;
  }
  const result = JSON.parse(readFileSync(file, 'utf8'));
  if (result.format !== 'vssl-native bench' || result.formatVersion !== 1)
    throw new Error(`${file} is not a result of format version 1`);
  const wrong = result.rows.filter((row) => !row.timing);
  if (wrong.length > 0) throw new Error(`${file}: ${wrong[0].name} was not timed`);
  const { machine, threads, pairs, date, rows, what } = result;
  const onThreads = what === 'kernels' ? `${threads} threads, ` : '';
  const made =
    `${machine.cpu}, ${onThreads}${machine.isa.selected}${machine.isa.bf16 ? ' with bf16' : ''}, ` +
    `Node ${machine.node}, commit ${(machine.commit ?? 'unknown').slice(0, 10)}, ${date.slice(0, 10)}; ` +
    `${pairs} pairs, medians`;
  return `${FORMS[what][form](rows)}\n\n(${made})\n`;
}

const stale = [];
for (const page of pages) {
  const before = readFileSync(join(root, page), 'utf8');
  const after = before.replace(place, (_all, begin, name, form, end) => begin + table(name, form) + end);
  if (after === before) continue;
  stale.push(page);
  if (!process.argv.includes('--check')) writeFileSync(join(root, page), after);
}
if (process.argv.includes('--check') && stale.length > 0) {
  console.error(`out of date: ${stale.join(', ')}. Run: node benchmarks/table.mjs`);
  process.exitCode = 1;
}
