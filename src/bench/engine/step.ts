/** Training steps on one batch that stays in memory. */

import { VsslError } from '../../errors.js';
import type { NativeSession, NativeStepResult } from '../../native/bindings.js';
import { loadEngine } from '../../native/load.js';
import type { BenchCase, Check, Parameters, PeerSpec, Workload } from '../case.js';
import { median } from '../statistics.js';
import { clipInput, weightInputs } from './inputs.js';

/** What a step is made of, as the engine takes it. */
export interface StepSource {
  /** Of the session. */
  readonly spec: Readonly<Record<string, unknown>>;
  /** Of the batch. */
  readonly plan: object;
  /** Numbers that the step is told. */
  readonly hyper: Readonly<Record<string, number>>;
}

export interface StepOptions {
  /** Such as `simclr-tiny`. */
  readonly name: string;
  readonly parameters: Parameters;
  readonly open: () => Promise<StepSource>;
  readonly peers: readonly Omit<PeerSpec, 'tolerance'>[];
}

/**
 * How far a loss may be from the same in fp32, or by another library, relative to it. In bf16 every layer rounds, and
 * the BatchNorm of a head enlarges it where clips are few.
 */
function toleranceOf({ precision, batch }: Parameters): number {
  return precision === 'bf16' ? Math.max(0.01, 0.2 / Number(batch)) : 1e-4;
}

export function stepCase({ name, parameters, open, peers }: StepOptions): BenchCase {
  const tolerance = toleranceOf(parameters);
  return {
    name: `step ${name}`,
    kernel: 'step',
    parameters,
    prepare: async () => prepare(await open(), tolerance),
    flops: 0,
    bytes: 0,
    limit: 'network passes',
    verified: 'the loss, beside that in fp32 and that of a second step from the same weights',
    peers: peers.map((peer) => ({ ...peer, tolerance })),
  };
}

async function prepare({ spec, plan, hyper }: StepSource, tolerance: number): Promise<Workload> {
  const engine = loadEngine('cpu');
  const loader = engine.createLoader({ threads: 1, cacheBytes: 2 ** 28 });
  const { batch, failures } = await loader.load(plan).finally(() => loader.dispose());
  if (failures.length > 0)
    throw new VsslError('ERR_VSSL_INTERNAL', `no batch to train on: ${failures[0]!.reason}`);
  const session = await engine.createSession(spec);
  const state = await session.exportState();
  const weights = state
    .filter(({ name }) => name.startsWith('model/'))
    .map((tensor) => ({ ...tensor, name: tensor.name.slice('model/'.length).replaceAll('/', '.') }));
  const views = batch.views().filter(({ shape }) => shape.length === 5);
  const clips = Object.fromEntries(views.map(({ name }) => [name, clipInput(batch, name)]));
  const taken: NativeStepResult[] = [];
  let loss = Number.NaN;
  const step = async (of: NativeSession, threads: number) => {
    engine.setThreads(threads);
    const result = await of.step(batch, hyper);
    if (!result.finite) throw new VsslError('ERR_VSSL_NON_FINITE', 'a step of the benchmark was not finite');
    return result;
  };
  return {
    inputs: { ...clips, ...weightInputs('model', weights) },
    async run(threads) {
      taken.push(await step(session, threads));
    },
    outputs: () => ({ loss: Float32Array.of(loss) }),
    limitSeconds: async () => passesOf(taken.at(-1)!),
    work: () => ({ clips: views.reduce((sum, { shape }) => sum + shape[0]!, 0) }),
    async verify(threads): Promise<Check[]> {
      loss = (await step(session, threads)).losses.loss!;
      await session.importState(state);
      const again = (await step(session, threads)).losses.loss!;
      await session.importState(state);
      const plain = await engine.createSession({ ...spec, precision: 'fp32' });
      const exact = (await step(plain, threads)).losses.loss!;
      plain.dispose();
      return [
        { what: 'loss of the same step again', error: Math.abs(again - loss), tolerance: 0 },
        { what: 'loss', error: Math.abs(loss - exact), tolerance: tolerance * Math.max(1, Math.abs(exact)) },
      ];
    },
    stages: () => stagesOf(taken.splice(0)),
    dispose() {
      batch.dispose();
      session.dispose();
    },
  };
}

const passesOf = ({ forwardSeconds, backwardSeconds }: NativeStepResult) => forwardSeconds + backwardSeconds;

function stagesOf(steps: readonly NativeStepResult[]) {
  const of = (seconds: (step: NativeStepResult) => number) => median(steps.map(seconds));
  return {
    forward: of((step) => step.forwardSeconds),
    backward: of((step) => step.backwardSeconds),
    losses: of((step) => step.lossSeconds),
    optimizer: of((step) => step.optimizerSeconds),
  };
}
