/** The page of `report` in a browser: three runs, hostile names, 500 clips, and one that is followed. */
import { once } from 'node:events';
import { appendFileSync, cpSync, readFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import test from 'ava';
import type { Browser } from 'playwright-core';
import { watchReport, writeReport } from '#src/index.js';
import { lockFolder } from '#src/weights/folder-lock.js';
import { scratch } from '../embed/make-videos.js';
import { makeRuns } from '../run-report/make-runs.js';
import { focused, lookAt, moving, openBrowser, openFile, showsFocus, takePicture } from './browser.js';

const { file, folder, remove } = scratch();
let runs: string[];
let browser: Browser;

test.before(async () => {
  runs = await makeRuns(folder, 3, 24);
  await writeReport({ runs, out: file('report.html'), threads: 1 });
  browser = await openBrowser();
});
test.after.always(async () => {
  await browser?.close();
  remove();
});

test.serial('three runs: sound, accessible, no wider than the window', async (t) => {
  await lookAt(t, browser, file('report.html'), 'report');
});

test.serial('the map by keyboard and by pointer', async (t) => {
  const { page, complaints, close } = await openFile(browser, file('report.html'));
  const panel = page.locator('#map-panel');
  await page.locator('#map-field').focus();
  t.true(await showsFocus(page));
  await page.keyboard.press('Home');
  const first = await panel.locator('.name').textContent();
  t.truthy(first);
  t.is(await panel.locator('.near li').count(), 5);
  // in some direction there is another clip
  const seen = new Set([first]);
  for (const key of ['ArrowRight', 'ArrowUp', 'ArrowLeft', 'ArrowDown']) {
    await page.keyboard.press(key);
    seen.add(await panel.locator('.name').textContent());
  }
  t.true(seen.size > 1);
  await page.keyboard.press('End');
  const last = await panel.locator('.name').textContent();
  t.not(last, first);
  // another encoder has other neighbours of the same clip
  await page.locator('[name=map-run]').nth(1).check();
  t.is(await panel.locator('.name').textContent(), last);
  t.is(await panel.locator('.near-title').textContent(), 'Nearest for run-b');
  await page.waitForTimeout(600);
  t.true((await page.locator('.pin').count()) > 3);
  await page.locator('.label-key').first().click();
  t.is(await page.locator('.label-key').first().getAttribute('aria-pressed'), 'true');
  await takePicture(page, 'report-map-chosen', false);
  t.deepEqual(complaints, []);
  await close();
});

test.serial('curves are read out at every step, by keyboard and by pointer', async (t) => {
  const { page, close } = await openFile(browser, file('report.html'));
  const chart = page.locator('#chart-loss');
  const said = () => chart.locator('output').textContent();
  t.regex((await said()) ?? '', /^step 24: run-a [\d.]+, run-b [\d.]+, run-c [\d.]+$/);
  await chart.locator('.scrub').focus();
  await page.keyboard.press('Home');
  t.regex((await said()) ?? '', /^step 1: /);
  t.is(await chart.locator('.scrub').getAttribute('aria-valuetext'), await said());
  await chart.locator('.plot').hover();
  t.regex((await said()) ?? '', /^step 1[0-4]: /);
  await close();
});

test.serial('every control is reached by Tab, and nothing moves for those who asked for it', async (t) => {
  const { page, close } = await openFile(browser, file('report.html'), { reducedMotion: 'reduce' });
  t.is(await moving(page), 0);
  const order: string[] = [];
  // until the page is left at its end
  for (let at = ''; !at.startsWith('body') && order.length < 300; ) {
    await page.keyboard.press('Tab');
    at = await focused(page);
    if (!at.startsWith('body')) t.true(await showsFocus(page), at);
    order.push(at);
  }
  for (const one of ['input#chart-loss-scrub', 'input#map-pictures', 'div#map-field'])
    t.true(order.includes(one), `${one} of ${order}`);
  await close();
  const moves = await openFile(browser, file('report.html'));
  t.true((await moving(moves.page)) > 5);
  await moves.page.locator('#still').check();
  t.is(await moving(moves.page), 0);
  await moves.close();
});

test.serial('500 clips of three runs: below 15 MB, in 30 s, first paint within a second', async (t) => {
  const out = file('large.html');
  const data = 'synthetic:motion?count=500&pixels=96';
  const before = process.cpuUsage();
  const { bytes, seconds, clips } = await writeReport({ runs, out, data, clips: 500, threads: 1 });
  // what it takes of a processor, whatever else the machine does
  const { user, system } = process.cpuUsage(before);
  const busy = (user + system) / 1e6;
  t.is(clips, 500);
  t.true(bytes < 15e6, `${bytes} bytes`);
  t.true(busy < 30, `${busy} s`);
  const { page, complaints, close } = await openFile(browser, out);
  const paint = await page.evaluate<number>(
    'performance.getEntriesByName("first-contentful-paint")[0].startTime',
  );
  t.true(paint < 1000, `${paint} ms`);
  t.log(
    `${(bytes / 1e6).toFixed(1)} MB in ${seconds.toFixed(1)} s (${busy.toFixed(1)} s of a processor), first paint after ${paint.toFixed(0)} ms`,
  );
  await page.locator('#map-field').scrollIntoViewIfNeeded();
  await takePicture(page, 'report-500-clips', false);
  t.deepEqual(complaints, []);
  await close();
});

test.serial(
  'a run is followed: what is new appears, the focus stays, the file is written at the end',
  async (t) => {
    const under = file('under way');
    cpSync(runs[0]!, under, { recursive: true });
    const lines = readFileSync(join(under, 'metrics.jsonl'), 'utf8').trimEnd().split('\n');
    const lock = await lockFolder(under, { doing: 'training in', advice: 'wait' });
    const out = file('followed.html');
    const listening = new EventTarget();
    const told = once(listening, 'url') as Promise<[CustomEvent<string>]>;
    const followed = watchReport({
      ...{ runs: [under], out, clips: 0, interval: 0.1 },
      onListening: (url) => listening.dispatchEvent(new CustomEvent('url', { detail: url })),
    });
    const url = (await told)[0].detail;
    const context = await browser.newContext();
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(String(error)));
    await page.goto(url);
    await page.locator('#chart-loss .scrub').focus();
    const last = JSON.parse(lines.findLast((line) => !line.includes('"evaluation"'))!) as { step: number };
    appendFileSync(
      join(under, 'metrics.jsonl'),
      `${JSON.stringify({ ...last, step: last.step + 7, loss: 1.25 })}\n`,
    );
    await page.getByText(`step ${last.step + 7}: 1.25`).waitFor();
    t.is(await focused(page), 'input#chart-loss-scrub');
    // others than this machine's own page are not served
    const [stranger] = (await once(get(url, { headers: { host: 'example.org' } }), 'response')) as [
      IncomingMessage,
    ];
    t.is(stranger.statusCode, 403);
    stranger.destroy();
    t.is((await fetch(`${url}none`)).status, 404);
    await lock.release();
    await page.getByText('All runs have ended').waitFor();
    t.is((await followed).runs[0]!.step, last.step + 7);
    t.false(readFileSync(out, 'utf8').includes('id="live"'));
    t.deepEqual(complaints, []);
    await context.close();
  },
);
