/** The pages of `search --html` and `duplicates --html` in a browser. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { Browser } from 'playwright-core';
import { printable } from '#src/report/names.js';
import { indexVideos } from '#src/search/index-videos.js';
import { scratch, writeTinyWeights } from '../embed/make-videos.js';
import { focused, lookAt, moving, openBrowser, openFile, showsFocus } from './browser.js';
import { HOSTILE_NAMES, writeHostileVideos } from './hostile-videos.js';

const { file, remove } = scratch();
const main = fileURLToPath(import.meta.resolve('#src/cli/main.js'));
const db = file('db');
let browser: Browser;

test.before(async () => {
  await writeHostileVideos(file('videos'));
  await writeTinyWeights(file('weights.safetensors'));
  const weights = file('weights.safetensors');
  await indexVideos({ weights, data: file('videos'), db, windows: { every: 1, span: 2 }, threads: 2 });
  // in the index, and no longer what it was
  writeFileSync(file('videos/shapes/upright.avi'), 'no video any more');
  browser = await openBrowser();
});
test.after.always(async () => {
  await browser?.close();
  remove();
});

function write(...args: string[]): void {
  const { status, stderr } = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}

const clip = file('videos/shapes/wide.avi');

test.serial('a search', async (t) => {
  const page = file('search.html');
  write('search', '--db', db, `${clip}@1-3`, '--top', '40', '--per-video', '--html', page);
  await lookAt(t, browser, page, 'search');
});

test.serial('duplicates', async (t) => {
  const page = file('duplicates.html');
  write('duplicates', '--db', db, '--threshold', '0.8', '--html', page);
  await lookAt(t, browser, page, 'duplicates');
  const { page: shown, close } = await openFile(browser, page);
  const names = await shown.locator('.name').allTextContents();
  t.true(names.includes('copy of another.mp4'), names.join(', '));
  await close();
});

test.serial('nothing was found', async (t) => {
  const page = file('nothing.html');
  write('search', '--db', db, clip, '--filter', 'label=none', '--html', page);
  await lookAt(t, browser, page, 'search-nothing');
});

test.serial('names are names', async (t) => {
  const { page, complaints, close } = await openFile(browser, file('search.html'));
  const names = await page.locator('.name').allTextContents();
  const labels = await page.evaluate<string[]>(
    '[...document.querySelectorAll("[role=img]")].map((one) => one.ariaLabel)',
  );
  for (const name of HOSTILE_NAMES) {
    const shown = printable(String(name));
    t.true(names.includes(shown), shown);
    t.true(
      labels.some((text) => text.includes(`/${shown}, 0:`)),
      shown,
    );
  }
  t.is(await page.locator('main b[onmouseover], main script').count(), 0);
  t.deepEqual(complaints, []);
  await close();
});

test.serial('pictures are held still by keyboard, and for those who asked for less motion', async (t) => {
  const { page, close } = await openFile(browser, file('search.html'));
  t.true((await moving(page)) > 5);
  await page.keyboard.press('Tab');
  t.is(await focused(page), 'input#still');
  t.true(await showsFocus(page));
  await page.keyboard.press('Space');
  t.is(await moving(page), 0);
  await page.keyboard.press('Space');
  t.true((await moving(page)) > 5);
  await close();
  const reduced = await openFile(browser, file('search.html'), { reducedMotion: 'reduce' });
  t.is(await moving(reduced.page), 0);
  await reduced.close();
});
