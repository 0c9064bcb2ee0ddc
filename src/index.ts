/** The public interface of vssl-native. Importing it loads no addon: libtorch comes with the first call that needs it. */
import { createKnnHook } from './eval/knn-hook.js';
import { resolveConfig, type TrainConfig } from './methods/config.js';
import type { Method } from './methods/method.js';
import { train as startTraining, type TrainOptions } from './train/train.js';
import type { TrainRun } from './train/train-run.js';

/**
 * Trains an encoder. The run is an async iterable of typed events, and a promise of the result. With
 * `eval.everyEpochs` and `eval.data` in the configuration, kNN on frozen features runs along. Errors (a wrong
 * configuration too) reject the run; see TrainOptions.
 */
export function train<Own extends Method = never>(
  config: TrainConfig<Own>,
  options: TrainOptions = {},
): TrainRun {
  const own = config as TrainConfig;
  return startTraining(own, options, evaluationsOf(own));
}

function evaluationsOf(config: TrainConfig) {
  try {
    const hook = createKnnHook(resolveConfig(config));
    return hook ? [hook] : [];
  } catch {
    // the run itself says what is wrong with its configuration
    return [];
  }
}

export type { ClaimResult, ClaimsResult, Comparison, Verdict } from './claims/result.js';
export { type ClaimsEvent, type ClaimsOptions, runClaims } from './claims/run-claims.js';
export { type CompareOptions, compareRuns } from './compare/compare-runs.js';
export type { RunsComparison } from './compare/result.js';
export type { Preset } from './config/load.js';
export type { ResolvedConfig } from './config/schema.js';
export { type EmbedToFileOptions, type EmbedToFileResult, embedToFile } from './embed/embed-to-file.js';
export type {
  CreateEncoderOptions,
  EmbedManyResult,
  EmbedOptions,
  EmbedResult,
  EmbedRowsOptions,
  EncoderOptions,
  InputSize,
} from './embed/encoder-options.js';
export { type MergeResult, mergeEmbeddings } from './embed/merge-embeddings.js';
export { VideoEncoder } from './embed/video-encoder.js';
export type { EncodedVideo, FramesInput, VideoInput } from './embed/video-input.js';
export { VsslError, type VsslErrorCode } from './errors.js';
export {
  type EmbedForEvaluationOptions,
  type EmbedForEvaluationResult,
  embedForEvaluation,
} from './eval/embed-for-evaluation.js';
export { type AnyEvaluationResult, evaluate } from './eval/evaluate.js';
export type {
  EvaluateOptions,
  KnnEvaluationOptions,
  LinearEvaluationOptions,
  LowshotEvaluationOptions,
  Protocol,
  RetrievalEvaluationOptions,
} from './eval/evaluation-options.js';
export type { EvaluationResult } from './eval/evaluation-result.js';
export type { LowshotScore, ShotScore } from './eval/lowshot.js';
export { registerMeasure } from './eval/measures.js';
export type { Classification } from './eval/metrics.js';
export type { ClassificationScore, FoldScore, MergedScore, RecallScore } from './eval/protocols.js';
export type { FactorScore, RetrievalScore } from './eval/scores.js';
export { type ExportOptions, exportWeights } from './exchange/export-weights.js';
export { type ImportOptions, type ImportResult, importWeights } from './exchange/import-weights.js';
export { type SuggestConfigOptions, type SuggestedConfig, suggestConfig } from './init/suggest-config.js';
export { loadConfig, resolveConfig, type TrainConfig } from './methods/config.js';
export { type Claim, defineMethod, type Method, type Paper } from './methods/method.js';
export { getPreset, listMethods, listPresets, type PresetName, registerMethod } from './methods/registry.js';
export type { NamedTensor } from './native/bindings.js';
export { type DoctorOptions, type DoctorReport, doctor } from './native/doctor.js';
export type { DoctorCheck } from './native/doctor-check.js';
export { packageVersion as version, preload, useEngine } from './native/load.js';
export {
  Classifier,
  type ClassifyOptions,
  type LoadClassifierOptions,
  type ManyPrediction,
  type VideoPrediction,
} from './predict/classifier.js';
export type { PredictOptions } from './predict/predict-options.js';
export { type PredictResult, predictVideos } from './predict/predict-videos.js';
export type { Prediction } from './predict/prediction.js';
export type { PredictedVideo } from './predict/predictions-file.js';
export {
  type CheckedFile,
  type CheckResult,
  type CheckVideosOptions,
  checkVideos,
} from './prepare/check-videos.js';
export { type PrepareOptions, type PrepareResult, prepare } from './prepare/prepare.js';
export {
  type WriteSyntheticOptions,
  type WriteSyntheticResult,
  writeSyntheticVideos,
} from './prepare/write-synthetic.js';
export type { ReportOptions } from './run-report/report-options.js';
export { type WatchReportOptions, watchReport } from './run-report/watch-report.js';
export { type ReportResult, writeReport } from './run-report/write-report.js';
export type {
  DuplicateKind,
  DuplicateOptions,
  DuplicatePair,
  Duplicates,
  Stretch,
} from './search/duplicates.js';
export type { IndexSettings, StoreName, VectorType } from './search/header.js';
export type {
  EncoderOfIndex,
  IndexEntry,
  IndexedVideo,
  IndexStats,
  IndexWindow,
  OpenIndexOptions,
  SearchHit,
  SearchOptions,
  VideoName,
} from './search/index-options.js';
export {
  type IndexVideosOptions,
  type IndexVideosResult,
  indexVideos,
  watchVideos,
} from './search/index-videos.js';
export { type SearchVideosOptions, type SearchVideosResult, searchVideos } from './search/search-videos.js';
export { VideoIndex } from './search/video-index.js';
export type { Grid } from './sweep/grid.js';
export type { SweepEvent, SweepResult } from './sweep/result.js';
export { type SweepOptions, sweep } from './sweep/sweep.js';
export type { TrainEvent, TrainResult } from './train/events.js';
export type { FailedClipRecord, QuarantineRecord } from './train/faults.js';
export type { EvaluationHook, HookContext } from './train/hooks.js';
export { rankPlace } from './train/rank-place.js';
export type { TrainOptions } from './train/train.js';
export type { TrainRun } from './train/train-run.js';
export { evaluateTuned } from './tune/evaluate-tuned.js';
export type { TunedEvaluationOptions, TunedEvent, TunedProtocol } from './tune/tune-options.js';
export type * from './types.js';
export { type EncoderDescription, readEncoderDescription, readEncoderFile } from './weights/encoder-file.js';
export { readSafetensors, type SafetensorsFile, writeSafetensors } from './weights/safetensors.js';
