/** Which rank a process is, as launchers say it. */
import test from 'ava';
import { checkRankPlace, rankPlace } from '#src/train/rank-place.js';

const torchrun = {
  ...{ RANK: '5', WORLD_SIZE: '8', LOCAL_RANK: '1', LOCAL_WORLD_SIZE: '4' },
  ...{ MASTER_ADDR: 'node0', MASTER_PORT: '29500' },
};

test('none: a single process', (t) => {
  t.is(rankPlace({}), null);
  t.is(rankPlace({ MASTER_ADDR: 'x', MASTER_PORT: '1' }), null);
  t.is(rankPlace({ RANK: '0', WORLD_SIZE: '1', MASTER_PORT: '1' }), null);
  // a batch script is one process, whatever its job may start
  t.is(rankPlace({ SLURM_PROCID: '0', SLURM_NTASKS: '8' }), null);
});

test('torchrun and PyTorchJob', (t) => {
  t.deepEqual(rankPlace(torchrun), {
    ...{ rank: 5, size: 8, localRank: 1, localSize: 4, address: 'node0', port: 29500 },
    ...{ served: false, run: '' },
  });
  const agent = {
    ...torchrun,
    ...{ TORCHELASTIC_USE_AGENT_STORE: 'True', TORCHELASTIC_RUN_ID: 'job', TORCHELASTIC_RESTART_COUNT: '2' },
  };
  t.like(rankPlace(agent), { served: true, run: 'job-2' });
});

test('srun, mpirun and PMI', (t) => {
  const slurm = {
    ...{ SLURM_PROCID: '3', SLURM_NTASKS: '4', SLURM_LOCALID: '1', SLURM_NTASKS_PER_NODE: '2(x2)' },
    ...{ SLURM_STEP_ID: '0', MASTER_ADDR: 'n1', MASTER_PORT: '1234' },
  };
  t.like(rankPlace(slurm), { rank: 3, size: 4, localRank: 1, localSize: 2, address: 'n1', port: 1234 });
  const mpi = {
    ...{ OMPI_COMM_WORLD_RANK: '1', OMPI_COMM_WORLD_SIZE: '2', OMPI_COMM_WORLD_LOCAL_RANK: '1' },
    ...{ OMPI_COMM_WORLD_LOCAL_SIZE: '2', MASTER_PORT: '1234' },
  };
  t.like(rankPlace(mpi), { rank: 1, size: 2, localSize: 2, address: '127.0.0.1' });
  t.like(rankPlace({ ...mpi, ...torchrun }), { rank: 5, size: 8 }, 'torchrun counts first');
  t.like(rankPlace({ PMI_RANK: '1', PMI_SIZE: '2', MASTER_ADDR: 'a', MASTER_PORT: '1' }), { rank: 1 });
});

const wrong: readonly (readonly [string, Record<string, string>, RegExp])[] = [
  ['a rank without a size', { RANK: '0' }, /WORLD_SIZE is missing, though RANK is there/],
  ['a size without a rank', { WORLD_SIZE: '2' }, /RANK is missing, though WORLD_SIZE is there/],
  ['a rank beyond the size', { ...torchrun, RANK: '8' }, /RANK is 8, but WORLD_SIZE is 8/],
  ['no number', { ...torchrun, RANK: 'one' }, /RANK is 'one'; expected a whole number from 0/],
  ['a local rank beyond', { ...torchrun, LOCAL_RANK: '4' }, /LOCAL_RANK is 4, but LOCAL_WORLD_SIZE is 4/],
  ['no address', { ...torchrun, MASTER_ADDR: '' }, /MASTER_ADDR is missing/],
  ['no port', { ...torchrun, MASTER_PORT: '' }, /MASTER_PORT is missing/],
  ['a port too high', { ...torchrun, MASTER_PORT: '70000' }, /ports end at 65535/],
];
for (const [what, env, message] of wrong)
  test(`${what} is refused`, (t) => {
    t.throws(() => rankPlace(env), { code: 'ERR_VSSL_USAGE', message });
  });

test('a place that somebody made is looked at', (t) => {
  const place = rankPlace(torchrun)!;
  t.deepEqual(checkRankPlace(place), place);
  const off: readonly (readonly [string, object])[] = [
    ['ranks.rank', { rank: 8 }],
    ['ranks.size', { size: 0 }],
    ['ranks.port', { port: 0 }],
    ['ranks.address', { address: '' }],
    ['ranks.localRank', { localRank: 9 }],
    ['ranks.run', { run: 1 }],
  ];
  for (const [name, change] of off) {
    const error = t.throws(() => checkRankPlace({ ...place, ...change }), {
      code: 'ERR_VSSL_INVALID_ARGUMENT',
    });
    t.true(error!.message.includes(name), error!.message);
  }
  t.throws(() => checkRankPlace(5), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
  t.throws(() => checkRankPlace({ ...place, rnk: 1 }), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
});
