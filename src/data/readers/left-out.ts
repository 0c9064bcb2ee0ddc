/** What a walk through folders leaves out: counted, and told in one line a kind. */
import { basename } from 'node:path';
import type { Entry } from './list-folder.js';

/** Folders that systems and storage servers put beside one's own files, in small letters. */
const SYSTEM_FOLDERS = new Set([
  '@eadir',
  '@recycle',
  '@recently-snapshot',
  '@tmp',
  '#recycle',
  '#snapshot',
  '$recycle.bin',
  'recycler',
  'system volume information',
  'lost+found',
  '__macosx',
  'network trash folder',
  'temporary items',
]);

/** Why something is left out; each is one line. */
export type Reason =
  | 'forbidden'
  | 'dead link'
  | 'pipe'
  | 'socket'
  | 'device'
  | 'hidden'
  | 'system'
  | 'run'
  | 'run file'
  | 'copy'
  | 'poster'
  | 'link member'
  | 'sparse member'
  | 'outside'
  | 'no video'
  | 'several videos'
  | 'wrong text';

const TEXTS: Readonly<Record<Reason, readonly [one: string, many: string, why: string]>> = {
  forbidden: ['file or folder', 'files and folders', 'permission denied'],
  'dead link': ['link', 'links', 'what it leads to is not there'],
  pipe: ['named pipe', 'named pipes', 'not a file'],
  socket: ['socket', 'sockets', 'not a file'],
  device: ['device', 'devices', 'not a file'],
  hidden: ['hidden file or folder', 'hidden files and folders', 'the name begins with a dot'],
  system: ['folder', 'folders', 'of the system, not of the data'],
  run: ['run folder', 'run folders', 'made by training'],
  'run file': ['file', 'files', 'of a run folder'],
  copy: ['prepared copy', 'prepared copies', 'give its own path to use it'],
  'link member': [
    'link',
    'links',
    'a member has to hold its bytes: pack with --dereference --hard-dereference',
  ],
  'sparse member': [
    'sparse file',
    'sparse files',
    'a member has to hold all of its bytes: pack without --sparse',
  ],
  outside: ['member', 'members', 'the name leads out of the archive'],
  'no video': ['key', 'keys', 'no member with the suffix of a video; ?video=SUFFIX names another'],
  'several videos': ['key', 'keys', 'more than one video; ?video=SUFFIX says which'],
  'wrong text': ['key', 'keys', 'what stands beside the video cannot be used'],
  poster: ['picture', 'pictures', 'beside videos or folders of them, so not frames'],
};

const SHOWN = 3;

export class LeftOut {
  readonly #found = new Map<Reason, { count: number; examples: string[] }>();
  readonly #suffixes = new Map<string, number>();

  add(reason: Reason, name: string): void {
    const known = this.#found.get(reason) ?? { count: 0, examples: [] };
    known.count += 1;
    if (known.examples.length < SHOWN) known.examples.push(name);
    this.#found.set(reason, known);
  }

  /** A file whose suffix says that it is no video; '' for none. */
  addSuffix(suffix: string): void {
    const shown = suffix || '(no suffix)';
    this.#suffixes.set(shown, (this.#suffixes.get(shown) ?? 0) + 1);
  }

  hasSuffix(suffix: string): boolean {
    return this.#suffixes.has(suffix);
  }

  /** One line a kind. */
  lines(target: string): string[] {
    const bySuffix = [...this.#suffixes].map(
      ([suffix, n]) => `${n} ${n === 1 ? 'file' : 'files'} ${suffix} in ${target} left out: not a video`,
    );
    const others = [...this.#found].map(([reason, { count, examples }]) => {
      const [one, many, why] = TEXTS[reason];
      const more = count > examples.length ? ', ...' : '';
      return `${count} ${count === 1 ? one : many} in ${target} left out: ${why} (${examples.join(', ')}${more})`;
    });
    return [...bySuffix, ...others];
  }
}

export function isSystemFolder(name: string): boolean {
  return SYSTEM_FOLDERS.has(name.toLowerCase());
}

/** Whether these are the entries of a run folder: what training writes there first, and what shows that it is no other. */
export function isRunFolder(entries: readonly Entry[]): boolean {
  const has = (name: string, kind: Entry['kind'] = 'file') =>
    entries.some((entry) => entry.name === name && entry.kind === kind);
  const marks = ['config.json', 'metrics.jsonl', 'quarantine.jsonl', 'video-index.jsonl', 'lock'];
  return has('checkpoints', 'folder')
    ? marks.some((name) => has(name))
    : has('config.json') && (has('metrics.jsonl') || has('weights.safetensors'));
}

/** Files of a run whose names do not tell by their suffix that they are no videos: the data may be a run folder itself. */
export function isRunFile(path: string): boolean {
  return /^(events\.out\.tfevents\.|lock\.)/.test(basename(path));
}
