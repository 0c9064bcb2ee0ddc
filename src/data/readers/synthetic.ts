import { stat } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { checkCount } from '../../checks.js';
import { invalidArgument, VsslError } from '../../errors.js';
import { decodeValue } from '../manifest-query.js';
import type { VideoFacts } from '../plan.js';
import type { VideoRow } from '../rows.js';
import { planSyntheticSet, type SyntheticOptions } from '../synthetic.js';
import { listPictures } from './pictures.js';
import type { DatasetReader, ReaderRequest, ReaderResult } from './reader.js';

/** Clips of a set when nothing says otherwise. */
const DEFAULT_COUNT = 512;
const TRAIN = 'train';
const TEST = 'test';
/** With sprites cut from pictures, every so many-th picture, in order of their names, is the test split's. */
const TEST_EVERY = 3;

/**
 * The procedural motion set, `synthetic:motion?count=512&seed=0&split=train`: rendered when a clip is loaded, no file
 * anywhere. The label is the motion and the group the sprite, so that folds by group have other sprites in training and
 * test; `merged` names the motions that a horizontal flip makes one; what else was drawn stands in the columns sprite,
 * color, background, speed and size. `sprites=DIR` cuts the sprites from the PNG and JPEG pictures of a folder.
 */
export const syntheticReader: DatasetReader = {
  name: 'synthetic',
  options: ['count', 'seed', 'split', 'appearances', 'scenes', 'pixels', 'seconds', 'fps', 'sprites'],
  async read({ target, options }: ReaderRequest): Promise<ReaderResult> {
    if (target !== 'motion')
      throw invalidArgument('data source', "'synthetic:motion'", `synthetic:${target}`);
    const number = (key: string) => numberOf(options, key);
    const seed = number('seed') ?? 0;
    checkCount('seed', seed, 0);
    const split = options.get('split') ?? TRAIN;
    if (split === '') throw invalidArgument('split', "the name of a split, such as 'train' or 'test'", split);
    const folder = options.get('sprites');
    const settings: SyntheticOptions = {
      split,
      appearances: number('appearances'),
      scenes: options.get('scenes') as SyntheticOptions['scenes'],
      pixels: number('pixels'),
      seconds: number('seconds'),
      fps: number('fps'),
      sprites: folder === undefined ? [] : await listSprites(decodeValue(folder), split),
    };
    const clips = planSyntheticSet({ ...settings, seed, count: number('count') ?? DEFAULT_COUNT });
    const times = Float64Array.from(clips[0]?.times ?? []);
    const rows = clips.map((clip): VideoRow => {
      const { source, label, merged, factors, name, fps } = clip;
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
      return {
        id: path,
        path,
        label,
        group: factors.sprite,
        start: undefined,
        end: undefined,
        extra: { merged, ...factors },
        source,
        facts,
      };
    });
    return { rows, columns: ['merged', 'sprite', 'color', 'background', 'speed', 'size'], warnings: [] };
  },
  heldOut(query) {
    const parts = query.split('&').filter((part) => part !== '');
    const rest = parts.filter((part) => !part.startsWith('split='));
    const isTraining = parts.length === rest.length || parts.includes(`split=${TRAIN}`);
    // what a network has learnt of scenes is of no use where they say nothing
    const apart = rest.map((part) => (part === 'scenes=class' ? 'scenes=shuffled' : part));
    return isTraining ? [`split=${TEST}`, ...apart].join('&') : null;
  },
};

/** The pictures of a split: those of the two splits are different ones, whatever the seed. */
async function listSprites(folder: string, split: string): Promise<string[]> {
  if (split !== TRAIN && split !== TEST)
    throw invalidArgument(
      'split',
      `'${TRAIN}' or '${TEST}', between which sprites=DIR divides its pictures`,
      split,
    );
  const found = await stat(folder).catch(() => null);
  if (!found?.isDirectory())
    throw new VsslError(
      'ERR_VSSL_DATA',
      `sprites=${folder} is ${found ? 'no folder' : 'not there'}; expected a folder of PNG or JPEG pictures`,
      { details: { sprites: folder } },
    );
  const pictures = (await listPictures(resolve(folder))).filter((path) =>
    ['.png', '.jpg', '.jpeg'].includes(extname(path).toLowerCase()),
  );
  if (pictures.length < TEST_EVERY)
    throw new VsslError(
      'ERR_VSSL_DATA',
      `there are ${pictures.length} PNG or JPEG pictures in sprites=${folder}; expected at least ${TEST_EVERY}, since every ${TEST_EVERY}rd is kept for the test split`,
      { details: { sprites: folder } },
    );
  return pictures.filter((_, i) => (i % TEST_EVERY === TEST_EVERY - 1) === (split === TEST));
}

function numberOf(options: ReadonlyMap<string, string>, key: string): number | undefined {
  const text = options.get(key);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw invalidArgument(key, 'a number', text);
  return value;
}
