/**
 * How other libraries name the tensors of the networks that there are here. A map gives the engine's name for one of theirs,
 * or null for a tensor that is no part of an encoder; what it does not know at all is undefined.
 */
import type { EncoderDescription } from '../weights/encoder-file.js';

export interface KeyMap {
  readonly name: string;
  /** What files of such names hold. */
  readonly what: string;
  rename(key: string): string | null | undefined;
  /** What these networks are usually given. */
  readonly usual: Pick<EncoderDescription, 'clip' | 'mean' | 'std'>;
}

const PARTS = '(weight|bias|running_mean|running_var|num_batches_tracked)';

/** The first of `rules` that fits gives the name, by its groups. */
function byRules(
  rules: readonly (readonly [pattern: string, name: (...groups: string[]) => string | null])[],
) {
  const compiled = rules.map(([pattern, name]) => [new RegExp(`^${pattern}$`), name] as const);
  return (key: string): string | null | undefined => {
    for (const [pattern, name] of compiled) {
      const match = pattern.exec(key);
      if (match) return name(...match.slice(1));
    }
    return undefined;
  };
}

const drop = () => null;
/** `a` to `conv1`, `b` to `conv2`... */
const convolution = (letter: string) => `conv${letter.charCodeAt(0) - 96}`;
const block = (layer: string, index: string) => `layer${layer}.${index}`;
/** The first layer of blocks is the second stage of a network. */
const layerBefore = (stage: string) => String(Number(stage) - 1);

const kinetics = {
  clip: { frames: 16, stride: 1, size: 112, fps: 15 },
  mean: [0.43216, 0.394666, 0.37645],
  std: [0.22803, 0.22145, 0.216989],
} as const;
const imageNet = {
  clip: { frames: 16, stride: 2, size: 112, fps: null },
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
} as const;
const facebook = {
  clip: { frames: 8, stride: 8, size: 224, fps: 30 },
  mean: [0.45, 0.45, 0.45],
  std: [0.225, 0.225, 0.225],
} as const;

/** In the order in which they are tried. */
export const KEY_MAPS: readonly KeyMap[] = [
  {
    name: 'torchvision',
    what: "torchvision's video networks",
    usual: kinetics,
    rename: byRules([
      [String.raw`fc\..*`, drop],
      [String.raw`((?:stem|layer[1-4]|conv\d\w?|bn\d\w)\..*)`, (key) => key],
    ]),
  },
  {
    name: 'torchvision-2d',
    what: 'ResNets of pictures as torchvision, timm and MoCo have them',
    usual: imageNet,
    rename: byRules([
      [String.raw`fc\..*`, drop],
      [String.raw`conv1\.(weight)`, (part) => `stem.0.${part}`],
      [String.raw`bn1\.${PARTS}`, (part) => `stem.1.${part}`],
      [
        String.raw`layer([1-4])\.(\d+)\.conv(\d)\.(weight)`,
        (l, i, n, part) => `${block(l!, i!)}.conv${n}.0.${part}`,
      ],
      [
        String.raw`layer([1-4])\.(\d+)\.bn(\d)\.${PARTS}`,
        (l, i, n, part) => `${block(l!, i!)}.conv${n}.1.${part}`,
      ],
      [String.raw`(layer[1-4]\.\d+\.downsample\.[01]\..*)`, (key) => key],
    ]),
  },
  {
    name: 'slowfast',
    what: 'Slow, C2D and R3D of SlowFast',
    usual: facebook,
    rename: byRules([
      [String.raw`(?:head|projection|predictor)\..*`, drop],
      [String.raw`s1\.pathway0_stem\.conv\.(weight)`, (part) => `stem.0.${part}`],
      [String.raw`s1\.pathway0_stem\.bn\.${PARTS}`, (part) => `stem.1.${part}`],
      [
        String.raw`s([2-5])\.pathway0_res(\d+)\.branch1(_bn)?\.${PARTS}`,
        (s, i, norm, part) => `${block(layerBefore(s!), i!)}.downsample.${norm ? 1 : 0}.${part}`,
      ],
      [
        String.raw`s([2-5])\.pathway0_res(\d+)\.branch2\.([abc])(_bn)?\.${PARTS}`,
        (s, i, letter, norm, part) =>
          `${block(layerBefore(s!), i!)}.${convolution(letter!)}.${norm ? 1 : 0}.${part}`,
      ],
    ]),
  },
  ...pytorchvideoMaps(),
];

/** The blocks of c2d_r50 and i3d_r50 have a pooling among them, which moves the numbers of those after it. */
function pytorchvideoMaps(): KeyMap[] {
  return [false, true].map((pooled) => {
    const layerOf = (index: string) => String(Number(index) - (pooled && Number(index) > 2 ? 1 : 0));
    return {
      name: 'pytorchvideo',
      what: `${pooled ? 'c2d_r50' : 'slow_r50'} of pytorchvideo`,
      usual: facebook,
      rename: byRules([
        [String.raw`blocks\.\d+\.proj\..*`, drop],
        [String.raw`blocks\.0\.conv\.(weight)`, (part) => `stem.0.${part}`],
        [String.raw`blocks\.0\.norm\.${PARTS}`, (part) => `stem.1.${part}`],
        [
          String.raw`blocks\.(\d)\.res_blocks\.(\d+)\.branch1_(conv|norm)\.${PARTS}`,
          (b, i, kind, part) => `${block(layerOf(b!), i!)}.downsample.${kind === 'norm' ? 1 : 0}.${part}`,
        ],
        [
          String.raw`blocks\.(\d)\.res_blocks\.(\d+)\.branch2\.(conv|norm)_([abc])\.${PARTS}`,
          (b, i, kind, letter, part) =>
            `${block(layerOf(b!), i!)}.${convolution(letter!)}.${kind === 'norm' ? 1 : 0}.${part}`,
        ],
      ]),
    };
  });
}
