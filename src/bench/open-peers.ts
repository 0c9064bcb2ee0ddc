import { type Allocator, DEFAULT_ALLOCATOR, findAllocators } from './allocators.js';
import type { BenchCase, PeerSpec, Workload } from './case.js';
import { type OpenPeer, PeerProcess } from './peer.js';
import type { PeerTurns } from './rounds.js';
import { type Candidate, fastest, type TriedPeer, tryCandidates } from './trial.js';
import { relativeDistance } from './vectors.js';
import { olderThanNamed } from './versions.js';

/** A peer that gives what ours gives, with the allocator that suits it best. */
export interface ReadyPeer {
  readonly spec: PeerSpec;
  readonly peer: OpenPeer;
  readonly distance: number;
  /** Name of the one chosen. */
  readonly allocator?: string;
}

export interface OpenedPeers {
  readonly ready: readonly ReadyPeer[];
  readonly absent: readonly { readonly spec: PeerSpec; readonly reason: string }[];
}

export interface PeersOptions {
  /** The interpreter that runs them; null: none are opened. */
  readonly python: string | null;
  /** Folder with peer modules, before the package's own. */
  readonly peerModules?: string;
  /** To be tried; those of this machine. */
  readonly allocators?: readonly Allocator[];
  readonly signal?: AbortSignal;
  readonly onStage?: (text: string) => void;
  /** What the peers print. */
  readonly onPeerLog?: (line: string) => void;
}

/** A ready peer with the processes in which it runs. */
interface RunningPeer extends ReadyPeer, PeerTurns {
  readonly processes: readonly PeerProcess[];
}

/** What a case's peers came to, those that run with their turns. */
export interface RunningPeers extends OpenedPeers {
  readonly ready: readonly RunningPeer[];
}

/** Why a peer does not run. */
class Absence extends Error {}

/**
 * The children that run the peers of one case: one for each allocator, because it is chosen when a process starts, and
 * again when a peer took its process down.
 */
export class Peers {
  readonly #options: PeersOptions;
  readonly #allocators: readonly Allocator[];
  readonly #processes = new Map<Allocator, PeerProcess>();

  constructor(options: PeersOptions) {
    this.#options = options;
    this.#allocators = options.allocators ?? (options.python === null ? [] : findAllocators());
  }

  get pids(): number[] {
    return [...this.#processes.values()].flatMap(({ pid, alive }) =>
      alive && pid !== undefined ? [pid] : [],
    );
  }

  /** Makes a case's peers ready and compares what they give with what ours gave last. */
  async open(one: BenchCase, workload: Workload, threads: number): Promise<RunningPeers> {
    let ready: RunningPeer[] = [];
    const absent: { spec: PeerSpec; reason: string }[] = [];
    for (const spec of this.#options.python === null ? [] : one.peers) {
      this.#options.onStage?.(`${one.name}: making ${spec.name} ready`);
      let reason = '';
      try {
        ready.push(await this.#openOne(spec, one, workload, threads));
      } catch (error) {
        if (this.#options.signal?.aborted) throw error;
        reason = (error as Error).message;
        absent.push({ spec, reason });
      }
      // those that were ready in a process have gone with it
      const isAlive = ({ processes }: RunningPeer) => processes.every(({ alive }) => alive);
      for (const gone of ready.filter((peer) => !isAlive(peer)))
        absent.push({ spec: gone.spec, reason: `ended by ${spec.name}, which ${reason || 'failed'}` });
      ready = ready.filter(isAlive);
    }
    return { ready, absent };
  }

  /** Ends the children; the next case begins with new ones, whose memory and compilers are fresh. */
  async stop(): Promise<void> {
    const all = [...this.#processes.values()];
    this.#processes.clear();
    await Promise.all(all.map((process) => process.stop()));
  }

  async #openOne(spec: PeerSpec, one: BenchCase, workload: Workload, threads: number): Promise<RunningPeer> {
    const { candidates, distance, failure } = await this.#openCandidates(spec, one, workload, threads);
    let last = failure;
    const tried = await tryCandidates(candidates, ({ allocator }, error) => {
      this.#options.onPeerLog?.(`${spec.name} with ${allocator.name}: ${error.message}`);
      last = `failed while it was timed: ${error.message}`;
    });
    const best = fastest(tried);
    if (!best) throw new Absence(last);
    const byDefault = tried.find((other) => other.allocator === DEFAULT_ALLOCATOR && other !== best);
    for (const { process, peer } of tried)
      if (peer !== best.peer && peer !== byDefault?.peer && process.alive) await process.close(peer);
    const turns =
      ({ process, peer, plan }: TriedPeer) =>
      () =>
        process.takeTurn(peer, plan);
    return {
      ...{ spec, peer: best.peer, distance, allocator: best.allocator.name },
      processes: [best, ...(byDefault ? [byDefault] : [])].map(({ process }) => process),
      take: turns(best),
      ...(byDefault && { takeByDefault: turns(byDefault) }),
    };
  }

  /** The peer in the process of every allocator in which it runs, each of which gives what ours gives. */
  async #openCandidates(spec: PeerSpec, one: BenchCase, workload: Workload, threads: number) {
    const candidates: Candidate[] = [];
    let distance = 0;
    let failure = '';
    for (const allocator of this.#allocators) {
      try {
        const process = await this.#processOf(allocator);
        const peer = await process.open(spec, one.parameters, workload.inputs, threads);
        if ('unavailable' in peer) throw new Absence(peer.unavailable);
        const old = olderThanNamed(peer.version);
        if (old !== null) throw new Absence(old);
        const found = furthest(await process.outputs(peer), workload.outputs());
        if (!(found <= spec.tolerance))
          throw new Absence(
            `gives something else: off by ${found.toExponential(1)}, ${spec.tolerance} allowed`,
          );
        distance = Math.max(distance, found);
        candidates.push({ allocator, process, peer });
      } catch (error) {
        // what it lacks or gives does not depend on the allocator; that its process ended may
        if (error instanceof Absence || this.#options.signal?.aborted) throw error;
        failure = (error as Error).message;
      }
    }
    return { candidates, distance, failure };
  }

  async #processOf(allocator: Allocator): Promise<PeerProcess> {
    const known = this.#processes.get(allocator);
    if (known?.alive) return known;
    await known?.stop();
    const { python, peerModules: modules, onPeerLog: onLog } = this.#options;
    const made = new PeerProcess({ python: python!, modules, onLog, env: allocator.env });
    this.#processes.set(allocator, made);
    return made;
  }
}

/** Of all outputs; NaN when one is missing. */
function furthest(
  theirs: Readonly<Record<string, Float32Array>>,
  ours: Readonly<Record<string, Float32Array>>,
): number {
  const distances = Object.entries(ours).map(([name, values]) =>
    relativeDistance(theirs[name] ?? [], values),
  );
  return Math.max(0, ...distances);
}
