import test from 'ava';
import { type ArmOptions, chooseClaims, planArms } from '#src/claims/plan-arms.js';
import { checkArms } from '#src/claims/pre-checks.js';
import type { VideoFacts } from '#src/data/plan.js';
import { bareRow } from '#src/data/rows.js';
import { getMethod } from '#src/methods/registry.js';

/** 60 videos that last so long, at 18 pictures a second; every tenth may have another length. */
function videos(seconds: number, others = seconds) {
  const rows = Array.from({ length: 60 }, (_, i) =>
    bareRow(`${i}`, `/v/${i}.mp4`, { kind: 'file', path: `/v/${i}.mp4` }),
  );
  const getFacts = async ({ id, path }: { id: string; path: string }): Promise<VideoFacts> => {
    const lasts = Number(id) % 10 === 9 ? others : seconds;
    const times = Float64Array.from({ length: Math.round(lasts * 18) }, (_, i) => i / 18);
    return { path, codec: 'h264', width: 64, height: 64, times, end: lasts } as VideoFacts;
  };
  return { rows, getFacts };
}

function check(
  method: string,
  claims: string[],
  { rows, getFacts }: ReturnType<typeof videos>,
  options: Partial<ArmOptions> = {},
) {
  const its = getMethod(method);
  const plan = planArms(its, chooseClaims(its, claims), { data: 'x', budget: 120, ...options });
  return checkArms(plan, rows, getFacts);
}

test('the arms of all claims fit into six seconds and 120 steps', async (t) => {
  for (const method of ['cvrl', 'simclr', 'moco', 'videomoco', 'cate', 'modist', 'tcgl'])
    await t.notThrowsAsync(check(method, [], videos(6)), method);
});

test('videos too short for an arm are told before training, with the claims that can be asked', async (t) => {
  // two clips of 29 frames that differ need 30, 1.67 s
  await t.notThrowsAsync(check('simclr', [], videos(1.7)));
  await t.throwsAsync(check('simclr', [], videos(1.6)), {
    code: 'ERR_VSSL_DATA',
    message: /60 of 60 videos are too short for the arm 'crop and colour', whose clips need 1\.67 s/,
  });
  // shifts of at least half a second: 29 + 9 frames
  await t.throwsAsync(check('modist', ['shifted'], videos(2)), { code: 'ERR_VSSL_DATA', message: /2\.11 s/ });
  await t.notThrowsAsync(check('modist', ['shifted'], videos(2.2)));
  await t.throwsAsync(check('cvrl', ['consistent-augmentation', 'temporal-and-spatial'], videos(1.6)), {
    code: 'ERR_VSSL_DATA',
  });
  await t.throwsAsync(check('cate', ['time-encoding', 'large-shifts-told'], videos(2)), {
    code: 'ERR_VSSL_DATA',
    message: /'half a second'.*--claim time-encoding/,
  });
});

test('one video in ten may be too short, and what cannot be read is for training to tell', async (t) => {
  await t.notThrowsAsync(check('simclr', [], videos(6, 1)));
  const { rows, getFacts } = videos(6);
  const broken = (row: { id: string; path: string }) =>
    row.id === '3' ? Promise.reject(new Error('broken')) : getFacts(row);
  await t.notThrowsAsync(check('simclr', [], { rows, getFacts: broken }));
});

test('budgets too short for an arm are told before training', async (t) => {
  // 192 keys, four batches of 48; frames are dropped in the second half of a run
  await t.throwsAsync(check('moco', ['momentum'], videos(6), { budget: 3 }), {
    code: 'ERR_VSSL_CONFIG',
    message: /gives the arm 'm 0\.99' 3 steps, but with batches of 48 its method needs at least 4 steps/,
  });
  await t.notThrowsAsync(check('moco', ['momentum'], videos(6), { budget: 4 }));
  await t.throwsAsync(
    check('videomoco', ['drop-and-decay'], videos(6), { budget: 9, set: ['videomoco.dropFrom=0.9'] }),
    { code: 'ERR_VSSL_CONFIG', message: /at least 10 steps/ },
  );
  // the published warm-up of 5 epochs, in batches of 48 of 60 videos one step each
  const epochs = ['train.schedule.warmupEpochs=5', 'train.batch=48'];
  await t.throwsAsync(check('cvrl', ['sampling-power'], videos(6), { budget: 5, set: epochs }), {
    code: 'ERR_VSSL_CONFIG',
    message: /warm-up of 5 steps would not end.*train\.schedule\.warmupSteps=0/,
  });
  await t.notThrowsAsync(check('cvrl', ['sampling-power'], videos(6), { budget: 6, set: epochs }));
  const step = ['train.schedule.name=step', 'train.schedule.milestones=[400,500]'];
  await t.notThrowsAsync(
    check('moco', ['momentum'], videos(6), {
      budget: 450,
      set: ['train.schedule.name=step', 'train.schedule.milestones=[400]'],
    }),
  );
  await t.throwsAsync(check('moco', ['momentum'], videos(6), { budget: 450, set: step }), {
    code: 'ERR_VSSL_CONFIG',
    message: /rate would not have fallen at step 500/,
  });
});
