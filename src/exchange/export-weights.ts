/** Encoders handed on: of a run or a weights file, as a file of another layout, with a card that says what it is. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, stat } from 'node:fs/promises';
import { dirname, extname, join, resolve } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { checkBoolean, checkOneOf, checkText, requireOptions } from '../checks.js';
import { weightsFile } from '../embed/open-encoder.js';
import { invalidArgument, VsslError } from '../errors.js';
import { didYouMean } from '../spelling.js';
import { checkOutFile, writeError, writeFileAtomic } from '../weights/atomic-write.js';
import { readEncoderDescription, readEncoderFile } from '../weights/encoder-file.js';
import {
  DTYPES,
  type Encoder,
  type ExportedFile,
  encodeLayout,
  LAYOUTS,
  type Layout,
  type LayoutOptions,
  type WeightType,
} from './layouts.js';
import { writeModelCard } from './model-card.js';
import { networkOf } from './networks.js';
import type { OnnxInput } from './onnx-graph.js';

export interface ExportOptions {
  /** Run folder or weights file. */
  readonly weights: string;
  /**
   * A file that ends in .safetensors or .onnx, or a folder, which is made where there is none. In a folder the name says
   * what the file holds and ends in the first eight digits of its SHA-256.
   */
  readonly out: string;
  /** Default `onnx` for a file that ends so, else `vssl`. */
  readonly layout?: Layout;
  /** One of the run's encoders. Default: the one that its method's paper evaluates. */
  readonly encoder?: string;
  /** Default fp32. */
  readonly dtype?: WeightType;
  /**
   * What an ONNX file takes: `clips`, floats as the network takes them (N, 3, T, H, W), the default; or `frames`, pictures as
   * bytes (N, T, H, W, 3), which it normalises itself.
   */
  readonly input?: OnnxInput;
  /** Put into the file and its card, such as `cc-by-4.0`. */
  readonly license?: string;
  /** Whether a model card is written beside. Default true. */
  readonly card?: boolean;
}

/**
 * Writes an encoder as a file for others. Throws ERR_VSSL_INVALID_ARGUMENT and ERR_VSSL_USAGE for wrong options,
 * ERR_VSSL_WEIGHTS for a network that the layout does not have, what readEncoderFile throws, and ERR_VSSL_WRITE.
 */
export async function exportWeights(options: ExportOptions): Promise<ExportedFile> {
  const { weights, out, layout, card } = checkExport(options);
  const isFolder = !isFileName(out);
  if (!isFolder) await checkOutFile(out);
  const path = await encoderOf(weights, options.encoder);
  const encoder = { path, ...(await readEncoderFile(path)) };
  const exported = await writeOne(encoder, out, { ...options, layout }, isFolder);
  if (!card) return exported;
  const run = (await isFolderThere(weights)) ? weights : dirname(weights);
  return { ...exported, card: await writeModelCard(encoder, exported, options, run) };
}

const LICENSE = 'the name of a licence, such as cc-by-4.0';

function checkExport(options: ExportOptions) {
  const known = ['weights', 'out', 'layout', 'encoder', 'dtype', 'input', 'license', 'card'];
  requireOptions(options, known);
  const weights = checkText('weights', 'a weights file or a run folder', options.weights);
  const out = checkText('out', 'a file that ends in .safetensors or .onnx, or a folder', options.out);
  const own = out.toLowerCase().endsWith('.onnx') ? 'onnx' : 'vssl';
  const { layout = own, dtype = 'fp32', input = 'clips', encoder, license, card = true } = options;
  checkOneOf('layout', layout, LAYOUTS);
  checkOneOf('dtype', dtype, DTYPES);
  checkOneOf('input', input, ['clips', 'frames']);
  checkBoolean('card', card);
  if (encoder !== undefined) checkText('encoder', 'the name of an encoder', encoder);
  if (license !== undefined && !/^\w[\w.+ -]*$/.test(checkText('license', LICENSE, license)))
    throw invalidArgument('license', LICENSE, license);
  if (options.input !== undefined && layout !== 'onnx')
    throw usage('input is what an ONNX file takes; leave it out, or take the layout onnx');
  if (isFileName(out) && extname(out).toLowerCase() !== suffixOf(layout))
    throw usage(
      `expected a name that ends in ${suffixOf(layout)} for the layout ${layout}, but it is ${out}`,
    );
  return { weights, out, layout, card };
}

function usage(message: string): VsslError {
  return new VsslError('ERR_VSSL_USAGE', message);
}

function suffixOf(layout: Layout): string {
  return layout === 'onnx' ? '.onnx' : '.safetensors';
}

function isFileName(out: string): boolean {
  return /\.(safetensors|onnx)$/i.test(out);
}

async function makeFolder(out: string): Promise<void> {
  await mkdir(out, { recursive: true }).catch((error) => {
    throw writeError(out, error);
  });
}

async function isFolderThere(weights: string): Promise<boolean> {
  return (await stat(weights).catch(() => null))?.isDirectory() ?? false;
}

/** The file of the encoder that is asked for. */
async function encoderOf(weights: string, name: string | undefined): Promise<string> {
  const first = await weightsFile(weights);
  if (name === undefined) return first;
  const folder = join(weights, 'encoders');
  const others = (await readdir(folder).catch(() => []))
    .filter((file) => file.endsWith('.safetensors'))
    .sort();
  const files = [first, ...others.map((file) => join(folder, file))];
  const names = await Promise.all(files.map(async (file) => (await readEncoderDescription(file)).encoder));
  const at = names.indexOf(name);
  if (at >= 0) return files[at] as string;
  throw usage(`${weights} has no encoder '${name}', only ${names.join(', ')}${didYouMean(name, names)}`);
}

async function writeOne(
  encoder: Encoder,
  out: string,
  { layout, dtype = 'fp32', input = 'clips', license }: ExportOptions & Pick<LayoutOptions, 'layout'>,
  isFolder: boolean,
): Promise<ExportedFile> {
  const { description } = encoder;
  if (input === 'frames' && description.modality !== undefined)
    throw usage(
      `${encoder.path} takes clips of motion (${description.modality}), not frames of bytes; leave input out`,
    );
  const chunks = encodeLayout(encoder, { layout, dtype, input, license });
  const hash = createHash('sha256');
  for (const chunk of chunks) {
    hash.update(chunk);
    // a large network takes tenths of a second: others have their turn between its tensors
    await nextTurn();
  }
  const sha256 = hash.digest('hex');
  if (isFolder) await makeFolder(out);
  const file = isFolder ? join(out, `${stemOf(encoder)}-${sha256.slice(0, 8)}${suffixOf(layout)}`) : out;
  await checkOutFile(file);
  if (resolve(file) === resolve(encoder.path))
    throw usage(`${file} is what is exported, and would be overwritten; take another name`);
  await writeFileAtomic(file, chunks).catch((error) => {
    throw writeError(file, error);
  });
  const { arch, width } = description.model;
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  const { dim } = networkOf(description.model);
  const takes = layout === 'onnx' ? { input } : {};
  return { file, encoder: description.encoder, layout, ...takes, dtype, arch, width, dim, bytes, sha256 };
}

/** `r3d_18-w0.25-cvrl` */
function stemOf({ description: { model, method, encoder } }: Encoder): string {
  const parts = [
    model.arch,
    ...(model.width === 1 ? [] : [`w${model.width}`]),
    method,
    ...(encoder === 'encoder' ? [] : [encoder]),
  ];
  return parts.join('-').replace(/[^\w.-]/g, '_');
}
