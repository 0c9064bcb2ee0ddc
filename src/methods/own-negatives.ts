/** A clip of the sample's own video whose frames are out of order, as a negative: what differs is the order alone. */
import { choice } from '../config/fields.js';
import { clockOf, planTrainingClip } from '../data/clip-plan.js';
import type { ViewContext, ViewPlan } from '../data/views.js';

export const ownNegativesField = choice(['none', 'reversed', 'shuffled'], 'none').describe(
  'A clip of the window of the first view with its frames in reverse or in a random order is one more negative of the ' +
    'video’s own views (beyond the paper)',
);

export type OwnNegatives = 'none' | 'reversed' | 'shuffled';

/** The view `negative`, of the window that begins at frame `start`; none without. */
export function planOwnNegative(context: ViewContext, kind: OwnNegatives, start: number): ViewPlan[] {
  if (kind === 'none') return [];
  const { row, facts, format, rng } = context;
  const clock = clockOf(row, facts, format);
  const clip = planTrainingClip({ ...context, clock, start, view: 2, rng: rng.fork('augment', 2) });
  const order = rng.fork('order');
  const others = clip.times.map((time) => time);
  const times = kind === 'reversed' ? others.reverse() : shuffleApart(others, (list) => order.shuffle(list));
  return [{ name: 'negative', clip: { ...clip, times } }];
}

/** Another order than that of time; where none is drawn in a few tries (one or two frames), the reverse. */
function shuffleApart(times: number[], shuffle: (list: number[]) => number[]): number[] {
  for (let attempt = 0; attempt < 4; attempt++) {
    const drawn = shuffle([...times]);
    if (drawn.some((time, i) => time !== times[i])) return drawn;
  }
  return times.reverse();
}
