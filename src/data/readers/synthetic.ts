import { invalidArgument } from '../../errors.js';
import type { VideoRow } from '../manifest.js';
import type { VideoFacts } from '../plan.js';
import { planSyntheticSet, type SyntheticOptions } from '../synthetic.js';
import type { DatasetReader, ReaderRequest, ReaderResult } from './reader.js';

/** Clips of a set when nothing says otherwise. */
const DEFAULT_COUNT = 512;

/**
 * The procedural motion set, `synthetic:motion?count=512&seed=0&split=train`: rendered when a clip is loaded, no file
 * anywhere. The label is the motion and the group the sprite, so that folds by group have other sprites in training and
 * test; what else was drawn stands in the columns sprite, background, speed and size.
 */
export const syntheticReader: DatasetReader = {
  name: 'synthetic',
  options: ['count', 'seed', 'split', 'appearances', 'pixels', 'seconds', 'fps'],
  async read({ target, options }: ReaderRequest): Promise<ReaderResult> {
    if (target !== 'motion')
      throw invalidArgument('data source', "'synthetic:motion'", `synthetic:${target}`);
    const number = (key: string) => numberOf(options, key);
    const seed = number('seed') ?? 0;
    if (!Number.isSafeInteger(seed) || seed < 0) throw invalidArgument('seed', 'a whole number from 0', seed);
    const settings: SyntheticOptions = {
      split: options.get('split'),
      appearances: number('appearances'),
      size: number('pixels'),
      seconds: number('seconds'),
      fps: number('fps'),
    };
    const clips = planSyntheticSet({ ...settings, seed, count: number('count') ?? DEFAULT_COUNT });
    const times = Float64Array.from(clips[0]?.times ?? []);
    const rows = clips.map((clip): VideoRow => {
      const { source, label, factors, name, fps } = clip;
      const path = `synthetic:motion/${seed}/${name}`;
      const facts: VideoFacts = {
        path,
        codec: 'synthetic',
        width: source.width as number,
        height: source.height as number,
        times,
        end: times.length / fps,
        warnings: [],
      };
      const group = `sprite${factors.sprite}`;
      return {
        id: path,
        path,
        label,
        group,
        start: undefined,
        end: undefined,
        extra: factors,
        source,
        facts,
      };
    });
    return { rows, columns: ['sprite', 'background', 'speed', 'size'], warnings: [] };
  },
};

function numberOf(options: ReadonlyMap<string, string>, key: string): number | undefined {
  const text = options.get(key);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw invalidArgument(key, 'a number', text);
  return value;
}
