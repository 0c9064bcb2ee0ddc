/** Chromium as a reader has it, but without a network: what a page does there, and how it looks. */
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ExecutionContext } from 'ava';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Where pictures of the pages go. */
const screenshots = process.env.VSSL_SCREENSHOTS ?? join(tmpdir(), 'vssl-screenshots');

const FLAGS = [
  ...['--no-sandbox', '--headless', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
];

export function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
}

/** What went wrong or out while a page was open. */
export interface Seen {
  readonly page: Page;
  /** Messages of the console, errors of scripts, dialogs. */
  readonly complaints: readonly string[];
  /** Addresses that the page asked for, its own left out. */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

/** Opens a file from the disk, the network off. */
export async function openFile(
  browser: Browser,
  file: string,
  options: BrowserContextOptions = {},
): Promise<Seen> {
  const context = await browser.newContext({ offline: true, ...options });
  const page = await context.newPage();
  const complaints: string[] = [];
  const requests: string[] = [];
  const own = pathToFileURL(file).href;
  page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('request', (request) => {
    if (request.url() !== own && !request.url().startsWith('data:')) requests.push(request.url());
  });
  await page.goto(own);
  return { page, complaints, requests, close: () => context.close() };
}

// What runs in the page is text: these files are compiled without the types of a browser.

/** Running animations, in a page of which some may be stopped. */
export function moving(page: Page): Promise<number> {
  return page.evaluate('document.getAnimations().filter(({ playState }) => playState === "running").length');
}

/** Where the focus is, as a tag with its id. */
export function focused(page: Page): Promise<string> {
  return page.evaluate('document.activeElement.localName + "#" + document.activeElement.id');
}

/** Whether one sees where the focus is. */
export async function showsFocus(page: Page): Promise<boolean> {
  return (await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')) !== 'none';
}

interface AxeFault {
  readonly id: string;
  readonly help: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

/** What axe finds wrong, a paragraph each. */
export async function axeFaults(page: Page): Promise<string[]> {
  // by way of the debugger, as the page itself lets no script in
  await page.evaluate(axe);
  const { violations } = await page.evaluate<{ violations: AxeFault[] }>('axe.run()');
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${help}\n${html.slice(0, 200)}\n${failureSummary}`),
  );
}

/**
 * A page in light and dark, wide and narrow: no complaint, no request, clean for axe, as wide as its window. Takes a picture
 * of each.
 */
export async function lookAt(
  t: ExecutionContext,
  browser: Browser,
  file: string,
  name: string,
): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const)
    for (const [size, width, height] of [
      ['wide', 1280, 900],
      ['narrow', 360, 740],
    ] as const) {
      const seen = await openFile(browser, file, { colorScheme, viewport: { width, height } });
      const where = `${name}, ${colorScheme}, ${size}`;
      try {
        t.deepEqual(await axeFaults(seen.page), [], where);
        const over = await seen.page.evaluate<number>('document.scrollingElement.scrollWidth - innerWidth');
        t.true(over <= 0, `${where}: ${over} pixels too wide`);
        await takePicture(seen.page, `${name}-${colorScheme}-${size}`);
        t.deepEqual(seen.complaints, [], where);
        t.deepEqual(seen.requests, [], where);
      } finally {
        await seen.close();
      }
    }
}

/** The whole page, into the folder of pictures. */
export async function takePicture(page: Page, name: string, fullPage = true): Promise<void> {
  mkdirSync(screenshots, { recursive: true });
  await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage });
}
