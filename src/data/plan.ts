/**
 * Clip plans: plain data that says exactly which pixels a clip is made of. TypeScript draws every parameter here;
 * C++ (native/video) executes them and decides nothing. The same plan gives the same bytes on any number of threads.
 */

/**
 * Version of the plan format, in every batch plan and every line of plans.jsonl. The loader also takes plans of version
 * 1, which have nothing but views of clips that every sample has.
 */
export const PLAN_VERSION = 2;

/** Where pictures come from. */
export type ClipSource =
  /** A video file in any container and codec of the linked FFmpeg. `times` are presentation times of the file. */
  | { readonly kind: 'file'; readonly path: string }
  /** The same within a tar file: `size` bytes from `offset` on. `name`: of the member. */
  | {
      readonly kind: 'member';
      readonly path: string;
      readonly name: string;
      readonly offset: number;
      readonly size: number;
    }
  /** A folder of pictures, in order; picture i is shown from i / fps. */
  | { readonly kind: 'images'; readonly files: readonly string[]; readonly fps: number }
  /** Raw uint8 RGB frames (T, H, W, 3) in a file made by `prepare`, starting at byte `offset`. */
  | {
      readonly kind: 'packed';
      readonly path: string;
      readonly offset: number;
      readonly frames: number;
      readonly height: number;
      readonly width: number;
      readonly fps: number;
      /** The file of flow between neighbouring frames that `prepare --flow` wrote beside it. */
      readonly flow?: FlowFile;
    }
  /** Frames given to the loader beforehand (addMemoryClip). */
  | { readonly kind: 'memory'; readonly id: number; readonly fps: number }
  /** An encoded file in memory, given to the loader beforehand. */
  | { readonly kind: 'bytes'; readonly id: number }
  /** A procedural motion clip (src/data/synthetic.ts draws the parameters, native/video/synthetic.cpp renders). */
  | { readonly kind: 'synthetic'; readonly motion: number; readonly [parameter: string]: unknown };

/** Flow that was computed beforehand: 16-bit floats (frames, height, width, 2), field i from i / fps to (i + 1) / fps. */
export interface FlowFile {
  readonly path: string;
  readonly offset: number;
  readonly frames: number;
  readonly height: number;
  readonly width: number;
  readonly fps: number;
}

/** One colour operation, applied in list order, each followed by a clip to [0, 1]. */
export interface ColorOp {
  /**
   * brightness: x * value. contrast: (x - mean) * value + mean with mean per channel over the whole clip (over the
   * frame when the parameters are per frame). saturation: HSV saturation * value. hue: HSV hue + value (turns, -0.5..0.5).
   */
  readonly op: 'brightness' | 'contrast' | 'saturation' | 'hue';
  readonly value: number;
}

/** Augmentation parameters of a whole clip, or of one frame in the per-frame-independent ablation. */
export interface FrameAugment {
  /** x0, y0, x1, y1 in fractions of the displayed picture (rotation and sample aspect applied), y down. */
  readonly crop: readonly [number, number, number, number];
  readonly flip: boolean;
  readonly color: readonly ColorOp[];
  /** ITU-R 601 luma in all three channels, after `color`. */
  readonly gray: boolean;
  /** Gaussian blur with this sigma in output pixels, 0: none; `blurRadius` taps on either side, SAME padding. */
  readonly blur: number;
  readonly blurRadius: number;
  /** Values >= this become 1 - v; null: none. */
  readonly solarize: number | null;
}

/** What the network sees: the pictures, each clip minus its mean over time, or differences of neighbouring frames. */
export const INPUT_KINDS = ['rgb', 'temporal-mean-removed', 'difference'] as const;
export type InputKind = (typeof INPUT_KINDS)[number];

/**
 * What the pixels are. Of motion, frame t is made of two pictures, shown at times[t] and next[t]:
 *   difference: the second minus the first, channel by channel, -1 to 1
 *   flow: (u, v, sqrt(u^2 + v^2)), the movement from the first to the second in pixels of the clip, x right and y down
 *   flow-edges: Sobel gradients of u and v, the root of their sum of squares, clamped to 10 and divided by 10, 3 times
 * A clip of motion is cropped and flipped like any other (a flip negates u); nothing else of `augment` may be set.
 */
export type Modality = 'rgb' | MotionModality;
export const MOTION_MODALITIES = ['difference', 'flow', 'flow-edges'] as const;
export type MotionModality = (typeof MOTION_MODALITIES)[number];

