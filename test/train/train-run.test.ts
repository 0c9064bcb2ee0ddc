import { spawnSync } from 'node:child_process';
import test from 'ava';
import type { TrainEvent, TrainResult } from '#src/train/events.js';
import { TrainRun } from '#src/train/train-run.js';

const result = { step: 2 } as TrainResult;
const warning = (message: string): TrainEvent => ({ type: 'warning', message });
const tick = () => new Promise((resolve) => setImmediate(resolve));

test('events come in order, then iteration ends', async (t) => {
  const run = new TrainRun(async (emit) => {
    emit(warning('a'));
    await tick();
    emit(warning('b'));
    return result;
  });
  const seen: string[] = [];
  for await (const event of run) seen.push((event as { message: string }).message);
  t.deepEqual(seen, ['a', 'b']);
  t.is(await run.result, result);
});

test('a run can be awaited without anyone listening', async (t) => {
  const run = new TrainRun(async (emit) => {
    for (let i = 0; i < 20_000; i++) emit(warning(String(i)));
    return result;
  });
  t.is(await run, result);
});

test('iteration throws what the run throws, after the events before it', async (t) => {
  const run = new TrainRun(async (emit) => {
    emit(warning('a'));
    await tick();
    throw new Error('broken');
  });
  const seen: TrainEvent[] = [];
  await t.throwsAsync(
    async () => {
      for await (const event of run) seen.push(event);
    },
    { message: 'broken' },
  );
  t.is(seen.length, 1);
  await t.throwsAsync(run.result, { message: 'broken' });
});

/** How a program ends whose failing run is used as `use` says; `caught` is what its own handlers saw. */
function endOf(use: string): { status: number | null; caught: string; stderr: string } {
  const program = `
    import { TrainRun } from ${JSON.stringify(import.meta.resolve('#src/train/train-run.js'))};
    const tick = (ms = 5) => new Promise((resolve) => setTimeout(resolve, ms));
    const run = new TrainRun(async (emit) => {
      emit({ type: 'warning', message: 'a' });
      await tick(30);
      throw new Error('broken');
    });
    const say = (error) => console.log(error.message);
    ${use}
    await tick(60);`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
  });
  return { status, caught: stdout.trim(), stderr };
}

test('the failure of a run that nobody listens to is an unhandled rejection', (t) => {
  const uses = {
    'nothing at all': '',
    'an iterator that was never asked': 'run[Symbol.asyncIterator]();',
    'an iteration that was left': 'for await (const event of run) break;',
    'a property': 'const { result } = run;',
  };
  for (const [name, use] of Object.entries(uses)) {
    const { status, stderr } = endOf(use);
    t.is(status, 1, name);
    t.regex(stderr, /broken/, name);
  }
});

test('whoever awaits or iterates has seen the failure: either is enough', (t) => {
  const uses = {
    'the run awaited': 'await run.then(null, say);',
    'its result awaited': 'try { await run.result; } catch (error) { say(error); }',
    'iterated over': 'try { for await (const event of run); } catch (error) { say(error); }',
    'iterated over by a slow consumer':
      'try { for await (const event of run) await tick(45); } catch (error) { say(error); }',
    'left, then awaited': 'for await (const event of run) break; await run.result.catch(say);',
    'iterated over in the background': '(async () => { for await (const event of run); })().catch(say);',
  };
  for (const [name, use] of Object.entries(uses)) {
    const { status, caught, stderr } = endOf(use);
    t.is(status, 0, `${name}: ${stderr}`);
    t.is(caught, 'broken', name);
  }
});
