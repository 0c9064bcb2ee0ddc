import { defineMethod, headSchema, nativeHead, planUniformPair, whole, z } from 'vssl-native/methods';

export const toy = defineMethod({
  name: 'toy',
  description: 'Two clips attract each other; a head names the label of those that have one.',
  configSchema: z.strictObject({
    labels: whole(1),
    head: headSchema({ hiddenLayers: 1, norm: true }).prefault({}),
  }),
  planViews(context) {
    const pair = planUniformPair(context, { sameWindow: false }).views;
    const { labels, row } = context;
    const value = labels.indexOf(row.label);
    const label = value < 0 ? [] : [{ name: 'label', dtype: 'int64', shape: [1], values: [value] }];
    const start = { name: 'start', dtype: 'float32', shape: [], values: [pair[0].clip.times[0]] };
    return { views: [...pair, ...label], side: [start] };
  },
  nativeOptions: ({ labels, head }) => ({ labels, temperature: 0.1, lossScale: 1, ...nativeHead(head) }),
});
