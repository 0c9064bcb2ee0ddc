/**
 * Samples of webdataset's layout: the members of an archive that have one key, which is all of a name before the first dot
 * of its last part. `dog/001.mp4`, `dog/001.json` and `dog/001.cls` are the sample `dog/001`. They need not stand together.
 */
import { messageOf } from '../../errors.js';
import type { LeftOut } from '../readers/left-out.js';
import { cellSeconds, cellText, isReversed, KNOWN_COLUMNS } from '../readers/table.js';
import { decodeText } from '../readers/text.js';
import type { RowDetails } from '../rows.js';
import { MOST_TEXT, type TarMember } from './list-tar.js';

export interface TarSample extends Omit<RowDetails, 'id'> {
  readonly key: string;
  readonly video: TarMember;
}

/** Suffixes of what is taken for the video of a key. Others are named: a key may hold sound, vectors, pictures. */
const VIDEO_SUFFIXES: ReadonlySet<string> = new Set(
  (
    '3gp apng asf avi dv f4v flv gif h264 h265 hevc m2ts m2v m4v mjpeg mjpg mkv mov mp4 mpeg mpg mts mxf nut ogv rm ' +
    'rmvb ts vob webm wmv y4m'
  ).split(' '),
);

/** What stands beside a video and is read. */
const TEXTS = ['json', 'cls', 'txt'] as const;
type Text = (typeof TEXTS)[number];

/** `dog/001.cam1.mp4` as key `dog/001` and suffix `cam1.mp4`, in small letters; null: no key, or no suffix. */
export function splitName(name: string): { readonly key: string; readonly suffix: string } | null {
  const [, key, suffix] = /^((?:.*\/)?[^./]+)\.([^/]+)$/s.exec(name) ?? [];
  return key === undefined || suffix === undefined ? null : { key, suffix: suffix.toLowerCase() };
}

/** Whether the bytes of a member are needed to know its sample. */
export function isText(name: string): boolean {
  const suffix = splitName(name)?.suffix;
  return TEXTS.some((text) => text === suffix);
}

/** Of one name the last one is meant, as when an archive is unpacked. */
interface Group {
  readonly videos: Map<string, TarMember>;
  readonly texts: Map<Text, TarMember>;
}

export interface SampleOptions {
  /** Name of the archive, for what is left out. */
  readonly shard: string;
  /** Of videos, where the usual ones are not meant. */
  readonly suffixes: ReadonlySet<string> | null;
  readonly left: LeftOut;
}

/** The samples among an archive's members, in their order. */
export function samplesOf(members: readonly TarMember[], options: SampleOptions): TarSample[] {
  const { shard, left } = options;
  const samples: TarSample[] = [];
  for (const [key, { videos, texts }] of groupsOf(members, options)) {
    const [video] = videos.values();
    if (!video) left.add('no video', `${shard}/${key}`);
    else if (videos.size > 1) left.add('several videos', `${shard}/${key}`);
    else {
      const said = describe(texts);
      if (typeof said === 'string') left.add('wrong text', `${shard}/${key}: ${said}`);
      else samples.push({ key, video, ...said });
    }
  }
  return samples;
}

function groupsOf(
  members: readonly TarMember[],
  { shard, suffixes, left }: SampleOptions,
): Map<string, Group> {
  const groups = new Map<string, Group>();
  for (const member of members) {
    const { name, kind } = member;
    const split = splitName(name);
    const shown = `${shard}/${name}`;
    if (name.slice(name.lastIndexOf('/') + 1).startsWith('.')) left.add('hidden', shown);
    else if (name.split('/').includes('..')) left.add('outside', shown);
    else if (kind !== 'file') left.add(kind === 'device' ? 'device' : `${kind} member`, shown);
    else if (!split) left.addSuffix('');
    else {
      const { key, suffix } = split;
      const group = groups.get(key) ?? { videos: new Map(), texts: new Map() };
      groups.set(key, group);
      const text = TEXTS.find((each) => each === suffix);
      if (text) group.texts.set(text, member);
      else if (isVideo(suffix, suffixes)) group.videos.set(name, member);
    }
  }
  return groups;
}

/** `mp4` is meant by `cam1.mp4` too, unless suffixes are named: those are whole. */
function isVideo(suffix: string, suffixes: ReadonlySet<string> | null): boolean {
  if (suffixes) return suffixes.has(suffix);
  return VIDEO_SUFFIXES.has(suffix.slice(suffix.lastIndexOf('.') + 1));
}

/** What stands beside a video says of it, or what is wrong with that. */
function describe(texts: ReadonlyMap<Text, TarMember>): Omit<TarSample, 'key' | 'video'> | string {
  const large = [...texts].find(([, { body }]) => body === null);
  if (large) return `its .${large[0]} has more than ${MOST_TEXT} bytes`;
  const read = (text: Text) => {
    const body = texts.get(text)?.body;
    return body ? decodeText(body).trim() : undefined;
  };
  const json = read('json');
  let fields: Record<string, unknown> = {};
  if (json !== undefined) {
    try {
      fields = JSON.parse(json);
    } catch (error) {
      return `its .json is not JSON: ${messageOf(error)}`;
    }
    if (typeof fields !== 'object' || fields === null || Array.isArray(fields))
      return 'its .json is no object, such as {"label": "walk"}';
  }
  const [start, end] = [cellSeconds(fields.start), cellSeconds(fields.end)];
  if (Number.isNaN(start) || Number.isNaN(end)) return 'its start or end is no number of seconds';
  if (isReversed(start, end)) return `it ends at ${end} s, not after its start at ${start ?? 0} s`;
  const [cls, txt] = [read('cls'), read('txt')];
  const further = Object.entries(fields).filter(([name]) => !KNOWN_COLUMNS.has(name));
  return {
    label: cellText(fields.label) ?? cellText(cls),
    group: cellText(fields.group),
    start,
    end,
    extra: {
      ...(cls !== undefined && { cls }),
      ...(txt !== undefined && { txt }),
      ...Object.fromEntries(further),
    },
  };
}
