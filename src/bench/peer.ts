import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { isFloat32Array } from '../checks.js';
import { VsslError } from '../errors.js';
import { packageRoot } from '../native/load.js';
import type { BenchInput, Parameters } from './case.js';
import type { TurnPlan } from './turn.js';

export interface PeerOptions {
  /** The Python interpreter. */
  readonly python: string;
  /** Folder with peer modules, before the package's own. */
  readonly modules?: string;
  /** What the environment of the child has besides that of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Lines that the child prints beside its answers. */
  readonly onLog?: (line: string) => void;
}

/** Why a peer does not run: its library is missing, or it needs more than there is. */
export interface Unavailable {
  readonly unavailable: string;
}

/** A peer made ready with the inputs of one case. */
export interface OpenPeer {
  readonly handle: number;
  /** Of the libraries that it uses. */
  readonly version: string;
  /** What else is to be known of it. */
  readonly note?: string;
}

type Answer = Readonly<Record<string, unknown>>;

/** A Python child that runs other libraries' kernels, one command at a time (benchmarks/peers/peer.py). */
export class PeerProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  /** Where arrays are handed over; removed by stop(). */
  readonly folder = mkdtempSync(join(tmpdir(), 'vssl-bench-'));
  readonly #ended: Promise<string>;
  readonly #written = new Map<string, BenchInput['data']>();
  #waiting: ((answer: Answer) => void) | null = null;
  #stopped = false;
  #ending: string | null = null;

  constructor({ python, modules, env, onLog }: PeerOptions) {
    const server = join(packageRoot, 'benchmarks', 'peers', 'peer.py');
    const path = [modules, process.env.PYTHONPATH].filter(Boolean).join(delimiter);
    this.#child = spawn(python, ['-u', server], {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true, // a Ctrl-C is ours to answer; the child ends with its stdin
      env: { ...process.env, ...env, ...(path && { PYTHONPATH: path }), PYTHONDONTWRITEBYTECODE: '1' },
    });
    eachLine(this.#child.stdout, (line) => this.#take(line));
    let last = '';
    eachLine(this.#child.stderr, (line) => {
      last = line;
      onLog?.(line);
    });
    this.#child.stdin.on('error', () => {}); // told by 'close'
    this.#ended = new Promise((resolve) => {
      const end = (reason: string) => {
        this.#ending ??= reason;
        resolve(this.#ending);
      };
      this.#child.on('error', (error) => end(`could not start '${python}': ${error.message}`));
      this.#child.on('close', (code, signal) =>
        end(`${python} ended with ${signal ?? `exit code ${code}`}${last ? `: ${last}` : ''}`),
      );
    });
  }

  /** Of the child; undefined when it could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Whether the child can still be asked. */
  get alive(): boolean {
    return this.#ending === null && !this.#stopped;
  }

  async open(
    peer: { readonly module: string; readonly name: string },
    parameters: Parameters,
    inputs: Readonly<Record<string, BenchInput>>,
    threads: number,
  ): Promise<OpenPeer | Unavailable> {
    const files = Object.entries(inputs).map(([name, input]) => [name, this.#write(name, input)]);
    const { module, name } = peer;
    const answer = await this.#ask({
      do: 'open',
      module,
      peer: name,
      parameters,
      inputs: Object.fromEntries(files),
      threads,
    });
    if (typeof answer.unavailable === 'string') return { unavailable: answer.unavailable };
    const { handle, version, note } = answer as unknown as OpenPeer;
    return { handle, version, ...(note && { note }) };
  }

  /** Runs once and gives what came out. */
  async outputs({ handle }: OpenPeer): Promise<Record<string, Float32Array>> {
    const { outputs } = await this.#ask({ do: 'outputs', handle, folder: this.folder });
    const files = Object.entries(outputs as Record<string, { path: string }>);
    return Object.fromEntries(files.map(([name, { path }]) => [name, readFloats(path)]));
  }

  /** Seconds per call of one turn. */
  async takeTurn({ handle }: OpenPeer, { repeats, warm }: TurnPlan): Promise<number> {
    const { seconds } = await this.#ask({ do: 'run', handle, repeats, warm });
    return (seconds as number) / repeats;
  }

  async close({ handle }: OpenPeer): Promise<void> {
    await this.#ask({ do: 'close', handle });
  }

  /** Ends the child and removes its files. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#child.stdin.end();
    this.#child.kill();
    await this.#ended;
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Throws ERR_VSSL_BENCH_PEER when the child says so or ends. */
  async #ask(request: object): Promise<Answer> {
    if (this.#waiting) throw new VsslError('ERR_VSSL_INTERNAL', 'one command at a time');
    const answered = new Promise<Answer>((resolve) => {
      this.#waiting = resolve;
    });
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    const answer = await Promise.race([answered, this.#ended]);
    this.#waiting = null;
    if (typeof answer === 'string') throw new VsslError('ERR_VSSL_BENCH_PEER', answer);
    if (answer.error !== undefined) throw new VsslError('ERR_VSSL_BENCH_PEER', String(answer.error));
    return answer;
  }

  #take(line: string): void {
    try {
      this.#waiting?.(JSON.parse(line));
    } catch {
      this.#waiting?.({ error: `not an answer: ${line}` });
    }
  }

  #write(name: string, { data, shape }: BenchInput): object {
    const path = join(this.folder, `${name}.in`);
    // the peers of one case read the same arrays
    if (this.#written.get(name) !== data)
      writeFileSync(path, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    this.#written.set(name, data);
    return { path, dtype: isFloat32Array(data) ? 'float32' : 'uint8', shape };
  }
}

function readFloats(path: string): Float32Array {
  const { buffer, byteOffset, byteLength } = readFileSync(path);
  return new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
}

function eachLine(stream: Readable, take: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    lines.filter(Boolean).forEach(take);
  });
}
