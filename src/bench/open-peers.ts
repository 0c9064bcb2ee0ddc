import type { BenchCase, PeerSpec, Workload } from './case.js';
import { type OpenPeer, PeerProcess } from './peer.js';
import { relativeDistance } from './vectors.js';

/** A peer that gives what ours gives. */
export interface ReadyPeer {
  readonly spec: PeerSpec;
  readonly peer: OpenPeer;
  readonly distance: number;
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
  readonly signal?: AbortSignal;
  readonly onStage?: (text: string) => void;
  /** What the peers print. */
  readonly onPeerLog?: (line: string) => void;
}

/** The child that runs the peers: started when first needed, and again when one of them took it down. */
export class Peers {
  process: PeerProcess | null = null;
  readonly #options: PeersOptions;

  constructor(options: PeersOptions) {
    this.#options = options;
  }

  /** Makes a case's peers ready and compares what they give with what ours gave last. */
  async open(one: BenchCase, workload: Workload, threads: number): Promise<OpenedPeers> {
    const { python, peerModules: modules, onPeerLog: onLog, onStage } = this.#options;
    const ready: ReadyPeer[] = [];
    const absent: { spec: PeerSpec; reason: string }[] = [];
    for (const spec of python === null ? [] : one.peers) {
      onStage?.(`${one.name}: making ${spec.name} ready`);
      if (!this.process?.alive) {
        await this.process?.stop();
        this.process = new PeerProcess({ python: python!, modules, onLog });
      }
      try {
        const peer = await this.process.open(spec, one.parameters, workload.inputs, threads);
        if ('unavailable' in peer) {
          absent.push({ spec, reason: peer.unavailable });
          continue;
        }
        const distance = furthest(await this.process.outputs(peer), workload.outputs());
        if (distance <= spec.tolerance) ready.push({ spec, peer, distance });
        else {
          await this.process.close(peer);
          absent.push({
            spec,
            reason: `gives something else: off by ${distance.toExponential(1)}, ${spec.tolerance} allowed`,
          });
        }
      } catch (error) {
        if (this.#options.signal?.aborted) throw error;
        absent.push({ spec, reason: (error as Error).message });
        // those that were ready have gone with the child
        if (!this.process.alive)
          for (const { spec: gone } of ready.splice(0))
            absent.push({ spec: gone, reason: `ended by ${spec.name}` });
      }
    }
    return { ready, absent };
  }

  async close({ ready }: OpenedPeers): Promise<void> {
    for (const { peer } of ready) if (this.process?.alive) await this.process.close(peer);
  }

  async stop(): Promise<void> {
    await this.process?.stop();
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
