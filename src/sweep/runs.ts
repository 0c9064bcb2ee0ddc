/** The runs of a sweep: which are done, and doing the others, several at once. */
import { join } from 'node:path';
import { abortReason } from '../checks.js';
import { exitCodeOf, toVsslError, VsslError } from '../errors.js';
import { findEvaluation } from '../eval/evaluate.js';
import type { DataOptions } from '../eval/evaluation-data.js';
import type { EvaluateOptions, Protocol } from '../eval/evaluation-options.js';
import { isMethodOfPackage, methodFile } from '../methods/registry.js';
import { ownEngine } from '../native/places.js';
import { lookAtRun } from '../train/run-state.js';
import { runCell } from './cell-run.js';
import type { CellWork, FromCell } from './messages.js';
import type { PlannedCell } from './plan-sweep.js';
import type { FailedCell, SweepEvent } from './result.js';
import type { DoneRun, RunEvaluation } from './summarise.js';

export interface RunsOptions {
  readonly seeds: number;
  readonly maxSteps: number | undefined;
  readonly jobs: number;
  /** Processors of one run. */
  readonly cores: number;
  readonly protocols: readonly Protocol[];
  readonly data: DataOptions | null;
  readonly signal: AbortSignal;
  readonly onEvent: (event: SweepEvent) => void;
}

interface SweptRun {
  readonly cell: PlannedCell;
  readonly seed: number;
  readonly folder: string;
  readonly config: PlannedCell['config'];
  /** Steps done before this call. */
  step: number;
  /** null: not known yet, or not done. */
  evaluations: readonly RunEvaluation[] | null;
  isTrained: boolean;
}

export class Runs {
  trained = 0;
  /** Those that were done already. */
  found = 0;
  readonly failures: FailedCell[] = [];
  readonly #runs: readonly SweptRun[];
  readonly #options: RunsOptions;
  readonly #methods: readonly string[];
  #begun = 0;

  /** The first seed of every cell comes first: a table of all cells is there early. */
  constructor(cells: readonly PlannedCell[], options: RunsOptions) {
    this.#options = options;
    this.#methods = ownMethods(cells);
    this.#runs = Array.from({ length: options.seeds }, (_, seed) => seed).flatMap((seed) =>
      cells.map((cell) => {
        const folder = join(cell.folder, `seed-${seed}`);
        const config = { ...cell.config, out: folder, train: { ...cell.config.train, seed } };
        return { cell, seed, folder, config, step: 0, evaluations: null, isTrained: false };
      }),
    );
  }

  /** What there is of each run. Throws ERR_VSSL_RESUME_MISMATCH for one of another configuration. */
  async look(): Promise<void> {
    for (const run of this.#runs) {
      const there = await lookAtRun(run.folder, run.config, this.#options.maxSteps);
      run.step = there?.step ?? 0;
      run.isTrained = there?.done ?? false;
    }
  }

  /**
   * Does all that are not done. Throws the signal's reason when all have stopped, and what is wrong with the
   * installation, which would stop each of them.
   */
  async all(): Promise<void> {
    const { jobs, signal } = this.#options;
    const ending = new AbortController();
    const stop = () => ending.abort(abortReason(signal));
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    const waiting = [...this.#runs];
    const work = async () => {
      for (let run = waiting.shift(); run && !ending.signal.aborted; run = waiting.shift())
        await this.#one(run, ending.signal).catch((error) => ending.abort(error));
    };
    try {
      await Promise.all(Array.from({ length: jobs }, work));
    } finally {
      signal.removeEventListener('abort', stop);
    }
    if (ending.signal.aborted) throw ending.signal.reason;
  }

  /** Of a cell, by seed. */
  doneOf(cell: PlannedCell): DoneRun[] {
    return this.#runs.flatMap(({ cell: of, seed, folder, evaluations }) =>
      of === cell && evaluations ? [{ seed, folder, evaluations }] : [],
    );
  }

  async #one(run: SweptRun, signal: AbortSignal): Promise<void> {
    const { cell, seed, folder, step } = run;
    const { onEvent, maxSteps, cores, data } = this.#options;
    const name = { cell: cell.name, seed };
    const state = run.isTrained ? 'found' : step > 0 ? 'continued' : 'new';
    const [number, total] = [++this.#begun, this.#runs.length];
    onEvent({ type: 'run', number, total, ...name, folder, state, step });
    try {
      const protocols = run.isTrained ? await this.#missing(run) : this.#options.protocols;
      if (!run.isTrained || protocols.length > 0) {
        const [methods, engine] = [this.#methods, ownEngine()];
        const { config } = run;
        const work: CellWork = {
          config,
          maxSteps,
          cores,
          train: !run.isTrained,
          protocols,
          data,
          methods,
          engine,
        };
        await runCell(work, { signal, onMessage: (message) => onEvent({ ...eventOf(message), ...name }) });
      }
      run.evaluations = await this.#evaluations(run);
      if (run.isTrained) this.found++;
      else this.trained++;
      onEvent({ type: 'done', ...name });
    } catch (error) {
      if (signal.aborted || exitCodeOf(error) === 3) throw error;
      const { code, message: reason } = toVsslError(error);
      this.failures.push({ ...name, code, reason });
      onEvent({ type: 'failed', ...name, code, reason });
    }
  }

  async #missing(run: SweptRun): Promise<Protocol[]> {
    const missing: Protocol[] = [];
    for (const protocol of this.#options.protocols)
      if (!(await findEvaluation(this.#evaluation(run, protocol)))) missing.push(protocol);
    return missing;
  }

  async #evaluations(run: SweptRun): Promise<RunEvaluation[]> {
    const found: RunEvaluation[] = [];
    for (const protocol of this.#options.protocols) {
      const result = await findEvaluation(this.#evaluation(run, protocol));
      if (!result)
        throw new VsslError(
          'ERR_VSSL_INTERNAL',
          `${run.folder} was evaluated (${protocol}), and its result cannot be found again`,
        );
      // of those that a sweep takes
      found.push(result as RunEvaluation);
    }
    return found;
  }

  #evaluation({ folder }: SweptRun, protocol: Protocol): EvaluateOptions {
    return { protocol, run: folder, ...this.#options.data } as EvaluateOptions;
  }
}

function eventOf(message: FromCell) {
  if (message.type !== 'train' && message.type !== 'evaluate')
    throw new VsslError('ERR_VSSL_INTERNAL', `a run told of '${message.type}'`);
  return message;
}

/** Modules of the methods that are not the package's: a process of its own has to load them. Throws ERR_VSSL_METHOD. */
function ownMethods(cells: readonly PlannedCell[]): string[] {
  const names = [...new Set(cells.map(({ config }) => config.method))];
  const own = names.filter((name) => !isMethodOfPackage(name));
  return [...new Set(own.map((name) => methodFile(name) ?? noFile(name)))];
}

function noFile(name: string): never {
  throw new VsslError(
    'ERR_VSSL_METHOD',
    `the method '${name}' is known to this process alone, and a sweep trains in others: name its module, registerMethod(${name}, file), or --methods FILE`,
    { details: { method: name } },
  );
}
