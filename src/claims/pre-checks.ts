/** What is wrong with arms before any is trained: budgets too short for a schedule, videos too short for a sampler. */
import { clockOf } from '../data/clip-plan.js';
import { countBatches } from '../data/epoch-order.js';
import type { GetFacts, VideoRow } from '../data/rows.js';
import { configError, VsslError } from '../errors.js';
import { getMethod } from '../methods/registry.js';
import type { ArmPlan, PlannedArm, PlannedClaim } from './plan-arms.js';

/** Videos that are looked at, evenly chosen, and the part of them that may be too short for an arm. */
const LOOKED_AT = 64;
const MAY_BE_SHORT = 0.1;

/**
 * Throws ERR_VSSL_CONFIG for a budget in which an arm's warm-up does not end, its rate never falls as its milestones
 * say, or its method does not come to everything that is configured; ERR_VSSL_DATA where more than a tenth of the videos
 * are too short for an arm's clips to lie as its method wants them.
 */
export async function checkArms(plan: ArmPlan, rows: readonly VideoRow[], getFacts: GetFacts): Promise<void> {
  for (const arm of plan.arms) checkSteps(arm, rows.length);
  const clocks = await lookAt(rows, getFacts);
  for (const arm of plan.arms) checkLengths(arm, plan, clocks);
}

function checkSteps({ name, config }: PlannedArm, videos: number): void {
  const { steps, batch, schedule } = config.train;
  const { warmupSteps, milestones } = scheduleSteps(config, videos);
  const least = getMethod(config.method).least(config).steps;
  const problem =
    warmupSteps >= steps!
      ? `its warm-up of ${warmupSteps} steps would not end`
      : schedule.name === 'step' && milestones.some((milestone) => milestone >= steps!)
        ? `its rate would not have fallen at step ${milestones.find((milestone) => milestone >= steps!)}`
        : steps! < least
          ? `with batches of ${batch} its method needs at least ${least} steps to come to everything that is configured`
          : null;
  if (problem === null) return;
  throw configError(
    'train.steps',
    `the budget gives the arm '${name}' ${steps} steps, but ${problem}; give a larger budget, or shorten the schedule ` +
      'of all arms (--set train.schedule.warmupSteps=0)',
  );
}

/** The steps at which the warm-up ends and the rate falls; an arm counts its milestones in steps. */
function scheduleSteps({ train }: PlannedArm['config'], videos: number) {
  const { warmupSteps, warmupEpochs, milestones } = train.schedule;
  const perEpoch = countBatches(videos, train.batch);
  return { warmupSteps: warmupSteps ?? Math.round((warmupEpochs ?? 0) * perEpoch), milestones };
}

interface Looked {
  readonly row: VideoRow;
  readonly facts: Awaited<ReturnType<GetFacts>>;
}

async function lookAt(rows: readonly VideoRow[], getFacts: GetFacts): Promise<Looked[]> {
  const step = Math.max(1, rows.length / LOOKED_AT);
  const looked: Looked[] = [];
  for (let i = 0; i < rows.length; i += step) {
    const row = rows[Math.floor(i)]!;
    const facts = await getFacts(row).catch(() => null); // training says what is wrong with it
    if (facts) looked.push({ row, facts });
  }
  return looked;
}

function checkLengths(
  { id, name, config }: PlannedArm,
  { claims }: ArmPlan,
  looked: readonly Looked[],
): void {
  const { frames, seconds } = getMethod(config.method).least(config);
  let short = 0;
  let needed = 0;
  for (const { row, facts } of looked) {
    const clock = clockOf(row, facts, config.data);
    const wanted = frames + Math.ceil(seconds / clock.period - 1e-6);
    if (clock.frames >= wanted) continue;
    short++;
    needed = Math.max(needed, wanted * clock.period);
  }
  if (short <= MAY_BE_SHORT * looked.length) return;
  const namesOf = (some: readonly PlannedClaim[]) => some.map(({ claim }) => claim.name);
  const others = namesOf(claims.filter(({ arms }) => !arms.includes(id)));
  throw new VsslError(
    'ERR_VSSL_DATA',
    `${short} of ${looked.length} videos are too short for the arm '${name}', whose clips need ${needed.toFixed(2)} s ` +
      'to lie as its method wants them; take longer videos, or shorter clips for all arms (--set data.clip.stride=1)' +
      (others.length === 0 ? '' : `, or leave out the claims that need it: --claim ${others.join(' ')}`),
    { details: { arm: name, short, looked: looked.length, seconds: needed } },
  );
}
