/** Which of several processes that train together this one is, as the launcher's environment says. */
import { hostname } from 'node:os';
import { checkBoolean, checkCount, checkText, requireOptions } from '../checks.js';
import { invalidArgument, VsslError } from '../errors.js';

export interface RankPlace {
  readonly rank: number;
  /** Ranks in all. */
  readonly size: number;
  /** Among those of this machine, and how many these are. */
  readonly localRank: number;
  readonly localSize: number;
  /** Of rank 0. */
  readonly address: string;
  readonly port: number;
  /** The launcher keeps the store at that address. */
  readonly served: boolean;
  /** What tells this run from others that meet at the same address. */
  readonly run: string;
}

interface Launcher {
  readonly name: string;
  readonly rank: string;
  readonly size: string;
  readonly localRank: string;
  readonly localSize: string;
  /** Must be there as well: where it is not, the others mean something else. */
  readonly mark?: string;
}

/** In the order in which they count: torchrun and PyTorchJob, srun, Open MPI, others with PMI. */
const LAUNCHERS: readonly Launcher[] = [
  {
    name: 'torchrun',
    rank: 'RANK',
    size: 'WORLD_SIZE',
    localRank: 'LOCAL_RANK',
    localSize: 'LOCAL_WORLD_SIZE',
  },
  {
    name: 'srun',
    rank: 'SLURM_PROCID',
    size: 'SLURM_NTASKS',
    localRank: 'SLURM_LOCALID',
    localSize: 'SLURM_NTASKS_PER_NODE',
    mark: 'SLURM_STEP_ID', // a batch script has the others too, and is one process
  },
  {
    name: 'mpirun',
    rank: 'OMPI_COMM_WORLD_RANK',
    size: 'OMPI_COMM_WORLD_SIZE',
    localRank: 'OMPI_COMM_WORLD_LOCAL_RANK',
    localSize: 'OMPI_COMM_WORLD_LOCAL_SIZE',
  },
  {
    name: 'PMI',
    rank: 'PMI_RANK',
    size: 'PMI_SIZE',
    localRank: 'MPI_LOCALRANKID',
    localSize: 'MPI_LOCALNRANKS',
  },
];

/** Throws ERR_VSSL_INVALID_ARGUMENT unless it is what rankPlace gives. */
export function checkRankPlace(value: unknown): RankPlace {
  const keys = ['rank', 'size', 'localRank', 'localSize', 'address', 'port', 'served', 'run'];
  requireOptions(value, keys, 'ranks');
  const place = value as RankPlace;
  checkCount('ranks.size', place.size);
  checkCount('ranks.rank', place.rank, 0, place.size - 1);
  checkCount('ranks.localSize', place.localSize, 1, place.size);
  checkCount('ranks.localRank', place.localRank, 0, place.localSize - 1);
  checkText('ranks.address', 'the address of rank 0', place.address);
  checkCount('ranks.port', place.port, 1, 65535);
  checkBoolean('ranks.served', place.served);
  if (typeof place.run !== 'string') throw invalidArgument('ranks.run', 'a text', place.run);
  return place;
}

/** null: a single process. Throws ERR_VSSL_USAGE where the environment contradicts itself or lacks something. */
export function rankPlace(env: Readonly<Record<string, string | undefined>> = process.env): RankPlace | null {
  const has = (name: string | undefined) => name !== undefined && (env[name] ?? '') !== '';
  const launcher = LAUNCHERS.find(
    ({ rank, size, mark }) => (has(rank) || has(size)) && (mark === undefined || has(mark)),
  );
  if (!launcher) return null;
  const { rank: rankName, size: sizeName, localRank, localSize } = launcher;
  const read = (name: string, least: number) => {
    if (!has(name)) throw wrong(`${name} is missing, though ${has(rankName) ? rankName : sizeName} is there`);
    const value = Number(env[name]);
    if (!Number.isInteger(value) || value < least)
      throw wrong(`${name} is '${env[name]}'; expected a whole number from ${least}`);
    return value;
  };
  const rank = read(rankName, 0);
  const size = read(sizeName, 1);
  if (rank >= size) throw wrong(`${rankName} is ${rank}, but ${sizeName} is ${size}: ranks count from 0`);
  const local = has(localRank) ? read(localRank, 0) : 0;
  // Slurm writes "4(x2)" where nodes have as many; it then counts nothing more.
  const localCount = has(localSize) ? Number.parseInt(env[localSize]!, 10) || 1 : has(localRank) ? size : 1;
  if (local >= Math.max(localCount, 1))
    throw wrong(`${localRank} is ${local}, but ${localSize} is ${localCount}`);
  if (size === 1) return null;
  const oneMachine = localCount === size;
  if (!has('MASTER_ADDR') && !oneMachine)
    throw wrong('MASTER_ADDR is missing: the address of rank 0, which all ranks can reach');
  if (!has('MASTER_PORT')) throw wrong('MASTER_PORT is missing: a free port of the machine of rank 0');
  const port = read('MASTER_PORT', 1);
  if (port > 65535) throw wrong(`MASTER_PORT is ${port}; ports end at 65535`);
  return {
    rank,
    size,
    localRank: local,
    localSize: localCount,
    address: has('MASTER_ADDR') ? env.MASTER_ADDR! : '127.0.0.1',
    port,
    served: env.TORCHELASTIC_USE_AGENT_STORE === 'True',
    run: [env.TORCHELASTIC_RUN_ID, env.TORCHELASTIC_RESTART_COUNT].filter(Boolean).join('-'),
  };
}

function wrong(why: string): VsslError {
  return new VsslError(
    'ERR_VSSL_USAGE',
    `the environment of a rank on ${hostname()} contradicts itself: ${why}. A launcher sets RANK, WORLD_SIZE, LOCAL_RANK, ` +
      'MASTER_ADDR and MASTER_PORT; without them all this is a single process',
  );
}
