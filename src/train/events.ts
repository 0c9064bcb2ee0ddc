import type { Device } from '../checks.js';
import type { FailedClipRecord, QuarantineRecord } from './faults.js';

/** What a run tells while it goes on. */
export type TrainEvent =
  /** The video files are being looked at; `done` of `total` are. */
  | { readonly type: 'index'; readonly done: number; readonly total: number }
  | StartEvent
  | StepEvent
  /** A file that cannot be used was found, or one of which too many clips failed. Told once a file. */
  | ({ readonly type: 'quarantine' } & QuarantineRecord)
  /** A clip could not be decoded; another video's stands in for it. Told each time. */
  | ({ readonly type: 'failed-clip' } & FailedClipRecord)
  | { readonly type: 'checkpoint'; readonly step: number; readonly path: string }
  /** What an evaluation hook gave. */
  | {
      readonly type: 'evaluation';
      readonly step: number;
      readonly epoch: number;
      readonly name: string;
      readonly values: Readonly<Record<string, number>>;
    }
  /** Something that the user should know; the run goes on. */
  | { readonly type: 'warning'; readonly message: string }
  /** Last event of a run that was not broken off. */
  | ({ readonly type: 'end' } & TrainResult);

export interface StartEvent {
  readonly type: 'start';
  readonly out: string;
  /** Steps already done: 0, or those of the checkpoint from which the run goes on. */
  readonly step: number;
  /** Last step of this call: totalSteps, or less with maxSteps. */
  readonly lastStep: number;
  /** Length of the schedule. */
  readonly totalSteps: number;
  readonly stepsPerEpoch: number;
  readonly videos: number;
  /** Videos in a batch; less than asked for when there are fewer. */
  readonly batch: number;
  readonly device: Device;
  readonly threads: number;
  readonly workers: number;
}

export interface StepEvent {
  readonly type: 'step';
  /** Steps done, this one included. */
  readonly step: number;
  /** From 0. */
  readonly epoch: number;
  /** `loss` is the total; others by name. */
  readonly losses: Readonly<Record<string, number>>;
  readonly lr: number;
  /** Norm of the gradient before clipping. */
  readonly gradNorm: number;
  /** Clips of all views in this step's batch. */
  readonly clips: number;
  /** Time that the step waited for its batch. */
  readonly dataSeconds: number;
  /** Time of the step itself, without that wait. */
  readonly stepSeconds: number;
  /** Of it, what went into exchanges with other ranks, waiting for them included; 0 for a single process. */
  readonly exchangeSeconds: number;
  /** Of this step, with its wait. */
  readonly clipsPerSecond: number;
  readonly rssBytes: number;
  readonly deviceBytes: number;
}

export interface TrainResult {
  readonly out: string;
  /** Encoder that the method's paper evaluates. */
  readonly weights: string;
  /** Steps done in the run as a whole, and in this call. */
  readonly step: number;
  readonly stepsDone: number;
  readonly totalSteps: number;
  /** false: stopped early by maxSteps. */
  readonly finished: boolean;
  /** Total loss of the last step; null when this call did none. */
  readonly loss: number | null;
  readonly seconds: number;
  /** Of this call, evaluation and checkpoints included. */
  readonly clipsPerSecond: number;
  /** Part of the step time (waiting included) that went into waiting for data, 0 to 1. */
  readonly dataWait: number;
  /** Files that could not be used, of the run as a whole. */
  readonly quarantined: number;
  /** Clips of other files that could not be decoded, of the run as a whole. */
  readonly failedClips: number;
}
