/** The text of a suggested configuration: what is set, why, and what one may want to set. */
import { stringify } from 'yaml';
import type { ResolvedConfig } from '../config/schema.js';
import { between, type Choice, type ChosenClip, tenths } from './choose-clip.js';
import type { LookedAt } from './look-at-videos.js';

interface Suggestion {
  readonly data: string;
  readonly preset: Choice<string>;
  /** Configuration of the preset. */
  readonly base: ResolvedConfig;
  readonly looked: LookedAt;
  readonly clip: ChosenClip;
  readonly batch: Choice<number>;
}

/** A picture so much larger than a clip is worth a training copy. */
const LARGE = 2.5;
/** Width of the settings, behind which their comments stand. */
const COMMENT_AT = 28;

export function writeConfigText(suggestion: Suggestion): string {
  return [
    ...headOf(suggestion),
    '',
    setting(0, 'extends', suggestion.preset.value, suggestion.preset.why),
    '',
    ...dataSection(suggestion),
    '',
    ...trainSection(suggestion),
    '',
    ...evalSection(suggestion),
    '',
  ].join('\n');
}

function headOf({ looked, data }: Suggestion): string[] {
  const { videos, looked: count, unusable, seconds, fps, shortSide } = looked;
  const some = count < videos ? `; ${count} of them were looked at` : '';
  const faults =
    unusable.length === 0
      ? []
      : [
          `# ${unusable.length} of those cannot be used (training leaves them out): vssl-native check --data ${quote(data)}`,
        ];
  return [
    `# ${videos} videos${some}: ${between(seconds.least, seconds.most)} s long (half of them ${tenths(seconds.middle)} s or less),`,
    `# ${between(fps.least, fps.most)} pictures a second, ${between(shortSide.least, shortSide.most)} pixels on the short side.`,
    ...faults,
    '# Every key, its default and what it means: docs/configuration.md. What all of this comes to: vssl-native train',
    '# writes it into config.json of the run folder.',
    '#',
    '#   npx vssl-native train --config THIS_FILE --out run',
  ];
}

function dataSection({ data, clip, base, looked }: Suggestion): string[] {
  const { input } = base.data;
  const large = looked.shortSide.middle >= LARGE * clip.size.value;
  const short = Math.ceil((1.25 * clip.size.value) / 16) * 16;
  return [
    'data:',
    setting(2, 'path', data),
    '  clip:',
    setting(4, 'frames', clip.frames.value, clip.frames.why),
    setting(4, 'stride', clip.stride.value, clip.stride.why),
    setting(4, 'fps', clip.fps.value, clip.fps.why),
    setting(4, 'size', clip.size.value, clip.size.why),
    setting(2, 'input', input, INPUTS[input]),
    ...(large
      ? [
          `  # The videos are much larger than the clips: a copy of smaller pictures trains faster, with its folder as path:`,
          `  #   npx vssl-native prepare --data ${quote(data)} --out copy --short-side ${short}`,
        ]
      : []),
  ];
}

const INPUTS: Readonly<Record<ResolvedConfig['data']['input'], string>> = {
  rgb: 'pictures as they are; temporal-mean-removed takes the still background away, difference keeps changes alone',
  'temporal-mean-removed':
    'takes the still background away, which small sets are otherwise told apart by; rgb keeps it',
  difference: 'changes from picture to picture alone; rgb keeps the pictures',
};

function trainSection({ base, batch, looked }: Suggestion): string[] {
  const { steps, epochs, optimizer, seed } = base.train;
  const perEpoch = Math.max(1, Math.floor(looked.videos / batch.value));
  const length =
    steps === null
      ? setting(2, 'epochs', epochs, `passes over the videos: ${epochs! * perEpoch} steps`)
      : setting(
          2,
          'steps',
          steps,
          `${tenths(steps / perEpoch)} passes over the videos; more videos want more`,
        );
  return [
    'train:',
    setting(2, 'batch', batch.value, batch.why),
    length,
    `  # optimizer: { lr: ${optimizer.lr} }    # ${optimizer.name}; 'vssl-native sweep --grid train.optimizer.lr=...' tries several`,
    setting(2, 'seed', seed, 'of weights, order and augmentation'),
  ];
}

function evalSection({ data, looked }: Suggestion): string[] {
  if (looked.labels < 2)
    return [
      '# With labelled videos, kNN on frozen features during training shows whether it learns:',
      '# eval: { everyEpochs: 10, data: labelled.csv, folds: group }',
    ];
  const folds = looked.groups >= 2 ? (looked.groups > 5 ? 'group:5' : 'group') : 'COLUMN';
  return [
    `# The videos have ${looked.labels} labels. kNN on frozen features during training, which takes time of its own${folds === 'COLUMN' ? ', needs a column to make folds of' : ''}:`,
    `# eval: { everyEpochs: 10, data: ${quote(data)}, folds: ${quote(folds)} }`,
  ];
}

/** `key: value`, and a comment in the same line where there is room, else above it. */
function setting(indent: number, key: string, value: unknown, why?: string): string {
  const space = ' '.repeat(indent);
  const line = `${space}${key}: ${quote(value)}`;
  if (why === undefined) return line;
  return line.length < COMMENT_AT && why.length <= 90
    ? `${line.padEnd(COMMENT_AT)}# ${why}`
    : `${space}# ${why}\n${line}`;
}

/** As YAML has it, on one line. */
function quote(value: unknown): string {
  return stringify(value, { lineWidth: 0, defaultStringType: 'PLAIN' }).trimEnd();
}
