/** The page that goes with weights: what they are, what made them, how good they are, and how they are used. */
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import type { InputKind } from '../data/plan.js';
import { VsslError } from '../errors.js';
import { writeResultFile } from '../weights/atomic-write.js';
import { encoderDigest } from '../weights/encoder-digest.js';
import { usageOf } from './card-usage.js';
import type { Encoder, ExportedFile } from './layouts.js';
import { type RunFacts, readRunFacts } from './run-facts.js';

/** In the head of every card: whose it is, so that no other page is overwritten. */
const MARK = 'vssl_encoder:';
const KEPT = '<!-- What you write below this line is kept by the next export. -->';

/** One row of the table of files. */
interface FileRow {
  readonly name: string;
  readonly line: string;
}

/**
 * Writes the card of an encoder beside an exported file: README.md, or where that is another page FILE.md. Files of the same
 * encoder that an earlier card names are kept in it. Gives its path. Throws ERR_VSSL_USAGE when both are other pages.
 */
export async function writeModelCard(
  encoder: Encoder,
  exported: ExportedFile,
  options: { readonly license?: string },
  run: string,
): Promise<string> {
  const digest = await encoderDigest(encoder.description, encoder.tensors);
  const folder = dirname(exported.file);
  const { path, before } = await placeOf(exported.file, digest);
  const there = new Set(await readdir(folder).catch(() => []));
  const name = basename(exported.file);
  const kept = fileRows(before).filter((row) => row.name !== name && there.has(row.name));
  const license = options.license ?? licenseIn(before) ?? 'unknown';
  const facts = await readRunFacts(run, encoder.description.method);
  const rows = [...kept, { name, line: rowOf(exported) }].sort((a, b) => (a.name < b.name ? -1 : 1));
  const page = cardOf({ encoder, exported, digest, license, facts, rows });
  await writeResultFile(path, page + addedTo(before));
  return path;
}

async function placeOf(file: string, digest: string): Promise<{ path: string; before: string }> {
  const own = `${file.slice(0, -extname(file).length)}.md`;
  for (const path of [join(dirname(file), 'README.md'), own]) {
    const before = await readFile(path, 'utf8').catch(() => '');
    if (before === '' || before.includes(`${MARK} ${digest}`)) return { path, before };
  }
  throw new VsslError(
    'ERR_VSSL_USAGE',
    `${file} is written, but its model card is not: README.md beside it and ${own} are other pages; take another folder, or leave the card out`,
    { details: { file } },
  );
}

/** What people have written at the end of a card. */
function addedTo(card: string): string {
  const at = card.indexOf(KEPT);
  return at < 0 ? '' : card.slice(at + KEPT.length + 1);
}

function licenseIn(card: string): string | undefined {
  return /^license: (.+)$/m.exec(card)?.[1];
}

function fileRows(card: string): FileRow[] {
  return card.split('\n').flatMap((line) => {
    const name = /^\| `([^`]+)` \| (?:vssl|torchvision|onnx)\b/.exec(line)?.[1];
    return name === undefined ? [] : [{ name, line }];
  });
}

function rowOf({ file, layout, input, dtype, bytes, sha256 }: ExportedFile): string {
  const takes = input === 'frames' ? ', takes frames' : '';
  return `| \`${basename(file)}\` | ${layout}${takes} | ${dtype} | ${bytes} | \`${sha256}\` |`;
}

interface CardParts {
  readonly encoder: Encoder;
  readonly exported: ExportedFile;
  readonly digest: string;
  readonly license: string;
  readonly facts: RunFacts | null;
  readonly rows: readonly FileRow[];
}

