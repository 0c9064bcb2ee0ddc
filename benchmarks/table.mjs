// Writes the tables of README.md and docs/kernels.md from the committed results, so that no number in them is typed.
// A table stands between two comments, which name benchmarks/results/NAME.json and how much of it is shown:
//
//   <!-- benchmarks: NAME short|full -->
//   ...
//   <!-- /benchmarks -->
//
//   node benchmarks/table.mjs            writes them
//   node benchmarks/table.mjs --check    ends with 1 when one is out of date
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { markdown, root } from './page.mjs';

const pages = ['README.md', 'docs/kernels.md'];
const place = /(<!-- benchmarks: (\S+) (short|full) -->\n)[\s\S]*?(<!-- \/benchmarks -->)/g;

/** 0.0123 as '12.3 ms'. */
function time(seconds) {
  const [unit, factor] = seconds >= 1 ? ['s', 1] : seconds >= 1e-3 ? ['ms', 1e3] : ['µs', 1e6];
  const value = seconds * factor;
  return `${value.toFixed(value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2)} ${unit}`;
}

const times = (value) => `${value.toFixed(value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2)}×`;
const ratio = (r) => (r ? `${times(r.median)} (${times(r.low)} to ${times(r.high)})` : 'noisy');
const share = ({ fraction }) => (fraction ? `${(100 * fraction.median).toFixed(0)} %` : 'noisy');
const memory = ({ extraMemoryBytes: bytes }) =>
  bytes === undefined ? '' : `, ${(bytes / 1e6).toFixed(0)} MB beside its arguments`;

/** A line a case: the peer named first, and the fastest one. */
function shortTable(rows) {
  return markdown(
    ['case', 'time', 'of the limit', 'beside', 'beside the fastest that ran'],
    rows.map((row) => {
      const { timing } = row;
      const ran = timing.peers.filter(({ status }) => status === 'run');
      const fastest = ran.reduce((a, b) => (a && a.seconds <= b.seconds ? a : b), undefined);
      const cell = (peer) => (peer ? `${peer.name}: ${peer.ratio ? times(peer.ratio.median) : 'noisy'}` : '');
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

/** A line a peer, and what was verified. */
function fullTable(rows) {
  return markdown(
    ['case', 'time', 'of the limit', 'peer', 'its time', 'ratio (95 %)'],
    rows.flatMap((row) => {
      const { timing } = row;
      const own = [
        row.name,
        time(timing.seconds) + memory(row),
        `${share(timing.limit)} of ${limit(timing)}`,
      ];
      const peers = timing.peers.map((peer) =>
        peer.status === 'run'
          ? [`${peer.name} (${peer.version})`, time(peer.seconds), ratio(peer.ratio)]
          : [peer.name, `not run: ${peer.reason}`, ''],
      );
      if (peers.length === 0) peers.push(['', '', '']);
      return peers.map((cells, i) => [...(i === 0 ? own : ['', '', '']), ...cells]);
    }),
    6,
  );
}

function limit({ limit: { kind, perSecond } }) {
  const unit = kind.endsWith('multiply-adds') ? 'GFLOP/s' : 'GB/s';
  return `${kind}, ${(perSecond / 1e9).toFixed(perSecond >= 1e11 ? 0 : 1)} ${unit}`;
}

function table(name, form) {
  const file = join(root, 'benchmarks/results', `${name}.json`);
  if (!existsSync(file))
    return `(No result has been committed yet: \`bench kernels --out ${relative(root, file)}\`.)\n`;
  const result = JSON.parse(readFileSync(file, 'utf8'));
  if (result.format !== 'vssl-native bench' || result.formatVersion !== 1)
    throw new Error(`${file} is not a result of format version 1`);
  const wrong = result.rows.filter((row) => !row.timing);
  if (wrong.length > 0) throw new Error(`${file}: ${wrong[0].name} was not timed`);
  const { machine, threads, pairs, date } = result;
  const made =
    `${machine.cpu}, ${threads} threads, ${machine.isa.selected}${machine.isa.bf16 ? ' with bf16' : ''}, ` +
    `Node ${machine.node}, commit ${(machine.commit ?? 'unknown').slice(0, 10)}, ${date.slice(0, 10)}; ` +
    `${pairs} pairs, medians`;
  return `${form === 'short' ? shortTable(result.rows) : fullTable(result.rows)}\n\n(${made})\n`;
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
