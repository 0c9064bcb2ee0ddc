/** Types that the exported signatures mention: whoever has such a value can name its type. */
export type { Device, DeviceChoice } from './checks.js';
export type { ArmResult, MeasurePool } from './claims/result.js';
export type {
  ComparedArm,
  ComparedCurve,
  ComparedEvaluation,
  ComparedScore,
  DifferentKey,
  NotPaired,
  PairedScore,
} from './compare/result.js';
export type { LoadOptions, MethodSlice } from './config/load.js';
export type { RawConfig } from './config/raw.js';
export type {
  AugmentConfig,
  BaseConfig,
  BaseConfigInput,
  OptimizerConfig,
  ScheduleConfig,
} from './config/schema.js';
export type { AugmentOptions, FameOptions } from './data/augment/options.js';
export type { RandomCropOptions } from './data/augment/random-crop.js';
export type { ClipFormat } from './data/clip-plan.js';
export type { CopyFormat } from './data/packed.js';
export type {
  ArrayRow,
  ArrayView,
  BackgroundPlan,
  BatchPlan,
  Blend,
  ClipPlan,
  ClipSource,
  ClipView,
  ColorOp,
  DType,
  FlowFile,
  FrameAugment,
  InputKind,
  Modality,
  MotionModality,
  SideArray,
  VideoFacts,
} from './data/plan.js';
export type { Rng } from './data/rng.js';
export type { VideoRow } from './data/rows.js';
export type {
  PlanViews,
  RunProgress,
  SamplePlan,
  StepPosition,
  ViewContext,
  ViewPlan,
} from './data/views.js';
export type { WindowGrid } from './data/windows.js';
export type { WindowsResult, WindowVector } from './embed/embed-windows.js';
export type { Precision } from './embed/encoder-options.js';
export type { ClipEmbedder, ClipViews, FeatureResult } from './embed/features.js';
export type { EmbeddingFormatName } from './embed/formats/record.js';
export type { UnusableVideo } from './embed/unusable.js';
export type { DataOptions } from './eval/evaluation-data.js';
export type { CommonEvaluationOptions } from './eval/evaluation-options.js';
export type { ExtractorOptions, PoolGrid } from './eval/feature-extractor.js';
export type { FloorName } from './eval/floors.js';
export type { MeanInterval, PairedBy } from './eval/intervals.js';
export type { Measure, Measurement, MeasureRequest } from './eval/measure.js';
export type { ClusterScore } from './eval/nmi.js';
export type { Clusters, Interval } from './eval/resampling.js';
export type { RetrievalResult } from './eval/retrieval.js';
export type { Tested, TestedVideos } from './eval/scores.js';
export type { Inflation } from './exchange/inflate.js';
export type { ExportedFile, Layout, WeightType } from './exchange/layouts.js';
export type { OnnxInput } from './exchange/onnx-graph.js';
export type { LookedAt, Spread } from './init/look-at-videos.js';
export type {
  ClaimArm,
  DefinedMethod,
  ExportedEncoder,
  Hyper,
  LeastRun,
  MethodSpec,
} from './methods/method.js';
export type { AnyMethod } from './methods/registry.js';
export type {
  EngineAddon,
  Floats,
  NamedTensor,
  NativeArchitecture,
  NativeBatch,
  NativeClipFailure,
  NativeConvolutionTime,
  NativeEncoder,
  NativeFilePart,
  NativeLinearFit,
  NativeLoader,
  NativeLoadResult,
  NativeMember,
  NativeMemoryStats,
  NativeRanks,
  NativeRanksSpec,
  NativeSession,
  NativeStepResult,
  NativeVideoIndex,
  NativeVideoWriter,
  NativeView,
} from './native/bindings.js';
export type { Calibration } from './predict/calibration.js';
export type { ClassifierKind, HeldOutScore } from './predict/fit-classifier.js';
export type { Suggestion } from './predict/label-videos.js';
export type { VideoRecord } from './search/row-lines.js';
export type { FailedCell, SeedValues, SweptCell, SweptMeasure } from './sweep/result.js';
export type { StartEvent, StepEvent } from './train/events.js';
export type { FaultRecord, QuarantineRecord } from './train/faults.js';
export type { RankPlace } from './train/rank-place.js';
export type { WriteOperations } from './weights/atomic-write.js';
export type { EncoderFile } from './weights/encoder-file.js';