function cardOf(parts: CardParts): string {
  const { encoder, exported, digest, license, facts, rows } = parts;
  const { model, method, step } = encoder.description;
  const head = [
    '---',
    `license: ${license}`,
    'library_name: vssl-native',
    'pipeline_tag: video-classification',
    'tags: [video, self-supervised, feature-extraction]',
    `${MARK} ${digest}`,
    '---',
  ];
  return `${[
    head.join('\n'),
    `# ${model.arch}${model.width === 1 ? '' : ` of width ${model.width}`}, ${method}`,
    `A video encoder, ${originOf(encoder)}: a clip in, ${exported.dim} numbers out (pooled features, not normalised).`,
    `## Input\n\n${inputOf(encoder)}`,
    `## Training\n\n${trainingOf(facts)}`,
    `## Results\n\n${resultsOf(facts, step)}`,
    `## Files\n\n${tableOf(['file', 'layout', 'weights', 'bytes', 'SHA-256'])}\n${rows.map(({ line }) => line).join('\n')}`,
    `## Use\n\n${usageOf(
      encoder.description,
      exported,
      rows.map(({ name }) => name),
    )}`,
    `## Licence\n\n${licenceText(license)}`,
    KEPT,
  ].join('\n\n')}\n`;
}

/** Imported weights have the name of their library in the place of a method, and no steps. */
function originOf({ description: { method, step } }: Encoder): string {
  if (step > 0) return `trained by ${method} for ${step} steps`;
  return method === 'none' ? 'not trained' : `with weights of ${method}`;
}

function licenceText(license: string): string {
  return license === 'unknown'
    ? 'Not said. `export --license NAME` puts one here and into the files; what the videos allow is up to their owners.'
    : `${license}. What the videos allow is up to their owners.`;
}

function inputOf({ description: { clip, input, mean, std, modality } }: Encoder): string {
  const { frames, stride, size, fps } = clip;
  const rate = fps === null ? "of the video's own rate" : `at ${fps} frames a second`;
  const pixels =
    modality === undefined
      ? pixelsOf(input, mean, std)
      : `motion between neighbouring pictures: \`${modality}\``;
  return [
    `- ${frames} frames, every ${stride === 1 ? '' : `${stride}. `}frame ${rate}; the centre square, ${size} x ${size}`,
    `- ${pixels}`,
    `- shape (N, 3, ${frames}, ${size}, ${size}); other lengths and sizes work, but are not what it was trained on`,
  ].join('\n');
}

function pixelsOf(input: InputKind, mean: readonly number[], std: readonly number[]): string {
  const deviation = `divided by ${JSON.stringify(std)}`;
  const kinds: Readonly<Record<InputKind, string>> = {
    rgb: `RGB from 0 to 1, minus ${JSON.stringify(mean)}, ${deviation}`,
    'temporal-mean-removed': `RGB from 0 to 1, minus its own mean over the clip's frames, ${deviation}`,
    difference: `RGB from 0 to 1, the next frame minus each (the last repeats the one before), ${deviation}`,
  };
  return `\`${input}\`: ${kinds[input]}`;
}

function trainingOf(facts: RunFacts | null): string {
  if (!facts) return 'The run is not here: these are weights alone.';
  const lines = facts.settings.map(([key, value]) => `| \`${key}\` | ${value} |`);
  return `${tableOf(['setting', 'value'])}\n${lines.join('\n')}`;
}

function resultsOf(facts: RunFacts | null, step: number): string {
  const results = facts?.results ?? [];
  if (results.length === 0)
    return 'None were made: `vssl-native eval knn --run RUN ...` writes them into the run, and the next export has them.';
  const lines = results.map(
    (result) =>
      `| ${result.protocol}${result.step === step ? '' : ` (after ${result.step} steps)`} | ${result.data} | ` +
      `${result.measure} | ${result.trained} | ${result.random} | ${result.floor} |`,
  );
  const head = tableOf(['protocol', 'data', 'measure', 'trained', 'untrained', 'best of raw pixels']);
  return `${head}\n${lines.join('\n')}\n\nFrozen features, in percent.`;
}

function tableOf(columns: readonly string[]): string {
  return `| ${columns.join(' | ')} |\n|${' --- |'.repeat(columns.length)}`;
}
