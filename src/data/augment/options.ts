import type { RandomCropOptions } from './random-crop.js';

/** What augmentation of training clips may be told; a configuration's `data.augment` has this form. */
export interface AugmentOptions {
  /** null: the centre square. */
  readonly crop: RandomCropOptions | null;
  /** Probability of a horizontal flip. */
  readonly flip: number;
  readonly jitter: {
    readonly p: number;
    /** Strengths s: factors U(max(0, 1 - s), 1 + s). */
    readonly brightness: number;
    readonly contrast: number;
    readonly saturation: number;
    /** Shift U(-s, s) in turns. */
    readonly hue: number;
  };
  /** Probability. */
  readonly gray: number;
  readonly blur: {
    readonly p: number;
    /** [low, high] in output pixels. */
    readonly sigma: readonly [number, number];
    /** Taps on either side. */
    readonly radius: 'auto' | number;
  };
  readonly solarize: { readonly p: number; readonly threshold: number };
  /** A frame of the clip is mixed into all of them, with a weight from [low, high]. */
  readonly still?: { readonly p: number; readonly weight: readonly [number, number] };
  /** A part of the clip's mean over time is taken away, a factor from [low, high]. */
  readonly meanRemoval?: { readonly p: number; readonly factor: readonly [number, number] };
  /** The first view always blurs; the others blur with p 0.1 and solarise with p 0.2. */
  readonly asymmetric: boolean;
  /** Everything is drawn anew for each frame; `same-crop`: everything but the crop. */
  readonly perFrame: boolean | 'same-crop';
  /** What is seen around the foreground: what is there, or a clip of another video of the batch. */
  readonly background: 'own' | 'fame';
  readonly fame: FameOptions;
}

/** How another video's clip is laid under. */
export interface FameOptions {
  /** Fraction of the picture that is foreground at most. */
  readonly share: number;
  readonly mask: 'refined' | 'difference';
  /** The first view of pictures of each sample, or all of them. */
  readonly views: 'first' | 'all';
}
