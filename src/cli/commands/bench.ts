import type { Command } from 'commander';
import type { BenchCase } from '../../bench/case.js';
import type { BenchResult, BenchTopic } from '../../bench/result.js';
import { VsslError } from '../../errors.js';
import { checkOutFile, writeResultFile } from '../../weights/atomic-write.js';
import { parseCount, unlessStopped } from '../action-helpers.js';
import { type ActionContext, addCommonOptions, runAction } from '../run-action.js';
import { percent } from '../table.js';
import { RedrawnLine } from '../terminal.js';

interface BenchFlags {
  readonly data?: string;
  readonly filter?: string;
  readonly peers?: boolean | string;
  readonly python?: string;
  readonly pairs?: number;
  readonly threads?: number;
  readonly out?: string;
  readonly add?: boolean;
  readonly list?: boolean;
}

/** What is timed by one of the commands. */
interface Topic {
  readonly what: BenchTopic;
  readonly description: string;
  readonly pairs: number;
  /** When nobody says; 0: one per physical core. */
  readonly threads: readonly number[];
  readonly open: (flags: BenchFlags) => Promise<OpenTopic>;
  /** What --data is, where there is one. */
  readonly data?: string;
  /** What a check that failed means. */
  readonly wrong: string;
}

/** The cases of a topic; `close` removes what they made. */
interface OpenTopic {
  readonly cases: readonly BenchCase[];
  close?(): Promise<void>;
}

const TOPICS: readonly Topic[] = [
  {
    what: 'kernels',
    description: 'the kernels, each as a fraction of what this machine can do and beside other libraries',
    pairs: 30,
    threads: [0],
    open: async () => ({ cases: (await import('../../bench/cases/index.js')).benchCases }),
    wrong: 'a kernel does not give what its double-precision twin gives',
  },
  {
    what: 'step',
    description: 'training steps of the small presets and of large networks, beside PyTorch',
    pairs: 10,
    threads: [1, 0],
    open: async () => ({ cases: (await import('../bench-steps.js')).stepCases() }),
    wrong: 'a step does not give the loss that it should',
  },
  {
    what: 'loader',
    description:
      'clips of videos, copies and pictures in memory, beside decoding alone and libraries of Python',
    pairs: 10,
    threads: [1, 0],
    open: async ({ data }) => (await import('../bench-loader.js')).openLoaderBench(data ?? null),
    data: 'videos to load, 16 of them (default: some that are made)',
    wrong: 'a clip is not what it should be',
  },
  {
    what: 'embed',
    description: 'clips to features, beside the bare convolutions of the network and PyTorch',
    pairs: 10,
    threads: [1, 0],
    open: async () => ({ cases: (await import('../../bench/engine/embed.js')).embedCases }),
    wrong: 'an encoder does not give the features that it should',
  },
];

/** `vssl-native bench kernels|step|loader|embed`: verifies, then times in turn with limits and with peers. */
export function registerBench(program: Command): void {
  const group = program.command('bench').description('verify, then time');
  for (const topic of TOPICS) {
    const command = addCommonOptions(group.command(topic.what)).description(topic.description);
    if (topic.data !== undefined) command.option('--data <path>', topic.data);
    command
      .option('--filter <regexp>', 'only cases whose name matches')
      .option(
        '--peers [regexp]',
        'also run the other libraries that Python has, or those that match, in turn with ours',
      )
      .option('--python <program>', 'interpreter that has them (default: $VSSL_PYTHON, or python3)')
      .option('--pairs <n>', `rounds of turns in alternation (default: ${topic.pairs})`, parseCount)
      .option('--threads <n>', `of both sides (default: ${threadsText(topic)})`, parseCount)
      .option('--out <file>', 'write the result as JSON, too')
      .option('--add', 'rows that --out has already stay, where this run takes no new ones')
      .option('--list', 'only name the cases')
      .action(
        runAction<BenchFlags>(async (context, flags) => {
          const { cases, close } = await topic.open(flags);
          try {
            return await bench(topic, cases, context, flags);
          } finally {
            await close?.();
          }
        }),
      );
  }
}

