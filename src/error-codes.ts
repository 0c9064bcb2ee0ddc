/** Every code that an error of this package can have, with the exit code of the command line that it comes to. */

/** 1 failed; 2 wrong usage or config; 3 environment; 4 data; 130 stopped. */
type ExitCode = 1 | 2 | 3 | 4 | 130;

export const ERROR_CODES = {
  /** Stopped by the user. */
  ERR_VSSL_ABORTED: 130,
  /** A library that `bench` measures beside ours does not run. */
  ERR_VSSL_BENCH_PEER: 1,
  /** The build of the addons failed. */
  ERR_VSSL_BUILD: 1,
  /** The package was taken into a bundle, which lacks its addons: mark it as external. */
  ERR_VSSL_BUNDLED: 3,
  /** A checkpoint is damaged, or of another version. */
  ERR_VSSL_CHECKPOINT: 1,
  /** A checkpoint could not be written; the one before is whole. */
  ERR_VSSL_CHECKPOINT_WRITE: 1,
  /** The file holds no classifier, or one of a newer format or of another encoder. */
  ERR_VSSL_CLASSIFIER: 1,
  /** A wrong entry of a configuration; the message names the key. */
  ERR_VSSL_CONFIG: 2,
  /** CUDA refused a call. */
  ERR_VSSL_CUDA: 1,
  /** A GPU was asked for and there is none that can be used. */
  ERR_VSSL_CUDA_UNAVAILABLE: 3,
  /** The data cannot be read, or lacks what the call needs (labels, groups, a column). */
  ERR_VSSL_DATA: 4,
  /** The object was disposed of. */
  ERR_VSSL_DISPOSED: 1,
  /** A file could not be had from the network; the message says what was tried, in which order. */
  ERR_VSSL_DOWNLOAD: 3,
  /** A part of the installation or of the system is missing. */
  ERR_VSSL_ENVIRONMENT: 3,
  /** A file that should be read is not there or cannot be opened. */
  ERR_VSSL_FILE: 1,
  /** The index is damaged, of another version, or none at all; the message says what to do. */
  ERR_VSSL_INDEX: 1,
  /** The index holds vectors of another encoder, or of windows cut in another way. */
  ERR_VSSL_INDEX_MISMATCH: 2,
  /** A fault of this package: please report it. */
  ERR_VSSL_INTERNAL: 1,
  /** A wrong argument or option, before any work; the message says what was expected and what came. */
  ERR_VSSL_INVALID_ARGUMENT: 2,
  /** There is no libtorch, or the one that was found is another than is needed. */
  ERR_VSSL_LIBTORCH: 3,
  /** An addon was found and could not be loaded. */
  ERR_VSSL_LOAD: 3,
  /** Another process trains in that run folder, or writes to that index. */
  ERR_VSSL_LOCKED: 1,
  /** A method gives what it may not; the message names it and what is wrong. */
  ERR_VSSL_METHOD: 2,
  /** No addon was found: it has to be installed or built. */
  ERR_VSSL_NO_BINARY: 3,
  /** Optical flow was asked for, and OpenCV is missing. */
  ERR_VSSL_NO_FLOW: 3,
  /** Built without FFmpeg's libraries. */
  ERR_VSSL_NO_LIBAV: 3,
  /** No video of the data can be used. */
  ERR_VSSL_NO_USABLE_VIDEO: 4,
  /** A loss or gradient is not finite; the step was not applied. */
  ERR_VSSL_NON_FINITE: 1,
  /** Not enough memory, of the machine or the GPU. */
  ERR_VSSL_OUT_OF_MEMORY: 1,
  /** A process that a sweep had started for a run was ended; the message says how, and its last words. */
  ERR_VSSL_PROCESS: 1,
  /** Processes that train together lost one of them, or did not find each other; the message says which and why. */
  ERR_VSSL_RANKS: 1,
  /** The run in the folder was made with another configuration or other videos. */
  ERR_VSSL_RESUME_MISMATCH: 2,
  /** The run folder cannot be written to. */
  ERR_VSSL_RUN_WRITE: 1,
  /** Not a whole, well-formed safetensors file. */
  ERR_VSSL_SAFETENSORS: 1,
  /** A gradient of a gradient was asked for where there is none. */
  ERR_VSSL_SECOND_ORDER: 1,
  /** The stream of a video failed; its error is the cause. */
  ERR_VSSL_STREAM: 1,
  /** A video that is not a file on disk has more bytes than `maxBytes` allows. */
  ERR_VSSL_TOO_LARGE: 1,
  /** The process may open no more files: raise the limit (ulimit -n). */
  ERR_VSSL_TOO_MANY_FILES: 3,
  /** libtorch refused a call. */
  ERR_VSSL_TORCH: 1,
  /** Options that do not go together, or a name that there is not. */
  ERR_VSSL_USAGE: 2,
  /** An addon is of another version than the package. */
  ERR_VSSL_VERSION_MISMATCH: 3,
  /** Pictures of the video cannot be decoded. */
  ERR_VSSL_VIDEO_DECODE: 1,
  /** The video has no picture. */
  ERR_VSSL_VIDEO_EMPTY: 1,
  /** The file has no video stream. */
  ERR_VSSL_VIDEO_NO_STREAM: 1,
  /** The video cannot be opened. */
  ERR_VSSL_VIDEO_OPEN: 1,
  /** No clip that could be made of the video can be loaded. */
  ERR_VSSL_VIDEO_PLAN: 1,
  /** The row's window holds no picture of the video. */
  ERR_VSSL_VIDEO_WINDOW: 1,
  /** A video cannot be written. */
  ERR_VSSL_VIDEO_WRITE: 1,
  /** The weights do not fit the encoder, or are none of this package. */
  ERR_VSSL_WEIGHTS: 1,
  /** A result cannot be written; the message names the file. */
  ERR_VSSL_WRITE: 1,
} as const satisfies Readonly<Record<`ERR_VSSL_${string}`, ExitCode>>;

/** The code of a VsslError. */
export type VsslErrorCode = keyof typeof ERROR_CODES;
