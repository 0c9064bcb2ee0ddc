/** The process of one run of a sweep: trains it, evaluates it, and tells the sweep of it. It goes when the sweep does. */
import { toVsslError } from '../errors.js';
import { evaluate } from '../eval/evaluate.js';
import { createKnnHook } from '../eval/knn-hook.js';
import { useEngine } from '../native/load.js';
import { loadMethods } from '../train/load-methods.js';
import { train } from '../train/train.js';
import type { CellWork, FromCell, ToCell } from './messages.js';

const stop = new AbortController();

function tell(message: FromCell): void {
  if (process.connected) process.send!(message);
}

/** The last message; the process ends when it is on its way. */
function tellLast(message: FromCell): void {
  if (!process.connected) process.exit(1);
  process.send!(message, () => process.exit(0));
}

async function work({ config, maxSteps, cores, methods, engine, ...rest }: CellWork): Promise<number> {
  if (engine !== null) useEngine(engine);
  for (const path of methods) await loadMethods(path);
  const { signal } = stop;
  let stepsDone = 0;
  if (rest.train) {
    const hook = createKnnHook(config);
    const run = train(config, { signal, cores, maxSteps, hooks: hook ? [hook] : [] });
    for await (const event of run) tell({ type: 'train', event });
    stepsDone = (await run.result).stepsDone;
  }
  const { threads: own, device } = config.train;
  const threads = own === 'auto' ? cores : own;
  for (const protocol of rest.protocols) {
    tell({ type: 'evaluate', protocol });
    await evaluate({ protocol, run: config.out!, ...rest.data, threads, device, signal });
  }
  return stepsDone;
}

process.on('message', (message: ToCell) => {
  if (message.type === 'stop') stop.abort();
  else
    work(message.work).then(
      (stepsDone) => tellLast({ type: 'end', stepsDone }),
      (error) => {
        if (stop.signal.aborted) return tellLast({ type: 'stopped' });
        const { code, message, details } = toVsslError(error);
        tellLast({ type: 'failed', code, message, details });
      },
    );
});

// A terminal's Ctrl-C reaches this process too: it ends with a checkpoint, as it does when the sweep asks for it.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => stop.abort());
process.once('disconnect', () => process.exit(1));