function threadsText({ threads }: Topic): string {
  return threads.length > 1 ? '1, then one per physical core' : 'one per physical core';
}

async function bench(topic: Topic, all: readonly BenchCase[], context: ActionContext, flags: BenchFlags) {
  const cases = chooseCases(all, flags);
  if (flags.list) {
    const { formatCases } = await import('../format-bench.js');
    context.print(formatCases(cases));
    return {
      cases: cases.map(({ name, kernel, parameters, limit, peers }) => ({
        ...{ name, kernel, parameters, limit, peers },
      })),
    };
  }
  const earlier = await checkOut(topic, flags);
  const result = await timeCases(topic, cases, context, flags);
  if (flags.out !== undefined) {
    const whole = earlier ? await addTo(all, earlier, result) : result;
    await writeResultFile(flags.out, `${JSON.stringify(whole, null, 2)}\n`);
    context.logger.info(`written to ${flags.out}`);
  }
  if (result.rows.some(({ wrong }) => wrong)) {
    context.logger.error(topic.wrong);
    process.exitCode = 1;
  }
  return result;
}

/** Before anything is timed: whether --out can be written, and the result in it to which --add adds. */
async function checkOut(
  { what, pairs: usual }: Topic,
  { out, add, pairs = usual }: BenchFlags,
): Promise<BenchResult | null> {
  if (add && out === undefined) throw new VsslError('ERR_VSSL_USAGE', '--add expected --out FILE, to add to');
  if (out === undefined) return null;
  await checkOutFile(out, '--out');
  if (!add) return null;
  const { readEarlierResult } = await import('../../bench/earlier-result.js');
  return readEarlierResult(out, { what, pairs });
}

async function addTo(
  all: readonly BenchCase[],
  earlier: BenchResult,
  result: BenchResult,
): Promise<BenchResult> {
  const { addRows } = await import('../../bench/earlier-result.js');
  return addRows(
    earlier,
    result,
    all.map(({ name }) => name),
  );
}

/** The cases that --filter names, with the peers that --peers names. */
function chooseCases(all: readonly BenchCase[], { filter, peers }: BenchFlags): BenchCase[] {
  const wanted = toPattern('--filter', filter);
  const others = toPattern('--peers', typeof peers === 'string' ? peers : '');
  const cases = all
    .filter(({ name }) => wanted.test(name))
    .map((one) => ({ ...one, peers: one.peers.filter(({ name }) => others.test(name)) }));
  if (cases.length === 0)
    throw new VsslError('ERR_VSSL_USAGE', `no case matches --filter '${filter}'; --list names them all`);
  return cases;
}

async function timeCases(
  topic: Topic,
  cases: readonly BenchCase[],
  { logger, print, signal }: ActionContext,
  { pairs = topic.pairs, threads, peers, python }: BenchFlags,
): Promise<BenchResult> {
  const { formatBench, formatSeconds } = await import('../format-bench.js');
  const { runBench } = await import('../../bench/run-bench.js');
  const status = new RedrawnLine(process.stderr);
  const result = await unlessStopped(
    signal,
    runBench({
      ...{ what: topic.what, cases, pairs, signal },
      threads: threads ?? topic.threads,
      python: peers ? (python ?? (process.env.VSSL_PYTHON || 'python3')) : null,
      onStage: (text) => status.show(text),
      onRow: ({ name, threads: used, timing }) => {
        status.clear();
        logger.info(`${name}, threads ${used}: ${timing ? formatSeconds(timing.seconds) : 'WRONG'}`);
      },
      onPeerLog: logger.debug,
    }).finally(() => status.clear()),
  );
  print(formatBench(result));
  const busy = Math.max(...result.rows.map(({ timing }) => timing?.others ?? 0));
  if (result.rows.some(({ timing }) => timing?.noisy))
    logger.warn(
      `some rows are noisy and claim nothing; other processes used up to ${percent(busy)} % of the processors`,
    );
  return result;
}

function toPattern(option: string, text = ''): RegExp {
  try {
    return new RegExp(text, 'i');
  } catch (error) {
    throw new VsslError('ERR_VSSL_USAGE', `${option}: ${(error as Error).message}`);
  }
}
