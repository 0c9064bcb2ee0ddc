// What the tools show to somebody at a terminal: a question, and how far a download is.
import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';
import { log, ToolError } from './common.mjs';

/** Between two lines where none can be drawn again. */
const PLAIN_MS = 10_000;
const REDRAW_MS = 100;

/** Says what is going to be done, and goes on where that is agreed to: with `yes`, or by whoever is at the terminal. */
export async function agree(plan, { yes = false, input = process.stdin, output = process.stderr } = {}) {
  output.write(`${plan}\n`);
  if (yes) return;
  if (!input.isTTY || !output.isTTY)
    throw new ToolError(
      'nobody is at a terminal to agree to that: add --yes to do it without asking',
      2,
      'ERR_VSSL_USAGE',
    );
  const questions = createInterface({ input, output });
  // Ctrl-C and Ctrl-D end the input, and the question has no answer then.
  const ended = once(questions, 'close').then(() => 'no');
  const answer = await Promise.race([questions.question('Go on? [Y/n] ').catch(() => 'no'), ended]);
  questions.close();
  if (/^\s*(y(es)?)?\s*$/i.test(answer)) return;
  throw new ToolError('nothing was done', 130, 'ERR_VSSL_ABORTED');
}

export const megabytes = (bytes) =>
  bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.ceil(bytes / 1e6)} MB`;

/** `update(done, total)` draws a bar of bytes, or writes a line now and then; `end()` leaves the terminal as it should be. */
export function progressBar(output = process.stderr, env = process.env) {
  const canRedraw = output.isTTY && !env.CI && env.TERM !== 'dumb';
  const start = performance.now();
  let [shown, from] = [start, null];
  return {
    update(done, total) {
      from ??= done;
      const now = performance.now();
      if (now - shown < (canRedraw ? REDRAW_MS : PLAIN_MS)) return;
      shown = now;
      const rate = (done - from) / ((now - start) / 1000);
      const part = total > 0 ? done / total : 0;
      const bar = `[${'#'.repeat(Math.round(20 * part)).padEnd(20, '.')}]`;
      const left = total > 0 && rate > 0 ? `, ${Math.ceil((total - done) / rate)} s left` : '';
      const of = total > 0 ? ` of ${megabytes(total)}` : '';
      const line = `${megabytes(done)}${of}, ${(rate / 1e6).toFixed(1)} MB/s${left}`;
      if (canRedraw) output.write(`\r\x1b[K${bar} ${line}`.slice(0, (output.columns ?? 80) + 3));
      else log(`  ${line}`);
    },
    end() {
      if (canRedraw) output.write('\r\x1b[K');
    },
  };
}