/**
 * Another clip that lies under this one and is seen where this one has no foreground: FAME, Foreground-background Merging
 * (docs/methods/fame.md). Both are cropped and flipped first and coloured afterwards. Where nothing moves, and where the
 * pictures under it cannot be decoded, the clip keeps its own background.
 */
export interface BackgroundPlan {
  readonly source: ClipSource;
  /** One for each of the clip's. */
  readonly times: readonly number[];
  readonly shrink: number;
  readonly crop: FrameAugment['crop'];
  readonly flip: boolean;
  /** Fraction of the picture that is foreground at most, above 0 and below 1. */
  readonly share: number;
  /** What tells the foreground: colours of what moves, or the differences of frames alone. */
  readonly mask: 'refined' | 'difference';
}

/**
 * What is done along time to a clip of pictures at last, on values that mean and std have been applied to:
 * x_t + still (x_frame - x_t), less `mean` times the mean over time of that.
 */
export interface Blend {
  /** 0 to 1: weight of one frame, `frame`, in all of them. */
  readonly still: number;
  readonly frame: number;
  /** 0 to 1: 1 takes the mean over time away, 0 leaves it. */
  readonly mean: number;
}

export interface ClipPlan {
  readonly source: ClipSource;
  readonly modality: Modality;
  /** Of motion: when the second picture of each pair is shown. T entries. */
  readonly next?: readonly number[];
  /** Of flow and flow-edges: take the flow from this file; no picture is needed. */
  readonly flow?: FlowFile;
  /** One presentation time (seconds) per output frame: the picture shown at that time is taken. T entries. */
  readonly times: readonly number[];
  /** Output size in pixels. */
  readonly height: number;
  readonly width: number;
  /** The decoded picture is first shrunk by this whole factor (box mean); 1: not. Also the form in which it is cached. */
  readonly shrink: number;
  /** One entry: shared by all frames. T entries: one per frame. */
  readonly augment: readonly FrameAugment[];
  readonly input: InputKind;
  /** Of clips of pictures as they are (`input` rgb). */
  readonly blend?: Blend;
  /** (x - mean) / std per channel, on values in [0, 1]; `std` alone applies to differences and when `input` removes a mean. */
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
  /** Of clips of pictures alone. */
  readonly background?: BackgroundPlan;
}

/** Types of the numbers that a plan holds itself. */
export type DType = 'float32' | 'int64';

/** One row of a named array: numbers of one sample. */
export interface ArrayRow {
  readonly name: string;
  readonly dtype: DType;
  /** Of a row: each size from 1; [] for a single number. */
  readonly shape: readonly number[];
  /** Flat, the last axis fastest; of int64 whole numbers that a double holds exactly. */
  readonly values: readonly number[];
}

/** Rows of a named array: one for each sample. */
export interface SideArray extends Omit<ArrayRow, 'values'> {
  readonly values: readonly (readonly number[])[];
}

/** A view of clips, all with the same T, height and width. */
export interface ClipView {
  readonly name: string;
  readonly clips: readonly ClipPlan[];
  /** Which sample each clip is of, ascending; absent: clip i is of sample i, and every sample has one. */
  readonly rows?: readonly number[];
}

/** A view of numbers; `rows` as of clips. */
export interface ArrayView extends SideArray {
  readonly clips?: undefined;
  readonly rows?: readonly number[];
}

/** What a batch is made of. Names of views and side arrays are all different, and one of them at least every sample has. */
export interface BatchPlan {
  readonly version: typeof PLAN_VERSION;
  /** What networks read. */
  readonly views: readonly (ClipView | ArrayView)[];
  /** What else a step is told of its samples: labels, boxes, time stamps, codes of augmentations. */
  readonly side?: readonly SideArray[];
  /**
   * With an existing batch: row j of each view and side array is written to sample slots[j] of it. All of these samples
   * have all of the views, and had them before.
   */
  readonly slots?: readonly number[];
}

/** What a planner must know of a video; made by the engine once per file and cached by size and modification time. */
export interface VideoFacts {
  readonly path: string;
  readonly codec: string;
  /** As displayed. */
  readonly width: number;
  readonly height: number;
  /** Presentation time of each picture in seconds, ascending. Length = true picture count. */
  readonly times: Float64Array;
  /** When the last picture stops being shown, seconds. */
  readonly end: number;
  readonly warnings: readonly string[];
}
