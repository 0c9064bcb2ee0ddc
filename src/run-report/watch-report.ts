/**
 * A report that follows its runs: a server on this machine alone gives the page, and sends sections anew as they change
 * (server-sent events; who was away gets what came meanwhile). The file is written at the beginning and at the end.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { checkCount, throwIfAborted } from '../checks.js';
import { invalidArgument, VsslError } from '../errors.js';
import { checkOutFile, writeResultFile } from '../weights/atomic-write.js';
import { changingSections, type ReportContent, reportPage } from './page.js';
import { readRuns } from './read-run.js';
import { checkReportOptions, type ReportOptions } from './report-options.js';
import { gatherReport, type ReportResult, resultOf } from './write-report.js';

export interface WatchReportOptions extends ReportOptions {
  /** Of this machine. Default 0: a free one. */
  readonly port?: number;
  /** Seconds from one look at the run folders to the next, at least. Default 2; looks take at most a tenth of the time. */
  readonly interval?: number;
  /** Told once, when the page can be opened. */
  readonly onListening?: (url: string) => void;
}

/**
 * Follows the runs until none of them is training any more: then the file is written a last time, and the result is as that
 * of writeReport. When the signal is aborted, the file is written before its reason is thrown. Throws what writeReport
 * throws, and ERR_VSSL_USAGE for a port that is taken.
 */
export async function watchReport(options: WatchReportOptions): Promise<ReportResult> {
  const began = performance.now();
  const checked = checkReportOptions(options, ['port', 'interval', 'onListening']);
  const { port = 0, interval = 2, onListening, signal } = options;
  checkCount('port', port, 0, 65_535);
  if (!(interval > 0 && interval < 1e6)) throw invalidArgument('interval', 'seconds above 0', interval);
  await checkOutFile(checked.out);
  const live = new LiveReport(await gatherReport(checked));
  await writeResultFile(checked.out, reportPage(live.content));
  const server = createServer((request, response) => live.answer(request, response));
  try {
    onListening?.(await listen(server, port));
    while (live.isTraining && !signal?.aborted) {
      const start = performance.now();
      // a folder may be begun anew meanwhile: then it is as it was until it can be read
      const runs = await readRuns(checked.runs).catch(() => null);
      if (runs) live.update(runs);
      const took = performance.now() - start;
      await delay(Math.max(1000 * interval, 9 * took), undefined, { signal }).catch(() => {});
    }
    live.end();
    const page = reportPage(live.content);
    await writeResultFile(checked.out, page);
    throwIfAborted(signal);
    return resultOf(checked.out, live.content, page, began);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

/** The address once it is there. Of this machine alone: a page shows pictures of the data. */
async function listen(server: Server, port: number): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new VsslError(
          'ERR_VSSL_USAGE',
          `cannot listen on port ${port} (${error.code}): give another --port`,
          {
            details: { port },
            cause: error,
          },
        ),
      ),
    );
    server.listen(port, '127.0.0.1', resolve);
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** The newest of every section, and who is told of the next. */
class LiveReport {
  content: ReportContent;
  #version = 1;
  readonly #sections = new Map<string, { readonly version: number; readonly html: string }>();
  readonly #readers = new Set<ServerResponse>();

  constructor(content: ReportContent) {
    this.content = content;
    for (const { id, markup } of changingSections(content))
      this.#sections.set(id, { version: 1, html: markup.text });
  }

  get isTraining(): boolean {
    return this.content.runs.some(({ state }) => state === 'training');
  }

  update(runs: ReportContent['runs']): void {
    this.content = { ...this.content, runs };
    for (const { id, markup } of changingSections(this.content)) {
      if (this.#sections.get(id)?.html === markup.text) continue;
      this.#sections.set(id, { version: ++this.#version, html: markup.text });
      for (const reader of this.#readers) this.#send(reader, id);
    }
  }

  end(): void {
    for (const reader of this.#readers) reader.end('event: end\ndata: end\n\n');
    this.#readers.clear();
  }

  answer(request: IncomingMessage, response: ServerResponse): void {
    const { host = '' } = request.headers;
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    // a page of another name that leads here is none of ours
    if (!/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(host)) response.writeHead(403).end();
    else if (request.method !== 'GET') response.writeHead(405).end();
    else if (url.pathname === '/') {
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
      response.end(reportPage(this.content, { live: this.#version }));
    } else if (url.pathname === '/events')
      this.#follow(response, request.headers['last-event-id'] ?? url.searchParams.get('since'));
    else response.writeHead(404).end();
  }

  /** `known`: the last version that the reader has seen. */
  #follow(response: ServerResponse, known: unknown): void {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.write('retry: 2000\n\n');
    const since = Number(known);
    const seen = Number.isInteger(since) && since <= this.#version ? since : 0;
    for (const [id, { version }] of this.#sections) if (version > seen) this.#send(response, id);
    this.#readers.add(response);
    response.on('close', () => this.#readers.delete(response));
  }

  #send(reader: ServerResponse, id: string): void {
    const { version, html } = this.#sections.get(id)!;
    reader.write(`id: ${version}\nevent: section\ndata: ${JSON.stringify({ id, html })}\n\n`);
  }
}
