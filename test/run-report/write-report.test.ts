/** `report`: runs that were trained, as one page; what it refuses; how large it gets. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { writeReport } from '#src/index.js';
import { printable } from '#src/report/names.js';
import { lockFolder } from '#src/weights/folder-lock.js';
import { HOSTILE_NAMES } from '../browser/hostile-videos.js';
import { scratch } from '../embed/make-videos.js';
import { BROKEN, makeRuns } from './make-runs.js';

const { file, folder, remove } = scratch();
test.after.always(remove);
const main = fileURLToPath(import.meta.resolve('#src/cli/main.js'));
let runs: string[];

test.before(async () => {
  runs = await makeRuns(folder, 2);
});

const escaped = (text: string) =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');

test.serial('two runs on one page, which needs nothing beside it', async (t) => {
  const out = file('report.html');
  const result = await writeReport({ runs, out, threads: 1 });
  const page = readFileSync(out, 'utf8');
  t.is(result.bytes, Buffer.byteLength(page));
  t.deepEqual(
    result.runs.map(({ state, step }) => [state, step]),
    [
      ['finished', 12],
      ['finished', 12],
    ],
  );
  t.is(result.clips, 17);
  const curves = ['Loss', 'kNN: accuracy', 'Clips a second'];
  for (const title of [...curves, 'Nearest neighbours (kNN)', 'Retrieval', 'A few labels a class'])
    t.true(page.includes(`>${title}<`), title);
  // pictures: of each clip once, and of the whole pictures and views of both runs
  t.is(page.match(/\.t\d+\{/g)?.length, 17);
  t.true(page.match(/class="card"[^\0]*?view2/g) !== null);
  t.false(/(src|href)="?(https?:|\/\/)/.test(page));
  t.false(page.includes('connect-src'));
  // one script that runs, and its digest; the other is data
  t.is(page.match(/<script>/g)?.length, 1);
  t.regex(page, /script-src &#39;sha256-[\w+/=]{44}&#39;/);
});

test.serial('hostile names are names: in text, in attributes, in the data of the map', async (t) => {
  const page = readFileSync(file('report.html'), 'utf8');
  const [, json = ''] = /<script type="application\/json" id="map-data">(.*?)<\/script>/.exec(page) ?? [];
  const names = (JSON.parse(json) as { clips: { n: string }[] }).clips.map(({ n }) => n);
  for (const name of HOSTILE_NAMES.map(String)) {
    t.true(
      names.some((one) => one.endsWith(`/${printable(name)}`)),
      name,
    );
    t.false(page.includes(`<${name.slice(0, 5)}`));
  }
  t.true(page.includes(escaped(BROKEN)));
  t.false(page.includes(BROKEN));
  t.false(/<script>alert|<b onmouseover|<b>one/.test(page));
});

test.serial('a page is as small as it is asked to be: pictures shrink, then go', async (t) => {
  const out = file('small.html');
  const data = 'synthetic:motion?count=80&pixels=96';
  const whole = await writeReport({ runs, out, data, threads: 1 });
  const small = await writeReport({ runs, out, data, threads: 1, maxBytes: 500_000 });
  t.true(whole.bytes > 700_000, `${whole.bytes}`);
  t.true(small.bytes <= 500_000 && small.bytes > 200_000, `${small.bytes} of ${whole.bytes}`);
  t.is(small.clips, 80);
  t.is(readFileSync(out, 'utf8').match(/\.t\d+\{/g)?.length, 80);
  const none = await writeReport({ runs, out, clips: 0 });
  t.is(none.clips, 0);
  t.false(readFileSync(out, 'utf8').includes('id="map"'));
  const some = await writeReport({ runs, out, clips: 5, threads: 1 });
  t.true(some.clips <= 5 && some.clips >= 3);
});

test.serial('what is no run, and runs of other data, are refused with the way out', async (t) => {
  const out = file('no.html');
  await t.throwsAsync(writeReport({ runs: [file('none')], out }), {
    code: 'ERR_VSSL_FILE',
    message: /train --out/,
  });
  const noRun = await t.throwsAsync(writeReport({ runs: [folder], out }), { code: 'ERR_VSSL_USAGE' });
  t.true(noRun?.message.includes(`there are runs within it: give ${runs.join(' ')}`), noRun?.message);
  await t.throwsAsync(writeReport({ runs: [file('report.html')], out }), {
    code: 'ERR_VSSL_USAGE',
    message: /is a file/,
  });
  await t.throwsAsync(writeReport({ runs: [runs[0]!, `${runs[0]}/`], out }), {
    code: 'ERR_VSSL_USAGE',
    message: /twice/,
  });
  await t.throwsAsync(writeReport({ runs, out: file('absent/x.html') }), { code: 'ERR_VSSL_USAGE' });
  await t.throwsAsync(writeReport({ runs: [], out }), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
  const data = file('no videos');
  await t.throwsAsync(writeReport({ runs, out, data }), { code: 'ERR_VSSL_DATA' });

  cpSync(runs[1]!, file('other'), { recursive: true });
  const config = JSON.parse(readFileSync(file('other/config.json'), 'utf8'));
  config.data.path = '/elsewhere';
  writeFileSync(file('other/config.json'), JSON.stringify(config));
  const both = { runs: [runs[0]!, file('other')], out, clips: 0 };
  await t.throwsAsync(writeReport(both), { code: 'ERR_VSSL_USAGE', message: /different data.*--separate/s });
  await writeReport({ ...both, separate: true });
  const page = readFileSync(out, 'utf8');
  t.true(page.includes('id="chart-0-loss"') && page.includes('id="chart-1-loss"'));
});

test.serial('a run under way, one that has just begun, one with half a line and half a file', async (t) => {
  const under = file('under way');
  cpSync(runs[0]!, under, { recursive: true });
  const metrics = readFileSync(join(under, 'metrics.jsonl'), 'utf8');
  writeFileSync(join(under, 'metrics.jsonl'), metrics.slice(0, metrics.length * 0.6));
  writeFileSync(join(under, 'eval-knn-0123456789.json'), '{"protocol": "knn", "trai');
  rmSync(join(under, 'weights.safetensors'));
  const out = file('under-way.html');
  const lock = await lockFolder(under, { doing: 'training in', advice: 'wait' });
  try {
    const { runs: told, warnings, clips } = await writeReport({ runs: [under], out });
    t.is(told[0]!.state, 'training');
    t.true(told[0]!.step > 0 && told[0]!.step < 12);
    t.is(clips, 0);
    t.true(warnings.some((text) => /no weights yet/.test(text)));
    t.true(warnings.some((text) => /eval-knn-0123456789.json holds no evaluation/.test(text)));
  } finally {
    await lock.release();
  }
  const begun = file('begun');
  mkdirSync(begun);
  copyFileSync(join(runs[1]!, 'config.json'), join(begun, 'config.json'));
  const { runs: told } = await writeReport({ runs: [begun], out });
  t.deepEqual([told[0]!.state, told[0]!.step], ['stopped', 0]);
  t.true(readFileSync(out, 'utf8').includes('No step has been logged yet.'));
});

test.serial('the command', (t) => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [main, 'report', ...args], { encoding: 'utf8' });
  const out = file('command.html');
  const done = run('--run', ...runs, '--out', out, '--clips', '4', '--max-size', '2MB', '--json');
  t.is(done.status, 0, done.stderr);
  t.is(JSON.parse(done.stdout).bytes, readFileSync(out).length);
  t.is(run('--run', ...runs, '--out', out, '--max-size', '2').status, 2);
  t.is(run('--run', folder, '--out', out).status, 2);
  t.is(run('--run', file('none'), '--out', out).status, 1);
});
