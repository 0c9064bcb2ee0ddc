// A method of one's own: SimCLR whose two clips lie at most `maxShift` seconds apart. Everything but the views is the
// package's: the engine trains it as its method simclr.
import { evaluate } from 'vssl-native';
import {
  clockOf,
  countStarts,
  defineMethod,
  drawStartsWithin,
  headSchema,
  nativeHead,
  planTrainingClip,
  spanOf,
  temperature,
  tinySettings,
  z,
} from 'vssl-native/methods';

/** What its claim compares: accuracy of nearest neighbours in which each class counts alike, however rare it is. */
const classKnn = {
  name: 'class-knn',
  title: 'kNN accuracy, mean of the classes, %',
  scale: 100,
  labels: true,
  async run(request) {
    const { trained, warnings, failures } = await evaluate({ ...request, protocol: 'knn' });
    return { value: trained.meanClassAccuracy, resolution: 1 / trained.count, warnings, failures };
  },
};

export const near = defineMethod({
  name: 'near',
  engine: 'simclr',
  description:
    'Two clips of a video, near each other in time, attract each other and repel those of the batch.',
  configSchema: z.strictObject({
    maxShift: z
      .number()
      .positive()
      .default(0.5)
      .describe('Seconds between the starts of the two clips at most'),
    temperature: temperature.default(0.1),
    head: headSchema({ hiddenLayers: 2, norm: true }).prefault({}),
  }),
  planViews(context, { maxShift }) {
    const { row, facts, format, rng } = context;
    const clock = clockOf(row, facts, format);
    const span = spanOf(clock, format);
    const starts = countStarts(span) || span.length;
    const most = Math.floor(maxShift / clock.period);
    const views = drawStartsWithin([starts, starts], most, rng.fork('time')).map((start, view) => ({
      name: `view${view + 1}`,
      clip: planTrainingClip({ ...context, clock, start, view, rng: rng.fork('augment', view) }),
    }));
    return { views };
  },
  nativeOptions: ({ temperature, head }) => ({
    ...{ temperature, lossScale: 1, ownNegatives: false },
    ...nativeHead(head),
  }),
  presets: [
    {
      name: 'near-tiny',
      description: 'for 2 CPU cores: R3D-10 at a quarter of its width, 8 x 64 x 64, batch 48, 720 steps',
      config: { method: 'near', ...tinySettings },
    },
  ],
  claims: [
    {
      name: 'near-over-far',
      statement: 'Clips near each other in time are better positives than clips at any times',
      source: 'a guess, to be measured',
      measure: 'class-knn',
      arms: [
        { name: 'half a second', config: { near: { maxShift: 0.5 } } },
        { name: 'anywhere', config: { near: { maxShift: 1e6 } } },
      ],
    },
  ],
  measures: [classKnn],
});
