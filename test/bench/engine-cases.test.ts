// Batches that are embedded and training steps: what is verified, what a planted wrong result does, what is timed.
import test from 'ava';
import type { BenchCase } from '#src/bench/case.js';
import { embedCases } from '#src/bench/engine/embed.js';
import { runBench } from '#src/bench/run-bench.js';
import { stepCaseOf, stepCases } from '#src/cli/bench-steps.js';
import { formatBench } from '#src/cli/format-bench.js';
import { loadConfig } from '#src/methods/config.js';
import { loadEngine } from '#src/native/load.js';
import { withMethod } from '../helpers/with-method.js';

const run = async (one: BenchCase) => {
  const result = await runBench({ cases: [one], pairs: 1, threads: 1, python: null });
  return { row: result.rows[0]!, text: formatBench(result) };
};

const smallest = embedCases.find(({ parameters }) => parameters.arch === 'r3d_10')!;
const size = { clips: 2, frames: 4, size: 32 };
const embed: BenchCase = { ...smallest, parameters: { ...smallest.parameters, ...size }, small: undefined };
const step = stepCaseOf(
  'tiny',
  loadConfig({
    preset: 'simclr-tiny',
    set: ['train.batch=4', 'data.clip.frames=4', 'data.clip.size=32'],
  }),
);

test('every architecture is embedded, every small preset takes steps; names are unique', (t) => {
  const steps = stepCases();
  for (const cases of [embedCases, steps]) t.is(new Set(cases.map(({ name }) => name)).size, cases.length);
  for (const arch of ['r3d_18', 'r2plus1d_18', 'c3d'])
    for (const cases of [embedCases, steps])
      t.true(
        cases.some(({ parameters, peers }) => parameters.arch === arch && peers.length > 0),
        arch,
      );
});

test.serial('a batch is embedded beside its bare convolutions', async (t) => {
  const { row, text } = await run(embed);
  t.false(row.wrong);
  t.true(row.flops > 1e6);
  const { limit, seconds } = row.timing!;
  t.is(limit.kind, 'bare convolutions');
  t.true(row.flops / limit.perSecond < 10 * seconds);
  t.regex(text, /embed r3d_10/);
});

test.serial('a step tells where its time goes', async (t) => {
  const { row, text } = await run(step);
  t.false(row.wrong);
  t.is(row.clips, 8);
  const { stages, seconds } = row.timing!;
  t.deepEqual(Object.keys(stages!), ['forward', 'backward', 'losses', 'optimizer']);
  const sum = Object.values(stages!).reduce((all, part) => all + part, 0);
  t.true(sum > 0 && sum < 3 * seconds, `${sum} of ${seconds}`);
  t.regex(text, /forward .*, backward /);
});

test.serial('features that are wrong fail the check, and nothing is timed', async (t) => {
  const engine = loadEngine();
  const { createEncoder } = engine;
  t.teardown(() => {
    engine.createEncoder = createEncoder;
  });
  engine.createEncoder = async (spec) => {
    const encoder = await createEncoder.call(engine, spec);
    return withMethod(encoder, 'embed', async (...args) =>
      (await encoder.embed(...args)).map((value, i) => (i % 7 === 0 ? 1.2 : 1) * value),
    );
  };
  const { row, text } = await run(embed);
  t.true(row.wrong);
  t.is(row.timing, undefined);
  t.regex(text, /WRONG.*features off by/);
});

test.serial('a loss that is wrong fails the check, and nothing is timed', async (t) => {
  const engine = loadEngine();
  const { createSession } = engine;
  t.teardown(() => {
    engine.createSession = createSession;
  });
  engine.createSession = async (spec) => {
    const session = await createSession.call(engine, spec);
    const off = (spec as { precision: string }).precision === 'bf16' ? 1.1 : 1;
    return withMethod(session, 'step', async (...args) => {
      const result = await session.step(...args);
      return { ...result, losses: { ...result.losses, loss: off * result.losses.loss! } };
    });
  };
  const { row, text } = await run(step);
  t.true(row.wrong);
  t.is(row.timing, undefined);
  t.regex(text, /WRONG.*loss off by/);
});
