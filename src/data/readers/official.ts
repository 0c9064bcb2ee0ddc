/**
 * Published sets with the splits that their own files give: `ucf101:ROOT?split=1&fold=train`. What the sets share stands
 * here; how each writes its lists down in a file of its own.
 */
import { checkOneOf, checkRate } from '../../checks.js';
import { invalidArgument, VsslError } from '../../errors.js';
import { decodeValue } from '../manifest-query.js';
import { bareRow, type VideoRow } from '../rows.js';
import { DEFAULT_PICTURE_FPS } from './pictures.js';
import type { DatasetReader, ReaderRequest, ReaderResult } from './reader.js';
import { findSetFiles, type SetFiles } from './set-files.js';
import { readPieces } from './text.js';

/** A video that a list names. */
export interface ListedVideo {
  /** As the list has it, without suffix: the id of the row. */
  readonly id: string;
  /** Names that its file may have, without suffix. */
  readonly names: readonly string[];
  readonly label: string | undefined;
  /** Videos that are not independent have one group. */
  readonly group: string | undefined;
}

/** Which part of the set is asked for. */
export interface SetPart {
  readonly split: number;
  readonly fold: string;
  /** Where the lists are looked for. */
  readonly lists: SetFiles;
}

export interface OfficialSet {
  readonly name: string;
  /** Numbered splits; 1: the set has a single one, and no option for it. */
  readonly splits: number;
  /** By all the names that they go by: the first is the one that is told. */
  readonly folds: Readonly<Record<string, readonly string[]>>;
  /** The fold that is kept for testing what the fold `train` has trained. */
  readonly testFold: string;
  readonly list: (part: SetPart) => Promise<ListedVideo[]>;
}

/** The reader of a set. */
export function officialReader(set: OfficialSet): DatasetReader {
  return {
    name: set.name,
    options: [...(set.splits > 1 ? ['split'] : []), 'fold', 'splits', 'missing', 'fps'],
    readsPath: true,
    read: (request) => readSet(set, request),
    heldOut(query) {
      const parts = query.split('&').filter((part) => part !== '');
      const rest = parts.filter((part) => !part.startsWith('fold='));
      const isTraining = parts.length === rest.length || parts.includes('fold=train');
      return isTraining ? [`fold=${set.testFold}`, ...rest].join('&') : null;
    },
  };
}

async function readSet(set: OfficialSet, { target, options }: ReaderRequest): Promise<ReaderResult> {
  if (target === '')
    throw invalidArgument(set.name, `the folder of the set, such as ${set.name}:/data/${set.name}`, target);
  const { split, fold, missing, fps } = readOptions(set, options);
  const files = await findSetFiles(target, fps);
  const folder = options.get('splits');
  const lists = folder === undefined ? files : await findSetFiles(decodeValue(folder), fps);
  const listed = await set.list({ split, fold, lists });
  const rows: VideoRow[] = [];
  const lost: string[] = [];
  for (const { id, names, label, group } of listed) {
    const found = names.map((name) => files.video(name)).find((video) => video !== null);
    if (found) rows.push({ ...bareRow(id, found.path, found.source, label), group });
    else lost.push(id);
  }
  if (lost.length > 0 && (missing === 'fail' || rows.length === 0))
    throw filesMissing(set, target, lost, listed);
  const warnings = lost.length > 0 ? [`${lossOf(lost, listed, target)}; left out, as missing=skip says`] : [];
  return { rows, columns: [], warnings };
}

function readOptions({ splits, folds }: OfficialSet, options: ReadonlyMap<string, string>) {
  const choices = Array.from({ length: splits }, (_, i) => String(i + 1));
  const split = Number(checkOneOf('split', options.get('split') ?? '1', choices));
  const asked = options.get('fold') ?? 'train';
  const fold = Object.keys(folds).find((name) => folds[name]!.includes(asked));
  if (fold === undefined) checkOneOf('fold', asked, Object.keys(folds));
  const missing = checkOneOf('missing', options.get('missing') ?? 'fail', ['fail', 'skip']);
  const rate = options.get('fps');
  const fps = rate === undefined ? DEFAULT_PICTURE_FPS : checkRate('fps', Number(rate));
  return { split, fold: fold!, missing, fps };
}

function lossOf(lost: readonly string[], listed: readonly ListedVideo[], target: string): string {
  const shown = lost.slice(0, 3).join(', ') + (lost.length > 3 ? ', ...' : '');
  return `${lost.length} of the ${listed.length} videos that the split names are not in ${target} (${shown})`;
}

function filesMissing(
  { name }: OfficialSet,
  target: string,
  lost: readonly string[],
  listed: readonly ListedVideo[],
): VsslError {
  const way =
    lost.length === listed.length
      ? 'give the folder that the videos were unpacked into; it is searched with all of its folders'
      : `get them, or leave them out: ${name}:${target}?missing=skip`;
  return new VsslError('ERR_VSSL_DATA', `${lossOf(lost, listed, target)}: ${way}`, {
    details: { set: name, folder: target, missing: lost.length, first: lost.slice(0, 20) },
  });
}

/** The list of the set, of which there has to be one. `what`: its usual name and where it comes from. */
export function oneList({ lists }: SetPart, name: RegExp, set: string, what: string): string {
  const found = lists.lists(name);
  if (found.length === 1) return found[0]!;
  const problem =
    found.length === 0
      ? `there is no ${what} in ${lists.root}`
      : `there are ${found.length} files that may be ${what}: ${found.join(', ')}`;
  throw new VsslError('ERR_VSSL_DATA', `${problem}; say where the lists are: ${set}:ROOT?splits=FOLDER`, {
    details: { set, folder: lists.root },
  });
}

export async function readText(path: string): Promise<string> {
  let all = '';
  for await (const { text } of readPieces(path)) all += text;
  return all;
}

/** Lines that are not empty, with their numbers from 1. */
export async function* readLines(
  path: string,
): AsyncGenerator<{ line: number; text: string }, void, undefined> {
  let line = 0;
  for (const text of (await readText(path)).split('\n')) {
    line++;
    if (text.trim() !== '') yield { line, text: text.trim() };
  }
}

export function withoutSuffix(name: string): string {
  return name.replace(/\.[A-Za-z0-9]{1,5}$/, '');
}
